type Setting<T> = { default: string; text: string; parse: (value: string) => T }

const fail = (must: string): never => {
  throw new Error(must)
}

const megabytes = (value: string): number =>
  /^\d{1,6}$/.test(value) && Number(value) > 0 ? Number(value) * 1e6 : fail('must be a whole number of megabytes')

const port = (value: string): number =>
  /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : fail('must be ports, separated by commas')

/** The one table of settings of the helper: README and docs/helper.md print it. */
export const settings = {
  PEYK_HOST: {
    default: '0.0.0.0',
    text: 'Address to listen on.',
    parse: (value: string) =>
      /^[0-9A-Za-z:.-]{1,253}$/.test(value) ? value : fail('must be a host name or an IP address'),
  },
  PEYK_HELPER_PORTS: {
    default: '443,80,5222,3478,599',
    text: 'Ports of the helper, TCP and UDP both, each for everything it speaks. The catalogue’s flows need 443, 5222 and 599.',
    parse: (value: string) => value.split(',').map(one => port(one.trim())),
  },
  PEYK_HELPER_RATE: {
    default: '12',
    text: 'Megabytes a second the helper gives and takes at most; beyond that it refuses, and slows nobody down.',
    parse: megabytes,
  },
  PEYK_HELPER_QUOTA: {
    default: '40',
    text: 'Megabytes of a day for one address (of a /64, with IPv6).',
    parse: megabytes,
  },
} as const satisfies Record<string, Setting<unknown>>

/** A setting that is wrong; `message` has a line for each. */
export class SettingsError extends Error {
  override name = 'SettingsError'
  readonly exitCode = 2
}

type Read = { readonly [N in keyof typeof settings]: ReturnType<(typeof settings)[N]['parse']> }

/** Reads and validates every setting; an empty one counts as unset. */
export const readSettings = (env: Record<string, string | undefined> = process.env): Read => {
  const wrong: string[] = []
  const entries = Object.entries(settings).map(([name, { default: fallback, parse }]) => {
    const value = env[name] || fallback
    try {
      return [name, parse(value)]
    } catch (error) {
      wrong.push(`${name} ${(error as Error).message}; it is ${JSON.stringify(value)}.`)
      return [name, null]
    }
  })
  if (wrong.length > 0) throw new SettingsError(wrong.join('\n'))
  return Object.fromEntries(entries) as Read
}
