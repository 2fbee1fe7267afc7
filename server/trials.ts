import { CONTROL } from '../measurement/catalogue.ts'
import { DETECTOR_BIN_SECONDS, windowStart } from '../measurement/windows.ts'
import type { Series } from './analysis/parts.ts'
import type { Trial } from './analysis/trial.ts'
import { DECIDES, decidingParams } from './rollup.ts'
import type { Params, Store } from './store/store.ts'
import { chunksOf, TOUCHED, type Touched } from './touched.ts'

/** Which trials: those of a country in [from, to), Unix seconds; of one network, app or feature where named. */
export type Scope = {
  country: string
  from?: number
  to?: number
  asns?: readonly number[]
  app?: string
  feature?: string
}

/** Median, exact and cheap for the one or two values there mostly are. */
const MEDIAN = 'quantileExactInclusiveIf(0.5)'
/** Seconds to an answer: all steps but the name's and the bulk's, which caches and sizes rule. */
export const TOTAL = (map: string): string =>
  `arraySum(mapValues(mapFilter((k, v) -> k NOT IN ('resolve', 'transfer'), ${map})))`
const BIN = `toStartOfInterval(agent_windows.at, INTERVAL ${DETECTOR_BIN_SECONDS} SECOND)`

/**
 * `agent_trials` from the agent windows that meet a condition: all of a bin, or none. Target and control are paired
 * within the bin and the agent: whatever is slow about the line is in both. The controls are a series too: app `control`,
 * attempts those abroad. `abroad` and `home`: whether its controls there worked, 2 where none was tried.
 */
export const pairingSql = (where: string): string => `INSERT INTO agent_trials
  (country, asn, at, app, feature, agent, prefix, attempts, answered, ratio, abroad, home, failures, revision)
WITH controls AS (
  SELECT country, asn, agent, bin, max(prefix) AS prefix, sum(tried) AS tried, sum(worked) AS worked, sum(inside) AS inside,
    sum(home) AS home, ${MEDIAN}(total, total > 0) AS control
  FROM (
    SELECT country, asn, agent, ${BIN} AS bin, max(agent_windows.prefix) AS prefix, any(control_tried) AS tried, any(control_answered) AS worked,
      any(domestic_tried) AS inside, any(domestic_answered) AS home, any(${TOTAL('control_seconds')}) AS total
    FROM agent_windows FINAL ${where} AND app = {control:String} AND asn != 0 GROUP BY country, asn, agent, agent_windows.at
  ) GROUP BY country, asn, agent, bin
), targets AS (
  SELECT country, asn, ${BIN} AS bin, app, feature, agent, max(agent_windows.prefix) AS prefix, sum(agent_windows.attempts) AS attempts,
    sum(agent_windows.answered) AS answered, sumMap(agent_windows.failures) AS failures,
    ${MEDIAN}(${TOTAL('agent_windows.seconds')}, agent_windows.answered = agent_windows.attempts AND ${TOTAL('agent_windows.seconds')} > 0) AS seconds
  FROM agent_windows FINAL ${where} AND app != {control:String} AND asn != 0 AND role != 'control' AND ${DECIDES}
  GROUP BY country, asn, bin, app, feature, agent HAVING attempts > 0
)
SELECT country, asn, bin, app, feature, agent, prefix, attempts, answered, if(seconds > 0 AND control > 0, round(log(seconds / control), 5), NULL),
  if(tried > 0, worked > 0, 2), if(inside > 0, home > 0, 2), failures, {revision:UInt64}
FROM targets LEFT JOIN controls USING (country, asn, agent, bin)
UNION ALL SELECT country, asn, bin, {control:String}, 'web', agent, prefix, tried, worked, NULL,
  if(tried > 0, worked > 0, 2), if(inside > 0, home > 0, 2), map(), {revision:UInt64} FROM controls WHERE tried + inside > 0`

/** What \`pairingSql` wants to know; the revision is to be given with it. */
export const pairingParams: Params = { control: CONTROL, ...decidingParams }

/** Bins that touched windows lie in, and the windows of a chunk of them (`chunksOf`). Other columns are read for these rows alone. */
const TOUCHED_BINS = `PREWHERE country IN {countries:Array(String)} AND asn IN {asns:Array(UInt32)}
  AND agent_windows.at >= fromUnixTimestamp({from:UInt32}) AND agent_windows.at < fromUnixTimestamp({to:UInt32} + ${DETECTOR_BIN_SECONDS})
  WHERE (country, asn, toUInt32(${BIN})) IN ${TOUCHED}`

/** Pair target and control anew in the bins of touched windows: once, when rows come, and not whenever they are read. */
export const pairTrials = async (store: Store, touched: Touched): Promise<void> => {
  const bins = new Map(
    [...touched].map(([network, windows]) => [
      network,
      new Set([...windows].map(at => windowStart(at, DETECTOR_BIN_SECONDS))),
    ]),
  )
  const pairing = pairingSql(TOUCHED_BINS)
  for (const chunk of chunksOf(bins)) {
    await store.command(pairing, { ...pairingParams, ...chunk, revision: Date.now() })
  }
}

const SCOPE = `country = {country:String} AND agent_trials.at >= fromUnixTimestamp({from:UInt32})
  AND agent_trials.at < fromUnixTimestamp({to:UInt32})
  AND (empty({asns:Array(UInt32)}) OR asn IN {asns:Array(UInt32)})
  AND ({app:String} = '' OR app = {app:String}) AND ({feature:String} = '' OR feature = {feature:String})`

