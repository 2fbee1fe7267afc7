import type { Place, Point, Reachability, Series, Source } from '../measurement/answers.ts'
import { CONTROL } from '../measurement/catalogue.ts'
import { wilson } from '../measurement/judge/statistics.ts'
import type { Layer } from '../measurement/step.ts'
import { type Operation, operations } from '../measurement/step.ts'
import type { Feature } from '../measurement/target.ts'
import type { Mechanism, State, Verdict } from '../measurement/verdict.ts'
import { ROLLUP_SECONDS, type RollupLevel, windowStart } from '../measurement/windows.ts'
import { PUBLIC, publicSince } from './analysis/anonymity.ts'
import { LICENCE as OONI_LICENCE } from './ooni/report.ts'
import { spans } from './store/schema.ts'
import type { Params, Store } from './store/store.ts'

/** Public answers, read from rollups and degradations only. Networks that are not public stand in their country alone. */

type NetworkName = (asn: number) => string | undefined

type Row = {
  app: string
  feature: Feature
  country: string
  asn: number
  start: number
  origins: Source['origin'][]
  agents: number
  attempts: number
  reachability: number | null
  seconds: Record<string, number>
  goodput: Record<string, number>
  failures: Record<string, number>
  verdict: Verdict
  layer: Layer | ''
  mechanism: Mechanism | ''
  state: State | ''
  networks: Record<string, number>
}

const COLUMNS = `app, feature, country, asn, toUnixTimestamp(at) AS start, origins, agents, attempts, reachability, seconds, goodput,
  failures, verdict, layer, mechanism, state, networks`

export const iso = (at: number): string => new Date(at * 1000).toISOString().replace('.000Z', 'Z')
const round = (value: number, digits: number): number => Number(value.toFixed(digits))

const pointOf = (row: Row): Point => {
  const known = row.reachability !== null && row.agents > 0
  const band = known ? wilson(row.reachability!, row.agents) : null
  const timed = Object.keys(row.seconds).length > 0
  return {
    at: iso(row.start),
    reachability: known ? round(row.reachability!, 4) : null,
    low: band && round(band.low, 4),
    high: band && round(band.high, 4),
    agents: row.agents,
    attempts: row.attempts,
    latency: timed ? latencyOf(row.seconds) : {},
    ...goodputOf(row.goodput),
    failures: row.failures,
    verdict: row.verdict,
    layer: row.layer || null,
    mechanism: row.mechanism || null,
    state: row.state || null,
    ...(row.asn === 0 ? { networks: row.networks } : {}),
  }
}

const latencyOf = (seconds: Record<string, number>): Partial<Record<Operation, number | null>> =>
  Object.fromEntries(
    operations.filter(operation => operation in seconds).map(operation => [operation, round(seconds[operation]!, 6)]),
  )

const goodputOf = ({ app, control, 'ratio/control': ratio }: Record<string, number>): Pick<Point, 'goodput'> => {
  if (app === undefined && control === undefined && ratio === undefined) return {}
  return {
    goodput: {
      ...(app === undefined ? {} : { app: Math.round(app) }),
      ...(control === undefined ? {} : { control: Math.round(control) }),
      ...(ratio === undefined ? {} : { ratio: round(ratio, 4) }),
    },
  }
}

const attributions: Record<Source['origin'], Omit<Source, 'origin'>> = {
  agent: { licence: 'CC BY 4.0', attribution: 'Agents of this server’s volunteers' },
  ooni: { licence: OONI_LICENCE, attribution: 'OONI (Open Observatory of Network Interference), ooni.org' },
  simulated: { licence: 'CC0 1.0', attribution: 'SIMULATED: no network was measured' },
}

/** Whose data stands behind rows, simulated first since it must not be missed. */
export const sourcesOf = (rows: readonly { origins: readonly Source['origin'][] }[]): Source[] => {
  const origins = new Set(rows.flatMap(({ origins }) => origins))
  return (['simulated', 'agent', 'ooni'] as const)
    .filter(origin => origins.has(origin))
    .map(origin => ({ origin, ...attributions[origin] }))
}

export type SeriesWanted = {
  app: string
  feature: Feature
  country: string
  asn: number | undefined
  from: number
  to: number
  level: RollupLevel
  step: string
}

export const seriesAnswer = async (store: Store, wanted: SeriesWanted, networkName: NetworkName): Promise<Series> => {
  const { app, feature, country, asn, from, to, level, step } = wanted
  const params: Params = { app, feature, country, asn: asn ?? 0, level, from: windowStart(from, level), to }
  const rows = await store.query<Row>(
    `SELECT ${COLUMNS} FROM rollups FINAL
     PREWHERE ${spans('{level:UInt32}', '{from:UInt32}', '{to:UInt32}')} AND app = {app:String} AND feature = {feature:String}
       AND country = {country:String} AND asn = {asn:UInt32}
     WHERE ${publicSince('{from:UInt32}')} ORDER BY at`,
    params,
  )
  const networks = asn === undefined ? await networksOf(store, params, networkName) : undefined
  return {
    ...{ app, feature, country },
    ...(asn === undefined ? {} : { asn }),
    ...{ step, from: iso(from), to: iso(to), points: rows.map(pointOf) },
    ...(networks ? { networks } : {}),
    sources: sourcesOf(rows),
  }
}

