import { CONTROL } from '../../measurement/catalogue.ts'
import { RULE_VERSION } from '../../measurement/judge/outcome.ts'
import { median } from '../../measurement/judge/statistics.ts'
import {
  type Abroad,
  type Judgement,
  judge,
  judgeCountry,
  LEAST_RESULTS,
  type Witness,
  type Worked,
} from '../../measurement/judge/verdict.ts'
import type { Layer } from '../../measurement/step.ts'
import { type Mechanism, type State, type Verdict, worse } from '../../measurement/verdict.ts'
import { ROLLUP_SECONDS, VERDICT_LOOKBACK_SECONDS, windowStart } from '../../measurement/windows.ts'
import { DECIDES, decidingParams, type Touched } from '../rollup.ts'
import type { Store } from '../store/store.ts'
import { TOTAL } from '../trials.ts'

/** The newest result of one agent on one target within one 5-minute window. */
type Result = {
  app: string
  feature: string
  target: string
  agent: string
  start: number
  answered: number
  failure: string
  layer: string
  /** Of the whole window: an agent may ask a target more than once. */
  tries: number
  answers: number
  /** ln(seconds of the target / of the agent's foreign control) in this window; null unless both answered. */
  ratio: number | null
}
/** How an agent's controls did within one window. */
type Control = {
  agent: string
  start: number
  foreign_tried: number
  foreign_answered: number
  domestic_tried: number
  domestic_answered: number
}
type Elsewhere = {
  app: string
  feature: string
  asn: number
  country: string
  start: number
  attempts: number
  answered: number
}

/**
 * The ln ratio of target to control that is usual for an agent (the detector's baseline: a week's median, frozen while
 * a slow-down is open); undefined where none is known. The series is `app feature`.
 */
export type Usual = (country: string, asn: number, series: string, agent: string) => number | undefined

/** Every window whose verdict new rows can change: their own and those that look back on them. */
const judgedWindows = (windows: Iterable<number>): number[] => {
  const judged = new Set<number>()
  for (const at of windows) for (let w = at; w < at + VERDICT_LOOKBACK_SECONDS; w += ROLLUP_SECONDS) judged.add(w)
  return [...judged].sort((a, b) => a - b)
}

const ABROAD_SHARE = 0.5

/**
 * Judge every window that touched rows bear on, network by network and then country by country; the verdicts are
 * written, and the windows returned as what the rollups must be rebuilt for. Windows in the future are left alone.
 */
export const judgeTouched = async (
  store: Store,
  touched: Touched,
  now: number,
  usual: Usual = () => undefined,
): Promise<Touched> => {
  const judged: Touched = new Map()
  const countries = new Map<string, Set<number>>()
  for (const [network, windows] of touched) {
    const [country = '', asn = ''] = network.split(' ')
    const starts = judgedWindows(windows).filter(start => start <= now)
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
    `SELECT app, feature, target, agent, toUnixTimestamp(at) AS start, last_answered AS answered, last_failure AS failure, last_layer AS layer,
       attempts AS tries, agent_windows.answered AS answers,
       if(agent_windows.attempts = agent_windows.answered AND ${TOTAL('seconds')} > 0 AND ${TOTAL('control_seconds')} > 0,
         log(${TOTAL('seconds')} / ${TOTAL('control_seconds')}), NULL) AS ratio
     FROM agent_windows FINAL WHERE country = {country:String} AND asn = {asn:UInt32} AND ${WITHIN}
       AND attempts > 0 AND ${DECIDES} ORDER BY app, feature, at`,
    params,
  )
  const controls = await store.query<Control>(
    `SELECT agent, toUnixTimestamp(at) AS start, any(control_tried) AS foreign_tried, any(control_answered) AS foreign_answered,
       any(domestic_tried) AS domestic_tried, any(domestic_answered) AS domestic_answered
     FROM agent_windows FINAL WHERE country = {country:String} AND asn = {asn:UInt32} AND ${WITHIN} AND app = {control:String}
     GROUP BY agent, at ORDER BY at`,
    params,
  )
  const elsewhere = await store.query<Elsewhere>(
    `SELECT app, feature, asn, country, toUnixTimestamp(at) AS start, sum(attempts) AS attempts, sum(answered) AS answered
     FROM agent_windows FINAL WHERE role = 'control' AND asn != {asn:UInt32} AND ${WITHIN} AND ${DECIDES}
     GROUP BY app, feature, asn, country, at HAVING attempts > 0`,
    params,
  )
  const series = Map.groupBy(results, ({ app, feature }) => `${app} ${feature}`)
  // A dead line is told by its controls even where nothing of an app was counted.
  const rows = [...series].flatMap(([key, of]) => {
    const [app = '', feature = ''] = key.split(' ')
    const far = elsewhere.filter(row => row.app === app && row.feature === feature)
    const own = (agent: string) => usual(country, asn, key, agent)
    return verdictsOf(of, controls, far, starts, own).map(row => ({ app, feature, country, asn, ...row }))
  })
  await write(store, rows)
}

