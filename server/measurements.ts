import { ROLLUP_SECONDS } from '../measurement/windows.ts'
import { PUBLIC } from './analysis/anonymity.ts'
import type { Params, Store } from './store/store.ts'

export type MeasurementsWanted = {
  app?: string | undefined
  country?: string | undefined
  feature?: string | undefined
  asn?: number | undefined
  origin?: string | undefined
  /** Unix seconds, [from, to). */
  from: number
  to: number
  /** Unix seconds: only what had arrived by then. */
  known?: number
}

const DAY_SECONDS = 86_400

/** Sorting beyond this many bytes goes by disk, and Parquet is written in small groups: memory stays the same however long the range. */
const SETTINGS = `SETTINGS max_bytes_before_external_sort = 200000000, max_bytes_ratio_before_external_sort = 0,
  output_format_parquet_row_group_size = 65536, max_threads = 2`

/** Rows of the range that may leave; the agent's own time narrows the search, clocks off by over a day are looked for apart. */
const SELECTED = `SELECT *, toStartOfInterval(placed, INTERVAL ${ROLLUP_SECONDS} SECOND) AS start, ${PUBLIC.replaceAll('at)', 'placed)')} AND asn != 0 AS shown
  FROM measurements
  WHERE (at >= fromUnixTimestamp({from:Int64} - ${DAY_SECONDS}) AND at < fromUnixTimestamp({to:Int64} + ${DAY_SECONDS}) OR abs(offset) > ${DAY_SECONDS})
    AND placed >= fromUnixTimestamp({from:UInt32}) AND placed < fromUnixTimestamp({to:UInt32})
    AND ({app:String} = '' OR app = {app:String}) AND ({country:String} = '' OR country = {country:String})
    AND ({feature:String} = '' OR feature = {feature:String}) AND ({origin:String} = '' OR origin = {origin:String})
    AND trust != 'quarantined' AND ({known:UInt32} = 0 OR arrived < fromUnixTimestamp({known:UInt32}))`
const ASKED = '{asn:UInt32} = 0 OR (shown AND asn = {asn:UInt32})'

const paramsOf = ({
  app = '',
  country = '',
  feature = '',
  asn = 0,
  origin = '',
  from,
  to,
  known = 0,
}: MeasurementsWanted): Params => ({
  ...{ app, country, feature, asn, origin, from, to, known },
})

/**
 * The query for public rows: neither agent, id, sequence nor prefix, and time only as its window; networks that are not
 * public appear as 0. Rows are ordered by window and then by what they say, never by when or from whom they came.
 */
export const measurementsQuery = (wanted: MeasurementsWanted): { sql: string; params: Params } => {
  const sql = `SELECT formatDateTime(start, '%Y-%m-%dT%H:%i:%SZ') AS window, app, feature, target, kind, family, route, role, country,
    if(shown, asn, 0) AS asn, access, failure, \`steps.operation\` AS operations, \`steps.duration\` AS seconds, \`steps.failure\` AS failures,
    served_asn, served_country, served_dc, origin_proof, marks,
    origin, trust, software, catalogue, rule, if(origin = 'agent', 'CC BY 4.0', if(origin = 'simulated', 'CC0 1.0', source_licence)) AS licence
  FROM (${SELECTED})
  WHERE ${ASKED}
  ORDER BY start, app, country, asn, target, failure, seconds ${SETTINGS}`
  return { sql, params: paramsOf(wanted) }
}

/** Formats of public rows, by the name they are asked for. */
export const formats = {
  jsonl: { name: 'JSONEachRow', rest: 'JSONEachRow', type: 'application/x-ndjson' },
  csv: { name: 'CSVWithNames', rest: 'CSV', type: 'text/csv; charset=utf-8' },
  parquet: { name: 'Parquet', rest: null, type: 'application/vnd.apache.parquet' },
} as const
export type Format = keyof typeof formats

/** Public rows as a file, in constant memory: lines come day by day, so that the first do not wait for the last. */
export async function* measurementsFile(
  store: Store,
  wanted: MeasurementsWanted,
  format: Format,
): AsyncIterable<Uint8Array> {
  const { name, rest } = formats[format]
  const spans = rest === null ? [wanted] : await daysOf(store, wanted)
  for (const [at, span] of spans.entries()) {
    const { sql, params } = measurementsQuery(span)
    yield* store.bytes(sql, at === 0 || rest === null ? name : rest, params)
  }
}

/** The range in spans of a day each, without the days on which there is nothing; at least one. */
const daysOf = async (store: Store, wanted: MeasurementsWanted): Promise<MeasurementsWanted[]> => {
  const rows = await store.query<{ day: number }>(
    `SELECT DISTINCT toUInt32(toStartOfDay(start)) AS day FROM (${SELECTED}) ORDER BY day`,
    paramsOf(wanted),
  )
  const spans = rows.map(({ day }) => ({
    ...wanted,
    from: Math.max(wanted.from, day),
    to: Math.min(wanted.to, day + DAY_SECONDS),
  }))
  return spans.length > 0 ? spans : [wanted]
}

/** Days on which there are public rows, and how many; bounds are those of the question. */
export const measurementDays = async (
  store: Store,
  wanted: MeasurementsWanted,
): Promise<{ day: string; rows: number }[]> =>
  await store.query(
    `SELECT toString(toDate(start)) AS day, count() AS rows FROM (${SELECTED}) WHERE ${ASKED} GROUP BY day ORDER BY day`,
    paramsOf(wanted),
  )

/**
 * Where a page of about `limit` rows from `wanted.from` on ends: at a whole window, which is the cursor. Pages so read join
 * without gaps and doubles, whatever arrives between; null where everything is on this page.
 */
export const pageEnd = async (store: Store, wanted: MeasurementsWanted, limit: number): Promise<number | null> => {
  const rows = await store.query<{ begins: number; total: number }>(
    `SELECT toUInt32(start) AS begins, sum(count()) OVER (ORDER BY start) AS total FROM (${SELECTED})
     WHERE ${ASKED} GROUP BY start ORDER BY start LIMIT {windows:UInt32}`,
    { ...paramsOf(wanted), windows: limit + 1 },
  )
  const over = rows.findIndex(({ total }) => total > limit)
  // A window is not torn: one that is larger than the page is a page.
  return rows[Math.max(1, over)] && over >= 0 ? rows[Math.max(1, over)]!.begins : null
}
