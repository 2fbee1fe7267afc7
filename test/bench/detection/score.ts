import { wilson } from '../../../measurement/judge/statistics.ts'
import { findingsOf } from '../../../server/analysis/degradations.ts'
import { type Episode, episodesOf, type Kind, withoutOutages } from '../../../server/analysis/detector.ts'
import { splitOfRatio, splitOfReach } from '../../../server/analysis/onset.ts'
import type { Trial } from '../../../server/analysis/trial.ts'
import type { Rival } from './rivals.ts'
import { BIN, DAY, type Event, START, type World } from './series.ts'

export type Generator = (world: World) => Trial[]
type Figure = Record<string, string | number>

const round = (value: number, digits = 3): number => Number(value.toFixed(digits))

/** Days before anything is counted or happens: two are learned from at least, a week is what is usual. */
const LEARNING_DAYS = 8
/** Weeks counted of each quiet series. */
const QUIET_WEEKS = 4
/** What happens lasts this long, and is to be found within a day. */
const EVENT_HOURS = 36

export type Cell = { name: string; kind: Kind } & Omit<Event, 'day' | 'hours'>

/** The rows of reference detection.md §5.4. */
export const cells: readonly Cell[] = [
  { name: 'slow x1.25', kind: 'slow', slower: 1.25 },
  { name: 'slow x1.5', kind: 'slow', slower: 1.5 },
  { name: 'slow x1.5 half', kind: 'slow', slower: 1.5, agents: 0.5 },
  { name: 'slow x2', kind: 'slow', slower: 2 },
  { name: 'slow x2 half', kind: 'slow', slower: 2, agents: 0.5 },
  { name: 'slow x4', kind: 'slow', slower: 4 },
  { name: 'slow x4 half', kind: 'slow', slower: 4, agents: 0.5 },
  { name: 'block 10 %', kind: 'reach', lost: 0.1 },
  { name: 'block 20 %', kind: 'reach', lost: 0.2 },
  { name: 'block 20 % half', kind: 'reach', lost: 0.2, agents: 0.5 },
  { name: 'block 40 %', kind: 'reach', lost: 0.4 },
  { name: 'block 80 %', kind: 'reach', lost: 0.8 },
  { name: 'block full', kind: 'reach', lost: 1 },
  { name: 'block full half', kind: 'reach', lost: 1, agents: 0.5 },
]

/** Alarms of one kind, none within a day of the one before (reference detection.md §5.4, refractory). */
const counted = (alarms: readonly number[]): number[] => {
  const kept: number[] = []
  let last = Number.NEGATIVE_INFINITY
  for (const at of alarms) {
    if (at - last > DAY) kept.push(at)
    last = at
  }
  return kept.filter(at => at >= START + LEARNING_DAYS * DAY)
}

const alarmsOf = (episodes: readonly Episode[], kind: Kind): number[] =>
  episodes.filter(of => of.kind === kind).map(({ alarm }) => alarm + BIN)

/** False alarms a series-week, with the upper end of a 95 % interval for a count (Poisson, by its normal of the root). */
export const quiet = (generator: Generator, seed: number, agents: number, weeks: number): Figure => {
  const found = { slow: 0, reach: 0, confirmed: 0 }
  for (let i = 0; i < weeks / QUIET_WEEKS; i++) {
    const trials = generator({ seed: seed + i, agents, days: LEARNING_DAYS + 7 * QUIET_WEEKS })
    const episodes = episodesOf(trials)
    found.slow += counted(alarmsOf(episodes, 'slow')).length
    found.reach += counted(alarmsOf(episodes, 'reach')).length
    if (episodes.length > 0) found.confirmed += confirmedIn(trials, episodes).length
  }
  const upper = (count: number) => (Math.sqrt(count) + 0.98) ** 2 / weeks
  const total = found.slow + found.reach
  return {
    agents,
    weeks,
    slow_per_week: round(found.slow / weeks),
    reach_per_week: round(found.reach / weeks),
    false_per_week: round(total / weeks),
    upper: round(upper(total)),
    confirmed_per_week: round(found.confirmed / weeks),
  }
}

export const confirmedIn = (trials: readonly Trial[], episodes: readonly Episode[]) => {
  const series = trials.map(trial => ({ ...trial, failures: {} }))
  return findingsOf(new Map([[1, series]]), 'UTC', trials.at(-1)!.at, { episodes: () => episodes }).filter(
    ({ state, onset }) => state === 'confirmed' && onset >= START + LEARNING_DAYS * DAY,
  )
}

type Run = { trials: Trial[]; onset: number }

const runsOf = (
  generator: Generator,
  seed: number,
  agents: number,
  { name: _, kind: __, ...event }: Cell,
  runs: number,
  tries: number,
) =>
  Array.from({ length: runs }, (_, i): Run => {
    // Every hour of the day and, over a week, every day.
    const day = LEARNING_DAYS + 2 + ((i * 7) % 168) / 24
    const onset = START + Math.floor(day * 96) * BIN
    const days = Math.ceil(day + EVENT_HOURS / 24)
    const world = { seed: seed + 1_000 * agents + i, agents, days, tries, event: { day, hours: EVENT_HOURS, ...event } }
    return { trials: generator(world), onset }
  })

const told = (cell: Cell, agents: number, runs: number, delays: number[], onsets: number | null): Figure => {
  delays.sort((a, b) => a - b)
  const { low, high } = wilson(delays.length / runs, runs)
  return {
    event: cell.name,
    agents,
    runs,
    recall: round(delays.length / runs),
    low: round(low),
    high: round(high),
    delay_hours: delays.length > 0 ? round(delays[delays.length >> 1]!, 2) : 'none',
    ...(onsets === null ? {} : { onset_30min: delays.length > 0 ? round(onsets / delays.length, 2) : 'none' }),
  }
}

/** Found within a day, how long after, and how well dated with what was known two hours after the alarm. */
export const recall = (
  generator: Generator,
  seed: number,
  agents: number,
  cell: Cell,
  runs: number,
  tries = 1,
): Figure => {
  const delays: number[] = []
  let near = 0
  for (const { trials, onset } of runsOf(generator, seed, agents, cell, runs, tries)) {
    const found = episodesOf(trials).find(of => of.kind === cell.kind && of.alarm >= onset && of.alarm < onset + DAY)
    if (!found) continue
    delays.push((found.alarm + BIN - onset) / 3_600)
    const split = cell.kind === 'reach' ? splitOfReach : splitOfRatio
    const at = split(withoutOutages(trials), found.alarm, true) ?? found.onset
    if (Math.abs(at - onset) <= 1_800) near++
  }
  return { ...told(cell, agents, runs, delays, near), tries }
}

/** The same of a rival, with its false alarms before the event. */
export const rivalry = (
  generator: Generator,
  seed: number,
  agents: number,
  cell: Cell,
  runs: number,
  rival: Rival,
): Figure => {
  const delays: number[] = []
  let before = 0
  let weeks = 0
  for (const { trials, onset } of runsOf(generator, seed, agents, cell, runs, 1)) {
    const alarms = rival(trials)
    const news = alarms.filter((at, i) => i === 0 || at - alarms[i - 1]! > DAY / 4)
    before += counted(alarms.filter(at => at <= onset)).length
    weeks += (onset - START - LEARNING_DAYS * DAY) / (7 * DAY)
    const found = news.find(at => at > onset && at <= onset + DAY)
    if (found) delays.push((found - onset) / 3_600)
  }
  return { ...told(cell, agents, runs, delays, null), false_per_week: round(before / weeks, 2) }
}
