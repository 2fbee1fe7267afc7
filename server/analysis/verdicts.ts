import { setImmediate as turn } from 'node:timers/promises'
import { CONTROL } from '../../measurement/catalogue.ts'
import { RULE_VERSION } from '../../measurement/judge/outcome.ts'
import { judgeCountry } from '../../measurement/judge/verdict.ts'
import type { Layer } from '../../measurement/step.ts'
import { type Mechanism, type State, type Verdict, worse } from '../../measurement/verdict.ts'
import { ROLLUP_SECONDS, VERDICT_LOOKBACK_SECONDS, windowStart } from '../../measurement/windows.ts'
import { heldTestsOf, testsFor } from '../held.ts'
import { DECIDES, decidingParams } from '../rollup.ts'
import type { Store } from '../store/store.ts'
import type { Touched } from '../touched.ts'
import { TOTAL } from '../trials.ts'
import { type HeldTest, PAIRED_SECONDS, PAST_SECONDS, pairedAt } from './throttling.ts'
import {
  type Compared,
  type Control,
  type Elsewhere,
  type Judged,
  type Known,
  type Result,
  verdictsOf,
} from './witnesses.ts'

/**
 * The ln ratio of target to control that is usual for an agent (the detector's baseline: a week's median, frozen while
 * a slow-down is open); undefined where none is known. The series is `app feature`.
 */
export type Usual = (country: string, asn: number, series: string, agent: string) => number | undefined

/** Every window whose verdict new rows can change: their own and those that look back on them. */
const judgedWindows = (windows: ReadonlySet<number>, paired: ReadonlySet<number>, now: number): number[] => {
  const judged = new Set<number>()
  const add = (at: number, seconds: number) => {
    for (let w = at; w < at + seconds && w <= now; w += ROLLUP_SECONDS) judged.add(w)
  }
  for (const at of windows) add(at, VERDICT_LOOKBACK_SECONDS)
  for (const at of paired) add(at, PAIRED_SECONDS)
  return [...judged].sort((a, b) => a - b)
}

/**
 * Judge every window that touched rows bear on, and those that look back on the `paired` tests, network by network and then country by country; the verdicts are
 * written, and the windows returned as what the rollups must be rebuilt for. Windows in the future are left alone.
 */
export const judgeTouched = async (
  store: Store,
  touched: Touched,
  now: number,
  { usual = () => undefined, paired = new Map() }: { usual?: Usual; paired?: Touched } = {},
): Promise<Touched> => {
  const judged: Touched = new Map()
  const countries = new Map<string, Set<number>>()
  // Control agents' tests bear on networks that no new row touched.
  for (const network of new Set([...touched.keys(), ...paired.keys()])) {
    const [country = '', asn = ''] = network.split(' ')
    const starts = judgedWindows(touched.get(network) ?? new Set(), paired.get(network) ?? new Set(), now)
    if (starts.length === 0) continue
    judged.set(network, new Set(starts))
    const all = countries.get(country) ?? new Set()
    for (const start of starts) all.add(start)
    countries.set(country, all)
    // Agents whose network nobody knows are judged as one network; where known ones follow, their country overwrites it.
    await judgeNetwork(store, country, Number(asn), starts, usual)
  }
  for (const [country, starts] of countries) {
    await judgeWholeCountry(
      store,
      country,
      [...starts].sort((a, b) => a - b),
    )
    judged.set(`${country} 0`, starts)
  }
  return judged
}

/** Results before their windows' judgement: [from, to) covers the look-back of every start. */
const rangeOf = (starts: readonly number[]) => ({
  from: starts[0]! - VERDICT_LOOKBACK_SECONDS + ROLLUP_SECONDS,
  to: starts.at(-1)! + ROLLUP_SECONDS,
})

/** Rows are picked by their sort key (PREWHERE) before the engine puts doubles out, which is what costs. */
const WITHIN = 'at >= fromUnixTimestamp({from:UInt32}) AND at < fromUnixTimestamp({to:UInt32})'

