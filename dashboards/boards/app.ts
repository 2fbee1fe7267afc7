/** App: one app in one country: what works, how fast against its own past, which networks, at which layer. */
import type { BoardSpec } from '../board.ts'
import { bars, heat, lines, numbers, timeline } from '../charts.ts'
import { failuresByLayer, NETWORKS, newest, presentRank, rollup, WHOLE } from '../figures.ts'
import { column, label, toEvidence, variable } from '../links.ts'
import { target } from '../panel.ts'
import { openDegradations, toNetwork } from '../pieces.ts'
import {
  buckets,
  count,
  gauge,
  histogramQuantile,
  increase,
  max,
  min,
  over,
  quantile,
  RATE,
  rate,
  sum,
} from '../query.ts'
import { table } from '../tables.ts'
import { feature, oneApp, oneCountry } from '../variables.ts'

const where = { app: '$app', feature: '$feature', country: '$country' } as const
const whole = { ...where, asn: WHOLE } as const
const networks = { ...where, asn: NETWORKS } as const
const evidence = toEvidence({ app: variable('app'), country: variable('country'), asn: label('asn') })
const network = toNetwork(variable('country'), label('asn'))

const now = [
  numbers({
    id: 11,
    title: 'In the country, now',
    read: 'The verdict in force over all networks of the country: the worst confirmed one.',
    unit: 'none',
    width: 6,
    verdict: true,
    targets: [target(presentRank(whole, ['app']), ['app'])],
    empty: 'not measured',
  }),
  numbers({
    id: 12,
    title: 'Reachability',
    read: 'Median over agents of answered to attempted endpoints that decide, newest window.',
    unit: 'percentunit',
    width: 4,
    colour: 'reachability',
    targets: [target(max(newest('peyk_reachability_ratio', whole)), [])],
  }),
  numbers({
    id: 13,
    title: 'Agents behind it',
    read: 'Agents in that window. Under 3 a verdict is not public, from 10 on their number alone confirms it.',
    unit: 'none',
    width: 4,
    colour: 'agents',
    targets: [target(max(newest('peyk_reachability_agents', whole)), [])],
  }),
  bars({
    id: 14,
    title: 'Networks by verdict',
    read: 'How many networks of the country have which verdict now.',
    unit: 'none',
    width: 10,
    height: 4,
    verdict: true,
    targets: [target(count(gauge('peyk_verdict', networks), ['verdict']), ['verdict'])],
  }),
  openDegradations({ id: 15, width: 24, height: 6 }, { app: '$app', country: '$country' }),
]

const reach = [
  lines({
    id: 21,
    title: 'Reachability',
    read: 'The country, and the median and the worst of its networks. Where the worst is low and the median high, one operator does it; where all fall together, somebody above them.',
    unit: 'percentunit',
    width: 12,
    every: '5m',
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [
      target(max(rollup('peyk_reachability_ratio', whole)), [], 'country'),
      target(quantile(0.5, rollup('peyk_reachability_ratio', networks), ['country']), [], 'median network'),
      target(min(rollup('peyk_reachability_ratio', networks)), [], 'worst network'),
    ],
    dashed: 'median network|worst network',
  }),
  timeline({
    id: 22,
    title: 'Verdict of each network',
    read: 'One row per network (ASN), at measured time. A staircase of onsets is a staggered order; one edge is a central one. White is no data.',
    width: 12,
    every: '5m',
    targets: [target(max(rollup('peyk_verdict_rank', networks), ['asn']), ['asn'], 'AS')],
    links: [network, evidence],
  }),
  table({
    id: 23,
    title: 'Networks, now',
    read: 'Newest window of each network. Click an ASN for all apps on it, or for the measurements themselves.',
    unit: 'none',
    width: 12,
    height: 9,
    targets: [
      target(presentRank(networks, ['asn']), ['asn']),
      target(max(newest('peyk_reachability_ratio', networks), ['asn']), ['asn']),
      target(max(newest('peyk_reachability_agents', networks), ['asn']), ['asn']),
    ],
    columns: [
      {
        from: 'asn',
        head: 'ASN',
        links: [
          toNetwork(variable('country'), column('ASN')),
          toEvidence({ app: variable('app'), country: variable('country'), asn: column('ASN') }),
        ],
      },
      { from: 'Value #A', head: 'Verdict', verdict: true },
      { from: 'Value #B', head: 'Reachability', unit: 'percentunit', colour: 'reachability' },
      { from: 'Value #C', head: 'Agents', colour: 'agents' },
    ],
    order: { head: 'Reachability', ascending: true },
  }),
  lines({
    id: 24,
    title: 'Share of agents that reach each data centre',
    read: 'Some data centres at 0 and others at 1 is a partial block by address. Only apps with numbered data centres have this.',
    unit: 'percentunit',
    width: 12,
    height: 9,
    min: 0,
    max: 1,
    colour: 'reachability',
    targets: [
      target(max(gauge('peyk_datacentre_share_ratio', { app: '$app', country: '$country' }), ['dc']), ['dc'], 'DC'),
    ],
    empty: 'This app has no numbered data centres',
  }),
]