const FOREVER = 2 ** 32 - 1
const paramsOf = ({ country, from = 0, to = FOREVER, asns = [], app = '', feature = '' }: Scope): Params => ({
  ...{ country, from, to, asns, app, feature },
})

/** One trial, with what failed by name. */
type Row = Omit<Series, 'foreign' | 'domestic'> & { asn: number; abroad: number; home: number }

/** Trials of a series by network, in order of time and agent. */
export const trialsOf = async (store: Store, scope: Scope): Promise<Map<number, Series[]>> => {
  const rows = await store.query<Row>(
    `SELECT asn, toUnixTimestamp(at) AS at, agent, prefix, attempts, answered, failures, ratio, abroad, home FROM agent_trials FINAL
     WHERE ${SCOPE} ORDER BY asn, agent_trials.at, agent`,
    paramsOf(scope),
  )
  const networks = Map.groupBy(rows, ({ asn }) => asn)
  return new Map(
    [...networks].map(([asn, own]) => [
      asn,
      own.map(({ asn: _, abroad, home, ...trial }) => ({ ...trial, foreign: worked(abroad), domestic: worked(home) })),
    ]),
  )
}

const worked = (said: number): boolean | null => (said === 2 ? null : said === 1)
const DAY_SECONDS = 86_400
/** Of many equal values one. */
const short = (values: string): string =>
  `if(length(arrayDistinct(${values})) = 1, arraySlice(${values}, 1, 1), ${values})`

const RATIO_UNIT = 100_000
/** Where target or control did not answer: none is so far off. */
const NO_RATIO = -2_000_000_000

/** A day of one agent's trials of one series, column by column; one value where all of a column are the same. */
export type Block = {
  asn: number
  /** Start of the day, Unix seconds. */
  day: number
  app: string
  feature: string
  agent: string
  /** Bins of the day. */
  slots: number[]
  prefixes: number[]
  tries: number[]
  answers: number[]
  /** In 1e-5, as they are kept: whole numbers are written and read at a third of the cost. */
  ratios: number[]
  /** Controls abroad, and three times those at home: 0 failed, 1 worked, 2 not tried. */
  controls: number[]
}

/** Trials of some networks, by network and day, for those who step through them in order of time. */
export const daysOf = async (store: Store, scope: Scope): Promise<Map<number, Map<number, Block[]>>> => {
  const rows = await store.query<Block>(
    `SELECT asn, toUInt32(intDiv(toUInt32(agent_trials.at), ${DAY_SECONDS}) * ${DAY_SECONDS}) AS day, app, feature, agent,
       groupArray(toUInt8(intDiv(toUInt32(agent_trials.at) % ${DAY_SECONDS}, ${DETECTOR_BIN_SECONDS}))) AS slots,
       ${short('groupArray(prefix)')} AS prefixes, ${short('groupArray(attempts)')} AS tries, groupArray(answered) AS answers,
       groupArray(toInt32(round(ifNull(ratio, ${NO_RATIO / RATIO_UNIT}) * ${RATIO_UNIT}))) AS ratios, ${short('groupArray(toUInt8(abroad + 3 * home))')} AS controls
     FROM agent_trials FINAL WHERE ${SCOPE} GROUP BY asn, day, app, feature, agent ORDER BY asn, day, app, feature, agent`,
    paramsOf(scope),
  )
  return new Map(
    [...Map.groupBy(rows, ({ asn }) => asn)].map(([asn, own]) => [asn, Map.groupBy(own, ({ day }) => day)]),
  )
}

/** A network's trials of one day: by series (`app feature`) those of each bin of the day, in order of agent. */
export const binsOfDay = (blocks: readonly Block[]): Map<string, Trial[][]> => {
  const series = new Map<string, Trial[][]>()
  for (const { day, app, feature, agent, slots, prefixes, tries, answers, ratios, controls } of blocks) {
    const key = `${app} ${feature}`
    const bins = series.get(key) ?? series.set(key, []).get(key)!
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!
      const said = controls[i] ?? controls[0]!
      const trial: Trial = {
        at: day + slot * DETECTOR_BIN_SECONDS,
        agent,
        prefix: prefixes[i] ?? prefixes[0]!,
        attempts: tries[i] ?? tries[0]!,
        answered: answers[i]!,
        ratio: ratios[i] === NO_RATIO ? null : ratios[i]! / RATIO_UNIT,
        foreign: worked(said % 3),
        domestic: worked(Math.floor(said / 3)),
      }
      const bin = bins[slot]
      if (bin) bin.push(trial)
      else bins[slot] = [trial]
    }
  }
  return series
}

/** Trials read at a time: bounds memory where whole histories are read. */
const TRIALS_AT_A_TIME = 200_000

/** How many rows there are to read of each network. */
export const rowsByNetwork = async (
  store: Store,
  of: { country: string; asns: readonly number[]; from: number },
): Promise<Map<number, number>> => {
  const rows = await store.query<{ asn: number; rows: number }>(
    `SELECT asn, toUInt32(count()) AS rows FROM agent_trials
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
      room = TRIALS_AT_A_TIME
    }
    groups.at(-1)!.set(asn, of)
    room -= count
  }
  return groups
}
