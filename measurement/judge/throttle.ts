import { transferMarks } from '../step.ts'
import type { Mechanism } from '../verdict.ts'
import { asRatio, type Counted, fisher, type Interval, shiftOf } from './ranks.ts'
import { median } from './statistics.ts'

/**
 * Whether an app's transfers are slower than a control's on the same line, minutes apart: the rule of reference
 * detection.md §5.3, pure. One pair is one transfer of equal size each; three pairs are one test, which ends with the
 * first pair that stands against it (docs/decisions/0010-tests-that-stop.md). All rates are bytes per second.
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
  /** All of it came, or of datagrams what did not get lost; time was up; reset or closed before; or nothing more came. */
  end: 'whole' | 'cap' | 'reset' | 'closed' | 'silent'
  /** Round trip of the idle line: the connect. */
  idle: number | null
  /** Request to first body byte; null where none came. */
  first: number | null
  /** Round trips on a connection beside: the first before the transfer, the others while it ran; -1 for one that never came. */
  trips?: readonly number[]
  /** Of a stream of datagrams, how many were lost. Their sender keeps its pace: what holds them back loses them. */
  lost?: Counted
}
export type Pair = { app: Leg; control: Leg }

/** Seconds after which a transfer is given up (reference §5.3, as scored in §1.7). */
export const CAP = 8
/** Pairs one test needs. */
export const LEAST_PAIRS = 3
/**
 * Rates are compared from these bytes to the end: a burst that a policer lets pass carries the first bytes, and a longer
 * stretch scatters less than the windows of §5.3.2 (docs/benchmarks.md, "lab").
 */
const TAILS = [16_384, 65_536] as const
/** Beyond the usual bursts: the rate somebody is held at is read from here on. */
const HELD = 98_304
/** Every control faster than the fastest app transfer by this factor: 1 false of 300 clean lines (§1.7). */
const FACTOR = 1.5
/** Medians apart by this factor are a strong difference (§5.3.2). */
const STRONG = 4
/**
 * Datagrams of an app are held back where so large a share of them more than of a control's is lost, and the chance that
 * both are lost alike is below this. Lines lose in bursts, which chance alone does not account for: hence the share.
 */
const LOST = { more: 0.1, alike: 0.001 } as const
/** A pair of a shape test asks for a test of its own from this factor on. */
const SUSPICIOUS = 2
/** Coefficient of variation of a policed rate, at most (§5.3.3). It describes a difference, it cannot show one. */
const STEADY = 0.1
/** A flow that a queue lets through evenly is silent for less than so many of its segments take (bytes, TCP's usual). */
const SILENT = 4
const SEGMENT = 1_448
/** Round trips under load that are needed. */
const LEAST_TRIPS = 2
/** A line that fills no queue stays below this many idle round trips (§5.3.3; §1.4 has the same). */
const QUEUED = 1.3
/** Below this many there is none that a round trip of a quarter of a second would hide. */
const UNQUEUED = 1.1
/** A freeze lets through less than this, and then nothing for longer than this (§5.3.4). */
const FROZEN_BYTES = 70 * 1024
export const FROZEN_SECONDS = 3
/** The probe looks at its bytes so often (probes/net/arrival.ts): what came between two looks came in no known time. */
const LOOK = 0.02
/** A way shorter than that is not what holds a rate down. */
export const LEAST_TRIP = LOOK
/** Least time a rate is read from at the end of a leg. */
const ENDING_SECONDS = 1

export type Throttling = {
  /**
   * `throttled`: the app's transfers are slower than the control's, or more of its datagrams are lost, beyond chance. `same`:
   * they are not, or by no more than their longer way accounts for, whatever more pairs would say.
   * `control_slow`: they are not, but the control did not get through either, so nothing can be said. `too_few`: what
   * would decide did not run.
   */
  answer: 'throttled' | 'same' | 'control_slow' | 'too_few'
  /** `strong` where the medians are four times apart; null unless throttled. */
  strength: 'strong' | 'weak' | null
  /** `police`, `shape` or `freeze`; null where the cause is open. */
  mechanism: Mechanism | null
  /** The rate the app is held at, bytes/s; null unless throttled, and where frozen. */
  rate: number | null
  /** How many times slower the app is than the control, 1 for equal. */
  slower: Interval | null
  /** Pairs that counted. */
  pairs: number
}