const judgeNetwork = async (
  store: Store,
  country: string,
  asn: number,
  starts: readonly number[],
  usual: Usual,
): Promise<void> => {
  const params = { country, asn, control: CONTROL, ...rangeOf(starts), ...decidingParams }
  const results = await store.query<Result>(
    `SELECT app, feature, target, agent, prefix, toUnixTimestamp(at) AS start, last_answered AS answered, last_failure AS failure, last_layer AS layer,
       attempts AS tries, agent_windows.answered AS answers,
       if(agent_windows.attempts = agent_windows.answered AND ${TOTAL('seconds')} > 0 AND ${TOTAL('control_seconds')} > 0,
         log(${TOTAL('seconds')} / ${TOTAL('control_seconds')}), NULL) AS ratio
     FROM agent_windows FINAL PREWHERE country = {country:String} AND asn = {asn:UInt32} AND ${WITHIN}
       WHERE attempts > 0 AND ${DECIDES} ORDER BY app, feature, at`,
    params,
  )
  const controls = await store.query<Control>(
    `SELECT agent, toUnixTimestamp(at) AS start, any(control_tried) AS foreign_tried, any(control_answered) AS foreign_answered,
       any(domestic_tried) AS domestic_tried, any(domestic_answered) AS domestic_answered
     FROM agent_windows FINAL PREWHERE country = {country:String} AND asn = {asn:UInt32} AND ${WITHIN} AND app = {control:String}
     GROUP BY agent, at ORDER BY at`,
    params,
  )
  const compared = await store.query<Compared>(
    `SELECT app, feature, agent, toUnixTimestamp(at) AS start, last_failure = 'dns_inconsistent' AS misled
     FROM agent_windows FINAL PREWHERE country = {country:String} AND asn = {asn:UInt32} AND ${WITHIN}
       WHERE attempts > 0 AND target IN {comparing:Array(String)} ORDER BY at`,
    params,
  )
  const elsewhere = await store.query<Elsewhere>(
    `SELECT app, feature, asn, country, toUnixTimestamp(at) AS start, sum(attempts) AS attempts, sum(answered) AS answered
     FROM agent_windows FINAL PREWHERE asn != {asn:UInt32} AND ${WITHIN} WHERE role = 'control' AND ${DECIDES}
     GROUP BY app, feature, asn, country, at HAVING attempts > 0 ORDER BY at`,
    params,
  )
  const from = starts[0]! - PAST_SECONDS
  const tests = await heldTestsOf(store, { country, asn, from, to: starts.at(-1)! + ROLLUP_SECONDS })
  const bySeries = <Row extends { app: string; feature: string }>(rows: readonly Row[]) =>
    Map.groupBy(rows, ({ app, feature }) => `${app} ${feature}`)
  const [series, far, misled] = [bySeries(results), bySeries(elsewhere), bySeries(compared)]
  for (const { app, feature } of tests) if (!series.has(`${app} ${feature}`)) series.set(`${app} ${feature}`, [])
  // A dead line is told by its controls even where nothing of an app was counted.
  const rows: Parameters<typeof write>[1][number][] = []
  for (const [key, of] of series) {
    // Others wait for answers too.
    await turn()
    const [app = '', feature = ''] = key.split(' ')
    const known = {
      usual: (agent: string) => usual(country, asn, key, agent),
      transfers: transfersOf(testsFor(tests, app, feature)),
      compared: misled.get(key) ?? [],
    }
    for (const row of verdictsOf(of, controls, far.get(key) ?? [], starts, known))
      rows.push({ app, feature, country, asn, ...row })
  }
  await write(store, rows)
}

/** What the tests say as of a window; the same for all windows between two tests and their ageing. */
const transfersOf =
  ({ own, tests }: { own: boolean; tests: readonly HeldTest[] }) =>
  (at: number): ReturnType<Known['transfers']> =>
    tests.some(({ start }) => start <= at && start > at - PAIRED_SECONDS) ? { own, ...pairedAt(tests, at) } : null

type Row = {
  app: string
  feature: string
  at: number
  verdict: Verdict
  layer: Layer | ''
  mechanism: Mechanism | ''
  state: State
  agents: number
}

const judgeWholeCountry = async (store: Store, country: string, starts: readonly number[]): Promise<void> => {
  const wanted = new Set(starts)
  const rows = await store.query<Row>(
    `SELECT app, feature, toUnixTimestamp(at) AS at, verdict, layer, mechanism, state, agents FROM verdicts FINAL
     WHERE country = {country:String} AND asn != 0 AND verdicts.at >= fromUnixTimestamp({from:UInt32})
       AND verdicts.at < fromUnixTimestamp({to:UInt32})`,
    { country, ...rangeOf(starts) },
  )
  const windows = Map.groupBy(
    rows.filter(({ at }) => wanted.has(at)),
    ({ app, feature, at }) => `${app} ${feature} ${at}`,
  )
  const judged = [...windows.values()].map(of => {
    const { app, feature, at } = of[0]!
    const networks = of.map(row => ({ ...row, layer: row.layer || null, mechanism: row.mechanism || null }))
    return { app, feature, country, asn: 0, at, ...judgeCountry(networks, worse) }
  })
  await write(store, judged)
}

const write = async (
  store: Store,
  rows: readonly (Judged & {
    app: string
    feature: string
    country: string
    asn: number
  })[],
): Promise<void> => {
  const revision = Date.now()
  await store.insert(
    'verdicts',
    rows.map(({ layer, mechanism, ...row }) => ({
      ...row,
      at: windowStart(row.at),
      layer: layer ?? '',
      mechanism: mechanism ?? '',
      rule: RULE_VERSION,
      revision,
    })),
  )
}
