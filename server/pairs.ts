import { findTarget } from '../measurement/catalogue.ts'
import { stalls } from '../measurement/judge/drop-up.ts'
import { legOf, tripsOf } from '../measurement/judge/leg.ts'
import { RULE_VERSION } from '../measurement/judge/outcome.ts'
import { median } from '../measurement/judge/statistics.ts'
import { compare, type Leg, type Throttling } from '../measurement/judge/throttle.ts'
import type { Pair } from '../measurement/measurement.ts'
import type { ProbeKind, Step } from '../measurement/step.ts'
import { windowStart } from '../measurement/windows.ts'
import { PAIRED_SECONDS } from './analysis/throttling.ts'
import type { Store } from './store/store.ts'
import { chunksOf, TOUCHED, type Touched, touch } from './touched.ts'

/** Paired transfers: from legs, which are measurements of their own, to one judged test of one agent. */

/** Clocks wrong by more than this are looked for apart (as in rollup.ts). */
const NEAR_SECONDS = 86_400
/** A test of three rounds with their rests takes a quarter of an hour; its legs may lie so far apart. */
const TEST_SECONDS = 2 * 3_600

type LegRow = {
  app: string
  feature: string
  target: string
  kind: ProbeKind
  country: string
  asn: number
  agent: string
  origin: string
  role: string
  trust: string
  prefix: number
  placed: number
  pair: string
  leg: Pair['leg']
  round: number
  test: Pair['test']
  differs: Pair['differs']
  operations: Step['operation'][]
  durations: number[]
  received: number[]
  failures: string[]
  series: number[][]
  reached: number[][]
  gaps: number[]
}

const WITHIN = (slack: number): string =>
  `(at BETWEEN fromUnixTimestamp({from:Int64} - ${NEAR_SECONDS + slack}) AND fromUnixTimestamp({to:Int64} + ${NEAR_SECONDS + slack})
    OR abs(offset) > ${NEAR_SECONDS}) AND pair != '' AND trust != 'quarantined' AND NOT has(marks, 'time_uncertain')`

/** Every leg of the tests that have one in a touched window, oldest first. */
const LEGS = `SELECT app, feature, target, kind, country, asn, agent, origin, role, trust, prefix_token AS prefix,
    toUnixTimestamp64Milli(placed) / 1000 AS placed, pair, pair_leg AS leg, pair_round AS round, pair_test AS test,
    pair_differs AS differs, \`steps.operation\` AS operations, \`steps.duration\` AS durations,
    \`steps.received\` AS received, \`steps.failure\` AS failures, \`steps.series\` AS series,
    \`steps.reached\` AS reached, \`steps.gap\` AS gaps
  FROM measurements WHERE ${WITHIN(TEST_SECONDS)} AND (country, asn, agent, pair) IN (
    SELECT DISTINCT country, asn, agent, pair FROM measurements WHERE ${WITHIN(0)}
      AND (country, asn, toUInt32(toStartOfInterval(placed, INTERVAL 300 SECOND))) IN ${TOUCHED})
  ORDER BY country, asn, agent, pair, measurements.placed`

/**
 * Judge the tests whose legs lie in touched windows, into `agent_pairs`; gives the windows the tests began in, and those
 * of other networks that they bear on.
 */
export const agentPairs = async (store: Store, touched: Touched): Promise<Touched> => {
  const began: Touched = new Map()
  for (const chunk of chunksOf(touched)) {
    // Few rows are paired: the raw table says so without putting doubles out.
    const near = await store.query(`SELECT 1 AS one FROM measurements_raw WHERE ${WITHIN(0)} LIMIT 1`, chunk)
    if (near.length === 0) continue
    const legs = await store.query<LegRow>(LEGS, chunk)
    const tests = Map.groupBy(legs, ({ country, asn, agent, pair }) => `${country} ${asn} ${agent} ${pair}`)
    const revision = Date.now()
    const rows = [...tests.values()].flatMap(of => rowOf(of) ?? []).map(row => ({ ...row, revision }))
    for (const { country, asn, at } of rows) touch(began, country, asn, at)
    if (rows.length > 0) await store.insert('agent_pairs', rows)
    const abroad = rows.filter(({ role, answer }) => role === 'control' && answer === 'throttled')
    const found = abroad.length > 0 ? await doubted(store, abroad) : []
    for (const { country, asn, start } of found) touch(began, country, asn, start)
  }
  return began
}

