import { CONTROL } from '../measurement/catalogue.ts'
import type { Feature } from '../measurement/target.ts'
import { DETECTOR_BIN_SECONDS } from '../measurement/windows.ts'
import type { Series } from './analysis/parts.ts'
import { DECIDES, decidingParams } from './rollup.ts'
import type { Store } from './store/store.ts'

/** Trials of one app and feature, by network, each in order of time and agent. */
export type Trials = { app: string; feature: Feature; networks: Map<number, Series[]> }

/** Which trials: those of a country in [from, to), Unix seconds; of one network, app or feature where named. */
export type Scope = {
  country: string
  from?: number
  to?: number
  asns?: readonly number[]
  app?: string
  feature?: string
  /** Whether failures are told by name: they describe findings, and finding needs them not. */
  named?: boolean
}

/** One agent's trials of one series, column by column: a long history of few agents is told shortly. */
type Row = {
  app: string
  feature: Feature
  asn: number
  agent: string
  /** Bins since the epoch. */
  bins: number[]
  /** One for all where it is the same for all, as it is for hours. */
  prefixes: number[]
  tries: number[]
  answers: number[]
  /** Empty where nothing is named. */
  failed: Record<string, number>[]
  ratios: (number | null)[]
  /** Whether the controls abroad and at home worked: 0 and 1, 2 where none was tried; one for all where they are all the same. */
  abroad: number[]
  home: number[]
}

const BIN = `toUInt32(intDiv(toUInt32(agent_windows.at), ${DETECTOR_BIN_SECONDS}))`
/** Of many equal values one. */
const short = (values: string): string =>
  `if(length(arrayDistinct(${values})) = 1, arraySlice(${values}, 1, 1), ${values})`
/** Median, exact and cheap for the one or two values there mostly are. */
const MEDIAN = 'quantileExactInclusiveIf(0.5)'
/** Seconds to an answer: all steps but the name's and the bulk's, which caches and sizes rule. */
export const TOTAL = (map: string): string =>
  `arraySum(mapValues(mapFilter((k, v) -> k NOT IN ('resolve', 'transfer'), ${map})))`
const SCOPE = `country = {country:String} AND asn != 0 AND agent_windows.at >= fromUnixTimestamp({from:UInt32})
  AND agent_windows.at < fromUnixTimestamp({to:UInt32}) AND (empty({asns:Array(UInt32)}) OR asn IN {asns:Array(UInt32)})`

/**
 * Target and control are paired within the bin and the agent: whatever is slow about the line is in both. The
 * controls are a series too: app `control`, attempts those abroad.
 */
const trialsSql = (named: boolean): string => `WITH controls AS (
  SELECT asn, agent, bin, max(prefix) AS prefix, sum(tried) AS tried, sum(worked) AS worked, sum(inside) AS inside, sum(home) AS home,
    ${MEDIAN}(total, total > 0) AS control
  FROM (
    SELECT asn, agent, ${BIN} AS bin, max(agent_windows.prefix) AS prefix, any(control_tried) AS tried, any(control_answered) AS worked,
      any(domestic_tried) AS inside, any(domestic_answered) AS home, any(${TOTAL('control_seconds')}) AS total
    FROM agent_windows FINAL WHERE app = {control:String} AND ${SCOPE} GROUP BY asn, agent, agent_windows.at
  ) GROUP BY asn, agent, bin
), targets AS (
  SELECT app, feature, asn, ${BIN} AS bin, agent, max(agent_windows.prefix) AS prefix, sum(agent_windows.attempts) AS attempts,
    sum(agent_windows.answered) AS answered, ${named ? 'sumMap(agent_windows.failures)' : "CAST(map(), 'Map(String, UInt64)')"} AS failures,
    ${MEDIAN}(${TOTAL('agent_windows.seconds')}, agent_windows.answered = agent_windows.attempts AND ${TOTAL('agent_windows.seconds')} > 0) AS seconds
  FROM agent_windows FINAL
  WHERE ${SCOPE} AND app != {control:String} AND role != 'control' AND ${DECIDES}
    AND ({app:String} = '' OR app = {app:String}) AND ({feature:String} = '' OR feature = {feature:String})
  GROUP BY app, feature, asn, bin, agent HAVING attempts > 0
)
SELECT app, feature, asn, agent, groupArray(bin) AS bins, ${short('groupArray(targets.prefix)')} AS prefixes,
  groupArray(attempts) AS tries, groupArray(answered) AS answers, ${named ? 'groupArray(failures)' : '[]'} AS failed,
  groupArray(tuple(if(seconds > 0 AND control > 0, round(log(seconds / control), 6), NULL))).1 AS ratios,
  ${short('groupArray(if(tried > 0, toUInt8(worked > 0), 2))')} AS abroad,
  ${short('groupArray(if(controls.inside > 0, toUInt8(controls.home > 0), 2))')} AS home
FROM (
  SELECT * FROM targets
  UNION ALL SELECT {control:String}, 'web', asn, bin, agent, prefix, tried, worked, map(), nan FROM controls
    WHERE {app:String} IN ('', {control:String}) AND tried + inside > 0
) AS targets LEFT JOIN controls USING (asn, agent, bin)
GROUP BY app, feature, asn, agent ORDER BY app, feature, asn, agent`

