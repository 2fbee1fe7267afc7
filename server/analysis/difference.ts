import { circularBlocks, quantile, randomFrom } from './bootstrap.ts'
import {
  add,
  BEFORE_DAYS,
  type Change,
  changeOf,
  enough,
  type Level,
  NONE,
  type Scale,
  shiftOf,
  spanOf,
  type Unit,
  type Window,
} from './change.ts'

/**
 * Difference in differences of one measure around an onset (reference detection.md §3.4, §5.5; docs/method.md §11):
 * arithmetic over what is public.
 */

/** Days before the onset from which the noise of days is learned. */
export const QUIET_DAYS = 28
/** With fewer days nothing is known of their noise. */
const LEAST_QUIET_DAYS = 14
/** A week: loads have its rhythm. Shorter blocks, as theory allows, held the truth in 88 to 91 % where days have a long memory. */
const BLOCK_DAYS = 7
export const DRAWS = 999
/** Differences of days below this (one point of reachability, one per cent of seconds) say nothing about a control. */
const LEAST_MISFIT = 0.01

type Day = { value: number; weight: number }

/** How far units were from their own mean of the quiet days, day by day; days without any value are null. */
const residualsOf = (units: readonly Unit[], { at, length, day }: Window, fit?: readonly number[]): (Day | null)[] => {
  const hours = Math.min(length, day)
  const starts = Array.from({ length: QUIET_DAYS }, (_, i) => at - (QUIET_DAYS - i) * day)
  const days: Day[] = starts.map(() => ({ value: 0, weight: 0 }))
  for (const [i, unit] of units.entries()) {
    const own = starts.map(from => spanOf(unit, from, from + hours))
    const all = own.reduce(add, NONE)
    if (all.weight <= 0) continue
    const mean = all.sum / all.weight
    for (const [d, { weight, sum }] of own.entries()) {
      const counted = fit?.[i] ?? 1
      days[d]!.value += counted * (sum - mean * weight)
      days[d]!.weight += counted * weight
    }
  }
  return days.map(({ value, weight }) => (weight > 0 ? { value: value / weight, weight } : null))
}

/** Controls count by how little they parted from the treated units in the quiet days (pre-period fit, §5.5.3). */
export const fitOf = (treated: readonly Unit[], controls: readonly Unit[], window: Window): number[] => {
  const theirs = residualsOf(treated, window)
  const misfits = controls.map(control => {
    let [sum, weight] = [0, 0]
    for (const [d, of] of residualsOf([control], window).entries()) {
      const other = theirs[d]
      if (!of || !other) continue
      sum += of.weight * (of.value - other.value) ** 2
      weight += of.weight
    }
    return weight > 0 ? sum / weight : null
  })
  const known = misfits.filter(misfit => misfit !== null).sort((a, b) => a - b)
  const usual = known.length > 0 ? quantile(known, 0.5) : 0
  return misfits.map(misfit => LEAST_MISFIT ** 2 / (LEAST_MISFIT ** 2 + (misfit ?? usual)))
}

export type Estimate = {
  treated: Change
  control: Change
  /** Change of the treated minus change of the controls. */
  change: number
  low: number
  high: number
  /** Whether treated and controls ran alike: their difference in the last week lies within what days do. Null: too few days. */
  parallel: boolean | null
  /** Days the noise of days was learned from; 0: too few, and the interval knows agents only. */
  quietDays: number
}

const meanOf = (days: readonly Day[]): number => {
  const weight = days.reduce((all, of) => all + of.weight, 0)
  return days.reduce((all, of) => all + of.weight * of.value, 0) / weight
}

/**
 * The difference in differences with its 95 % interval: the wider, end by end, of a circular block bootstrap over quiet
 * days (what days do by themselves) and Newcombe's interval from those of the four levels (what few agents can miss).
 */
