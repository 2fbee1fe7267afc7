import { wilson } from '../../measurement/judge/statistics.ts'

/** What a measure of some networks did over a window, from running sums. Time is cut into cells; a window is a span of cells. */

/** One network's values, cell by cell, as running sums: entry i is of all cells before i. */
export type Unit = {
  app: string
  country: string
  /** 0: the country as a whole. */
  asn: number
  /** Agents times hours. */
  weight: Float64Array
  /** Of weight times value. */
  sum: Float64Array
  /** Of weight times value squared. */
  squares: Float64Array
  /** Different agents a day (UTC), summed from day to day: what one agent says all day long is one opinion. */
  voters: (from: number, to: number) => number
}

export type Window = { at: number; length: number; day: number }

/** `share`: values lie between 0 and 1, and few of them are judged by Wilson's interval. */
export type Scale = 'share' | 'log'

export const BEFORE_DAYS = 7
/** Agent-hours of the week before, days of it that have any, and agent-hours after: less is too little to say anything. */
export const LEAST = { before: 10, days: 3, after: 5, unit: 3 } as const
const Z = 1.96

type Sums = { weight: number; sum: number; squares: number }

export const spanOf = ({ weight, sum, squares }: Unit, from: number, to: number): Sums => {
  const low = Math.max(0, Math.min(from, weight.length - 1))
  const high = Math.max(low, Math.min(to, weight.length - 1))
  return {
    weight: weight[high]! - weight[low]!,
    sum: sum[high]! - sum[low]!,
    squares: squares[high]! - squares[low]!,
  }
}

export const add = (a: Sums, b: Sums): Sums => ({
  weight: a.weight + b.weight,
  sum: a.sum + b.sum,
  squares: a.squares + b.squares,
})
export const NONE: Sums = { weight: 0, sum: 0, squares: 0 }

/** Spans of the seven days before with the hours of the window: all of them when it is a day or longer. */
const spansBefore = ({ at, length, day }: Window): [from: number, to: number][] =>
  length >= day
    ? [[at - BEFORE_DAYS * day, at]]
    : Array.from({ length: BEFORE_DAYS }, (_, i) => [at - (i + 1) * day, at - (i + 1) * day + length])

const before = (unit: Unit, window: Window): Sums =>
  spansBefore(window).reduce((all, [from, to]) => add(all, spanOf(unit, from, to)), NONE)

export type Level = { mean: number; low: number; high: number }

/** What units did together: weighted levels before and after, whose difference is the weighted difference. */
export type Change = { before: Level; after: Level; change: number; hours: { before: number; after: number } }

const levelOf = (parts: readonly { mean: number; share: number; voters: number; variance: number }[], scale: Scale) => {
  const mean = parts.reduce((all, of) => all + of.share * of.mean, 0)
  // Kish's effective number: units that count for little add little certainty.
  const voters = 1 / parts.reduce((all, of) => all + of.share ** 2 / Math.max(1, of.voters), 0)
  if (scale === 'share') return { mean, ...wilson(Math.min(1, Math.max(0, mean)), voters) }
  const variance = parts.reduce((all, of) => all + of.share * of.variance, 0)
  const half = Z * Math.sqrt(variance / voters)
  return { mean, low: mean - half, high: mean + half }
}

const varianceOf = ({ weight, sum, squares }: Sums): number => Math.max(0, squares / weight - (sum / weight) ** 2)

/**
 * The change of some units over a window. A unit counts by the precision of its own difference, n₀n₁/(n₀+n₁), times its
 * fit. Null where none has both sides.
 */
export const changeOf = (
  units: readonly Unit[],
  window: Window,
  scale: Scale,
  fit?: readonly number[],
): Change | null => {
  const { at, length } = window
  const first = at - BEFORE_DAYS * window.day
  const pairs = units.flatMap((unit, i) => {
    const [old, new_] = [before(unit, window), spanOf(unit, at, at + length)]
    if (old.weight < LEAST.unit || new_.weight <= 0) return []
    const weight = ((old.weight * new_.weight) / (old.weight + new_.weight)) * (fit?.[i] ?? 1)
    return [{ unit, old, new_, weight }]
  })
  const whole = pairs.reduce((all, { weight }) => all + weight, 0)
  if (whole <= 0) return null
  const side = (of: (typeof pairs)[number], sums: Sums, from: number, to: number) => ({
    mean: sums.sum / sums.weight,
    share: of.weight / whole,
    voters: Math.min(sums.weight, of.unit.voters(from, to)),
    variance: varianceOf(sums),
  })
  const was = levelOf(
    pairs.map(of => side(of, of.old, first, at)),
    scale,
  )
  const is = levelOf(
    pairs.map(of => side(of, of.new_, at, at + length)),
    scale,
  )
  const hours = {
    before: pairs.reduce((all, { old }) => all + old.weight, 0),
    after: pairs.reduce((all, { new_ }) => all + new_.weight, 0),
  }
  return { before: was, after: is, change: is.mean - was.mean, hours }
}

/** Whether anything was measured on either side. */
export const anything = (treated: readonly Unit[], window: Window): boolean =>
  treated.some(unit => spanOf(unit, window.at - BEFORE_DAYS * window.day, window.at + window.length).weight > 0)

/** Of running sums, what lies in some spans together. */
const within = (sums: Float64Array, spans: readonly (readonly [from: number, to: number])[]): number => {
  const last = sums.length - 1
  let all = 0
  for (const [from, to] of spans) {
    if (to > 0 && from < last) all += sums[Math.min(to, last)]! - sums[Math.max(from, 0)]!
  }
  return all
}

/** The change alone, for the thousands of windows of placebos: `changeOf` without its levels. */
export const shiftOf = (units: readonly Unit[], window: Window, fit?: readonly number[]): number | null => {
  const earlier = spansBefore(window)
  const later = [[window.at, window.at + window.length]] as const
  let [shift, whole] = [0, 0]
  for (const [i, { weight, sum }] of units.entries()) {
    const [old, new_] = [within(weight, earlier), within(weight, later)]
    if (old < LEAST.unit || new_ <= 0) continue
    const counted = ((old * new_) / (old + new_)) * (fit?.[i] ?? 1)
    shift += counted * (within(sum, later) / new_ - within(sum, earlier) / old)
    whole += counted
  }
  return whole > 0 ? shift / whole : null
}

/** Whether there is enough of the treated to say anything. */
export const enough = (treated: readonly Unit[], window: Window): boolean => {
  const { at, length, day } = window
  const earlier = spansBefore(window)
  let [old, new_] = [0, 0]
  for (const { weight } of treated) {
    old += within(weight, earlier)
    new_ += within(weight, [[at, at + length]])
  }
  if (old < LEAST.before || new_ < LEAST.after) return false
  let days = 0
  for (let from = at - BEFORE_DAYS * day; from < at; from += day)
    if (treated.some(({ weight }) => within(weight, [[from, from + day]]) > 0)) days++
  return days >= LEAST.days
}