const FOREVER = 2 ** 32 - 1

export const trialsOf = async (store: Store, scope: Scope): Promise<Trials[]> => {
  const { country, from = 0, to = FOREVER, asns = [], app = '', feature = '', named = true } = scope
  const params = { country, from, to, asns, app, feature, control: CONTROL, ...decidingParams }
  const rows = await store.query<Row>(trialsSql(named), params)
  return [...Map.groupBy(rows, of => `${of.app} ${of.feature}`).values()].map(of => ({
    app: of[0]!.app,
    feature: of[0]!.feature,
    networks: new Map(
      // Agents come in order, and a sort by time keeps it.
      [...Map.groupBy(of, ({ asn }) => asn)].map(([asn, own]) => [
        asn,
        own.flatMap(trialsOfRow).sort((a, b) => a.at - b.at),
      ]),
    ),
  }))
}

const NO_FAILURES = {}

const trialsOfRow = ({ agent, bins, prefixes, tries, answers, failed, ratios, abroad, home }: Row): Series[] =>
  bins.map((bin, i) => ({
    at: bin * DETECTOR_BIN_SECONDS,
    agent,
    prefix: prefixes[i] ?? prefixes[0]!,
    attempts: tries[i]!,
    answered: answers[i]!,
    failures: failed[i] ?? NO_FAILURES,
    ratio: ratios[i]!,
    foreign: worked(abroad[i] ?? abroad[0]!),
    domestic: worked(home[i] ?? home[0]!),
  }))

const worked = (said: number): boolean | null => (said === 2 ? null : said === 1)

/** Rows of agent_windows read at a time, some 100 MB as trials: bounds memory where whole histories are read. */
const ROWS_AT_A_TIME = 800_000

/** How many rows there are to read of each network. */
export const rowsByNetwork = async (
  store: Store,
  of: { country: string; asns: readonly number[]; from: number },
): Promise<Map<number, number>> => {
  const rows = await store.query<{ asn: number; rows: number }>(
    `SELECT asn, toUInt32(count()) AS rows FROM agent_windows
     WHERE country = {country:String} AND asn IN {asns:Array(UInt32)} AND at >= fromUnixTimestamp({from:UInt32}) GROUP BY asn`,
    of,
  )
  return new Map(rows.map(({ asn, rows }) => [asn, rows]))
}

/** Networks in groups of so many rows as are read at a time; one alone may have more. */
export const apart = <T>(
  networks: readonly (readonly [number, T])[],
  counts: ReadonlyMap<number, number>,
): Map<number, T>[] => {
  const groups: Map<number, T>[] = []
  let room = 0
  for (const [asn, of] of networks) {
    const count = counts.get(asn) ?? 0
    if (groups.length === 0 || count > room) {
      groups.push(new Map())
      room = ROWS_AT_A_TIME
    }
    groups.at(-1)!.set(asn, of)
    room -= count
  }
  return groups
}
