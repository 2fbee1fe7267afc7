import type { EventKind, PolicyEvent } from '../../events/event.ts'
import { shownByDefault } from '../../events/select.ts'
import { drawingOf, shadingOf } from '../../events/when.ts'
import { precisionOf, rangeOf } from '../../events/zone.ts'
import type { Address } from './address.ts'
import type { Format } from './format.ts'
import type { Range } from './range.ts'
import type { Shade } from './shade.ts'
import type { Strings } from './strings/language.ts'

/** Four sorts of event, each with a shape of its own: what takes away, what gives back, what is said, what happens beside. */
export type Sort = 'taking' | 'giving' | 'saying' | 'beside'

const sorts: Record<EventKind, Sort> = {
  block: 'taking',
  throttle: 'taking',
  'call-block': 'taking',
  shutdown: 'taking',
  'hosting-order': 'taking',
  'app-store-removal': 'taking',
  unblock: 'giving',
  'app-store-restore': 'giving',
  'zero-rating': 'beside',
  incentive: 'beside',
  regulation: 'saying',
  rumor: 'saying',
  denial: 'saying',
  announcement: 'saying',
  legal: 'saying',
  migration: 'beside',
  protest: 'beside',
  election: 'beside',
}

export const sortOf = (kind: EventKind): Sort => sorts[kind]

const levels = ['rumor', 'reported', 'confirmed'] as const

/** What the reader's filter leaves, and how many events only the default (no rumours, denials, figures) hides. */
export function filterEvents(
  events: readonly PolicyEvent[],
  { kinds, confidence, quiet, event: chosen }: Pick<Address, 'kinds' | 'confidence' | 'quiet' | 'event'>,
): { shown: PolicyEvent[]; hidden: number } {
  const wanted = events.filter(
    event =>
      (kinds.length === 0 || kinds.includes(event.kind)) &&
      levels.indexOf(event.confidence) >= levels.indexOf(confidence),
  )
  // A kind asked for by name is shown, and so is an event that somebody links to.
  const shown = wanted.filter(
    event => quiet || kinds.includes(event.kind) || shownByDefault(event) || event.id === chosen,
  )
  return { shown, hidden: wanted.length - wanted.filter(event => shownByDefault(event)).length }
}

/** What to draw behind the plots for these events. */
export function shadesOf(events: readonly PolicyEvent[], view: Range, now: number, chosen: string | null): Shade[] {
  return events.flatMap((event): Shade[] => {
    const { from, shape, pale, hatchedFrom } = drawingOf(event, now)
    const common = { pale, hatchedFrom, chosen: event.id === chosen }
    if (shape === 'line') return [{ ...common, from, to: from, line: true }]
    return shadingOf(event, view, now).map(part => ({ ...common, ...part, line: false }))
  })
}

/** A date of an event as precise as it is known: in Persian a Gregorian month is a span of Jalali days. */
export function eventDate(date: string, format: Format, language: string): string {
  // The days a date names are shown as they stand there, in whatever zone they were counted.
  const { from, to } = rangeOf(date, 'UTC')
  const precision = precisionOf(date)
  if (precision === 'minute') return format.instant(from)
  if (precision === 'day') return format.day(from)
  if (language === 'fa') return format.span(from, to)
  return precision === 'month' ? format.month(from) : format.year(from)
}

/** When an event was, with everything that is not known about it. */
export function whenText({ when }: PolicyEvent, { words, format, language }: Speech): string {
  const date = (text: string, about: boolean) => {
    const said = eventDate(text, format, language)
    return about ? words.events.about(said) : said
  }
  const start = date(when.start, when.approx?.includes('start') ?? false)
  const end = when.end ? date(when.end, when.approx?.includes('end') ?? false) : null
  const state = end ? 'ended' : (when.endState ?? 'unknown')
  const span =
    end !== null && when.end !== when.start
      ? `${start} – ${end}`
      : state === 'open'
        ? words.events.stillOpen(start)
        : start
  const notes = [
    when.start.length === 7 && words.events.monthOnly,
    when.start.length === 4 && words.events.yearOnly,
    state === 'unknown' && words.events.endUnknown,
    when.windows
      ? words.events.recurs(format.windows(when.windows))
      : when.recurrence && words.events.recurs(when.recurrence),
    when.deadline && words.events.deadline(date(when.deadline, false)),
    when.announced && words.events.announced(date(when.announced, false)),
  ].filter(Boolean)
  return notes.length > 0 ? `${span} (${notes.join(words.semicolon)})` : span
}

export type Speech = { words: Strings; format: Format; language: string }

/** Where days are counted by the Persian calendar, and in Persian everywhere, the start in the other calendar too. */
export function otherCalendar({ when, where }: PolicyEvent, format: Format, language: string): string | null {
  const persian = where.countries.some(country => country === 'IR' || country === 'AF')
  if (precisionOf(when.start) !== 'day' || (language !== 'fa' && !persian)) return null
  return format.otherDay(rangeOf(when.start, 'UTC').from)
}

/** What a measurement should see, by the event's own expectation; empty where it expects nothing. */
export function expectation({ expect = {} }: PolicyEvent, words: Strings): string[] {
  return Object.entries(expect).flatMap(([measure, change]) => words.events.expected[measure]?.[change] ?? [])
}

const units = { Y: 'year', M: 'month', D: 'day' } as const

/** How far before (or after) an onset an event began, from the API's ISO 8601 duration; never finer than it is known. */
export function distanceText(distance: string, { words, format }: Pick<Speech, 'words' | 'format'>): string {
  const parsed = /^(-?)P(?:(\d+)([YMD])|T(?:(\d+)H)?(?:(\d+)M)?)$/.exec(distance)
  if (parsed === null) return distance
  const [, sign, count, letter, hours, minutes] = parsed
  if (letter !== undefined && count === '0') return words.degradations.same[letter]!
  const length =
    letter === undefined
      ? [
          hours && format.unit(Number(hours), 'hour'),
          (minutes ?? !hours) && format.unit(Number(minutes ?? 0), 'minute'),
        ]
          .filter(Boolean)
          .join(' ')
      : format.unit(Number(count), units[letter as keyof typeof units])
  return sign ? words.degradations.after(length) : words.degradations.before(length)
}