const WIRE = new Set<Leg['end']>(['whole', 'cap', 'silent'])

/** A leg that somebody cut short, or that never began, has no rate: that is a failure, judged elsewhere. */
const ran = ({ end, got, span, first }: Leg): boolean => WIRE.has(end) && got > 0 && span > 0 && first !== null
const isPair = ({ app, control }: Pair): boolean => ran(app) && ran(control)

/** Rate from a mark to the end (§5.3.1), of datagrams over all; null where the object ended before. */
export const rateFrom = (leg: Leg, from: (typeof MARKS)[number] | 0): number | null => {
  if (leg.lost) return leg.got / Math.max(LOOK, leg.span)
  const begin = from === 0 ? 0 : (leg.reached[MARKS.indexOf(from)] ?? null)
  const whole = leg.end === 'whole'
  const last = whole ? leg.reached.findLastIndex(at => at !== null) : -1
  const [to, end] = whole ? [MARKS[last] ?? 0, leg.reached[last] ?? 0] : [leg.got, leg.span]
  if (begin !== null && !(whole && to <= from)) return Math.max(0, to - from) / Math.max(LOOK, end - begin)
  return whole ? null : leg.got / Math.max(LOOK, leg.span)
}

/** Whether a pair of a shape test is reason for a test: what is lost on the way up is looked for apart. */
export const isSuspicious = (pair: Pair): boolean => isPair(pair) && apartOf([pair], SUSPICIOUS).length > 0

/** Whether a test that saw these pairs goes on: no pair stands against it, and it has not seen enough. */
export const goesOn = (all: readonly Pair[]): boolean =>
  all.length < LEAST_PAIRS && (all.every(isFrozen) || (all.every(isPair) && apartOf(all).length > 0))

/** One agent's test. The order of the pairs does not matter. */
export const compare = (all: readonly Pair[]): Throttling => {
  const pairs = all.filter(isPair)
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
  const apart = apartOf(pairs)
  if (pairs.length === 0 || (pairs.length < LEAST_PAIRS && apart.length > 0)) return said({ slower: null })
  if (apart.length === 0) {
    return said({ answer: median(pairs.map(({ control }) => missing(control))) > 0 ? 'control_slow' : 'same' })
  }
  const strong = apart.some(({ app, control }) => median(control) >= STRONG * median(app))
  const held = (ratesOf(pairs, HELD) ?? apart[0]!).app
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
  const late = leg.reached[MARKS.indexOf(HELD)] === null ? null : rateFrom(leg, HELD)
  const passed = MARKS.findLast((_, i) => leg.span - (leg.reached[i] ?? leg.span) >= ENDING_SECONDS)
  return late ?? rateFrom(leg, passed ?? 0) ?? leg.got / Math.max(LOOK, leg.span)
}

/** Bytes of the largest mark that time did not suffice for. */
const missing = (leg: Leg): number => (leg.end === 'whole' ? 0 : Math.max(0, MARKS.at(-1)! - leg.got))

type Rates = { app: number[]; control: number[] }

const ratesOf = (pairs: readonly Pair[], from: (typeof MARKS)[number]): Rates | null => {
  const app = pairs.flatMap(pair => rateFrom(pair.app, from) ?? [])
  const control = pairs.flatMap(pair => rateFrom(pair.control, from) ?? [])
  return app.length === pairs.length && control.length === pairs.length ? { app, control } : null
}

