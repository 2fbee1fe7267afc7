import { DAY, type Range } from '../../events/zone.ts'
import { levelOf, steps } from '../../measurement/windows.ts'
import type { Address } from './address.ts'

export type { Range }

const HOUR = 3_600

/** Unix seconds of a time of the API, and back. Instants within the page are Unix seconds, ranges [from, to). */
export const secondsOf = (time: string) => Date.parse(time) / 1_000
export const timeText = (at: number) => new Date(at * 1_000).toISOString()

/** More points a line cost time and show nothing: a screen has fewer columns. */
export const MAX_POINTS = 2_000

/** Seconds of an API step (`5m`, `1h`, `1d`). */
export const lengthOf = (step: string): number => levelOf(step) ?? DAY

/** Steps of the API that keep a line within MAX_POINTS, finest first; at least the coarsest. */
export function stepsFor({ from, to }: Range): string[] {
  const fitting = steps.filter(step => (to - from) / lengthOf(step) <= MAX_POINTS)
  return fitting.length > 0 ? fitting : steps.slice(-1)
}

/** The step asked for where it fits, else the finest that does. */
export function stepFor(range: Range, asked: string | null = null): string {
  const fitting = stepsFor(range)
  return fitting.find(step => step === asked) ?? fitting[0]!
}

export const presets: readonly { name: 'day' | 'week' | 'month' | 'quarter' | 'year'; length: number }[] = [
  { name: 'day', length: DAY },
  { name: 'week', length: 7 * DAY },
  { name: 'month', length: 30 * DAY },
  { name: 'quarter', length: 91 * DAY },
  { name: 'year', length: 365 * DAY },
]

/** Shortest range worth drawing: three of the finest points. */
const MIN_LENGTH = HOUR / 4

/** The range of a chart: that of the URL, else the week that ends at the chosen time, or at the end of the present hour. */
export function rangeOf({ from, to, at }: Pick<Address, 'from' | 'to' | 'at'>, now: number): Range {
  const week = 7 * DAY
  if (from !== null && to !== null) return { from, to }
  if (from !== null) return { from, to: from + week }
  // A week around a chosen time shows what led to it and what came after.
  if (to === null && at !== null) return { from: at - week / 2, to: at + week / 2 }
  const end = to ?? Math.ceil(now / HOUR) * HOUR
  return { from: end - week, to: end }
}

/** Twice as long about the same middle; never later than the present's hour unless it was already. */
export function wider({ from, to }: Range, now: number): Range {
  const half = (to - from) / 2
  const end = Math.min(to + half, Math.max(to, Math.ceil(now / HOUR) * HOUR))
  return { from: end - 4 * half, to: end }
}

/** Half its length earlier (-1) or later (+1). */
export function beside({ from, to }: Range, direction: -1 | 1): Range {
  const move = (direction * (to - from)) / 2
  return { from: from + move, to: to + move }
}

/** Rounded outwards to whole minutes, or whole steps where the range is long enough, so that links stay short. */
export function rounded({ from, to }: Range): Range {
  const unit = to - from > 14 * DAY ? DAY : to - from > 12 * HOUR ? HOUR : 300
  const start = Math.floor(from / unit) * unit
  return { from: start, to: Math.max(Math.ceil(to / unit) * unit, start + MIN_LENGTH) }
}
