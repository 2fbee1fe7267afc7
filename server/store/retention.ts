import type { Store } from './store.ts'

/**
 * Let the engine drop measurements `seconds` after they arrived, or keep them for good (null). Counted from arrival, so
 * that what came late is kept as long as the rest; imports are others' record and stay. Rollups and degradations stay.
 */
export const retain = async (store: Store, seconds: number | null): Promise<void> => {
  const rule =
    seconds === null ? null : `toDateTime(arrived) + toIntervalSecond(${Math.round(seconds)}) WHERE origin != 'ooni'`
  const [table] = await store.query<{ sql: string }>(
    `SELECT arrayStringConcat(groupArray(create_table_query)) AS sql FROM system.tables
     WHERE database = currentDatabase() AND name IN ('measurements_raw', 'measurements_raw_local')`,
  )
  const current = /\bTTL (toDateTime\(arrived\) \+ toIntervalSecond\(\d+\) WHERE origin != 'ooni')/.exec(
    table?.sql ?? '',
  )
  if ((current?.[1] ?? null) === rule) return
  await store.command(
    rule === null ? 'ALTER TABLE measurements_raw REMOVE TTL' : `ALTER TABLE measurements_raw MODIFY TTL ${rule}`,
  )
}
