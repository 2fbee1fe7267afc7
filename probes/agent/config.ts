import { join, resolve } from 'node:path'
import type { PublicKey } from './identity.ts'
import { isPublicKey, publicHalf } from './identity.ts'
import { type Invite, readInvite } from './invite.ts'
import { parseQuiet, type Quiet } from './manners.ts'
import { type Profile, type ProfileName, profiles } from './profiles.ts'
import type { Route } from './transport.ts'

/** A setting that is wrong; `message` has a line for each. The exit code is then 2 (docs/agent.md). */
export class SettingsError extends Error {
  override name = 'SettingsError'
  readonly exitCode = 2
}

type Setting<T> = { default: string; text: string; parse: (value: string) => T }

const fail = (must: string): never => {
  throw new Error(must)
}

const whole =
  (min: number, max: number) =>
  (value: string): number =>
    /^\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : fail(`must be a whole number from ${min} to ${max}`)

const oneOf =
  <const T extends string>(...allowed: T[]) =>
  (value: string): T =>
    allowed.find(one => one === value) ?? fail(`must be one of ${allowed.join(', ')}`)

const yes = (value: string): boolean => oneOf('yes', 'no')(value) === 'yes'

const orNull =
  <T>(parse: (value: string) => T) =>
  (value: string): T | null =>
    value === '' ? null : parse(value)

const httpUrl = (value: string): URL => {
  const url = URL.canParse(value) ? new URL(value) : fail('must be an https:// URL')
  if (!/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    return fail('must be an https:// URL without user, query and fragment')
  }
  return url
}

const host = (value: string): string =>
  /^[0-9A-Za-z:.-]{1,253}$/.test(value) ? value : fail('must be a host name or an IP address')

const vantage = (value: string): { country: string; asn: number } => {
  const [, country, asn] = /^([A-Z]{2}):(\d{1,10})$/.exec(value) ?? []
  return country && Number(asn) < 2 ** 32
    ? { country, asn: Number(asn) }
    : fail('must be a country and a network number, like KE:33771')
}

const publicKey =
  (whose: string) =>
  (value: string): PublicKey => {
    let key: unknown = value.startsWith('{') ? null : { kty: 'OKP', crv: 'Ed25519', x: value }
    try {
      key ??= JSON.parse(value)
    } catch {}
    return isPublicKey(key)
      ? publicHalf(key)
      : fail(`must be the ${whose} key’s public half: a JWK, or its x (43 letters)`)
  }

/** Where HTTPS_PROXY is unset, the system's way is the direct one. */
const route = (value: string): Route => {
  if (value === 'direct') return 'direct'
  const url = value === 'system' ? (process.env['HTTPS_PROXY'] ?? process.env['https_proxy'] ?? '') : value
  if (value === 'system' && url === '') return 'direct'
  const parsed = URL.canParse(url) ? new URL(url) : null
  return parsed && /^(https?|socks5):$/.test(parsed.protocol) && parsed.hostname
    ? parsed
    : fail(
        'must be direct, system, or proxies like http://127.0.0.1:8080 or socks5://127.0.0.1:9050, separated by commas',
      )
}

const ids = (value: string): readonly string[] => {
  const list = value.split(',').map(id => id.trim())
  return list.every(id => /^[a-z0-9-]+$/.test(id)) ? list : fail('must be ids of apps, separated by commas')
}

