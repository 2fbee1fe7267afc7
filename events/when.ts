/**
 * When an event was: its instants, what may be drawn, recurring hours, distance to an onset.
 * All instants are Unix seconds, all ranges half-open [from, to). Days are days of `when.tz` (default UTC), and an end
 * day is inside. No import but ours and types: the page runs this.
 */
import type { PolicyEvent, RecurringWindow } from './event.ts'
import { DAY, instantOf, MINUTE, type Precision, precisionOf, type Range, rangeOf, wallClock } from './zone.ts'

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

/** How to draw an event: a line at `from`, or a region. The page and Grafana (in milliseconds, its end inclusive: `to * 1000 - 1`) both follow it. */
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
  if (end) {
    // An end coarser than the start (14 July to "2017-07") covers it: hatch only what follows the start.
    const hatchedFrom = vagueEnd ? Math.max(end.from, start.from) : null
    return { ...common, shape: 'region', to: end.to, hatchedFrom }
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

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

const secondsOf = (hour: string) => (Number(hour.slice(0, 2)) * 60 + Number(hour.slice(3))) * MINUTE

/** The stretches of `range` that lie inside recurring hours, in order and joined where they touch. */
export function windowsWithin(windows: readonly RecurringWindow[], range: Range): Range[] {
  const found: Range[] = []
  for (const { days, from, to, tz } of windows) {
    const overnight = secondsOf(to) <= secondsOf(from) ? DAY : 0
    // Start a day early for hours that began before midnight.
    let day = Math.floor(wallClock(range.from, tz) / DAY) * DAY - DAY
    for (const last = wallClock(range.to, tz); day <= last; day += DAY) {
      if (!days.includes(WEEKDAYS[new Date(day * 1000).getUTCDay()]!)) continue
      const opened = Math.max(range.from, instantOf(day + secondsOf(from), tz))
      const closed = Math.min(range.to, instantOf(day + secondsOf(to) + overnight, tz))
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
  return windowsWithin(windows, { from: at, to: at + 1 })[0]?.from === at
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
  const wall = new Date(wallClock(onset, tz) * 1000)
  const [year, month = 1, day = 1] = start.slice(0, 10).split('-').map(Number) as [number, number?, number?]
  const signed = (count: number, text: (magnitude: number) => string) => (count < 0 ? '-' : '') + text(Math.abs(count))
  switch (precisionOf(start)) {
    case 'year':
      return signed(wall.getUTCFullYear() - year, n => `P${n}Y`)
    case 'month':
      return signed((wall.getUTCFullYear() - year) * 12 + wall.getUTCMonth() + 1 - month, n => `P${n}M`)
    case 'day':
      return signed(Math.floor((wall.getTime() - Date.UTC(year, month - 1, day)) / 1000 / DAY), n => `P${n}D`)
    case 'minute':
      return signed(Math.floor((onset - Date.parse(start) / 1000) / MINUTE), n =>
        n < 60 ? `PT${n}M` : `PT${Math.floor(n / 60)}H${n % 60 ? `${n % 60}M` : ''}`,
      )
  }
}

/** How far an onset lies from the nearest instant the start may be, in seconds; 0 inside, negative before it. */
export function gapTo(event: PolicyEvent, onset: number): number {
  const { from, to } = spanOf(event).start
  return onset < from ? onset - from : Math.max(0, onset - to)
}
