/** Overview: every app in every country now, the worst networks, what is open, what was decided lately. */

import type { BoardSpec } from '../board.ts'
import { bars, lines, numbers, timeline } from '../charts.ts'
import { NETWORKS, newest, presentRank, rollup, WHOLE } from '../figures.ts'
import { column, label, toBoard, toEvidence, variable } from '../links.ts'
import { target } from '../panel.ts'
import { openDegradations, toApp, toNetwork } from '../pieces.ts'
import { against, bottomk, count, either, gauge, max, min, promql, sum, topk } from '../query.ts'
import { matrix, table } from '../tables.ts'
import { anyApp, anyCountry, feature } from '../variables.ts'

const where = { app: { like: '$app' }, country: { like: '$country' } } as const
const whole = { ...where, feature: '$feature', asn: WHOLE } as const
const zero = promql<never>('vector(0)')

const now = [
  numbers({
    id: 11,
    title: 'Confirmed degradations',
    read: 'Degradations open now, confirmed by 10 agents, by 2 networks or by confirmation tests. Only these page anybody.',
    unit: 'none',
    width: 4,
    colour: 'degradations',
    targets: [target(either(count(gauge('peyk_degraded', { ...where, state: 'confirmed' })), zero), [])],
  }),
  numbers({
    id: 12,
    title: 'Unconfirmed degradations',
    read: 'Open, but seen by too few agents and networks so far. They become confirmed, or close.',
    unit: 'none',
    width: 4,
    targets: [target(either(count(gauge('peyk_degraded', { ...where, state: 'unconfirmed' })), zero), [])],
  }),
  numbers({
    id: 13,
    title: 'Countries in trouble',
    read: 'Countries with at least one confirmed degradation.',
    unit: 'none',
    width: 4,
    colour: 'degradations',
    targets: [
      target(either(count(max(gauge('peyk_degraded', { ...where, state: 'confirmed' }), ['country'])), zero), []),
    ],
  }),
  numbers({
    id: 14,
    title: 'Agents',
    read: 'Agents that delivered a measurement of the last hour, in the chosen countries.',
    unit: 'none',
    width: 4,
    colour: 'agents',
    targets: [target(sum(gauge('peyk_agents_active', { country: { like: '$country' } })), [])],
  }),
  numbers({
    id: 15,
    title: 'Networks',
    read: 'Networks (ASN) from which agents delivered in the last hour.',
    unit: 'none',
    width: 4,
    targets: [target(count(gauge('peyk_agents_active', { country: { like: '$country' }, asn: NETWORKS })), [])],
  }),
  numbers({
    id: 16,
    title: 'Newest window judged',
    read: 'Age of the newest window with a verdict. Above half an hour the present is stale: see the Pipeline board.',
    unit: 's',
    width: 4,
    colour: 'lag',
    targets: [target(max(gauge('peyk_detector_lag_seconds')), [])],
  }),
  matrix({
    id: 17,
    title: 'App by country, now',
    read: 'The verdict in force for the chosen feature over all networks of a country. Empty: not measured there. Too little data is neither fine nor blocked.',
    width: 12,
    height: 10,
    row: 'country',
    column: 'app',
    targets: [target(presentRank(whole, ['app', 'country']), ['app', 'country'])],
    links: [toBoard('network', 'The country', { country: column('country\\app'), asn: WHOLE })],
  }),
  bars({
    id: 18,
    title: 'Networks by verdict',
    read: 'How many networks have which verdict, over the chosen apps and countries. A country’s state is the count of its networks, never their mean.',
    unit: 'none',
    width: 12,
    height: 10,
    verdict: true,
    targets: [
      target(count(gauge('peyk_verdict', { ...where, feature: '$feature', asn: NETWORKS }), ['verdict']), ['verdict']),
    ],
  }),
]

const open = [
  openDegradations({ id: 21, width: 24, height: 9 }, where),
  table({
    id: 22,
    title: 'Worst networks',
    read: 'The 20 networks with the lowest reachability: median over agents of answered to attempted endpoints. Few agents: read with care.',
    unit: 'percentunit',
    width: 14,
    height: 10,
    targets: [
      target(
        bottomk(
          20,
          max(newest('peyk_reachability_ratio', { ...where, feature: '$feature', asn: NETWORKS }), [
            'app',
            'country',
            'asn',
          ]),
        ),
        ['app', 'country', 'asn'],
      ),
    ],
    columns: [
      { from: 'app', head: 'App', links: [toApp(column('App'), column('Country'))] },
      { from: 'country', head: 'Country' },
      {
        from: 'asn',
        head: 'ASN',
        links: [
          toNetwork(column('Country'), column('ASN')),
          toEvidence({ app: column('App'), country: column('Country'), asn: column('ASN') }),
        ],
      },
      { from: 'Value #A', head: 'Reachability', unit: 'percentunit', colour: 'reachability' },
    ],
    order: { head: 'Reachability', ascending: true },
  }),
  table({
    id: 23,
    title: 'Latest policy events',
    read: 'What was decided, ordered, done or said last, by its start. Near in time is not because of: open the event to see what changed.',
    unit: 'none',
    width: 10,
    height: 10,
    targets: [
      target(
        topk(
          15,
          against(
            max(gauge('peyk_policy_event_timestamp_seconds', { country: { like: '$country' } }), [
              'event',
              'kind',
              'country',
              'app',
            ]),
            '*',
            1000,
          ),
        ),
        ['event'],
      ),
    ],
    columns: [
      { from: 'Value #A', head: 'Start', unit: 'dateTimeAsIso' },
      { from: 'event', head: 'Event', links: [toBoard('event', 'Before and after', { event: column('Event') })] },
      { from: 'kind', head: 'Kind' },
      { from: 'country', head: 'Country' },
      { from: 'app', head: 'App' },
    ],
    order: { head: 'Start' },
  }),
]

const past = [
  timeline({
    id: 31,
    title: 'Verdicts over time',
    read: 'One row per app and country, at measured time: late data moves into the past it belongs to. White is no data, which is not the same as fine.',
    width: 24,
    height: 10,
    every: '5m',
    targets: [target(max(rollup('peyk_verdict_rank', whole), ['app', 'country']), ['app', 'country'])],
    links: [toApp(label('app'), label('country'))],
  }),
  lines({
    id: 32,
    title: 'Reachability, worst country of each app',
    read: '1: every endpoint that decides answers; 0: none does. The line follows the worst of the chosen countries.',
    unit: 'percentunit',
    width: 24,
    height: 9,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [target(min(rollup('peyk_reachability_ratio', whole), ['app']), ['app'])],
    links: [toBoard('app', 'The app', { app: label('app'), feature: variable('feature') })],
  }),
]

export const overview: BoardSpec = {
  name: 'overview',
  title: 'Peyk: overview',
  description: 'Which messengers work, where, and since when they do not.',
  variables: [anyApp, feature, anyCountry],
  narrowing: { app: '$app', country: '$country' },
  from: 'now-24h',
  rows: [
    { id: 1, title: 'Now', panels: now },
    { id: 2, title: 'What is open', panels: open },
    { id: 3, title: 'Over time', panels: past },
  ],
}