type Judged = Judgement & { at: number }

/** Verdicts of one series over ascending windows: each looks at the latest result per agent and target of the hour before. */
const verdictsOf = (
  results: readonly Result[],
  controls: readonly Control[],
  elsewhere: readonly Elsewhere[],
  starts: readonly number[],
  usual: (agent: string) => number | undefined,
): Judged[] => {
  const judged: Judged[] = []
  let first = 0
  for (const at of starts) {
    const from = at - VERDICT_LOOKBACK_SECONDS + ROLLUP_SECONDS
    while (first < results.length && results[first]!.start < from) first++
    const within: Result[] = []
    for (let i = first; i < results.length && results[i]!.start <= at; i++) within.push(results[i]!)
    if (within.length === 0) continue
    const lines = linesOf(controls.filter(({ start }) => start >= from && start <= at))
    const witnesses = [...Map.groupBy(within, ({ agent }) => agent)].map(([agent, of]) =>
      witness(of, lines.get(agent), usual(agent)),
    )
    judged.push({ at, ...judge(witnesses, abroadOf(elsewhere.filter(({ start }) => start >= from && start <= at))) })
  }
  return judged
}

const linesOf = (controls: readonly Control[]): Map<string, { foreign: Worked; domestic: Worked }> => {
  const lines = new Map<string, { foreign: Worked; domestic: Worked }>()
  for (const { agent, foreign_tried, foreign_answered, domestic_tried, domestic_answered } of controls) {
    const before = lines.get(agent)
    lines.set(agent, {
      foreign: foreign_tried > 0 ? foreign_answered > 0 : (before?.foreign ?? null),
      domestic: domestic_tried > 0 ? domestic_answered > 0 : (before?.domestic ?? null),
    })
  }
  return lines
}

/**
 * What one agent saw: the latest result of each target. Where an app has too few targets for a verdict, each of the
 * agent's tries within the look-back counts instead, so that one lost packet is not a block, and four failures are.
 */
const witness = (
  results: readonly Result[],
  line: { foreign: Worked; domestic: Worked } | undefined,
  usual: number | undefined,
): Witness => {
  const latest = [...new Map(results.map(result => [result.target, result])).values()]
  const few = latest.length < LEAST_RESULTS
  const counted = few ? results : latest
  const failures: Record<string, number> = {}
  for (const { answered, layer, failure } of counted) {
    if (!answered) failures[`${layer}/${failure}`] = (failures[`${layer}/${failure}`] ?? 0) + 1
  }
  const sum = (of: (result: Result) => number): number => counted.reduce((total, result) => total + of(result), 0)
  const ratios = results.flatMap(({ ratio }) => ratio ?? [])
  return {
    attempts: few ? sum(({ tries }) => tries) : latest.length,
    answered: few ? sum(({ answers }) => answers) : sum(({ answered }) => answered),
    failures,
    foreign: line?.foreign ?? null,
    domestic: line?.domestic ?? null,
    slower: ratios.length > 0 && usual !== undefined ? Math.exp(median(ratios) - usual) : null,
  }
}

const abroadOf = (rows: readonly Elsewhere[]): Abroad[] =>
  [...Map.groupBy(rows, ({ asn, country }) => `${country} ${asn}`).values()].map(of => ({
    asn: of[0]!.asn,
    country: of[0]!.country,
    works:
      of.reduce((sum, row) => sum + row.answered, 0) > ABROAD_SHARE * of.reduce((sum, row) => sum + row.attempts, 0),
  }))

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
