/**
 * When an event was: instants, what may be drawn, recurring hours, distance to an onset.
 * All instants are milliseconds since 1970 UTC, all ranges half-open [from, to). No import but types: the page runs this.
 * Rules: dates carry their precision by length, days are days of `when.tz` (default UTC), an end day is inside.
 */
import type { PolicyEvent, RecurringWindow } from './event.ts'

export interface Range {
  from: number
  to: number
}

export type Precision = 'year' | 'month' | 'day' | 'minute'

export interface Span {
  /** Every instant the start may be: the whole local day, month or year that the date names. */
  start: Range
  /** The same of the end; null unless `state` is `ended`. */
  end: Range | null
  /** `unknown`: it ended or not, nobody recorded it. `instant`: it has no duration. */
  state: 'ended' | 'open' | 'instant' | 'unknown'
  precision: Precision
  /** Not day-precise, or marked approximate. */
  vagueStart: boolean
  vagueEnd: boolean
  /** A date an order or threat names; not an end. */
  deadline: Range | null
  /** When it became public, if that was not the start. */
  announced: Range | null
}

/** How to draw an event: a line at `from`, or a region. The page and Grafana (which wants `to - 1`) both follow it. */
export interface Drawing extends Range {
  shape: 'line' | 'region'
  /** Draw pale or dashed: the start is known only to the month or year, or approximately. */
  pale: boolean
  /** From here to `to` the end lies somewhere: hatch it. Null for a precise end or none. */
  hatchedFrom: number | null
  /** Still in force: the region fades out at `to`, which is the present. */
  open: boolean
  /** Say "end not known" beside it. */
  endUnknown: boolean
}

const DAY = 86_400_000
const MINUTE = 60_000
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

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

/** What a clock on the wall shows at `at`, written as if it were UTC. Throws RangeError for an unknown zone. */
export function wallClock(at: number, tz: string): number {
  const part: Record<string, number> = {}
  for (const { type, value } of clock(tz).formatToParts(at)) part[type] = Number(value)
  const { year, month, day, hour, minute, second } = part
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) + (((at % 1000) + 1000) % 1000)
}

/** First instant at which the wall clock shows `wall` or, where a change of clocks leaves it out, anything later. */
function instantOf(wall: number, tz: string): number {
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
  if (precision === 'minute') return { from: Date.parse(date), to: Date.parse(date) + MINUTE }
  const [year, month = 1, day = 1] = date.split('-').map(Number) as [number, number?, number?]
  const next =
    precision === 'year'
      ? Date.UTC(year + 1, 0)
      : precision === 'month'
        ? Date.UTC(year, month)
        : Date.UTC(year, month - 1, day + 1)
  return { from: instantOf(Date.UTC(year, month - 1, day), tz), to: instantOf(next, tz) }
}

const spans = new WeakMap<PolicyEvent, Span>()

/** The instants of an event. A null end without `endState` is `unknown`. */
export function spanOf(event: PolicyEvent): Span {
  let span = spans.get(event)
  if (span === undefined) {
    const { start, end, endState, approx = [], deadline, announced, tz = 'UTC' } = event.when
    const vague = (date: string) => date.length < 10
    span = {
      start: rangeOf(start, tz),
      end: end ? rangeOf(end, tz) : null,
      state: end ? 'ended' : (endState ?? 'unknown'),
      precision: precisionOf(start),
      vagueStart: vague(start) || approx.includes('start'),
      vagueEnd: end ? vague(end) || approx.includes('end') : false,
      deadline: deadline === undefined ? null : rangeOf(deadline, tz),
      announced: announced === undefined ? null : rangeOf(announced, tz),
    }
    spans.set(event, span)
  }
  return span
}

/**
 * What to draw at the present `now`. A month or a year is never a line; an unknown end never makes a region up to now:
 * such an event is drawn at its start, with a note.
 */
export function drawingOf(event: PolicyEvent, now: number): Drawing {
  const { start, end, state, precision, vagueStart, vagueEnd } = spanOf(event)
  const common = { from: start.from, pale: vagueStart, hatchedFrom: null, open: false, endUnknown: false }
  // An end in a coarser date than the start (14 July to "2017-07") may cover the start: hatch only what follows it.
  if (end)
    return {
      ...common,
      shape: 'region',
      to: Math.max(end.to, start.to),
      hatchedFrom: vagueEnd ? Math.max(end.from, start.from) : null,
    }
  if (state === 'open') return { ...common, shape: 'region', to: Math.max(now, start.to), open: true }
  const precise = precision === 'day' || precision === 'minute'
  return { ...common, shape: precise ? 'line' : 'region', to: start.to, endUnknown: state === 'unknown' }
}