/** Rates by which these pairs, every one of them, show the app slower. */
const apartOf = (pairs: readonly Pair[], factor = FACTOR): Rates[] => {
  const least = factor * longerOf(pairs)
  const rates = TAILS.flatMap(from => ratesOf(pairs, from) ?? [])
  if (pairs.some(({ app, control }) => app.lost || control.lost)) return isLossier(pairs) ? rates : []
  return rates.filter(({ app, control }) => Math.min(...control) > least * Math.max(...app))
}

/** Whether each of the app's streams of datagrams lost more than each of the control's, beyond chance. */
const isLossier = (pairs: readonly Pair[]): boolean => {
  const isMore = (app: Counted, control: Counted): boolean =>
    app.hits / app.tries - control.hits / control.tries >= LOST.more && fisher(app, control) < LOST.alike
  return pairs.every(({ app }) =>
    pairs.every(({ control }) => app.lost && control.lost && isMore(app.lost, control.lost)),
  )
}

/**
 * How many times longer the app's way is. TCP's rate goes with 1 / round trip, in slow start and under loss alike (Mathis
 * 1997), so that an app served from farther away is slower by nobody's doing, which is another finding (relocation.ts).
 */
const longerOf = (pairs: readonly Pair[]): number => {
  // The least: a connect that lost its SYN took a second more, and so does a first byte that waits for its request.
  const idle = (side: keyof Pair): number => {
    const known = pairs.flatMap(({ [side]: { idle, first } }) => (idle === null ? [] : Math.min(idle, first ?? idle)))
    return known.length > 0 ? Math.max(LEAST_TRIP, Math.min(...known)) : Number.NaN
  }
  const ratio = idle('app') / idle('control')
  return ratio > 1 ? ratio : 1
}

/** On a lossy line a leg may lose its first packet and freeze with nothing at all; all of them would be a block. */
const isFrozen = ({ app, control }: Pair): boolean =>
  app.idle !== null &&
  (app.end === 'cap' || app.end === 'silent') &&
  (app.got === 0 || (app.got < FROZEN_BYTES && app.gap > FROZEN_SECONDS)) &&
  control.end === 'whole'

const isSteady = (rates: readonly number[]): boolean => {
  const mean = rates.reduce((a, b) => a + b, 0) / rates.length
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / (rates.length - 1)
  return mean > 0 && Math.sqrt(variance) / mean <= STEADY
}

/**
 * What holds a steady rate, by round trips beside it: longer ones met its queue. Where they are not longer there is no queue,
 * or one that is not theirs, as where each flow has its own: a policer only where every transfer fell silent as well, which
 * dropped packets make it do and a queue does not. Silences alone do not tell (docs/benchmarks.md, "lab": a short queue
 * drops too).
 */
const pacing = (pairs: readonly Pair[]): Mechanism | null => {
  const loads = pairs.flatMap(({ app: { trips = [] } }) => loadOf(trips) ?? [])
  if (loads.length === 0) return null
  const longer = median(loads)
  if (longer >= QUEUED) return 'shape'
  return longer < UNQUEUED && pairs.every(({ app }) => app.gap * endingRate(app) > SILENT * SEGMENT) ? 'police' : null
}

/** How many times longer a round trip is under load: the shortest of some, as one that lost a packet says nothing of a queue. */
const loadOf = ([before = -1, ...trips]: readonly number[]): number | null => {
  const known = trips.filter(trip => trip >= 0)
  if (before < 0 || known.length < LEAST_TRIPS) return null
  return Math.max(LEAST_TRIP, Math.min(...known)) / Math.max(LEAST_TRIP, before)
}

const slowerOf = (pairs: readonly Pair[]): Interval | null => {
  const rates = TAILS.toReversed()
    .map(from => ratesOf(pairs, from))
    .find(found => found !== null)
  if (!rates) return null
  const logs = (of: readonly number[]): number[] => of.map(rate => Math.log(Math.max(1, rate)))
  const shift = shiftOf(logs(rates.app), logs(rates.control))
  return shift && asRatio(shift)
}