export const estimate = (
  treated: readonly Unit[],
  controls: readonly Unit[],
  window: Window,
  scale: Scale,
  name: string,
): Estimate | null => {
  const fit = fitOf(treated, controls, window)
  const [own, other] = [changeOf(treated, window, scale), changeOf(controls, window, scale, fit)]
  if (!own || !other) return null
  const change = own.change - other.change
  const few = newcombe(own, other)
  const theirs = residualsOf(controls, window, fit)
  const days = residualsOf(treated, window).flatMap((of, d) => {
    const control = theirs[d]
    return of && control ? [{ value: of.value - control.value, weight: of.weight, d }] : []
  })
  const result = { treated: own, control: other, change }
  if (days.length < LEAST_QUIET_DAYS) {
    return { ...result, low: change - few.below, high: change + few.above, parallel: null, quietDays: 0 }
  }
  const random = randomFrom(name)
  const draw = (wanted: number) => meanOf(circularBlocks(days.length, wanted, BLOCK_DAYS, random).map(at => days[at]!))
  // Days stand around their own mean, which took part of their noise: as n/(n − 1) for single days, so for blocks.
  const lost = Math.sqrt(days.length / (days.length - BLOCK_DAYS))
  const draws = (first: number, second: number) =>
    Array.from({ length: DRAWS }, () => lost * (draw(first) - draw(second))).sort((a, b) => a - b)
  const noise = draws(Math.ceil(window.length / window.day), BEFORE_DAYS)
  const drifts = draws(BEFORE_DAYS, QUIET_DAYS - BEFORE_DAYS)
  const last = days.filter(({ d }) => d >= QUIET_DAYS - BEFORE_DAYS)
  const first = days.filter(({ d }) => d < QUIET_DAYS - BEFORE_DAYS)
  const drift = last.length > 0 && first.length > 0 ? meanOf(last) - meanOf(first) : null
  const within = (value: number) => value >= quantile(drifts, 0.025) - 1e-9 && value <= quantile(drifts, 0.975) + 1e-9
  return {
    ...result,
    low: change - Math.max(few.below, quantile(noise, 0.975)),
    high: change + Math.max(few.above, -quantile(noise, 0.025)),
    parallel: drift === null ? null : within(drift),
    quietDays: days.length,
  }
}

/** How far below and above a difference of differences may lie: square-and-add over the four levels (Newcombe 1998). */
export const newcombe = (own: Pick<Change, 'before' | 'after'>, other: Pick<Change, 'before' | 'after'>) => {
  const under = ({ mean, low }: Level) => (mean - low) ** 2
  const over = ({ mean, high }: Level) => (high - mean) ** 2
  return {
    below: Math.sqrt(under(own.after) + over(own.before) + over(other.after) + under(other.before)),
    above: Math.sqrt(over(own.after) + under(own.before) + under(other.after) + over(other.before)),
  }
}

/**
 * The same difference around other onsets: how large it gets when nothing was decided. Null where there is not enough.
 */
export const placebos = (
  treated: readonly Unit[],
  controls: readonly Unit[],
  onsets: readonly (number | null)[],
  window: Window,
): (number | null)[] => {
  const fit = fitOf(treated, controls, window)
  return onsets.map(at => {
    if (at === null) return null
    const there = { ...window, at }
    if (!enough(treated, there)) return null
    const [own, other] = [shiftOf(treated, there), shiftOf(controls, there, fit)]
    return own === null || other === null ? null : own - other
  })
}

/** One look at an event: its change, and the same at each quiet onset. */
export type Looked = { change: number; quiet: readonly (number | null)[] }

/**
 * p of each of several looks at once (Westfall & Young 1993, single step): each change against the size it has on quiet
 * days, and the share of quiet onsets, the event itself among them, at which the largest of all looks was as large.
 * Counted are onsets that all looks have.
 */
export const placeboPs = (looks: readonly Looked[]): { ps: number[]; placebos: number } => {
  const shared = (looks[0]?.quiet ?? []).flatMap((_, at) =>
    looks.every(({ quiet }) => quiet[at] !== null) ? [at] : [],
  )
  const sizes = looks.map(({ quiet }) =>
    Math.max(1e-6, Math.sqrt(shared.reduce((sum, at) => sum + quiet[at]! ** 2, 0) / Math.max(1, shared.length))),
  )
  const largest = shared.map(at => Math.max(...looks.map(({ quiet }, i) => Math.abs(quiet[at]!) / sizes[i]!)))
  const ps = looks.map(({ change }, i) => {
    const own = Math.abs(change) / sizes[i]! - 1e-9
    return (1 + largest.filter(other => other >= own).length) / (1 + shared.length)
  })
  return { ps, placebos: shared.length }
}
