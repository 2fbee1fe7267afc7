import { median } from '../../measurement/judge/statistics.ts'
import {
  ALARM_AT,
  breadthOf,
  isBroad,
  llr,
  type Mixture,
  type MixtureRule,
  noMixture,
  normalShare,
  onsetOf,
  reset,
  take,
  usually,
  type Vote,
  weightOf,
} from './mixture.ts'
import { calm, freeze, LEAST_SIZE, noShift, type Shift, shifted, sizeOf, takeShift } from './shift.ts'
import { failedShare, HIT, ordered, type Trial, voters } from './trial.ts'

/**
 * Detection in one series (app, feature, network), streaming in bins of 15 minutes: reference detection.md §5.4. Pure
 * and deterministic: a state is a function of the trials before it, whatever order they arrived in.
 */

export type Kind = 'reach' | 'slow'

/**
 * A stretch of trouble: [onset, end), `end` null while it lasts, `seen` its last hit bin, `alarm` the bin whose trials
 * first showed it.
 */
export type Episode = { kind: Kind; onset: number; alarm: number; end: number | null; seen: number }

/** What is open: counts since the onset, and the evidence that it is over. */
type Open = { episode: Episode; failed: number; tried: number; back: number; backFrom: number }

export type State = {
  reach: Mixture
  shift: Shift
  open: { reach: Open | null; slow: Slow | null }
  /** Failed and tried controls of the newest bins, newest last. */
  controls: [number, number][]
  episodes: Episode[]
}

/** Branch C: lost reach. */
const REACH: MixtureRule = { alternatives: [0.15, 0.4, 0.9], floor: 0.02 }
/** Outage gate: where more of the controls failed over two bins, the line is in question and not the app. */
const OUTAGE = { share: 0.15, bins: 2 } as const
/** An alarm closes when a return to normal is as much likelier than that it lasts as opened it the other way. */
const CLOSE_AT = ALARM_AT

export const noState = (): State => ({
  reach: noMixture(REACH),
  shift: noShift(),
  open: { reach: null, slow: null },
  controls: [],
  episodes: [],
})

/** Take the trials of the next bin. */
export const step = (state: State, at: number, bin: readonly Trial[]): void => {
  const trials = voters(bin)
  if (isOutage(state, trials)) return
  const valid = trials.filter(({ attempts, foreign }) => attempts > 0 && foreign !== false)
  if (valid.length === 0) return
  stepReach(state, at, valid)
  stepSlow(state, at, valid)
}

const isOutage = (state: State, trials: readonly Trial[]): boolean => {
  let failed = 0
  let tried = 0
  for (const { foreign } of trials) {
    if (foreign === null) continue
    tried++
    if (!foreign) failed++
  }
  state.controls.push([failed, tried])
  if (state.controls.length > LINE.bins) state.controls.shift()
  const [lost, all] = controlsOf(state, OUTAGE.bins)
  return lost > OUTAGE.share * all
}

/** Of the newest bins: the controls that failed, less one, count double as what a bad line does to any target. */
const LINE = { bins: 3, factor: 2, stray: 1 } as const

/** Failed and tried controls of so many of the newest bins. */
const controlsOf = ({ controls }: State, bins: number): [number, number] => {
  let [failed, tried] = [0, 0]
  for (let i = Math.max(0, controls.length - bins); i < controls.length; i++) {
    failed += controls[i]![0]
    tried += controls[i]![1]
  }
  return [failed, tried]
}

/** Share of tries that the line itself may cost. */
const lineOf = (state: State): number => {
  const [failed, tried] = controlsOf(state, LINE.bins)
  return tried === 0 ? 0 : (LINE.factor * Math.max(0, failed - LINE.stray)) / tried
}

const stepReach = (state: State, at: number, trials: readonly Trial[]): void => {
  const { reach } = state
  const votes = trials.map((trial): Vote => ({ agent: trial.agent, failed: failedShare(trial) }))
  if (state.open.reach) {
    if (lasts(state.open.reach, at, votes, normalShare(reach, REACH))) return
    state.open.reach = null
    reset(reach)
    return
  }
  const best = take(reach, REACH, at, votes, lineOf(state))
  if (best > ALARM_AT && isBroad(breadthOf(reach, REACH, at))) {
    const own = [...reach.agents.values()]
    state.open.reach = opened(state, 'reach', onsetOf(reach), at)
    state.open.reach.failed = own.reduce((sum, [failed]) => sum + failed, 0)
    state.open.reach.tried = own.reduce((sum, [, tried]) => sum + tried, 0)
  } else if (best < ALARM_AT / 3) usually(reach, votes)
}

