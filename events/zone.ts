/**
 * Dates of events and the wall clocks of zones, by Intl alone. Instants are Unix seconds, ranges half-open [from, to).
 * A date carries its precision by length; days, months and years are those of the zone. Runs in the page, too.
 */

export interface Range {
  from: number
  to: number
}

export type Precision = 'year' | 'month' | 'day' | 'minute'

export const DAY = 86_400
export const MINUTE = 60

/** Unix seconds of a date of UTC; months count from 0 and may overflow. */
const utc = (...parts: [year: number, month: number, day?: number]) => Date.UTC(...parts) / 1000

const clocks = new Map<string, Intl.DateTimeFormat>()

function clock(tz: string): Intl.DateTimeFormat {
  let found = clocks.get(tz)
  if (found === undefined) {
    found = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: tz,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    clocks.set(tz, found)
  }
  return found
}

/** What a clock on the wall shows at `at`, as seconds as if it were UTC. Throws RangeError for an unknown zone. */
export function wallClock(at: number, tz: string): number {
  const part: Record<string, number> = {}
  for (const { type, value } of clock(tz).formatToParts(at * 1000)) part[type] = Number(value)
  const { year, month, day, hour, minute, second } = part
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) / 1000 + (at - Math.floor(at))
}

/** First instant at which the wall clock shows `wall` (whole seconds) or, where clocks jumped over it, anything later. */
export function instantOf(wall: number, tz: string): number {
  // No offset exceeds 14 hours, so a day to either side lies before and after the instant sought.
  const before = wall - (wallClock(wall - DAY, tz) - (wall - DAY))
  const after = wall - (wallClock(wall + DAY, tz) - (wall + DAY))
  if (wallClock(before, tz) === wall) return before
  if (wallClock(after, tz) === wall) return after
  let low = after
  let high = before
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (wallClock(middle, tz) >= wall) high = middle
    else low = middle
  }
  return high
}

export function precisionOf(date: string): Precision {
  return date.length === 4 ? 'year' : date.length === 7 ? 'month' : date.length === 10 ? 'day' : 'minute'
}

/** All instants that a date of an event may mean in its zone. The date is calendar-valid (laws.ts). */
export function rangeOf(date: string, tz: string): Range {
  const precision = precisionOf(date)
  if (precision === 'minute') return { from: Date.parse(date) / 1000, to: Date.parse(date) / 1000 + MINUTE }
  const [year, month = 1, day = 1] = date.split('-').map(Number) as [number, number?, number?]
  const next =
    precision === 'year' ? utc(year + 1, 0) : precision === 'month' ? utc(year, month) : utc(year, month - 1, day + 1)
  return { from: instantOf(utc(year, month - 1, day), tz), to: instantOf(next, tz) }
}
