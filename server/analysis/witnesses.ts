import { median } from '../../measurement/judge/statistics.ts'
import {
  type Abroad,
  type Judgement,
  judge,
  LEAST_RESULTS,
  type Transfers,
  type Witness,
  type Worked,
} from '../../measurement/judge/verdict.ts'
import { ROLLUP_SECONDS, VERDICT_LOOKBACK_SECONDS } from '../../measurement/windows.ts'
import type { Paired } from './throttling.ts'

/** From results of agents to witnesses, and so to the verdicts of one series. Pure. */

export const ABROAD_SHARE = 0.5

/** The newest result of one agent on one target within one 5-minute window. */
export type Result = {
  app: string
  feature: string
  target: string
  agent: string
  prefix: number
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
export type Control = {
  agent: string
  start: number
  foreign_tried: number
  foreign_answered: number
  domestic_tried: number
  domestic_answered: number
}
/** Whether an agent's resolver gave a false address for a name of the app, within one window. */
export type Compared = { app: string; feature: string; agent: string; start: number; misled: number }
export type Elsewhere = {
  app: string
  feature: string
  asn: number
  country: string
  start: number
  attempts: number
  answered: number
}

export type Judged = Judgement & { at: number }

/** What is known beside the results: what is usual of an agent's pair, and paired transfers as of a window. */
export type Known = {
  usual: (agent: string) => number | undefined
  transfers: (at: number) => (Transfers & Pick<Paired, 'slowed'>) | null
  compared: readonly Compared[]
}

/**
 * Verdicts of one series over ascending windows, from ascending rows: each looks at the latest result per agent and target of the hour before.
 * Where nothing was asked, transfers alone may show throttling.
 */
export const verdictsOf = (
  results: readonly Result[],
  controls: readonly Control[],
  elsewhere: readonly Elsewhere[],
  starts: readonly number[],
  { usual, transfers, compared }: Known,
): Judged[] => {
  const judged: Judged[] = []
  const of = {
    results: passed(results),
    controls: passed(controls),
    elsewhere: passed(elsewhere),
    compared: passed(compared),
  }
  for (const at of starts) {
    const from = at - VERDICT_LOOKBACK_SECONDS + ROLLUP_SECONDS
    const within = of.results(from, at)
    const paired = transfers(at)
    // What is slow by nobody's doing may have been called throttled before it was known.
    if (within.length === 0 && !paired?.confirmed && !paired?.slowed) continue
    const lines = linesOf(of.controls(from, at))
    const misled = new Map(of.compared(from, at).map(({ agent, misled }) => [agent, misled > 0]))
    const agents = [...Map.groupBy(within, ({ agent }) => agent)].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const witnesses = agents.map(([agent, of]) => ({
      ...witness(of, lines.get(agent), usual(agent)),
      misled: misled.get(agent) ?? null,
    }))
    judged.push({ at, ...judge(witnesses, abroadOf(of.elsewhere(from, at)), paired) })
  }
  return judged
}

/** Rows within [from, to], asked for in ascending windows of ascending rows: over all of them each row is passed once. */
const passed = <Row extends { start: number }>(rows: readonly Row[]) => {
  let [first, next] = [0, 0]
  return (from: number, to: number): Row[] => {
    while (first < rows.length && rows[first]!.start < from) first++
    while (next < rows.length && rows[next]!.start <= to) next++
    return rows.slice(first, next)
  }
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
    prefix: results.findLast(({ prefix }) => prefix !== 0)?.prefix ?? 0,
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
