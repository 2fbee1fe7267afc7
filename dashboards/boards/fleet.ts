/** Fleet: how many agents measure, where, on which version, and what they lost on the way. No agent is named. */
import type { BoardSpec } from '../board.ts'
import { bars, lines, numbers } from '../charts.ts'
import { NETWORKS } from '../figures.ts'
import { column, label, toBoard } from '../links.ts'
import { target } from '../panel.ts'
import { against, count, gauge, increase, join, max, over, RATE, rate, sum } from '../query.ts'
import { table } from '../tables.ts'
import { anyCountry } from '../variables.ts'

const here = { country: { like: '$country' } } as const
const active = gauge('peyk_agents_active', here)

const size = [
  numbers({
    id: 11,
    title: 'Agents',
    read: 'Agents that delivered a measurement of the last hour.',
    unit: 'none',
    width: 6,
    colour: 'agents',
    targets: [target(sum(active), [])],
  }),
  numbers({
    id: 12,
    title: 'Networks',
    read: 'Networks they are on. A country needs at least two for a confirmed verdict without ten agents.',
    unit: 'none',
    width: 6,
    targets: [target(count(gauge('peyk_agents_active', { ...here, asn: NETWORKS })), [])],
  }),
  numbers({
    id: 13,
    title: 'Countries',
    read: 'Countries with at least one active agent.',
    unit: 'none',
    width: 6,
    targets: [target(count(max(active, ['country'])), [])],
  }),
  numbers({
    id: 14,
    title: 'Missing of what was measured, last day',
    read: 'Measured, but neither delivered nor declared dropped: on disks of agents that are offline, or lost without a word.',
    unit: 'percentunit',
    width: 6,
    colour: 'loss',
    decimals: 2,
    targets: [
      target(
        join(
          join(
            sum(increase('peyk_ledger_measurements_total', '1d', { entry: 'measured' })),
            '-',
            sum(increase('peyk_ledger_measurements_total', '1d', { entry: { any: ['delivered', 'dropped'] } })),
            [],
          ),
          '/',
          sum(increase('peyk_ledger_measurements_total', '1d', { entry: 'measured' })),
          [],
        ),
        [],
      ),
    ],
  }),
  lines({
    id: 15,
    title: 'Agents by country',
    read: 'Deliveries of the last hour. A cliff in one country is its network; in all at once it is ours.',
    unit: 'none',
    width: 12,
    height: 9,
    min: 0,
    targets: [target(sum(active, ['country']), ['country'])],
    links: [toBoard('network', 'The country', { country: label('country'), asn: '0' })],
  }),
  bars({
    id: 16,
    title: 'Agents by version',
    read: 'Software of the agents that delivered in the last day. Old versions linger where updates are by hand.',
    unit: 'none',
    width: 12,
    height: 9,
    targets: [target(sum(gauge('peyk_agents_software'), ['version']), ['version'])],
  }),
]

const delivery = [
  table({
    id: 21,
    title: 'Networks',
    read: 'Agents now and the most in the last day. A network far below its own day has fallen silent.',
    unit: 'none',
    width: 12,
    height: 9,
    targets: [
      target(max(gauge('peyk_agents_active', { ...here, asn: NETWORKS }), ['country', 'asn']), ['asn']),
      target(max(over('max', '1d', 'peyk_agents_active', { ...here, asn: NETWORKS }), ['country', 'asn']), ['asn']),
    ],
    columns: [
      { from: 'country', head: 'Country' },
      {
        from: 'asn',
        head: 'ASN',
        links: [toBoard('network', 'The network', { country: column('Country'), asn: column('ASN') })],
      },
      { from: 'Value #A', head: 'Agents', colour: 'agents' },
      { from: 'Value #B', head: 'Most in a day' },
    ],
    order: { head: 'Most in a day' },
  }),
  lines({
    id: 22,
    title: 'Ledger',
    read: 'What agents say they measured, what arrived, and what they had to drop. The gap between the first and the sum of the others is still under way or lost.',
    unit: 'ops',
    width: 12,
    height: 9,
    min: 0,
    targets: [target(sum(rate('peyk_ledger_measurements_total', RATE), ['entry']), ['entry'])],
  }),
  lines({
    id: 23,
    title: 'Late measurements',
    read: 'Came too late for the live counters; they are judged at their own time. Many at once: a network came back.',
    unit: 'ops',
    width: 12,
    min: 0,
    stack: true,
    targets: [target(sum(rate('peyk_late_total', RATE), ['app']), ['app'])],
  }),
  lines({
    id: 24,
    title: 'Fresh measurements by country',
    read: 'Accepted by the server, per second.',
    unit: 'ops',
    width: 12,
    min: 0,
    stack: true,
    targets: [target(sum(rate('peyk_measurements_total', RATE, here), ['country']), ['country'])],
  }),
]

const own = 'Only agents whose metrics this Prometheus scrapes: the operator’s own, never a volunteer’s.'
const agents = [
  lines({
    id: 31,
    title: 'Spool',
    read: `Measurements on disk without a receipt. Rising for long: the server is out of reach. ${own}`,
    unit: 'none',
    width: 6,
    min: 0,
    targets: [target(sum(gauge('peyk_agent_spool_measurements')), [], 'measurements')],
    empty: 'No agent of the operator is scraped',
  }),
  lines({
    id: 32,
    title: 'Spool and budget in bytes',
    read: `Bytes on disk, and bytes left of today’s traffic. ${own}`,
    unit: 'bytes',
    width: 6,
    min: 0,
    targets: [
      target(sum(gauge('peyk_agent_spool_bytes')), [], 'spool'),
      target(sum(gauge('peyk_agent_budget_bytes')), [], 'left of the budget'),
    ],
  }),
  lines({
    id: 33,
    title: 'Measured, skipped, dropped',
    read: `Skipped was never measured (budget, consent, spacing); dropped is lost. ${own}`,
    unit: 'ops',
    width: 6,
    min: 0,
    targets: [
      target(sum(rate('peyk_agent_measurements_total', RATE), ['outcome']), ['outcome']),
      target(sum(rate('peyk_agent_skipped_total', RATE), ['reason']), ['reason'], 'skipped'),
      target(sum(rate('peyk_agent_dropped_total', RATE), ['reason']), ['reason'], 'dropped'),
    ],
  }),
  lines({
    id: 34,
    title: 'Deliveries',
    read: `Attempts to deliver, by outcome. ${own}`,
    unit: 'ops',
    width: 6,
    min: 0,
    targets: [target(sum(rate('peyk_agent_reports_total', RATE), ['outcome']), ['outcome'])],
  }),
  numbers({
    id: 35,
    title: 'Date of the network database',
    read: 'By which addresses become networks. Older than 60 days misfiles networks that moved.',
    unit: 'dateTimeFromNow',
    width: 24,
    targets: [target(against(max(gauge('peyk_asn_database_timestamp_seconds')), '*', 1000), [])],
    empty: 'No database: networks are unknown',
  }),
]

export const fleet: BoardSpec = {
  name: 'fleet',
  title: 'Peyk: fleet',
  description: 'Agents by country, network and version; measured, delivered, missing. No agent is named.',
  variables: [anyCountry],
  narrowing: { country: '$country' },
  from: 'now-7d',
  rows: [
    { id: 1, title: 'Size', panels: size },
    { id: 2, title: 'Delivery', panels: delivery },
    { id: 3, title: 'The operator’s own agents', panels: agents },
  ],
}
