import { transferMarks } from '../step.ts'
import type { Mechanism } from '../verdict.ts'
import { asRatio, type Interval, shiftOf } from './ranks.ts'
import { median } from './statistics.ts'

/**
 * Whether an app's transfers are slower than a control's on the same line, minutes apart: the rule of reference
 * detection.md §5.3, pure. One pair is one transfer of equal size each; three pairs are one test. All rates are bytes
 * per second.
 */

/** Bytes whose arrival a leg times. */
export const MARKS = transferMarks

/** One transfer. All times in seconds. */
export type Leg = {
  /** From the first body byte until each of `MARKS` had come; null where it had not. */
  reached: readonly (number | null)[]
  /** Body bytes that came. */
  got: number
  /** First body byte to the end, at most `CAP`. */
  span: number
  /** Longest silence. */
  gap: number
  /** All of it came; time was up; reset or closed before all had come; or nothing more came. */
  end: 'whole' | 'cap' | 'reset' | 'closed' | 'silent'
  /** Round trip of the idle line: the connect. */
  idle: number | null
  /** Request to first body byte; null where none came. */
  first: number | null
  /** Round trip while the transfer filled the line, where somebody measured it. */
  loaded?: number | null
}
export type Pair = { app: Leg; control: Leg }

/** Seconds after which a transfer is given up (reference §5.3, as scored in §1.7). */
export const CAP = 8
/** Pairs one test needs. */
export const LEAST_PAIRS = 3
/** Bytes from and to which rates are compared: before and after a policer's burst (§5.3.2). */
const EARLY = [16_384, 65_536] as const
const LATE = [98_304, 262_144] as const
/** Every control faster than the fastest app transfer by this factor: 1 false of 300 clean lines (§1.7). */
const FACTOR = 1.5
/** Medians apart by this factor are a strong difference (§5.3.2). */
const STRONG = 4
/** One 128 KB pair asks for three more from this factor on (§1.7, "adaptive"). */
const SUSPICIOUS = 2
const SUSPICION_BYTES = 131_072
/** Coefficient of variation of a policed rate, at most (§5.3.3). It describes a difference, it cannot show one. */
const STEADY = 0.1
/** A line that fills no queue stays below this many idle round trips (§5.3.3; §1.4 has the same). */
const UNQUEUED = 1.3
/** A freeze lets through less than this, and then nothing for longer than this (§5.3.4). */
const FROZEN_BYTES = 70 * 1024
export const FROZEN_SECONDS = 3
/** Clocks that tell no shorter time must not make infinite rates. */
const TICK = 1e-4

/** Least time a rate is read from at the end of a leg. */
const ENDING_SECONDS = 1

/** A way shorter than the probe's look at its bytes is not what holds a rate down. */
const LEAST_TRIP = 0.02

/** How many times slower the app is than the control, 1 for equal. */
export type Slower = Interval

export type Throttling = {
  /**
   * `throttled`: the app's transfers are slower than the control's, beyond chance. `same`: they are not, or by no more
   * than their longer way accounts for.
   * `control_slow`: they are not, but the control did not get through either, so nothing can be said. `too_few`: fewer
   * than three pairs in which both transfers ran.
   */
  answer: 'throttled' | 'same' | 'control_slow' | 'too_few'
  /** `strong` where the medians are four times apart; null unless throttled. */
  strength: 'strong' | 'weak' | null
  /** `police`, `shape` or `freeze`; null where the cause is open. */
  mechanism: Mechanism | null
  /** The rate the app is held at, bytes/s; null unless throttled, and where frozen. */
  rate: number | null
  slower: Slower | null
  /** Pairs that counted. */
  pairs: number
}

const WIRE = new Set<Leg['end']>(['whole', 'cap', 'silent'])

/** A leg that somebody cut short, or that never began, has no rate: that is a failure, judged elsewhere. */
const ran = ({ end, got, span, first }: Leg): boolean => WIRE.has(end) && got > 0 && span > 0 && first !== null

/** Rate from byte `from` to byte `to` (§5.3.1); null where the object ended before. */
export const rateOf = (leg: Leg, from: number, to: number): number | null => {
  const at = (bytes: number): number | null =>
    bytes === 0 ? 0 : (leg.reached[MARKS.indexOf(bytes as (typeof MARKS)[number])] ?? null)
  const [begin, end] = [at(from), at(to)]
  if (begin !== null && end !== null) return (to - from) / Math.max(TICK, end - begin)
  if (leg.end === 'whole') return null
  if (begin !== null) return Math.max(0, leg.got - from) / Math.max(TICK, leg.span - begin)
  return leg.got / Math.max(TICK, leg.span)
}

/** Whether one 128 KB pair is reason to ask for three of 256 KB; one of 64 KB, to ask for one of 128. */
export const isSuspicious = ({ app, control }: Pair, test: 'shape' | 'screen' = 'screen'): boolean => {
  if (!ran(app) || !ran(control)) return false
  const [from, to] = test === 'shape' ? EARLY : [0, SUSPICION_BYTES]
  const [slow, fast] = [rateOf(app, from, to), rateOf(control, from, to)]
  return slow !== null && fast !== null && fast > SUSPICIOUS * slow
}

