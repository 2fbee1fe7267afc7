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
}

/** One agent's trials of one series, column by column: a long history of few agents is told shortly. */
type Row = {
  app: string
  feature: Feature
  asn: number
  agent: string
  ats: number[]
  prefixes: number[]
  tries: number[]
  answers: number[]
  failed: Record<string, number>[]
  ratios: (number | null)[]
  abroad: (number | null)[]
  home: (number | null)[]
}

const BIN = `toUInt32(intDiv(toUInt32(agent_windows.at), ${DETECTOR_BIN_SECONDS}) * ${DETECTOR_BIN_SECONDS})`
/** Seconds to an answer: all steps but the name's and the bulk's, which caches and sizes rule. */
export const TOTAL = (map: string): string =>
  `arraySum(mapValues(mapFilter((k, v) -> k NOT IN ('resolve', 'transfer'), ${map})))`
const SCOPE = `country = {country:String} AND asn != 0 AND agent_windows.at >= fromUnixTimestamp({from:UInt32})
  AND agent_windows.at < fromUnixTimestamp({to:UInt32}) AND (empty({asns:Array(UInt32)}) OR asn IN {asns:Array(UInt32)})`

/**
 * Target and control are paired within the bin and the agent: whatever is slow about the line is in both. The
 * controls are a series too: app `control`, attempts those abroad.
 */
const TRIALS = `WITH controls AS (
  SELECT asn, agent, bin, max(prefix) AS prefix, sum(tried) AS tried, sum(worked) AS worked, sum(inside) AS inside, sum(home) AS home,
    medianIf(total, total > 0) AS control
  FROM (
    SELECT asn, agent, ${BIN} AS bin, max(agent_windows.prefix) AS prefix, any(control_tried) AS tried, any(control_answered) AS worked,
      any(domestic_tried) AS inside, any(domestic_answered) AS home, any(${TOTAL('control_seconds')}) AS total
    FROM agent_windows FINAL WHERE app = {control:String} AND ${SCOPE} GROUP BY asn, agent, agent_windows.at
  ) GROUP BY asn, agent, bin
), targets AS (
  SELECT app, feature, asn, ${BIN} AS bin, agent, max(agent_windows.prefix) AS prefix, sum(agent_windows.attempts) AS attempts,
    sum(agent_windows.answered) AS answered, sumMap(agent_windows.failures) AS failures,
    medianIf(${TOTAL('agent_windows.seconds')}, agent_windows.answered = agent_windows.attempts AND ${TOTAL('agent_windows.seconds')} > 0) AS seconds
  FROM agent_windows FINAL
  WHERE ${SCOPE} AND app != {control:String} AND role != 'control' AND ${DECIDES}
    AND ({app:String} = '' OR app = {app:String}) AND ({feature:String} = '' OR feature = {feature:String})
  GROUP BY app, feature, asn, bin, agent HAVING attempts > 0
)
SELECT app, feature, asn, agent, groupArray(bin) AS ats, groupArray(targets.prefix) AS prefixes, groupArray(attempts) AS tries,
  groupArray(answered) AS answers, groupArray(failures) AS failed,
  groupArray(tuple(if(seconds > 0 AND control > 0, round(log(seconds / control), 6), NULL))).1 AS ratios,
  groupArray(tuple(if(tried > 0, worked > 0, NULL))).1 AS abroad, groupArray(tuple(if(controls.inside > 0, controls.home > 0, NULL))).1 AS home
FROM (
  SELECT * FROM targets
  UNION ALL SELECT {control:String}, 'web', asn, bin, agent, prefix, tried, worked, map(), nan FROM controls
    WHERE {app:String} IN ('', {control:String}) AND tried + inside > 0
) AS targets LEFT JOIN controls USING (asn, agent, bin)
GROUP BY app, feature, asn, agent ORDER BY app, feature, asn, agent`

const FOREVER = 2 ** 32 - 1

export const trialsOf = async (store: Store, scope: Scope): Promise<Trials[]> => {
  const { country, from = 0, to = FOREVER, asns = [], app = '', feature = '' } = scope
  const params = { country, from, to, asns, app, feature, control: CONTROL, ...decidingParams }
  const rows = await store.query<Row>(TRIALS, params)
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

const trialsOfRow = ({ agent, ats, prefixes, tries, answers, failed, ratios, abroad, home }: Row): Series[] =>
  ats.map((at, i) => ({
    at,
    agent,
    prefix: prefixes[i]!,
    attempts: tries[i]!,
    answered: answers[i]!,
    failures: failed[i]!,
    ratio: ratios[i]!,
    foreign: worked(abroad[i]!),
    domestic: worked(home[i]!),
  }))

const worked = (said: number | null): boolean | null => (said === null ? null : said > 0)
