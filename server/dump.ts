import { parseArgs } from 'node:util'
import type { PolicyEvent } from '../events/event.ts'
import { SettingsError } from '../measurement/settings.ts'
import type { Config } from './config.ts'
import { fetchFile, readManifest, type Written, writeManifest } from './files.ts'
import { withServer } from './meanwhile.ts'

/** The public dump: a Parquet file of public rows for each day, and a manifest of their hashes. Meant to run every night. */

export const dumpUsage = `peyk dump FOLDER [--from DAY] [--to DAY] [--origin agent|ooni]
                                          public rows as a Parquet file for each day [FROM, TO) in UTC, with manifest.json;
                                          by default the last 14 whole days, since rows come late
Exit codes: 0 done, 2 wrong usage, a setting is wrong, or the server refused.
`

type Day = { day: string; rows: number }
type DumpFile = Day & Written & { file: string }
export type Dump = {
  made: string
  origin: string
  licence: string
  columns: string
  files: DumpFile[]
}

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 14
/** How often a day is read anew because rows came while it was read. */
const TRIES = 5

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** `peyk dump`: through the running server, or one of its own meanwhile. Gives the exit code. */
export const dumpCommand = async (
  args: readonly string[],
  config: Config,
  events: readonly PolicyEvent[],
  say: (text: string) => void,
): Promise<number> => {
  const { folder, from, to, origin } = read(args)
  const files = await withServer(config, events, async server => {
    const made: DumpFile[] = []
    for (const { day } of await daysOf(server, from, to, origin)) made.push(await fileOf(server, day, origin, folder))
    return made
  })
  const kept = (readManifest<Dump>(folder)?.files ?? []).filter(({ day }) => files.every(file => file.day !== day))
  const manifest: Dump = {
    made: new Date().toISOString(),
    origin: origin || 'all',
    licence: 'column "licence" of each row: agent CC BY 4.0, ooni CC BY-NC-SA 4.0, simulated CC0 1.0',
    columns: 'docs/data.md, Public rows',
    files: [...kept, ...files].sort((a, b) => (a.day < b.day ? -1 : 1)),
  }
  writeManifest(folder, manifest)
  say(`${files.length} days, ${files.reduce((sum, { rows }) => sum + rows, 0)} rows, in ${folder}\n`)
  return 0
}

const read = (args: readonly string[]) => {
  const options = { from: { type: 'string' }, to: { type: 'string' }, origin: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const [folder] = positionals
  const { from = dayOf(Date.now() - DEFAULT_DAYS * DAY_MS), to = dayOf(Date.now()), origin = '' } = values
  const days = [from, to].every(day => /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day)))
  if (!folder || positionals.length > 1 || !days || from >= to || !['', 'agent', 'ooni'].includes(origin)) {
    throw new SettingsError(dumpUsage)
  }
  return { folder, from, to, origin }
}

const ask = (server: string, path: string, query: Record<string, string>): URL => {
  const url = new URL(path, server)
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value)
  return url
}

const daysOf = async (server: string, from: string, to: string, origin: string): Promise<Day[]> => {
  const response = await fetch(ask(server, '/v1/measurements/days', { from, to, origin }))
  if (!response.ok) throw new SettingsError(`The server refused: ${await response.text()}`)
  return ((await response.json()) as { days: Day[] }).days
}

/** The file of a day, and how many rows are in it: counted before and after, and made again where they differ. */
const fileOf = async (server: string, day: string, origin: string, folder: string): Promise<DumpFile> => {
  const next = dayOf(Date.parse(day) + DAY_MS)
  const file = `peyk-${day}.parquet`
  const url = ask(server, '/v1/measurements', { from: day, to: next, origin, format: 'parquet' })
  const count = async () => (await daysOf(server, day, next, origin))[0]?.rows ?? 0
  let before = await count()
  for (let attempt = 0; ; attempt++) {
    const written = await fetchFile(url, folder, file)
    const rows = await count()
    if (rows === before || attempt === TRIES) return { day, file, rows, ...written }
    before = rows
  }
}
