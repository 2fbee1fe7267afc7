/**
 * How every program of Peyk reads its settings: a table of names, each with its default, its meaning for people, and what
 * a value must be. Read once, at the start; a value that is wrong stops the program with the setting's name.
 */
export type Setting<T> = { default: string; text: string; parse: (value: string) => T }

type Table = Readonly<Record<string, Setting<unknown>>>
export type Read<T extends Table> = { readonly [N in keyof T]: ReturnType<T[N]['parse']> }

/** A setting, or a file it names, that is wrong; `message` has a line for each and says what to do. */
export class SettingsError extends Error {
  override name = 'SettingsError'
  readonly exitCode = 2
}

/** What the system refuses about a file that somebody named, in words. */
const fileTroubles: Readonly<Record<string, string>> = {
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of this path is no folder',
  EISDIR: 'it is a folder',
  ENOENT: 'it does not exist',
}

/** How a program ends on an error: one line where whoever started it can mend it, the stack of a bug. */
export const told = (error: Error): { text: string; exitCode: number } => {
  const { message, stack, exitCode, code = '', path } = error as NodeJS.ErrnoException & { exitCode?: number }
  if (exitCode) return { text: message, exitCode }
  if (code.startsWith('ERR_PARSE_ARGS')) return { text: `${message.split('. ')[0]}; --help tells more.`, exitCode: 2 }
  const trouble = path && fileTroubles[code]
  if (trouble) return { text: `${path} cannot be used: ${trouble} (${code}).`, exitCode: 2 }
  return { text: stack ?? message, exitCode: 1 }
}

/** Values by name, and what is wrong with others. An empty value counts as unset; those of `hidden` names are not repeated. */
export const readAll = <T extends Table>(
  table: T,
  env: Readonly<Record<string, string | undefined>>,
  hidden: ReadonlySet<string> = new Set(),
): { read: Read<T>; wrong: string[] } => {
  const wrong: string[] = []
  const entries = Object.entries(table).map(([name, { default: fallback, parse }]) => {
    const value = env[name] || fallback
    try {
      return [name, parse(value)]
    } catch (error) {
      const said = hidden.has(name) ? '' : `; it is ${JSON.stringify(value)}`
      wrong.push(`${name} ${(error as Error).message}${said}.`)
      return [name, undefined]
    }
  })
  return { read: Object.fromEntries(entries) as Read<T>, wrong }
}

/** The same where nothing but the values can be wrong. Throws `SettingsError`. */
export const readSettings = <T extends Table>(
  table: T,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Read<T> => {
  const { read, wrong } = readAll(table, env)
  if (wrong.length > 0) throw new SettingsError(wrong.join('\n'))
  return read
}

/** Parsers throw what the value must be; the reader puts name and value around it. */
export const fail = (must: string): never => {
  throw new Error(must)
}

export const whole =
  (min: number, max: number) =>
  (value: string): number =>
    /^\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : fail(`must be a whole number from ${min} to ${max}`)

export const oneOf =
  <const T extends string>(...allowed: T[]) =>
  (value: string): T =>
    allowed.find(one => one === value) ?? fail(`must be one of ${allowed.join(', ')}`)

export const optional =
  <T>(parse: (value: string) => T) =>
  (value: string): T | null =>
    value === '' ? null : parse(value)

export const list =
  <T>(parse: (value: string) => T) =>
  (value: string): T[] =>
    value === '' ? [] : value.split(',').map(item => parse(item.trim()))

export const host = (value: string): string =>
  /^[0-9A-Za-z:.-]{1,253}$/.test(value) ? value : fail('must be a host name or an IP address')
