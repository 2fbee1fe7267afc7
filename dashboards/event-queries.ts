/**
 * Policy events as constants in PromQL: they need no stored data, no scrape and no plugin.
 * - Points: exact starts, `vector(<milliseconds>)`. Grafana reads the value of an instant query as the time of the event.
 * - Spans: `vector(time()) >= start < end`, a range query; a series' samples become one shaded region.
 * Each event is packed into one label and unpacked once per query; where the board's country and app variables do not
 * match it, it is filtered out through `label_replace`'s pattern.
 */
import type { PolicyEvent } from '../events/event.ts'
import { drawingOf, spanOf } from '../events/when.ts'
import { wallClock } from '../events/zone.ts'

/** Which variables of the board narrow its events. */
export type Narrowing = { app?: '$app'; country?: '$country' }

/** VictoriaMetrics refuses queries over 16 kB; Grafana's substitutions need some room. */
export const MAX_LAYER_BYTES = 15_500

const FIELDS = ['title', 'text', 'country', 'app', 'kind', 'event'] as const

/** What a PromQL string in a Grafana query cannot hold: variables, escapes, our own separator. */
const plain = (text: string): string => {
  if (/[$|\\"\n]|\[\[/.test(text))
    throw new Error(`A title cannot be drawn on a board, it holds one of $ | \\ " [[: ${text}`)
  return text
}

const noteOf = (event: PolicyEvent): string => {
  const { vagueStart, state, precision } = spanOf(event)
  const notes = [
    vagueStart
      ? precision === 'day' || precision === 'minute'
        ? 'start approximate'
        : `known to the ${precision} only`
      : '',
    state === 'unknown' ? 'end not known' : '',
    state === 'open' ? 'still in force' : '',
    event.when.windows ? 'in recurring hours only' : '',
  ]
  return notes.filter(note => note !== '').join(', ')
}

/** The event as one label: title, text, countries, apps, kind, id. */
const packed = (event: PolicyEvent): string => {
  const text = [event.title['fa'], `${event.kind.replaceAll('-', ' ')}, ${event.confidence}`, noteOf(event)]
  const countries = event.where.scope === 'cross-border' ? ['global'] : event.where.countries
  const fields: Record<(typeof FIELDS)[number], string> = {
    title: plain(event.title.en.replaceAll('"', '”')),
    text: plain((text.filter(part => part !== undefined && part !== '') as string[]).join(' · ').replaceAll('"', '”')),
    country: countries.length === 0 ? 'global' : countries.join(','),
    app: event.apps.length === 0 ? 'none' : event.apps.map(app => (app === '*' ? 'every' : app)).join(','),
    kind: event.kind,
    event: event.id,
  }
  return FIELDS.map(field => fields[field]).join('|')
}

/** A line at an exact start; vague starts have spans only. */
export const point = (event: PolicyEvent): string | null =>
  spanOf(event).vagueStart ? null : `vector(${drawingOf(event, 0).from * 1000})`

/** In force at the evaluated instant. Ends are widened by a step, else short spans fall between two steps. */
export const span = (event: PolicyEvent): string | null => {
  const { shape, from, to, open } = drawingOf(event, Number.POSITIVE_INFINITY)
  if (shape === 'line') return null
  const end = open ? '' : ` < ${to} + $__interval_ms / 1000`
  return `vector(time()) >= ${from}${end}${hours(event, from)}`
}

/** Spans over three months, or still open, shade whole charts: they have a toggle of their own, off at first. */
const LONG = 92 * 86_400
export const isLong = (event: PolicyEvent): boolean => {
  const { from, to } = drawingOf(event, Number.POSITIVE_INFINITY)
  return to - from > LONG
}

/** The recurring hours of an event, for zones that kept one offset: day of week and second of day at that offset. */
const hours = (event: PolicyEvent, at: number): string => {
  const { windows } = event.when
  if (!windows) return ''
  const parts = windows.map(({ days, from, to, tz }) => {
    const local = `time() + ${wallClock(at, tz) - at}`
    const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
    const clock = (hour: string) => Number(hour.slice(0, 2)) * 3_600 + Number(hour.slice(3)) * 60
    const day = days.map(name => `day_of_week(vector(${local})) == ${names.indexOf(name)}`).join(' or ')
    return `((${day}) and (vector((${local}) % 86400) >= ${clock(from)} < ${clock(to)}))`
  })
  return ` and (${parts.join(' or ')})`
}

const unpacked = (union: string, narrowing: Narrowing): string => {
  const patternOf = (index: number) => FIELDS.map((_, at) => (at === index ? '([^|]*)' : '[^|]*')).join('[|]')
  let query = `(${union})`
  FIELDS.forEach((field, index) => {
    query = `label_replace(${query}, "${field}", "$1", "e", "${patternOf(index)}")`
  })
  const wanted = Object.entries({ country: narrowing.country, app: narrowing.app }).filter(([, to]) => to !== undefined)
  if (wanted.length === 0) return query
  let partner = 'vector(1)'
  for (const [field, variable] of wanted) {
    const always = field === 'country' ? 'global' : 'every'
    query = `label_replace(${query}, "${field}_fits", "yes", "${field}", "(.*,)?(${variable}|${always})(,.*)?")`
    partner = `label_replace(${partner}, "${field}_fits", "yes", "", "")`
  }
  return `${query} and on (${wanted.map(([field]) => `${field}_fits`).join(', ')}) ${partner}`
}

/** Chronological parts that fit the limit, as few as possible. */
export function parts(
  events: readonly PolicyEvent[],
  draw: (event: PolicyEvent) => string | null,
  narrowing: Narrowing,
) {
  const found: { events: PolicyEvent[]; union: string }[] = []
  for (const event of events) {
    const drawn = draw(event)
    if (drawn === null) continue
    const one = `label_replace(${drawn}, "e", "${packed(event)}", "", "")`
    const last = found.at(-1)
    const joined = last ? `${last.union} or ${one}` : one
    if (last && Buffer.byteLength(unpacked(joined, narrowing)) <= MAX_LAYER_BYTES) {
      last.events.push(event)
      last.union = joined
    } else found.push({ events: [event], union: one })
  }
  return found.map(({ events, union }) => ({ events, query: unpacked(union, narrowing) }))
}
