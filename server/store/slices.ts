import { migrations } from './schema.ts'
import type { Store } from './store.ts'

/** A part of a table, as files hold it. */
export type Slice = { table: string; partition: string; rows: number }

/** `final`: the engine still merges doubles away, and readers must. */
type Table = { name: string; final: boolean }

export const tablesOf = async (store: Store): Promise<Table[]> =>
  await store.query<Table>(
    // On a cluster the tables are NAME_local, and NAME stands before them (store/cluster.ts).
    `SELECT replaceRegexpOne(name, '_local$', '') AS name, toBool(engine LIKE '%ReplacingMergeTree') AS final FROM system.tables
     WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name NOT IN ('migrations', 'migrations_local') ORDER BY name`,
  )

export const from = ({ name, final }: Table): string => `${name}${final ? ' FINAL' : ''}`

/**
 * Slices of all tables. Facts come first: what arrives while the rest is read is settled anew by the analyst that finds
 * it, since how far the last one was stands in the facts.
 */
export const slicesOf = async (store: Store): Promise<{ schema: number; slices: Slice[] }> => {
  const slices: Slice[] = []
  for (const table of await tablesOf(store)) {
    const rows = await store.query<{ partition: string; rows: number }>(
      `SELECT _partition_id AS partition, count() AS rows FROM ${from(table)} GROUP BY partition ORDER BY partition`,
    )
    for (const row of rows) slices.push({ table: table.name, ...row })
  }
  const first = ({ table }: Slice): number => (table === 'facts' ? 0 : 1)
  return { schema: migrations.length, slices: slices.sort((a, b) => first(a) - first(b)) }
}

/** One slice as Parquet; null where there is no such table. */
export const sliceFile = async (
  store: Store,
  name: string,
  partition: string,
): Promise<AsyncIterable<Uint8Array> | null> => {
  const table = (await tablesOf(store)).find(of => of.name === name)
  if (!table) return null
  const sql = `SELECT * FROM ${from(table)} WHERE _partition_id = {partition:String}
    SETTINGS output_format_parquet_row_group_size = 65536`
  return store.bytes(sql, 'Parquet', { partition })
}