/** The public networks of a country's series, most measured first. */
const networksOf = async (store: Store, params: Params, networkName: NetworkName) => {
  const rows = await store.query<{ asn: number; attempts: number }>(
    `SELECT asn, sum(attempts) AS attempts FROM rollups FINAL
     PREWHERE ${spans(86_400, 'toUInt32({from:Int64} - 86399)', '{to:UInt32}')} AND app = {app:String} AND feature = {feature:String}
       AND country = {country:String} AND asn != 0
     WHERE ${PUBLIC}
     GROUP BY asn ORDER BY attempts DESC, asn`,
    params,
  )
  return rows.map(({ asn, attempts }) => ({ asn, ...nameOf(asn, networkName), attempts }))
}

const nameOf = (asn: number, networkName: NetworkName): { network?: string } => {
  const network = networkName(asn)
  return network ? { network } : {}
}

export type ReachabilityWanted = {
  at: number
  /** `at` is the present, which is still being judged. */
  present: boolean
  app: string | undefined
  feature: Feature | undefined
  country: string | undefined
}

/**
 * Every place at one time: the 5-minute window that holds `at`, whose verdicts look back an hour. At present a place
 * whose newest window is not judged yet stands as it was in the one before, so that no place blinks as windows change.
 */
export const reachabilityAnswer = async (
  store: Store,
  { at, present, app, feature, country }: ReachabilityWanted,
  networkName: NetworkName,
): Promise<Reachability> => {
  const start = windowStart(at)
  const filter = `app != {control:String} AND ({app:String} = '' OR app = {app:String}) AND ({feature:String} = '' OR feature = {feature:String})
    AND ({country:String} = '' OR country = {country:String})`
  const earliest = present ? start - ROLLUP_SECONDS : start
  const params: Params = {
    end: start + ROLLUP_SECONDS,
    earliest,
    control: CONTROL,
    app: app ?? '',
    feature: feature ?? '',
    country: country ?? '',
  }
  const rows = await store.query<Row>(
    `SELECT ${COLUMNS} FROM rollups FINAL PREWHERE ${spans(ROLLUP_SECONDS, '{earliest:UInt32}', '{end:UInt32}')} AND ${filter}
     WHERE ${publicSince('{earliest:UInt32}')} ORDER BY app, feature, country, asn, rollups.at DESC LIMIT 1 BY app, feature, country, asn`,
    params,
  )
  const countries = await newestOf(store)
  const mine = countries.filter(row => country === undefined || row.country === country)
  return {
    at: iso(start),
    places: rows.map(
      (row): Place => ({
        ...{ app: row.app, feature: row.feature, country: row.country },
        ...(row.asn === 0 ? {} : { asn: row.asn, ...nameOf(row.asn, networkName) }),
        ...pointOf(row),
      }),
    ),
    newest: mine[0] ? iso(mine[0].newest) : null,
    countries: countries.map(({ country, newest }) => ({ country, newest: iso(newest) })),
    sources: sourcesOf(mine),
  }
}

type Newest = { country: string; newest: number; origins: Source['origin'][] }

/** Where anything was ever measured, and the newest window of each: looked for within its newest day, however much there is. */
const newestOf = async (store: Store): Promise<Newest[]> => {
  const params = { control: CONTROL }
  const measured = 'asn = 0 AND app != {control:String}'
  const days = await store.query<Newest>(
    `SELECT country, toUnixTimestamp(max(at)) AS newest, groupUniqArrayArray(origins) AS origins FROM rollups FINAL
     PREWHERE level = 86400 AND ${measured} WHERE attempts > 0 GROUP BY country`,
    params,
  )
  const newest = new Map<string, number>()
  for (const [from, of] of Map.groupBy(days, day => day.newest)) {
    const rows = await store.query<Omit<Newest, 'origins'>>(
      `SELECT country, toUnixTimestamp(max(at)) AS newest FROM rollups FINAL
       PREWHERE ${spans(ROLLUP_SECONDS, '{from:UInt32}', '{to:UInt32}')} AND ${measured} AND country IN {countries:Array(String)}
       WHERE attempts > 0 GROUP BY country`,
      { ...params, from, to: from + 86_400, countries: of.map(({ country }) => country) },
    )
    for (const row of rows) newest.set(row.country, row.newest)
  }
  return days
    .map(day => ({ ...day, newest: newest.get(day.country) ?? day.newest }))
    .toSorted((a, b) => b.newest - a.newest || (a.country < b.country ? -1 : 1))
}