const opened = (state: State, kind: Kind, onset: number, at: number): Open => {
  const episode: Episode = { kind, onset, alarm: at, end: null, seen: at }
  state.episodes.push(episode)
  return { episode, failed: 0, tried: 0, back: 0, backFrom: at }
}

/** Whether the trouble that is open goes on: the same ratio turned round, "normal again" against "as since the onset". */
const lasts = (open: Open, at: number, votes: readonly Vote[], normal: number): boolean => {
  const weight = weightOf(votes.length)
  for (const { failed } of votes) {
    open.failed += failed
    open.tried++
    if (failed >= HIT) open.episode.seen = at
    const lasting = Math.min(0.98, Math.max(normal + 0.1, open.failed / open.tried))
    const before = open.back
    open.back = Math.max(0, open.back - weight * llr(failed, 1, lasting, normal))
    if (before === 0 && open.back > 0) open.backFrom = at
  }
  if (open.back <= CLOSE_AT) return true
  open.episode.end = open.backFrom
  return false
}

/** A slow-down that is open: who is hit, by how much, and the evidence that it is over. */
type Slow = { episode: Episode; hit: Set<string>; by: number; sizes: number[]; back: number; backFrom: number }

/** Its size is the median of so many bins from the alarm on; before the first of them it does not end. */
const SIZE_BINS = { least: 4, most: 16 } as const

/** Deviation of the hit agents' median in one bin, at least: noise they share is not in their own spreads. */
const BACK_DEVIATION = 0.15
const BACK_CLIP = 0.7
/** A slow-down that lasted so long is the new usual. */
const LONGEST_SLOW_SECONDS = 28 * 86_400

const stepSlow = (state: State, at: number, trials: readonly Trial[]): void => {
  const slow = state.open.slow
  const moves = takeShift(state.shift, at, trials, slow !== null)
  if (!slow) {
    const found = shifted(state.shift, at)
    if (!found) return
    const { hit, by } = sizeOf(state.shift, at)
    const { episode } = opened(state, 'slow', found.onset, at)
    Object.assign(episode, { by: found.by })
    state.open.slow = { episode, hit, by, sizes: [], back: 0, backFrom: at }
    freeze(state.shift, found.onset)
    return
  }
  const of = moves.filter(({ agent, known }) => !known || slow.hit.has(agent)).map(({ by }) => by)
  const over = at - slow.episode.onset > LONGEST_SLOW_SECONDS
  if (of.length === 0 && !over) return
  const now = of.length > 0 ? median(of) : 0
  if (slow.sizes.length < SIZE_BINS.most) slow.by = sized(slow, now)
  if (now > slow.by / 2) slow.episode.seen = at
  const before = slow.back
  if (slow.sizes.length < SIZE_BINS.least && !over) return
  const evidence = ((slow.by / 2 - now) * slow.by) / BACK_DEVIATION ** 2
  slow.back = Math.max(0, slow.back + Math.max(-BACK_CLIP, Math.min(BACK_CLIP, evidence)))
  if (before === 0 && slow.back > 0) slow.backFrom = at
  if (slow.back <= CLOSE_AT && !over) return
  slow.episode.end = over ? at : slow.backFrom
  state.open.slow = null
  // By what was usual before it would begin again at once.
  if (over) state.shift = noShift()
  else calm(state.shift)
}

const sized = (slow: Slow, now: number): number => {
  slow.sizes.push(now)
  return Math.max(LEAST_SIZE, median(slow.sizes))
}

/** Trials of bins in which the line was not in question. */
export const withoutOutages = <T extends Trial>(trials: readonly T[]): T[] => {
  const state = noState()
  return [...binsOf(trials)].flatMap(([, bin]) => (isOutage(state, voters(bin)) ? [] : bin))
}

export const binsOf = <T extends Trial>(trials: readonly T[]): Map<number, T[]> =>
  Map.groupBy(ordered(trials), ({ at }) => at)

/** Episodes of a series from all of its trials. */
export const episodesOf = (trials: readonly Trial[]): Episode[] => {
  const state = noState()
  for (const [at, bin] of binsOf(trials)) step(state, at, bin)
  return state.episodes
}
