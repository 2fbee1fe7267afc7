import type { Layer } from '../measurement/step.ts'
import type { Test } from './analysis/confirm.ts'
import type { Store } from './store/store.ts'
import { TOTAL } from './trials.ts'

/** Confirmation tests: rows that answer a request are ordinary measurements, known by agent, target and time. */

/** A request to one agent; `answered` counts the targets it has measured since. Times are Unix seconds. */
export type Asked = {
  app: string
  feature: string
  country: string
  asn: number
  agent: string
  asked: number
  expires: number
  answered: number
}

/** Windows of agents that were ever asked. */
const WINDOWS = `SELECT app, feature, country, asn, agent, target, at, last, last_answered, last_layer, prefix,
    control_tried, control_answered, attempts,
    if(attempts = answered AND ${TOTAL('seconds')} > 0 AND ${TOTAL('control_seconds')} > 0,
      log(${TOTAL('seconds')} / ${TOTAL('control_seconds')}), NULL) AS ratio
  FROM agent_windows FINAL WHERE attempts > 0
    AND (country, asn, agent) IN (SELECT country, asn, agent FROM confirmation_requests)`
const SAME = 'USING (app, feature, country, asn, agent)'
/** The window's newest result was measured because of the request. */
const IN_TIME = 'has(r.targets, w.target) AND w.last >= r.asked AND w.last <= r.expires'

/** Requests since then, with how many targets each was answered on. */
export const askedSince = async (store: Store, since: number): Promise<Asked[]> =>
  await store.query<Asked>(
    `SELECT r.app AS app, r.feature AS feature, r.country AS country, r.asn AS asn, r.agent AS agent,
       toUnixTimestamp(r.asked) AS asked, toUnixTimestamp(any(r.expires)) AS expires, countIf(${IN_TIME}) AS answered
     FROM confirmation_requests AS r LEFT JOIN (${WINDOWS} AND at >= fromUnixTimestamp({since:UInt32} - 300)) AS w ${SAME}
     WHERE r.asked >= fromUnixTimestamp({since:UInt32}) GROUP BY app, feature, country, asn, agent, asked`,
    { since },
  )

const ASKED = `r.app = {app:String} AND r.feature = {feature:String} AND r.country = {country:String}
  AND r.asked >= fromUnixTimestamp({from:UInt32}) AND r.asked < fromUnixTimestamp({to:UInt32})`

type TestRow = Omit<Test, 'line' | 'layer'> & { line: number; layer: Layer | '' }

/** Tests of one series in a country, asked in [from, to), Unix seconds. */
export const testsOf = async (
  store: Store,
  scope: { country: string; app: string; feature: string; from: number; to: number },
): Promise<Test[]> => {
  // Most series never were asked about.
  const [any] = await store.query<{ requests: number }>(
    `SELECT toUInt32(count()) AS requests FROM confirmation_requests AS r WHERE ${ASKED}`,
    scope,
  )
  if (!any?.requests) return []
  const rows = await store.query<TestRow>(
    `SELECT asn, agent, toUnixTimestamp(asked) AS asked, max(prefix) AS prefix, toUInt32(count()) AS attempts,
       toUInt32(sum(ok)) AS answered, topKIf(1)(layer, ok = 0)[1] AS layer, max(line) AS line,
       if(countIf(isNotNull(ratio)) = 0, NULL, medianIf(ratio, isNotNull(ratio))) AS ratio
     FROM (
       SELECT r.asn AS asn, r.agent AS agent, r.asked AS asked, w.target AS target, max(w.prefix) AS prefix,
         argMax(w.last_answered, w.last) AS ok, argMax(w.last_layer, w.last) AS layer,
         max(w.control_tried > 0 AND w.control_answered > 0) AS line, argMax(w.ratio, w.last) AS ratio
       FROM confirmation_requests AS r JOIN (${WINDOWS} AND app = {app:String} AND feature = {feature:String} AND country = {country:String}
         AND at >= fromUnixTimestamp({from:UInt32} - 300) AND at < fromUnixTimestamp({to:UInt32})) AS w ${SAME}
       WHERE ${ASKED} AND ${IN_TIME}
       GROUP BY asn, agent, asked, target
     ) GROUP BY asn, agent, asked ORDER BY asn, agent, asked`,
    scope,
  )
  return rows.map(({ line, layer, ...row }) => ({ ...row, line: line > 0, layer: layer || null }))
}
