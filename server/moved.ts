import { latencyStep, type Paired, type Relocation, relocation } from '../measurement/judge/relocation.ts'
import type { Measurement } from '../measurement/measurement.ts'
import { DECIDES, decidingParams } from './rollup.ts'
import type { Store } from './store/store.ts'
import { TOTAL } from './trials.ts'

/** Whether an app that became slower is served from farther away now (measurement/judge/relocation.ts). */

export type MoveScope = {
  country: string
  app: string
  feature: string
  asns: readonly number[]
  onset: number
  /** Until when it is looked at, Unix seconds. */
  until: number
  /** Whether paired transfers say that somebody holds it back. */
  throttled: boolean
}

/** As far before and after the onset. */
const LOOK_SECONDS = 2 * 86_400
/** Answers looked at on each side: enough for a median, little enough for ranks of all pairs. */
const MOST_PLACES = 2_000
const MOST_PAIRS = 200
/** Of one agent, so that none speaks for all. */
const MOST_OF_ONE = 20

const SPAN = `country = {country:String} AND app = {app:String} AND feature = {feature:String} AND asn IN {asns:Array(UInt32)}
  AND role != 'control' AND ${DECIDES}`

type PlaceRow = {
  late: number
  served_asn: number
  served_country: string
  served_rtt_floor: number | null
  served_dc: string
}

export const movedOf = async (store: Store, scope: MoveScope): Promise<Relocation | null> => {
  const { country, app, feature, asns, onset, throttled } = scope
  const to = Math.min(scope.until, onset + LOOK_SECONDS)
  const params = { country, app, feature, asns, onset, from: Math.max(0, onset - LOOK_SECONDS), to, ...decidingParams }
  const places = await store.query<PlaceRow>(
    `SELECT placed >= fromUnixTimestamp({onset:UInt32}) AS late, served_asn, served_country, served_rtt_floor, served_dc
     FROM measurements WHERE ${SPAN} AND failure = '' AND served_country != 'ZZ'
       AND at >= fromUnixTimestamp({from:UInt32}) - INTERVAL 1 DAY AND at < fromUnixTimestamp({to:UInt32}) + INTERVAL 1 DAY
       AND placed >= fromUnixTimestamp({from:UInt32}) AND placed < fromUnixTimestamp({to:UInt32})
     ORDER BY cityHash64(id) LIMIT ${MOST_PLACES} BY late`,
    params,
  )
  const served = (late: number): Measurement['served'][] =>
    places
      .filter(row => row.late === late)
      .map(row => ({
        asn: row.served_asn,
        country: row.served_country,
        rtt_floor: row.served_rtt_floor,
        dc: row.served_dc || null,
      }))
  // Most apps never were served from the country: nothing can have left it.
  if (!served(0).some(of => of.country === country)) return null
  const pairs = await store.query<{ late: number; ours: number; theirs: number }>(
    `SELECT at >= fromUnixTimestamp({onset:UInt32}) AS late, ${TOTAL('seconds')} AS ours, ${TOTAL('control_seconds')} AS theirs
     FROM agent_windows FINAL WHERE ${SPAN} AND attempts = answered AND ours > 0 AND theirs > 0
       AND at >= fromUnixTimestamp({from:UInt32}) AND at < fromUnixTimestamp({to:UInt32})
     ORDER BY cityHash64(agent, at, target) LIMIT ${MOST_OF_ONE} BY late, agent`,
    params,
  )
  const side = (late: number): Paired[] => {
    const rows = pairs.filter(row => row.late === late).slice(0, MOST_PAIRS)
    return rows.map(({ ours, theirs }) => ({ app: ours, control: theirs }))
  }
  const step = latencyStep(side(0), side(1))
  return relocation(served(0), served(1), { home: country, step, throttled })
}