/**
 * Whether the event was in force at an instant: `unknown` inside a vague start or end, and any time after the start of
 * an event whose end nobody recorded. Outside its recurring hours an event is not in force; instants never are.
 */
export function inForce(event: PolicyEvent, at: number): 'yes' | 'no' | 'unknown' {
  const { start, end, state, vagueStart, vagueEnd } = spanOf(event)
  if (at < start.from || (end && at >= end.to) || state === 'instant') return 'no'
  if (event.when.windows && !insideWindows(event.when.windows, at)) return 'no'
  if (vagueStart && at < start.to) return 'unknown'
  if (end) return vagueEnd && at >= end.from ? 'unknown' : 'yes'
  return state === 'open' || at < start.to ? 'yes' : 'unknown'
}

const minutesOf = (hour: string) => Number(hour.slice(0, 2)) * 60 + Number(hour.slice(3))

/** The stretches of `range` that lie inside recurring hours, in order and joined where they touch. */
export function windowsWithin(windows: readonly RecurringWindow[], range: Range): Range[] {
  const found: Range[] = []
  for (const { days, from, to, tz } of windows) {
    const overnight = minutesOf(to) <= minutesOf(from) ? DAY : 0
    // Start a day early for hours that began before midnight.
    let day = Math.floor(wallClock(range.from, tz) / DAY) * DAY - DAY
    for (const last = wallClock(range.to, tz); day <= last; day += DAY) {
      if (!days.includes(WEEKDAYS[new Date(day).getUTCDay()]!)) continue
      const opened = Math.max(range.from, instantOf(day + minutesOf(from) * MINUTE, tz))
      const closed = Math.min(range.to, instantOf(day + minutesOf(to) * MINUTE + overnight, tz))
      if (opened < closed) found.push({ from: opened, to: closed })
    }
  }
  return joined(found)
}

function joined(ranges: Range[]): Range[] {
  const result: Range[] = []
  for (const range of ranges.sort((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last && range.from <= last.to) last.to = Math.max(last.to, range.to)
    else result.push(range)
  }
  return result
}

/** Whether an instant lies inside recurring hours, by the wall clock of each window's zone. */
export function insideWindows(windows: readonly RecurringWindow[], at: number): boolean {
  return windowsWithin(windows, { from: at, to: at + 1 }).length > 0
}

/** The parts of `view` to shade for an event: its region, or only its recurring hours. Empty for a line. */
export function shadingOf(event: PolicyEvent, view: Range, now: number): Range[] {
  const { shape, from, to } = drawingOf(event, now)
  const seen = { from: Math.max(from, view.from), to: Math.min(to, view.to) }
  if (shape === 'line' || seen.from >= seen.to) return []
  return event.when.windows ? windowsWithin(event.when.windows, seen) : [seen]
}

/**
 * From an event's start to an onset as an ISO 8601 duration, counted in the event's own precision and calendar: `P1D`
 * when the onset came on the local day after the start's, `P0D` on the same day, `-P1D` when the event came a day after
 * the onset; `P2M` and `P0Y` for dates known to the month or year (never finer than what is known), `PT6H30M` for
 * minutes.
 */
export function distanceTo(event: PolicyEvent, onset: number): string {
  const { start, tz = 'UTC' } = event.when
  const wall = new Date(wallClock(onset, tz))
  const [year, month = 1, day = 1] = start.slice(0, 10).split('-').map(Number) as [number, number?, number?]
  const signed = (count: number, text: (magnitude: number) => string) => (count < 0 ? '-' : '') + text(Math.abs(count))
  switch (precisionOf(start)) {
    case 'year':
      return signed(wall.getUTCFullYear() - year, n => `P${n}Y`)
    case 'month':
      return signed((wall.getUTCFullYear() - year) * 12 + wall.getUTCMonth() + 1 - month, n => `P${n}M`)
    case 'day':
      return signed(Math.floor(wall.getTime() / DAY) - Date.UTC(year, month - 1, day) / DAY, n => `P${n}D`)
    case 'minute':
      return signed(Math.floor((onset - Date.parse(start)) / MINUTE), n =>
        n < 60 ? `PT${n}M` : `PT${Math.floor(n / 60)}H${n % 60 ? `${n % 60}M` : ''}`,
      )
  }
}

/** How far an onset lies from the nearest instant the start may be, in milliseconds; 0 inside, negative before it. */
export function gapTo(event: PolicyEvent, onset: number): number {
  const { from, to } = spanOf(event).start
  return onset < from ? onset - from : Math.max(0, onset - to)
}