/** Windows called throttled that these tests of control agents may say otherwise of: what they bear on, and its day. */
const doubted = (store: Store, abroad: readonly { app: string; at: number }[]) =>
  store.query<{ country: string; asn: number; start: number }>(
    `SELECT country, asn, toUnixTimestamp(at) AS start FROM verdicts FINAL
     PREWHERE at > fromUnixTimestamp({from:UInt32}) AND at < fromUnixTimestamp({to:UInt32})
     WHERE verdict = 'throttled' AND asn != 0 AND app IN {apps:Array(String)}`,
    {
      apps: [...new Set(abroad.map(({ app }) => app))],
      from: Math.max(0, Math.min(...abroad.map(({ at }) => at)) - PAIRED_SECONDS),
      to: Math.max(...abroad.map(({ at }) => at)) + 2 * PAIRED_SECONDS,
    },
  )

const stepsOf = (row: LegRow): Step[] =>
  row.operations.map((operation, i) => {
    const reached = row.reached[i] ?? []
    return {
      operation,
      start: 0,
      duration: row.durations[i]!,
      sent: 0,
      received: row.received[i]!,
      failure: (row.failures[i] || null) as Step['failure'],
      series: row.series[i] ?? [],
      gap: row.gaps[i] ?? 0,
      ...(reached.length > 0 ? { reached: reached.map(at => (at < 0 ? null : at)) } : {}),
    }
  })

/** A leg is of the pair that the catalogue names, or of none: an agent chooses no control of its own. */
const belongs = (app: LegRow, control: LegRow): boolean =>
  app.differs === control.differs &&
  (findTarget(app.target)?.target.pairs ?? []).some(
    pair => pair.with === control.target && pair.differs === app.differs,
  )

type Seen = { leg: Leg | null; trips: number[]; row: LegRow }

const rowOf = (legs: readonly LegRow[]) => {
  const seen = legs.map((row): Seen => {
    const pair: Pair = {
      id: row.pair,
      leg: row.leg,
      round: row.round,
      test: row.test,
      differs: row.differs,
      first: false,
    }
    const measured = { kind: row.kind, steps: stepsOf(row), pair }
    return { leg: legOf(measured), trips: row.test === 'shape' ? tripsOf(measured) : [], row }
  })
  const rounds = [...Map.groupBy(seen, ({ row }) => row.round).values()].flatMap(of => {
    const app = of.find(({ row }) => row.leg === 'app')
    const control = of.find(({ row }) => row.leg === 'control')
    return app && control && belongs(app.row, control.row) ? [{ app, control }] : []
  })
  const first = rounds[0]?.app.row
  if (!first) return null
  const pairs = rounds.flatMap(({ app, control }) =>
    app.leg && control.leg ? [{ app: app.leg, control: control.leg }] : [],
  )
  const said = compare(first.test === 'shape' ? [] : pairs)
  const { app, feature, country, asn, agent, pair, origin, role, trust, prefix, test, differs } = first
  return {
    ...{ app, feature, country, asn, agent, pair, origin, role, trust, prefix, test, differs },
    at: windowStart(Math.min(...legs.map(({ placed }) => placed))),
    ...told(said),
    pairs: pairs.length,
    ...flows(pairs),
    idle: medianOf(pairs.map(({ app }) => app.idle)),
    ...stalled(rounds),
    rule: RULE_VERSION,
  }
}

/** Stalls of the trains; of a round nothing came back from nothing can be said. */
const stalled = (rounds: readonly { app: Seen; control: Seen }[]) => {
  const both = rounds.filter(of => [of.app, of.control].every(({ trips }) => trips.some(trip => trip >= 0)))
  const count = (side: 'app' | 'control') => {
    const counted = both.map(of => stalls(of[side].trips))
    const sum = (of: 'hits' | 'tries') => counted.reduce((all, one) => all + one[of], 0)
    return { [`${side}_stalls`]: sum('hits'), [`${side}_tries`]: sum('tries') }
  }
  return { ...count('app'), ...count('control') }
}

const told = ({ answer, strength, mechanism, rate, slower }: Throttling) => ({
  answer,
  strength: strength ?? '',
  mechanism: mechanism ?? '',
  rate,
  slower: slower?.value ?? null,
  low: slower?.low ?? null,
  high: slower?.high ?? null,
  coverage: slower?.coverage ?? 0,
})

const goodput = ({ got, span }: Leg): number | null => (got > 0 && span > 0 ? got / span : null)

const medianOf = (values: readonly (number | null)[]): number | null => {
  const known = values.flatMap(value => value ?? [])
  return known.length > 0 ? median(known) : null
}

/** Medians over the rounds: bytes a second, and app to control. */
const flows = (pairs: readonly { app: Leg; control: Leg }[]) => {
  const both = pairs.flatMap(pair => {
    const [app, control] = [goodput(pair.app), goodput(pair.control)]
    return app !== null && control !== null ? [{ app, control }] : []
  })
  if (both.length === 0) return { app_goodput: null, control_goodput: null, ratio: null }
  return {
    app_goodput: median(both.map(({ app }) => app)),
    control_goodput: median(both.map(({ control }) => control)),
    ratio: median(both.map(({ app, control }) => app / control)),
  }
}