/** The one table of the agent's settings: README and docs/agent.md print it. */
export const settings = {
  PEYK_DATA: {
    default: './data',
    text: 'Folder; the agent keeps its files in `agent/` there.',
    parse: value => resolve(value),
  },
  PEYK_SERVER: { default: 'http://127.0.0.1:8400', text: 'Server that measurements go to.', parse: httpUrl },
  PEYK_INSECURE: {
    default: 'no',
    text: 'yes: the server may be an http:// address that is not on this machine.',
    parse: yes,
  },
  PEYK_RELEASE_KEY: {
    default: '',
    text: 'Public key (JWK, or its x) that signs the catalogue.',
    parse: orNull(publicKey('release')),
  },
  PEYK_OPERATOR_KEY: {
    default: '',
    text: 'Public key of the server’s operator: measurements are then sealed to the server on this disk, and its other addresses are known.',
    parse: orNull(publicKey('operator')),
  },
  PEYK_ROUTES: {
    default: 'direct',
    text: 'Ways to the server, tried in this order: direct, http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT (Tor: 9050), system (HTTPS_PROXY).',
    parse: value => value.split(',').map(part => route(part.trim())),
  },
  PEYK_INVITE: {
    default: '',
    text: 'One line from the operator: server, keys and code; stands for the four settings around it.',
    parse: orNull(value => readInvite(value) ?? fail('must be the whole line of an invite, peyk1.…')),
  },
  PEYK_CODE: {
    default: '',
    text: 'One-time code of an invite, needed once where the server asks for it.',
    parse: orNull(value => (/^[\x21-\x7e]{1,200}$/.test(value) ? value : fail('must be the code as it was given'))),
  },
  PEYK_PROFILE: {
    default: 'home',
    text: 'home: 12 MB a day. metered: 1.5 MB. control: 200 MB, for unfiltered networks.',
    parse: oneOf(...(Object.keys(profiles) as ProfileName[])),
  },
  PEYK_VANTAGE: {
    default: '',
    text: 'Country and network this agent measures from, like KE:33771. Unset: found by STUN and databases on this machine.',
    parse: orNull(vantage),
  },
  PEYK_ASN_DB: {
    default: '',
    text: 'Network database: an .mmdb, the text of `location dump`, or the CSV of @ip-location-db/asn. Unset: countries only.',
    parse: orNull(value => resolve(value)),
  },
  PEYK_APPS: { default: '', text: 'Measure only these apps, like telegram,signal. Unset: all.', parse: orNull(ids) },
  PEYK_QUIET: {
    default: '',
    text: 'Hours in which nothing is measured, on this machine’s clock, like 23:00-07:00.',
    parse: orNull(value => parseQuiet(value) ?? fail('must be two times, like 23:00-07:00')),
  },
  PEYK_BATTERY: { default: 'no', text: 'yes: measure on battery too.', parse: yes },
  PEYK_UNUSUAL: {
    default: 'no',
    text: 'yes: also send what a phone with the app would not send (docs/ethics.md).',
    parse: yes,
  },
  PEYK_LOOPBACK: { default: 'no', text: 'yes: a lab, targets on the loopback are allowed.', parse: yes },
  PEYK_METRICS_HOST: { default: '127.0.0.1', text: 'Address the status page and /metrics listen on.', parse: host },
  PEYK_METRICS_PORT: { default: '8402', text: 'Their port; 0 takes a free one.', parse: whole(0, 65_535) },
  PEYK_SPOOL_MB: { default: '100', text: 'Most megabytes of measurements kept for sending.', parse: whole(1, 100_000) },
  PEYK_SPOOL_DAYS: { default: '90', text: 'Longest they are kept, in days of running.', parse: whole(1, 3_650) },
} as const satisfies Record<string, Setting<unknown>>

type Read = { readonly [N in keyof typeof settings]: ReturnType<(typeof settings)[N]['parse']> }

/** What an agent needs to run; from the environment, or composed by whoever starts it. */
export type AgentConfig = {
  /** Folder of the agent's own files. */
  folder: string
  /** Where the server is, best first. */
  servers: readonly URL[]
  releaseKey: PublicKey
  /** With it, what is kept is sealed, and the operator's document names the servers. */
  operatorKey: PublicKey | null
  routes: readonly Route[]
  code: string | null
  profile: Profile
  vantage: { country: string; asn: number } | null
  /** File of the network database. */
  networks: string | null
  apps: readonly string[] | null
  unusual: boolean
  loopback: boolean
  quiet: Quiet | null
  battery: boolean
  /** Where the status page and /metrics listen; null for nowhere. */
  metrics: { host: string; port: number } | null
  spool: { maxBytes: number; maxAge: number }
}

