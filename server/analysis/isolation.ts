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
  /** Bad and good bins in a row. */
  bad: number
  good: number
  from: number
  open: { cut: Cut; inside: number; down: number } | null
  cuts: Cut[]
}

/** So many bins in a row open, and close. */
const BINS = 2
/** Least agents whose foreign controls must fail. */
const LEAST_AGENTS = 2
/** Habit is learned over about two days. */
const HABIT = 1 / 192
/** Silence: at most this share of the agents expected, and at least so many expected. */
const SILENCE = { share: 0.25, expected: 4 } as const
/** After so long of silence those agents are gone, not cut off. */
const LONGEST_SECONDS = 7 * 86_400
/** A habit this rare is forgotten. */
const RARE = 0.01

export const noIsolation = (): Isolation => ({
  at: 0,
  habits: new Map(),
  prefixes: new Map(),
  bad: 0,
  good: 0,
  from: 0,
  open: null,
  cuts: [],
})

type Said = { verdict: Cut['verdict'] | null; agents: string[] }

/**
 * Take a bin's trials (any app: what counts is how the controls did). Bins since the last one are silent ones.
 * `alive` says whether others reported in a bin: where nobody did, the server and not the network was silent.
 */
export const stepIsolation = (
  of: Isolation,
  at: number,
  bin: readonly Trial[],
  alive: (at: number) => boolean,
): void => {
  if (of.at > 0) {
    // A longer pause says that we stopped, or that everybody left.
    const first = Math.max(of.at + DETECTOR_BIN_SECONDS, at - LONGEST_SECONDS)
    for (let silent = first; silent < at; silent += DETECTOR_BIN_SECONDS) one(of, silent, [], alive)
  }
  one(of, at, voters(bin), alive)
  of.at = at
}

const one = (of: Isolation, at: number, bin: readonly Trial[], alive: (at: number) => boolean): void => {
  for (const { agent, prefix } of bin) if (prefix !== 0) of.prefixes.set(agent, prefix)
  const { verdict, agents } = sayOf(of, at, bin, alive)
  if (!of.open) learn(of, bin)
  if (verdict) {
    if (of.bad++ === 0) of.from = at
    of.good = 0
  } else {
    of.good++
    of.bad = 0
  }
  if (!of.open && of.bad >= BINS) {
    const cut: Cut = { verdict: verdict!, onset: of.from, seen: at, end: null, agents: new Map(), fine: new Set() }
    of.cuts.push(cut)
    of.open = { cut, inside: 0, down: 0 }
  }
  if (of.open) during(of, of.open, at, verdict, agents)
  if (of.open && verdict) for (const { agent, foreign } of bin) if (foreign) of.open.cut.fine.add(agent)
}

const during = (
  of: Isolation,
  open: NonNullable<Isolation['open']>,
  at: number,
  verdict: Said['verdict'],
  agents: string[],
) => {
  const { cut } = open
  if (verdict) {
    cut.seen = at
    for (const agent of agents) cut.agents.set(agent, of.prefixes.get(agent) ?? 0)
    if (verdict === 'domestic_only') open.inside++
    else open.down++
    cut.verdict = open.inside >= open.down ? 'domestic_only' : 'network_down'
  }
  const gone = at - cut.onset >= LONGEST_SECONDS
  if (of.good < BINS && !gone) return
  if (gone) of.habits.clear()
  cut.end = cut.seen + DETECTOR_BIN_SECONDS
  of.open = null
}

const sayOf = (of: Isolation, at: number, bin: readonly Trial[], alive: (at: number) => boolean): Said => {
  const abroad = bin.filter(({ foreign }) => foreign !== null)
  const failed = abroad.filter(({ foreign }) => !foreign)
  if (failed.length >= LEAST_AGENTS && failed.length >= ISOLATED_FROM * abroad.length) {
    const inside = failed.filter(({ domestic }) => domestic !== null)
    const works = inside.filter(({ domestic }) => domestic).length
    const isolated = inside.length > 0 && works > ISOLATED_FROM * inside.length
    return { verdict: isolated ? 'domestic_only' : 'network_down', agents: failed.map(({ agent }) => agent) }
  }
  let expected = 0
  for (const habit of of.habits.values()) expected += habit
  const silent = expected >= SILENCE.expected && bin.length <= SILENCE.share * expected && alive(at)
  if (!silent) return { verdict: null, agents: [] }
  const here = new Set(bin.map(({ agent }) => agent))
  const missing = [...of.habits].filter(([agent, habit]) => habit > ISOLATED_FROM && !here.has(agent))
  return { verdict: 'network_down', agents: missing.map(([agent]) => agent) }
}

const learn = ({ habits, prefixes }: Isolation, bin: readonly Trial[]): void => {
  for (const [agent, habit] of habits) {
    if (habit < RARE) habits.delete(agent)
    else habits.set(agent, habit * (1 - HABIT))
  }
  for (const { agent } of bin) habits.set(agent, (habits.get(agent) ?? RARE) + HABIT)
  for (const agent of prefixes.keys()) if (!habits.has(agent)) prefixes.delete(agent)
}
