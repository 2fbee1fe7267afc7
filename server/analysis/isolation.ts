import { ISOLATED_FROM } from '../../measurement/judge/verdict.ts'
import { DETECTOR_BIN_SECONDS } from '../../measurement/windows.ts'
import { type Trial, voters } from './trial.ts'

/**
 * Whole networks that are cut off, or fall silent (branch D of reference detection.md §5.4). Judged on a dense grid of
 * bins: a bin in which nobody reported is a bin too. Never a finding about an app.
 */

/** Cut off from abroad while the country's own works, or without network; [onset, end), `end` null while it lasts. */
export type Cut = {
  verdict: 'domestic_only' | 'network_down'
  onset: number
  seen: number
  end: number | null
  /** Those hit and their prefixes, 0 where unknown; those whose controls abroad worked meanwhile. */
  agents: Map<string, number>
  fine: Set<string>
}

export type Isolation = {
  at: number
  /** How often each agent reports: share of bins, forgetting over days. */
  habits: Map<string, number>
  /** Their prefixes, as far as known. */
  prefixes: Map<string, number>
  /** How many reported in each bin of the week, when it last came round. */
  came: number[]
  /** Bad and good bins in a row; those that say nothing are neither. */
  bad: number
  good: number
  from: number
  /** `silent`: since when nobody tells that there is no way abroad, and nothing but silence does. */
  open: { cut: Cut; inside: number; down: number; silent: number } | null
  cuts: Cut[]
}

/** Whether others than the network reported in a bin that is over for good: if nobody did, the server was silent. */
export type Alive = (at: number) => boolean

/** So many bins in a row open, and close. */
const BINS = 2
/** Least agents whose foreign controls must fail. */
const LEAST_AGENTS = 2
/** Habit is learned over about two days. */
const HABIT = 1 / 192
/** Silence: at most this share of the agents expected, and at least so many expected. */
const SILENCE = { share: 0.25, expected: 4 } as const
/** No more are expected than came at this hour a day ago, and a week ago where that is known: people sleep, offices close. */
const WEEK_BINS = (7 * 86_400) / DETECTOR_BIN_SECONDS
const DAY_BINS = WEEK_BINS / 7
/** After so long of silence those agents are gone, not cut off. */
const LONGEST_SECONDS = 7 * 86_400
/** A habit this rare is forgotten. */
const RARE = 0.01

export const noIsolation = (): Isolation => ({
  at: 0,
  habits: new Map(),
  prefixes: new Map(),
  came: [],
  bad: 0,
  good: 0,
  from: 0,
  open: null,
  cuts: [],
})

type Said = { verdict: Cut['verdict'] | null; agents: string[]; silent: boolean }

/** Take a bin's trials (any app: what counts is how the controls did). Bins since the last one are silent ones. */
export const stepIsolation = (of: Isolation, at: number, bin: readonly Trial[], alive: Alive): void => {
  passIsolation(of, at, alive)
  one(of, at, voters(bin), alive)
  of.at = at
}

/** Nobody reported before `until`. */
export const passIsolation = (of: Isolation, until: number, alive: Alive): void => {
  if (of.at === 0) return
  for (let silent = of.at + DETECTOR_BIN_SECONDS; silent < until; silent += DETECTOR_BIN_SECONDS) {
    one(of, silent, [], alive)
    of.at = silent
  }
}

const one = (of: Isolation, at: number, bin: readonly Trial[], alive: Alive): void => {
  for (const { agent, prefix } of bin) if (prefix !== 0) of.prefixes.set(agent, prefix)
  const said = sayOf(of, at, bin, alive)
  if (!of.open) learn(of, at, bin, said !== null)
  if (said?.verdict) {
    if (of.bad++ === 0) of.from = at
    of.good = 0
  } else if (said) {
    of.good++
    of.bad = 0
  }
  if (!of.open && said?.verdict && of.bad >= BINS) {
    const cut: Cut = { verdict: said.verdict, onset: of.from, seen: at, end: null, agents: new Map(), fine: new Set() }
    of.cuts.push(cut)
    of.open = { cut, inside: 0, down: 0, silent: of.from }
  }
  if (of.open) during(of, of.open, at, said)
  if (of.open && said?.verdict) for (const { agent, foreign } of bin) if (foreign) of.open.cut.fine.add(agent)
}

const during = (of: Isolation, open: NonNullable<Isolation['open']>, at: number, said: Said | null) => {
  const { cut } = open
  if (said?.verdict) {
    cut.seen = at
    for (const agent of said.agents) cut.agents.set(agent, of.prefixes.get(agent) ?? 0)
    if (said.verdict === 'domestic_only') open.inside++
    else open.down++
    cut.verdict = open.inside >= open.down ? 'domestic_only' : 'network_down'
    if (!said.silent) open.silent = at
  }
  const gone = at - open.silent >= LONGEST_SECONDS
  if (of.good < BINS && !gone) return
  if (gone) of.habits.clear()
  cut.end = cut.seen + DETECTOR_BIN_SECONDS
  of.open = null
}

/** What a bin says; null where few reported, and it may be the hour or the server that is silent. */
const sayOf = ({ habits, came, open }: Isolation, at: number, bin: readonly Trial[], alive: Alive): Said | null => {
  const abroad = bin.filter(({ foreign }) => foreign !== null)
  const failed = abroad.filter(({ foreign }) => !foreign)
  if (failed.length >= LEAST_AGENTS && failed.length >= ISOLATED_FROM * abroad.length) {
    const inside = failed.filter(({ domestic }) => domestic !== null)
    const works = inside.filter(({ domestic }) => domestic).length
    const isolated = inside.length > 0 && works > ISOLATED_FROM * inside.length
    const agents = failed.map(({ agent }) => agent)
    return { verdict: isolated ? 'domestic_only' : 'network_down', agents, silent: false }
  }
  const isFew = (expected: number) => expected >= SILENCE.expected && bin.length <= SILENCE.share * expected
  if (!isFew(habits.values().reduce((sum, habit) => sum + habit, 0))) {
    // Only who got abroad says that it is over.
    const well = failed.length < abroad.length || !open
    return well ? { verdict: null, agents: [], silent: false } : null
  }
  const slot = slotOf(at)
  const daysAgo = [1, 2, 3, 4, 5, 6, 7].flatMap(ago => came[(slot + WEEK_BINS - ago * DAY_BINS) % WEEK_BINS] ?? [])
  if (!isFew(Math.min(daysAgo[0] ?? 0, came[slot] ?? Number.POSITIVE_INFINITY)) || !alive(at)) return null
  const here = new Set(bin.map(({ agent }) => agent))
  const missing = [...habits].filter(([agent, habit]) => habit > ISOLATED_FROM && !here.has(agent))
  return { verdict: 'network_down', agents: missing.map(([agent]) => agent), silent: true }
}

const slotOf = (at: number): number => (at / DETECTOR_BIN_SECONDS) % WEEK_BINS

const learn = ({ habits, prefixes, came }: Isolation, at: number, bin: readonly Trial[], sure: boolean): void => {
  for (const [agent, habit] of habits) {
    if (habit < RARE) habits.delete(agent)
    else habits.set(agent, habit * (1 - HABIT))
  }
  for (const { agent } of bin) habits.set(agent, (habits.get(agent) ?? RARE) + HABIT)
  for (const agent of prefixes.keys()) if (!habits.has(agent)) prefixes.delete(agent)
  if (sure) came[slotOf(at)] = bin.length
}
