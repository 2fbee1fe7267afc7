/** Event: one policy event; its apps before and after, affected and unaffected networks, other apps, both controls. */
import type { BoardSpec, Settings } from '../board.ts'
import { lines, numbers, text } from '../charts.ts'
import { NETWORKS, rollup, WHOLE } from '../figures.ts'
import { column, toBoard, toEvidence, variable } from '../links.ts'
import { type Spec, target } from '../panel.ts'
import {
  against,
  avg,
  count,
  either,
  join,
  keep,
  max,
  min,
  over,
  promql,
  type Query,
  quantile,
  STEP,
} from '../query.ts'
import { table } from '../tables.ts'
import { AFFECTED } from '../thresholds.ts'
import { eventVariables, feature, span } from '../variables.ts'

const place = { country: { like: '$country' }, feature: '$feature' } as const
const itsApps = { ...place, app: { like: '$app' } } as const
const NO_DATA = 'No measurements around this event'

/** Means over the chosen span on either side of the start, wherever the board's own range lies. */
const sides = ['@ $start', 'offset -$span @ $start'] as const
const [before, after] = sides.map(side =>
  avg(over('avg', '$span', 'peyk_reachability_ratio', { ...itsApps, asn: NETWORKS }, side), ['country', 'asn']),
) as [Query<'country' | 'asn'>, Query<'country' | 'asn'>]
const fall = join(before, '-', after, ['country', 'asn'])
const zero = promql<never>('vector(0)')

const counted = (spec: Pick<Spec, 'id' | 'title' | 'read'>, query: Query<never>) =>
  numbers({ ...spec, unit: 'none', width: 5, targets: [target(query, [])], empty: NO_DATA })

const summary = [
  text({
    id: 11,
    title: 'How to read this board',
    width: 9,
    height: 4,
    markdown: [
      'Near in time is **not** because of. Compare with other apps, other networks and the controls below.',
      `[Show the four weeks around it](/d/peyk-event?var-event=$\{event}&from=$\{since}&to=$\{until})`,
      `[What followed, with interval and test](${variable('peyk')}/v1/events/${variable('event')}/effect)`,
    ].join('\n\n'),
  }),
  numbers({
    id: 12,
    title: 'Start',
    read: 'When the event began, in UTC; a day stands for its first instant there.',
    unit: 'dateTimeAsIso',
    width: 5,
    targets: [target(promql<never>('vector($start) * 1000'), [])],
  }),
  counted(
    {
      id: 13,
      title: 'Networks affected',
      read: 'Networks whose reachability of the event’s apps fell by at least 20 points from before to after.',
    },
    either(count(against(fall, '>=', AFFECTED)), keepIfMeasured(zero)),
  ),
  counted(
    {
      id: 14,
      title: 'Networks unaffected',
      read: 'Networks with data on both sides where it fell by less. Ban and block are not the same: not every operator obeys at once.',
    },
    either(count(against(fall, '<', AFFECTED)), keepIfMeasured(zero)),
  ),
]

/** Zero only where something was measured on both sides, else no value. */
function keepIfMeasured(query: Query<never>): Query<never> {
  return keep(query, 'and', count(fall), [])
}