/** The same operation over the seven days that end a day before: long enough to hold a week, old enough to be before. */
const baseline = over('avg', '7d', 'peyk_latency_seconds', whole, 'offset 1d')

const speed = [
  lines({
    id: 31,
    title: 'Latency of each step against its own past',
    read: 'Median over agents; dashed: mean of the seven days that end a day earlier. A step that rises alone points at its layer; all rising together at the line.',
    unit: 's',
    width: 12,
    height: 9,
    every: '5m',
    logarithmic: true,
    targets: [
      target(max(rollup('peyk_latency_seconds', whole), ['operation']), ['operation']),
      target(max(baseline, ['operation']), ['operation'], 'baseline'),
    ],
    dashed: 'baseline.*',
  }),
  lines({
    id: 32,
    title: 'Goodput against the control',
    read: 'Bytes per second to the app divided by those to the control, paired. Under 0.67 for long, with a healthy control, is throttling; see the Throttling board.',
    unit: 'percentunit',
    width: 12,
    height: 9,
    every: '5m',
    colour: 'ratio',
    min: 0,
    targets: [target(max(rollup('peyk_throughput_ratio', { ...where, pair: 'control' }), ['asn']), ['asn'], 'AS')],
    links: [network, evidence],
    empty: 'No paired transfers in this range',
  }),
  heat({
    id: 33,
    title: 'How long steps take, all countries',
    read: 'Each column is a moment, each cell how many steps took that long. Fresh measurements only. Two bands: some get through fast, others not.',
    unit: 's',
    width: 12,
    targets: [target(sum(buckets('peyk_step_duration_seconds', RATE, { app: '$app' }), ['le']), ['le'])],
  }),
  lines({
    id: 34,
    title: 'Median and 95th percentile of steps, all countries',
    read: 'From fresh measurements as they come in; late ones are in the rollups above only.',
    unit: 's',
    width: 12,
    logarithmic: true,
    targets: [
      target(
        histogramQuantile(0.5, 'peyk_step_duration_seconds', RATE, ['operation'], { app: '$app' }),
        ['operation'],
        'p50',
      ),
      target(
        histogramQuantile(0.95, 'peyk_step_duration_seconds', RATE, ['operation'], { app: '$app' }),
        ['operation'],
        'p95',
      ),
    ],
    dashed: 'p95.*',
  }),
]

const failing = [
  lines({
    id: 41,
    title: 'Failures by layer, all countries',
    read: 'Where in the stack fresh measurements failed, as far as the failure’s name tells; a time-out alone does not.',
    unit: 'none',
    width: 8,
    stack: true,
    targets: [target(failuresByLayer(RATE, '$app'), ['layer'])],
  }),
  lines({
    id: 42,
    title: 'Failures by name, all countries',
    read: 'Resets and injected answers are somebody’s doing; time-outs may be anything; names are explained in docs/failures.md.',
    unit: 'none',
    width: 8,
    stack: true,
    targets: [target(sum(increase('peyk_failures_total', RATE, { app: '$app' }), ['failure']), ['failure'])],
  }),
  lines({
    id: 43,
    title: 'Fresh measurements in the country',
    read: 'Answered, failed, and void (the agent’s own trouble, which counts for nothing).',
    unit: 'ops',
    width: 8,
    stack: true,
    targets: [
      target(sum(rate('peyk_measurements_total', RATE, { app: '$app', country: '$country' }), ['outcome']), [
        'outcome',
      ]),
    ],
  }),
]

export const app: BoardSpec = {
  name: 'app',
  title: 'Peyk: app',
  description: 'One app in one country: reachability, speed against its own past, networks, layers.',
  variables: [oneApp, feature, oneCountry],
  narrowing: { app: '$app', country: '$country' },
  from: 'now-7d',
  rows: [
    { id: 1, title: 'Now', panels: now },
    { id: 2, title: 'Does it answer', panels: reach },
    { id: 3, title: 'How fast', panels: speed },
    { id: 4, title: 'What fails', panels: failing },
  ],
}
