/**
 * Policy events on every board, at their true time in any range: constants in PromQL, so that they need no stored data,
 * no scrape and no plugin (reference: Grafana reads the value of an instant query as the time of the event).
 * - Points: exact starts. `vector(<milliseconds>)` with the event packed into one label, unpacked once per layer.
 * - Spans: `vector(time()) >= start < end`, a range query; a series' samples become one shaded region.
 * Events show where the board's country and app variables match them, through `label_replace`'s pattern.
 */

import type * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import type { Confidence, EventKind, PolicyEvent } from '../events/event.ts'
import { isWithdrawn, shownByDefault } from '../events/select.ts'
import { drawingOf, spanOf } from '../events/when.ts'
import { wallClock } from '../events/zone.ts'
import { looks } from '../measurement/look.ts'
import type { Plain } from './panel.ts'
import { DATASOURCE } from './panel.ts'
import { against, gauge, max, type Query } from './query.ts'

export type Layer = Omit<Plain<sdk.AnnotationQuery>, 'target'> & {
  target?: { refId: string; expr: string; instant: boolean; range: boolean; datasource: typeof DATASOURCE }
}

/** Which variables of the board narrow its events. */
export type Narrowing = { app?: '$app'; country?: '$country' }

/** VictoriaMetrics refuses queries over 16 kB; Grafana's substitutions need some room. */
export const MAX_LAYER_BYTES = 15_500

const confidences: readonly Confidence[] = ['confirmed', 'reported', 'rumor']

type Group = { title: string; kinds: readonly EventKind[]; colour: string; enabled: boolean }
const groups: readonly Group[] = [
  {
    title: 'Blocks and slow-downs',
    kinds: ['block', 'unblock', 'throttle', 'call-block', 'shutdown'],
    colour: looks.blocked.dark,
    enabled: true,
  },
  {
    title: 'Orders and laws',
    kinds: [
      'hosting-order',
      'regulation',
      'legal',
      'app-store-removal',
      'app-store-restore',
      'zero-rating',
      'incentive',
    ],
    colour: looks.app_down.dark,
    enabled: true,
  },
  {
    title: 'Announcements and circumstances',
    kinds: ['announcement', 'migration', 'protest', 'election'],
    colour: looks.domestic_only.dark,
    enabled: true,
  },
  { title: 'Rumours, denials and claimed figures', kinds: [], colour: looks.insufficient.dark, enabled: false },
]

const groupOf = (event: PolicyEvent): Group =>
  (shownByDefault(event) && groups.find(({ kinds }) => kinds.includes(event.kind))) || groups.at(-1)!

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
const point = (event: PolicyEvent): string | null =>
  spanOf(event).vagueStart ? null : `vector(${drawingOf(event, 0).from * 1000})`

/** In force at the evaluated instant. Ends are widened by a step, else short spans fall between two steps. */
const span = (event: PolicyEvent): string | null => {
  const { shape, from, to, open } = drawingOf(event, Number.POSITIVE_INFINITY)
  if (shape === 'line') return null
  const end = open ? '' : ` < ${to} + $__interval_ms / 1000`
  return `vector(time()) >= ${from}${end}${hours(event, from)}`
}

/** Spans over three months, or still open, shade whole charts: they have a toggle of their own, off at first. */
const LONG = 92 * 86_400
const isLong = (event: PolicyEvent): boolean => {
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
function parts(events: readonly PolicyEvent[], draw: (event: PolicyEvent) => string | null, narrowing: Narrowing) {
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
  return found
}

const layer = (name: string, expr: string, colour: string, enable: boolean, instant: boolean): Layer => ({
  name,
  datasource: DATASOURCE,
  enable,
  hide: false,
  iconColor: colour,
  target: { refId: 'Anno', expr, instant, range: !instant, datasource: DATASOURCE },
  useValueForTime: instant,
  titleFormat: '{{title}}',
  textFormat: '{{text}}',
  // Split on commas without trimming: no spaces.
  tagKeys: 'country,app,kind,event',
})

/** Toggles per group and confidence, points and spans apart; parts by years where one query would be too long. */
export function eventLayers(events: readonly PolicyEvent[], narrowing: Narrowing, enabled = true): Layer[] {
  const shown = events.filter(event => !isWithdrawn(event))
  return groups.flatMap(group =>
    confidences.flatMap(confidence => {
      const own = shown.filter(event => event.confidence === confidence && groupOf(event) === group)
      const drawings = [
        { draw: point, suffix: '', instant: true, on: ({ enabled }: Group) => enabled },
        {
          draw: (event: PolicyEvent) => (isLong(event) ? null : span(event)),
          suffix: ', spans',
          instant: false,
          on: ({ kinds }: Group) => kinds.includes('block'),
        },
        {
          draw: (event: PolicyEvent) => (isLong(event) ? span(event) : null),
          suffix: ', long spans',
          instant: false,
          on: () => false,
        },
      ]
      return drawings.flatMap(({ draw, suffix, instant, on }) => {
        const made = parts(own, draw, narrowing)
        return made.map(part => {
          const years = [part.events[0]!, part.events.at(-1)!].map(event => event.when.start.slice(0, 4))
          const when = made.length > 1 ? `, ${[...new Set(years)].join('–')}` : ''
          const name = `${group.title}, ${confidence}${suffix}${when}`
          return layer(name, unpacked(part.union, narrowing), group.colour, enabled && on(group), instant)
        })
      })
    }),
  )
}

/** Onsets of what the detector holds open now. */
export function onsetLayer(narrowing: Narrowing): Layer {
  const matches = {
    ...(narrowing.app ? { app: { like: narrowing.app } } : {}),
    ...(narrowing.country ? { country: { like: narrowing.country } } : {}),
  }
  const labels = ['app', 'feature', 'country', 'verdict', 'layer', 'state'] as const
  const since: Query<(typeof labels)[number]> = max(gauge('peyk_degraded_since_timestamp_seconds', matches), labels)
  return {
    ...layer('Degradations found', against(since, '*', 1000).promql, looks.partial.dark, true, true),
    titleFormat: '{{app}} {{verdict}} in {{country}}',
    textFormat: '{{feature}}, at {{layer}}, {{state}}',
    tagKeys: 'country,app,verdict',
  }
}

/** Grafana's own annotations, which every classic board lists. */
export const builtIn: Layer = {
  name: 'Annotations & Alerts',
  builtIn: 1,
  datasource: { type: 'grafana', uid: '-- Grafana --' } as never,
  enable: true,
  hide: true,
  iconColor: looks.insufficient.dark,
  type: 'dashboard',
}

/**
 * What the Event board needs to know of each event it can compare: those with an exact start that shows on networks.
 * Packed as `id~countries~apps~start~since~until`: countries and apps as patterns, the start in seconds, and the range to
 * look at in milliseconds.
 */
const AROUND = 14 * 86_400
export const comparable = (events: readonly PolicyEvent[]): { event: PolicyEvent; facts: string }[] =>
  events.flatMap(event => {
    const { vagueStart } = spanOf(event)
    const [measures, orders] = groups
    const effective = groupOf(event) === measures || groupOf(event) === orders
    if (isWithdrawn(event) || !effective || vagueStart || event.apps.length === 0) return []
    const country = event.where.countries.length === 0 ? '.+' : event.where.countries.join('|')
    const app = event.apps.includes('*') ? '.+' : event.apps.join('|')
    const start = drawingOf(event, 0).from
    return [
      { event, facts: [event.id, country, app, start, (start - AROUND) * 1000, (start + AROUND) * 1000].join('~') },
    ]
  })
