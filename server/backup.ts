import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { PolicyEvent } from '../events/event.ts'
import { SettingsError } from '../measurement/settings.ts'
import { adminOf } from './agents-command.ts'
import { type Config, keysOf } from './config.ts'
import { fetchFile, readManifest, type Written, writeManifest } from './files.ts'
import { withServer } from './meanwhile.ts'
import { openStore } from './run.ts'
import { migrations } from './store/schema.ts'
import { from, type Slice, tablesOf } from './store/slices.ts'
import type { Store } from './store/store.ts'

/**
 * A whole store as Parquet files, and back: backup and restore, and the way from the embedded store to ClickHouse. It
 * holds what is private (pseudonyms, exact times); the keys of PEYK_KEYS are not in it.
 */

export const storeUsage = `peyk export store FOLDER                  everything the store holds as Parquet, with manifest.json; the server may run
peyk import store FOLDER                  such a folder into an empty store (PEYK_DATA, or PEYK_CLICKHOUSE_URL); no server may run
Exit codes: 0 done, 1 the copy is not the same, 2 wrong usage, a setting is wrong, or the store is not empty.
`

type Backup = { schema: number; made: string; files: (Slice & Written & { file: string })[] }

/** `peyk export store`. Gives the exit code. */
export const exportStore = async (
  folder: string,
  config: Config,
  events: readonly PolicyEvent[],
  say: (text: string) => void,
): Promise<number> => {
  const files = await withServer(config, events, async url => {
    const token = readFileSync(join(keysOf(config), 'admin-token'), 'utf8').trim()
    const headers = { authorization: `Bearer ${token}` }
    const { slices } = (await adminOf(config, url)('GET', '/v1/admin/store')) as { slices: Slice[] }
    const made: Backup['files'] = []
    for (const slice of slices) {
      const file = `${slice.table}.${slice.partition}.parquet`
      const path = `/v1/admin/store/${slice.table}/${slice.partition}`
      made.push({ ...slice, file, ...(await fetchFile(new URL(path, url), folder, file, headers)) })
    }
    return made
  })
  const manifest: Backup = { schema: migrations.length, made: new Date().toISOString(), files }
  writeManifest(folder, manifest)
  say(`${files.length} files, ${total(files)} rows, in ${folder}\n`)
  return 0
}

const total = (files: readonly { rows: number }[]): number => files.reduce((sum, { rows }) => sum + rows, 0)

/** `peyk import store`: files are held against their hashes first, rows counted after. Gives the exit code. */
export const importStore = async (folder: string, config: Config, say: (text: string) => void): Promise<number> => {
  const backup = readManifest<Backup>(folder)
  if (!backup) throw new SettingsError(`${folder} has no manifest.json: it is no export of a store, or a broken one.`)
  if (backup.schema > migrations.length) {
    throw new SettingsError(
      `${folder} has schema ${backup.schema}, this program knows ${migrations.length}: import it with the newer program.`,
    )
  }
  for (const { file, sha256 } of backup.files) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(folder, file)), hash)
    if (hash.digest('hex') !== sha256)
      throw new SettingsError(`${join(folder, file)} is not the file that was exported.`)
  }
  const { store, close } = await openStore(config, null)
  try {
    const known = await tablesOf(store)
    for (const { name } of known) {
      if ((await store.query(`SELECT 1 FROM ${name} LIMIT 1`)).length > 0) {
        throw new SettingsError(
          `The store is not empty (${name}): name an empty one by PEYK_DATA or PEYK_CLICKHOUSE_URL.`,
        )
      }
    }
    for (const { table, file } of backup.files) {
      if (!known.some(({ name }) => name === table)) throw new SettingsError(`${folder}: there is no table ${table}.`)
      await store.load(table, join(folder, file))
    }
    return await compare(store, backup, say)
  } finally {
    await close()
  }
}

const compare = async (store: Store, backup: Backup, say: (text: string) => void): Promise<number> => {
  let wrong = 0
  for (const table of await tablesOf(store)) {
    const wanted = total(backup.files.filter(file => file.table === table.name))
    const [row] = await store.query<{ n: number }>(`SELECT count() AS n FROM ${from(table)}`)
    if (row?.n === wanted) continue
    wrong++
    say(`${table.name}: ${row?.n} rows of ${wanted}\n`)
  }
  say(`${total(backup.files)} rows in ${backup.files.length} files\n`)
  return wrong ? 1 : 0
}