/** On this machine: nothing between it and the agent can read or charge for what is sent. */
export const isLocal = ({ hostname }: URL): boolean => /^(127\.|localhost$|\[::1\]$)/.test(hostname)

/** Not shown where they are wrong: a code, and passwords of proxies. */
const secret = new Set(['PEYK_CODE', 'PEYK_INVITE', 'PEYK_ROUTES'])

const readAll = (env: Record<string, string | undefined>, wrong: string[]): Read => {
  const entries = Object.entries(settings).map(([name, { default: fallback, parse }]) => {
    const value = env[name] || fallback
    try {
      return [name, parse(value)]
    } catch (error) {
      const said = secret.has(name) ? '' : `; it is ${JSON.stringify(value)}`
      wrong.push(`${name} ${(error as Error).message}${said}.`)
      return [name, null]
    }
  })
  return Object.fromEntries(entries) as Read
}

/** The settings that say where this is, for commands that need no server. */
export const readPlace = (
  env: Record<string, string | undefined> = process.env,
): { vantage: { country: string; asn: number } | null; loopback: boolean } => {
  const wrong: string[] = []
  const { PEYK_VANTAGE, PEYK_LOOPBACK } = readAll(env, wrong)
  if (wrong.length) throw new SettingsError(wrong.join('\n'))
  return { vantage: PEYK_VANTAGE, loopback: PEYK_LOOPBACK }
}

/**
 * Reads and validates every setting; an empty one counts as unset. `releaseKey` is the one pinned at build or made by
 * this program, where PEYK_RELEASE_KEY names none.
 */
export const readConfig = (
  env: Record<string, string | undefined> = process.env,
  releaseKey: PublicKey | null = null,
): AgentConfig => {
  const wrong: string[] = []
  const read = readAll(env, wrong)
  // What is set by itself goes before the invite.
  const set = (name: string) => Boolean(env[name])
  const invite: Invite | null = read.PEYK_INVITE
  const key = read.PEYK_RELEASE_KEY ?? invite?.release ?? releaseKey
  const servers = invite && !set('PEYK_SERVER') ? invite.servers : [read.PEYK_SERVER]
  if (!wrong.length) {
    if (!key) wrong.push('PEYK_RELEASE_KEY must be set: the operator of the server tells it (`peyk catalogue key`).')
    if (servers.some(server => server.protocol !== 'https:' && !isLocal(server)) && !read.PEYK_INSECURE) {
      wrong.push('PEYK_SERVER must be https:// where it is not on this machine, or PEYK_INSECURE must be yes.')
    }
  }
  if (wrong.length || !key) throw new SettingsError(wrong.join('\n'))
  return {
    folder: join(read.PEYK_DATA, 'agent'),
    servers,
    releaseKey: key,
    operatorKey: read.PEYK_OPERATOR_KEY ?? invite?.operator ?? null,
    routes: read.PEYK_ROUTES,
    code: read.PEYK_CODE ?? invite?.code ?? null,
    profile: profiles[read.PEYK_PROFILE],
    vantage: read.PEYK_VANTAGE,
    networks: read.PEYK_ASN_DB,
    apps: read.PEYK_APPS,
    unusual: read.PEYK_UNUSUAL,
    loopback: read.PEYK_LOOPBACK,
    quiet: read.PEYK_QUIET,
    battery: read.PEYK_BATTERY,
    metrics: { host: read.PEYK_METRICS_HOST, port: read.PEYK_METRICS_PORT },
    spool: { maxBytes: read.PEYK_SPOOL_MB * 1e6, maxAge: read.PEYK_SPOOL_DAYS * 86_400 },
  }
}
