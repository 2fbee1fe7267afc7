/** Policy events on every board, at their true time in any range: toggles by kind and confidence, points and spans apart. */

import type * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import type { Confidence, EventKind, PolicyEvent } from '../events/event.ts'
import { isWithdrawn, shownByDefault } from '../events/select.ts'
import { drawingOf, spanOf } from '../events/when.ts'
import { looks } from '../measurement/look.ts'
import { isLong, type Narrowing, parts, point, span } from './event-queries.ts'
import type { Plain } from './panel.ts'
import { DATASOURCE } from './panel.ts'
import { against, gauge, max, promql, type Query } from './query.ts'

export type Layer = Omit<Plain<sdk.AnnotationQuery>, 'target'> & {
  target?: { refId: string; expr: string; instant: boolean; range: boolean; datasource: typeof DATASOURCE }
}

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
          return layer(name, part.query, group.colour, enabled && on(group), instant)
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

/** Over the whole range wherever series come from a laboratory: nobody may take its picture for a measurement. */
export const simulatedLayer: Layer = {
  ...layer(
    'Simulated data',
    promql<'origin'>('count by (origin) ({__name__=~"peyk_verdict|peyk_verdict_rank",origin="simulated"})').promql,
    looks.app_down.dark,
    true,
    false,
  ),
  titleFormat: 'SIMULATED: no network was measured',
  textFormat: '',
  tagKeys: '',
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
