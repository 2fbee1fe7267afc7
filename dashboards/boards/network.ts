/** Network: one network, or a country as a whole: all apps beside the controls. Is it the app, the line, or the country? */
import type { BoardSpec } from '../board.ts'
import { lines, numbers, text, timeline } from '../charts.ts'
import { NETWORKS, newest, presentRank, rollup } from '../figures.ts'
import { column, label, toBoard, toEvidence, variable } from '../links.ts'
import { target } from '../panel.ts'
import { openDegradations, toApp, toNetwork } from '../pieces.ts'
import { count, gauge, max, min, over, STEP, sum } from '../query.ts'
import { table } from '../tables.ts'
import { feature, oneCountry, oneNetwork } from '../variables.ts'

const here = { country: '$country', asn: '$asn' } as const
const apps = { ...here, feature: '$feature' } as const
const evidence = toEvidence({ app: label('app'), country: variable('country'), asn: variable('asn') })
const theApp = toApp(label('app'), variable('country'))
const control = (side: 'domestic' | 'foreign') =>
  over('last', STEP, 'peyk_control_reachability_ratio', { ...here, control: side })

const now = [
  text({
    id: 11,
    title: 'Is it the app, the line or the country?',
    width: 24,
    height: 4,
    markdown: [
      '| apps | foreign control | domestic control | then it is |',
      '|---|---|---|---|',
      '| one fails | answers | answers | that app: blocked, or down everywhere (compare other countries) |',
      '| all fail | fails | answers | the country: only the national network works |',
      '| all fail | fails | fails | the line: power, cable, operator |',
    ].join('\n'),
  }),
  numbers({
    id: 12,
    title: 'Apps, now',
    read: 'The verdict in force here for each app.',
    unit: 'none',
    width: 12,
    height: 5,
    verdict: true,
    text: 'value_and_name',
    targets: [target(presentRank(apps, ['app']), ['app'])],
    links: [theApp, evidence],
    empty: 'not measured',
  }),
  numbers({
    id: 13,
    title: 'Controls, now',
    read: 'Share of neutral endpoints that answer, inside the country and outside. Both low: the line. Only foreign low: the country.',
    unit: 'percentunit',
    width: 8,
    height: 5,
    colour: 'reachability',
    targets: [target(max(over('last', '30m', 'peyk_control_reachability_ratio', here), ['control']), ['control'])],
  }),
  numbers({
    id: 14,
    title: 'Agents here',
    read: 'Agents that delivered from here in the last hour. A fall to nothing may be a shutdown: silence is data too.',
    unit: 'none',
    width: 4,
    height: 5,
    colour: 'agents',
    targets: [target(sum(gauge('peyk_agents_active', { country: '$country' })), [], 'country')],
  }),
]

const past = [
  timeline({
    id: 21,
    title: 'Verdict of each app',
    read: 'One row per app, at measured time. A single row that changes is that app; all together is the line or the country.',
    width: 24,
    height: 8,
    every: '5m',
    targets: [target(max(rollup('peyk_verdict_rank', apps), ['app']), ['app'])],
    links: [theApp, evidence],
  }),
  lines({
    id: 22,
    title: 'Reachability of apps',
    read: 'Compare with the controls beside it, which were measured in the same rounds.',
    unit: 'percentunit',
    width: 12,
    height: 9,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [target(max(rollup('peyk_reachability_ratio', apps), ['app']), ['app'])],
    links: [theApp, evidence],
  }),
  lines({
    id: 23,
    title: 'Reachability of the controls',
    read: 'Neutral endpoints inside the country (domestic) and outside (foreign).',
    unit: 'percentunit',
    width: 12,
    height: 9,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [target(max(control('domestic')), [], 'domestic'), target(max(control('foreign')), [], 'foreign')],
  }),
  lines({
    id: 24,
    title: 'Latency of connecting',
    read: 'Median over agents of the TCP connect. All apps rising together is the line or a detour abroad.',
    unit: 's',
    width: 12,
    height: 8,
    every: '5m',
    logarithmic: true,
    targets: [target(max(rollup('peyk_latency_seconds', { ...apps, operation: 'connect' }), ['app']), ['app'])],
    links: [theApp],
  }),
  lines({
    id: 25,
    title: 'Goodput against the control',
    read: 'Bytes per second to each app divided by those to the control. One app under 0.67 while others are near 1 is throttling of that app.',
    unit: 'percentunit',
    width: 12,
    height: 8,
    every: '5m',
    min: 0,
    colour: 'ratio',
    targets: [target(max(rollup('peyk_throughput_ratio', { ...apps, pair: 'control' }), ['app']), ['app'])],
    links: [toBoard('throttling', 'Throttling', { app: label('app'), country: variable('country') })],
    empty: 'No paired transfers in this range',
  }),
]

const around = [
  table({
    id: 31,
    title: 'Other networks of the country, now',
    read: 'Worst verdict of any app, lowest reachability and agents of each network. Trouble on one network only is that operator’s.',
    unit: 'none',
    width: 10,
    height: 9,
    targets: [
      target(presentRank({ country: '$country', feature: '$feature', asn: NETWORKS }, ['asn']), ['asn']),
      target(
        min(newest('peyk_reachability_ratio', { country: '$country', feature: '$feature', asn: NETWORKS }), ['asn']),
        ['asn'],
      ),
      target(max(gauge('peyk_agents_active', { country: '$country', asn: NETWORKS }), ['asn']), ['asn']),
    ],
    columns: [
      { from: 'asn', head: 'ASN', links: [toNetwork(variable('country'), column('ASN'))] },
      { from: 'Value #A', head: 'Worst verdict', verdict: true },
      { from: 'Value #B', head: 'Lowest reachability', unit: 'percentunit', colour: 'reachability' },
      { from: 'Value #C', head: 'Agents', colour: 'agents' },
    ],
    order: { head: 'Worst verdict' },
  }),
  lines({
    id: 32,
    title: 'Agents and networks of the country',
    read: 'How many deliver. A cliff with working domestic controls is a shutdown; without any it may be ours: see the Fleet board.',
    unit: 'none',
    width: 14,
    height: 9,
    min: 0,
    targets: [
      target(sum(gauge('peyk_agents_active', { country: '$country' })), [], 'agents'),
      target(count(gauge('peyk_agents_active', { country: '$country', asn: NETWORKS })), [], 'networks'),
    ],
  }),
  openDegradations({ id: 33, width: 24, height: 6 }, { country: '$country' }),
]

export const network: BoardSpec = {
  name: 'network',
  title: 'Peyk: network',
  description: 'One network or one country: every app beside the domestic and foreign controls.',
  variables: [feature, oneCountry, oneNetwork],
  narrowing: { country: '$country' },
  from: 'now-7d',
  rows: [
    { id: 1, title: 'Now', panels: now },
    { id: 2, title: 'Over time', panels: past },
    { id: 3, title: 'Around it', panels: around },
  ],
}