const compared = [
  table({
    id: 21,
    title: 'Networks before and after',
    read: 'Mean reachability of the event’s apps on each network, over the chosen span on either side of the start.',
    unit: 'percentunit',
    width: 12,
    height: 10,
    targets: [target(before, ['country', 'asn']), target(after, ['country', 'asn']), target(fall, ['country', 'asn'])],
    columns: [
      { from: 'country', head: 'Country' },
      {
        from: 'asn',
        head: 'ASN',
        links: [
          toBoard('network', 'The network', { country: column('Country'), asn: column('ASN') }),
          toEvidence({ app: '', country: column('Country'), asn: column('ASN') }),
        ],
      },
      { from: 'Value #A', head: 'Before', colour: 'reachability' },
      { from: 'Value #B', head: 'After', colour: 'reachability' },
      { from: 'Value #C', head: 'Fell by' },
    ],
    order: { head: 'Fell by' },
    empty: NO_DATA,
  }),
  table({
    id: 22,
    title: 'All apps of its countries, before and after',
    read: 'Every app measured there. Other apps falling alike is the line or a shutdown; only the event’s apps falling points at it.',
    unit: 'percentunit',
    width: 12,
    height: 10,
    targets: [
      ...sides.map(side =>
        target(
          min(over('avg', '$span', 'peyk_reachability_ratio', { ...place, asn: WHOLE }, side), ['app', 'country']),
          ['app'],
        ),
      ),
      ...sides.map(side =>
        target(
          max(over('avg', '$span', 'peyk_latency_seconds', { ...place, asn: WHOLE, operation: 'connect' }, side), [
            'app',
            'country',
          ]),
          ['app'],
        ),
      ),
    ],
    columns: [
      { from: 'app', head: 'App' },
      { from: 'country', head: 'Country' },
      { from: 'Value #A', head: 'Reached before', colour: 'reachability' },
      { from: 'Value #B', head: 'Reached after', colour: 'reachability' },
      { from: 'Value #C', head: 'Connect before', unit: 's' },
      { from: 'Value #D', head: 'Connect after', unit: 's' },
    ],
    order: { head: 'Reached after', ascending: true },
    empty: NO_DATA,
  }),
]

const around = [
  lines({
    id: 31,
    title: 'Reachability of its apps',
    read: 'Whole countries: the event’s apps. The event stands as a line where its toggle is on.',
    unit: 'percentunit',
    width: 12,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [
      target(min(rollup('peyk_reachability_ratio', { ...itsApps, asn: WHOLE }), ['app', 'country']), [
        'app',
        'country',
      ]),
    ],
    empty: NO_DATA,
  }),
  lines({
    id: 32,
    title: 'Latency of its apps',
    read: 'Connect and the protocol’s own first answer, median over agents. A slow-down without loss shows here first.',
    unit: 's',
    width: 12,
    every: '5m',
    logarithmic: true,
    targets: [
      target(
        max(
          rollup('peyk_latency_seconds', {
            ...itsApps,
            asn: WHOLE,
            operation: { any: ['connect', 'protocol_handshake', 'http_round_trip'] },
          }),
          ['app', 'operation'],
        ),
        ['app', 'operation'],
      ),
    ],
    empty: NO_DATA,
  }),
  lines({
    id: 33,
    title: 'Networks of its countries',
    read: 'Worst, median and best network of the event’s apps. They part where only some operators act.',
    unit: 'percentunit',
    width: 12,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: (
      [
        [0, 'worst'],
        [0.5, 'median'],
        [1, 'best'],
      ] as const
    ).map(([q, word]) =>
      target(
        quantile(q, rollup('peyk_reachability_ratio', { ...itsApps, asn: NETWORKS }), ['country']),
        ['country'],
        word,
      ),
    ),
    empty: NO_DATA,
  }),
  lines({
    id: 34,
    title: 'Domestic and foreign controls',
    read: 'Neutral endpoints in the same rounds. Foreign falling with the app is a shutdown, both falling the line.',
    unit: 'percentunit',
    width: 12,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [
      target(
        min(over('last', STEP, 'peyk_control_reachability_ratio', { country: { like: '$country' } }), ['control']),
        ['control'],
      ),
    ],
    empty: NO_DATA,
  }),
]

export const event = ({ events }: Settings): BoardSpec => ({
  name: 'event',
  title: 'Peyk: event',
  description: 'One policy event: before and after for its apps, affected and unaffected networks, both controls.',
  variables: [...eventVariables(events), feature, span],
  narrowing: { app: '$app', country: '$country' },
  from: 'now-28d',
  rows: [
    { id: 1, title: 'The event', panels: summary },
    { id: 2, title: 'Before and after', panels: compared },
    { id: 3, title: 'Over time', panels: around },
  ],
})