/** One agent's test. The order of the pairs does not matter. */
export const compare = (all: readonly Pair[]): Throttling => {
  const pairs = all.filter(({ app, control }) => ran(app) && ran(control))
  const said = (more: Partial<Throttling>): Throttling => ({
    answer: 'too_few',
    strength: null,
    mechanism: null,
    rate: null,
    slower: slowerOf(pairs),
    pairs: pairs.length,
    ...more,
  })
  if (all.length >= LEAST_PAIRS && all.every(isFrozen) && pairs.length > 0) {
    return said({ answer: 'throttled', strength: 'strong', mechanism: 'freeze' })
  }
  if (pairs.length < LEAST_PAIRS) return said({ slower: null })
  const longer = longerOf(pairs)
  const apart = [EARLY, LATE]
    .flatMap(([from, to]) => ratesOf(pairs, from, to) ?? [])
    .filter(rates => differs(rates, longer))
  if (apart.length === 0) {
    return said({ answer: median(pairs.map(({ control }) => missing(control))) > 0 ? 'control_slow' : 'same' })
  }
  const strong = apart.some(({ app, control }) => median(control) >= STRONG * median(app))
  const held = (ratesOf(pairs, ...LATE) ?? apart[0]!).app
  return said({
    answer: 'throttled',
    strength: strong ? 'strong' : 'weak',
    mechanism: isSteady(held) ? pacing(pairs) : null,
    rate: median(pairs.map(({ app }) => endingRate(app))),
  })
}

/**
 * The rate a leg ended at, for the words: after 96 KB; where it never got so far from the last mark it passed in time, so
 * that a burst at its beginning does not count.
 */
const endingRate = (leg: Leg): number => {
  const late = leg.reached[MARKS.indexOf(LATE[0])] === null ? null : rateOf(leg, ...LATE)
  const passed = MARKS.findLast((_, i) => leg.span - (leg.reached[i] ?? leg.span) >= ENDING_SECONDS)
  return late ?? rateOf(leg, passed ?? 0, MARKS.at(-1)!) ?? leg.got / Math.max(TICK, leg.span)
}

/** Bytes of the largest mark that time did not suffice for. */
const missing = (leg: Leg): number => (leg.end === 'whole' ? 0 : Math.max(0, MARKS.at(-1)! - leg.got))

type Rates = { app: number[]; control: number[] }

const ratesOf = (pairs: readonly Pair[], from: number, to: number): Rates | null => {
  const app = pairs.flatMap(pair => rateOf(pair.app, from, to) ?? [])
  const control = pairs.flatMap(pair => rateOf(pair.control, from, to) ?? [])
  return app.length === pairs.length && control.length === pairs.length ? { app, control } : null
}

const differs = ({ app, control }: Rates, longer: number): boolean =>
  Math.min(...control) > FACTOR * longer * Math.max(...app)

/**
 * How many times longer the app's way is. TCP's rate goes with 1 / round trip, in slow start and under loss alike (Mathis
 * 1997), so that an app served from farther away is slower by nobody's doing, which is another finding (relocation.ts).
 */
const longerOf = (pairs: readonly Pair[]): number => {
  // The least: a connect that lost its SYN took a second more.
  const idle = (side: keyof Pair): number => {
    const known = pairs.flatMap(pair => pair[side].idle ?? [])
    return known.length > 0 ? Math.max(LEAST_TRIP, Math.min(...known)) : Number.NaN
  }
  const ratio = idle('app') / idle('control')
  return ratio > 1 ? ratio : 1
}

/** On a lossy line a leg may lose its first packet and freeze with nothing at all; all of them would be a block. */
const isFrozen = ({ app, control }: Pair): boolean =>
  (app.end === 'cap' || app.end === 'silent') &&
  (app.got === 0 || (app.got < FROZEN_BYTES && app.gap > FROZEN_SECONDS)) &&
  control.end === 'whole'

const isSteady = (rates: readonly number[]): boolean => {
  const mean = rates.reduce((a, b) => a + b, 0) / rates.length
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / (rates.length - 1)
  return mean > 0 && Math.sqrt(variance) / mean <= STEADY
}

/**
 * What holds a steady rate: a queue or a policer, by the round trip under load. Where nobody measured that, the cause
 * stays open: silences in the timeline do not tell (docs/benchmarks.md, "lab": a short queue drops too).
 */
const pacing = (pairs: readonly Pair[]): Mechanism | null => {
  const loads = pairs.flatMap(({ app: { loaded, idle } }) => (loaded && idle ? [loaded / idle] : []))
  return loads.length === 0 ? null : median(loads) < UNQUEUED ? 'police' : 'shape'
}

const slowerOf = (pairs: readonly Pair[]): Slower | null => {
  const rates = [LATE, EARLY].map(([from, to]) => ratesOf(pairs, from, to)).find(found => found !== null)
  if (!rates) return null
  const logs = (of: readonly number[]): number[] => of.map(rate => Math.log(Math.max(1, rate)))
  const shift = shiftOf(logs(rates.app), logs(rates.control))
  return shift && asRatio(shift)
}
