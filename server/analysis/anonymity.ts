import type { Store } from '../store/store.ts'
import { chunksOf, type Touched } from '../touched.ts'

/** Days over which a network's agents are counted (DESIGN §4). */
const TRAILING_DAYS = 30

/**
 * The flag (network, day): public when the network had at least `least` distinct volunteers' agents over the trailing 30
 * days. Public imports and the operator's own agents need no hiding; but a network where they stand beside one or two
 * volunteers is not public either, since the difference would show the volunteers.
 */
export const flagNetworks = async (store: Store, touched: Touched, least: number): Promise<void> => {
  for (const { countries, asns, from, to } of chunksOf(touched)) {
    await store.command(
      `INSERT INTO network_days
       SELECT country, asn, day, volunteers, toUInt8(volunteers = 0 OR volunteers >= {least:UInt32}), {revision:UInt64} FROM (
         SELECT country, asn, first + n AS day, uniqExactIf(agent, volunteer) AS volunteers FROM (
           SELECT country, asn, agent, toDate(at) AS first, max(origin = 'agent' AND role != 'operator') AS volunteer
           FROM agent_windows FINAL
           PREWHERE at >= fromUnixTimestamp(greatest(0, {from:Int64} - ${TRAILING_DAYS} * 86400))
             AND at < fromUnixTimestamp({to:UInt32} + ${TRAILING_DAYS} * 86400)
             AND (country, asn) IN (SELECT t.1, t.2 FROM (SELECT arrayJoin(arrayZip({countries:Array(String)}, {asns:Array(UInt32)})) AS t))
           GROUP BY country, asn, agent, first)
         ARRAY JOIN range(${TRAILING_DAYS}) AS n
         GROUP BY country, asn, day)
       WHERE day >= toDate(fromUnixTimestamp({from:UInt32})) AND day <= toDate(fromUnixTimestamp({to:UInt32})) + ${TRAILING_DAYS}`,
      { countries: countries!, asns: asns!, from: from!, to: to!, least, revision: Date.now() },
    )
  }
}

/**
 * SQL that keeps only rows of public networks (and whole countries, `asn` 0); wants columns `country`, `asn` and `at`, none
 * earlier than `since` (SQL that gives Unix seconds): of a long history few days are then looked at.
 */
export const publicSince = (since: string): string => `(asn = 0 OR (country, asn, toDate(at)) IN (
  SELECT country, asn, day FROM network_days FINAL WHERE public = 1 AND day >= toDate(toDateTime(${since}, 'UTC'))))`
export const PUBLIC = publicSince('0')
