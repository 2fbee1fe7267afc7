/** Throttling: paired transfers of one app in one country; who slows it down, how much, by which sign. */
import type { BoardSpec } from '../board.ts'
import { lines, text, timeline } from '../charts.ts'
import { newest, rollup, WHOLE } from '../figures.ts'
import { column, label, toEvidence, variable } from '../links.ts'
import { target } from '../panel.ts'
import { toNetwork } from '../pieces.ts'
import { join, max, over, quantile, STEP } from '../query.ts'
import { table } from '../tables.ts'
import { anyNetwork, feature, oneApp, oneCountry } from '../variables.ts'

const where = { app: '$app', feature: '$feature', country: '$country' } as const
const networks = { ...where, asn: { like: '$asn' } } as const
const pair = (which: 'control' | 'name' | 'shape') => rollup('peyk_throughput_ratio', { ...networks, pair: which })
const evidence = toEvidence({ app: variable('app'), country: variable('country'), asn: label('asn') })
const links = [toNetwork(variable('country'), label('asn')), evidence]
const NO_PAIRS = 'No paired transfers in this range'

const transfers = [
  text({
    id: 11,
    title: 'How to read this board',
    width: 24,
    height: 4,
    markdown: [
      'Slow has three makers. **By name**: the same path carries another name at full speed (ratio of names under 0.67).',
      '**By address or shape**: the name makes no difference, the app’s address or protocol does. **Moved away**: nothing is limited,',
      'latency rises by the detour and goodput falls with it. *Throttled* is said only where paired transfers confirm it; otherwise *slow*.',
    ].join(' '),
  }),
  lines({
    id: 12,
    title: 'Goodput',
    read: 'Median over agents, bytes per second: solid to the app, dashed to its control in the same round. Both falling together is congestion, not throttling.',
    unit: 'Bps',
    width: 12,
    height: 9,
    every: '5m',
    logarithmic: true,
    targets: [
      target(quantile(0.5, rollup('peyk_goodput_bytes_per_second', { ...networks, flow: 'app' }), ['app']), ['app']),
      target(
        quantile(0.5, rollup('peyk_goodput_bytes_per_second', { ...networks, flow: 'control' }), ['app']),
        [],
        'control',
      ),
    ],
    dashed: 'control',
    empty: NO_PAIRS,
  }),
  lines({
    id: 13,
    title: 'Goodput against the control',
    read: 'One line per network. Under 0.67 is what the paired test calls slower; under 0.25 is a hard limit.',
    unit: 'percentunit',
    width: 12,
    height: 9,
    every: '5m',
    min: 0,
    colour: 'ratio',
    targets: [target(max(pair('control'), ['asn']), ['asn'], 'AS')],
    links,
    empty: NO_PAIRS,
  }),
  lines({
    id: 14,
    title: 'Distribution over networks',
    read: 'Worst, lower tenth, median and upper tenth of the networks’ ratios. A low tenth with a high median is some operators; all low is a central order.',
    unit: 'percentunit',
    width: 12,
    height: 8,
    every: '5m',
    min: 0,
    colour: 'ratio',
    targets: [
      target(quantile(0, pair('control'), ['country']), [], 'worst'),
      target(quantile(0.1, pair('control'), ['country']), [], 'p10'),
      target(quantile(0.5, pair('control'), ['country']), [], 'median'),
      target(quantile(0.9, pair('control'), ['country']), [], 'p90'),
    ],
    dashed: 'p10|p90',
    empty: NO_PAIRS,
  }),
  lines({
    id: 15,
    title: 'Same path, other name or other shape',
    read: 'The test helper receives the same bytes twice: under the app’s name and another (name), or shaped as the app’s protocol and as random bytes (shape). Under 0.67 the censor looks at just that.',
    unit: 'percentunit',
    width: 12,
    height: 8,
    every: '5m',
    min: 0,
    colour: 'ratio',
    targets: [
      target(max(pair('name'), ['asn']), ['asn'], 'name AS'),
      target(max(pair('shape'), ['asn']), ['asn'], 'shape AS'),
    ],
    links,
    empty: 'No pairs on the same path: no test helper in the catalogue',
  }),
]

const now = max(rollup('peyk_latency_seconds', { ...networks, operation: 'connect' }), ['asn'])
const usual = max(over('avg', '7d', 'peyk_latency_seconds', { ...networks, operation: 'connect' }, 'offset 1d'), [
  'asn',
])

const kinds = [
  table({
    id: 21,
    title: 'Networks, now',
    read: 'Newest paired transfers of each network, and the rate at which a policer or shaper holds it, where the evidence shows one.',
    unit: 'none',
    width: 12,
    height: 9,
    targets: [
      target(max(newest('peyk_verdict_rank', networks), ['asn']), ['asn']),
      target(max(newest('peyk_throughput_ratio', { ...networks, pair: 'control' }), ['asn']), ['asn']),
      target(max(newest('peyk_goodput_bytes_per_second', { ...networks, flow: 'app' }), ['asn']), ['asn']),
      target(max(newest('peyk_policer_rate_bytes_per_second', networks), ['asn']), ['asn']),
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
      { from: 'Value #B', head: 'Ratio', unit: 'percentunit', colour: 'ratio' },
      { from: 'Value #C', head: 'Goodput', unit: 'Bps' },
      { from: 'Value #D', head: 'Held at', unit: 'Bps' },
    ],
    order: { head: 'Ratio', ascending: true },
    empty: NO_PAIRS,
  }),
  lines({
    id: 22,
    title: 'Rate of the policer or shaper',
    read: 'Where the receive timeline shows a token bucket or a smooth cap: the rate it allows. A constant line over networks is one rule for all.',
    unit: 'Bps',
    width: 12,
    height: 9,
    every: '5m',
    logarithmic: true,
    targets: [target(max(rollup('peyk_policer_rate_bytes_per_second', networks), ['asn']), ['asn'], 'AS')],
    links,
    empty: 'No limit of a constant rate found',
  }),
  lines({
    id: 23,
    title: 'Latency of connecting against its own past',
    read: 'Times the mean of the seven days that end a day earlier. A lasting step with goodput falling alike is a detour: servers moved or routed abroad, as in Iran in April 2018.',
    unit: 'none',
    width: 12,
    every: '5m',
    min: 0,
    colour: 'shift',
    decimals: 2,
    targets: [target(join(now, '/', usual, ['asn']), ['asn'], 'AS')],
    links,
  }),
  timeline({
    id: 24,
    title: 'Verdict of each network',
    read: 'Slow: shifted, cause open. Throttled: confirmed by paired transfers. White is no data.',
    width: 12,
    every: '5m',
    targets: [
      target(max(rollup('peyk_verdict_rank', networks), ['asn']), ['asn'], 'AS'),
      target(max(over('last', STEP, 'peyk_verdict_rank', { ...where, asn: WHOLE })), [], 'country'),
    ],
    links,
  }),
]

export const throttling: BoardSpec = {
  name: 'throttling',
  title: 'Peyk: throttling',
  description: 'Paired transfers: goodput against the control, by name, by shape, and what holds it.',
  variables: [oneApp, feature, oneCountry, anyNetwork],
  narrowing: { app: '$app', country: '$country' },
  from: 'now-7d',
  rows: [
    { id: 1, title: 'Transfers', panels: transfers },
    { id: 2, title: 'What makes it slow', panels: kinds },
  ],
}
