import { ROLLUP_SECONDS } from '../measurement/windows.ts'
import { PUBLIC } from './analysis/anonymity.ts'
import type { Params } from './store/store.ts'

export type MeasurementsWanted = {
  app?: string | undefined
  country?: string | undefined
  feature?: string | undefined
  asn?: number | undefined
  origin?: string | undefined
  /** Unix seconds, [from, to). */
  from: number
  to: number
}

/**
 * The query for public rows: neither agent, id, sequence nor prefix, and time only as its window; networks that are not
 * public appear as 0. Rows are ordered by window and then by what they say, never by when or from whom they came.
 */
export const measurementsQuery = (wanted: MeasurementsWanted): { sql: string; params: Params } => {
  const { app = '', country = '', feature = '', asn = 0, origin = '', from, to } = wanted
  const sql = `SELECT formatDateTime(start, '%Y-%m-%dT%H:%i:%SZ') AS window, app, feature, target, kind, family, route, role, country,
    if(shown, asn, 0) AS asn, access, failure, operations, seconds, failures, served_asn, served_country, served_dc, origin_proof,
    origin, trust, software, catalogue, rule, if(origin = 'agent', 'CC BY 4.0', if(origin = 'simulated', 'CC0 1.0', source_licence)) AS licence
  FROM (
    SELECT *, toStartOfInterval(placed, INTERVAL ${ROLLUP_SECONDS} SECOND) AS start, ${PUBLIC.replaceAll('at)', 'placed)')} AND asn != 0 AS shown,
      \`steps.operation\` AS operations, \`steps.duration\` AS seconds, \`steps.failure\` AS failures
    FROM measurements
    WHERE at >= fromUnixTimestamp({from:Int64} - 86400) AND at < fromUnixTimestamp({to:Int64} + 86400)
      AND placed >= fromUnixTimestamp({from:UInt32}) AND placed < fromUnixTimestamp({to:UInt32})
      AND ({app:String} = '' OR app = {app:String}) AND ({country:String} = '' OR country = {country:String})
      AND ({feature:String} = '' OR feature = {feature:String}) AND ({origin:String} = '' OR origin = {origin:String})
      AND trust != 'quarantined'
  )
  WHERE {asn:UInt32} = 0 OR (shown AND asn = {asn:UInt32})
  ORDER BY start, app, country, asn, target, failure, seconds`
  return { sql, params: { app, country, feature, asn, origin, from, to } }
}
