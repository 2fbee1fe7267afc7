/** Pipeline: from a report's arrival to a delivered alert: ingest, store, rollup, detector, remote write, notifications. */
import type { BoardSpec } from '../board.ts'
import { lines, numbers } from '../charts.ts'
import { target } from '../panel.ts'
import { gauge, histogramQuantile, increase, max, observations, RATE, rate, sum } from '../query.ts'
import { table } from '../tables.ts'

const ingest = [
  numbers({
    id: 11,
    title: 'Up',
    read: 'Programs that Prometheus reaches: 1 up, 0 down.',
    unit: 'none',
    width: 6,
    text: 'value_and_name',
    targets: [target(max(gauge('up'), ['job']), ['job'])],
  }),
  numbers({
    id: 12,
    title: 'Rollup lag',
    read: 'Age of the oldest touched window that is not rolled up yet.',
    unit: 's',
    width: 6,
    colour: 'lag',
    targets: [target(max(gauge('peyk_rollup_lag_seconds')), [])],
  }),
  numbers({
    id: 13,
    title: 'Detector lag',
    read: 'Age of the newest window the detector has judged. It waits half an hour for late rows.',
    unit: 's',
    width: 6,
    colour: 'lag',
    targets: [target(max(gauge('peyk_detector_lag_seconds')), [])],
  }),
  numbers({
    id: 14,
    title: 'Series folded',
    read: 'Series folded into their country because a family was full. More than none: countries lose their small networks here, not in the record.',
    unit: 'none',
    width: 6,
    targets: [target(sum(gauge('peyk_series_folded')), [])],
  }),
  lines({
    id: 15,
    title: 'Reports',
    read: 'Reports answered with a receipt. What each batch came to stands beside; refusals of whole requests too.',
    unit: 'ops',
    width: 8,
    min: 0,
    targets: [target(sum(rate('peyk_reports_total', RATE), ['outcome']), ['outcome'])],
  }),
  lines({
    id: 16,
    title: 'Batches and refusals',
    read: 'Batches: stored is durable, known came before, refused is final. Requests refused before anything was stored: busy and internal-error are ours, the agent tries again.',
    unit: 'ops',
    width: 8,
    min: 0,
    targets: [
      target(sum(rate('peyk_batches_total', RATE), ['outcome']), ['outcome'], 'batches'),
      target(sum(rate('peyk_refused_total', RATE), ['reason']), ['reason'], 'refused'),
    ],
  }),
  lines({
    id: 17,
    title: 'Bytes in',
    read: 'Bodies of reports as sent.',
    unit: 'Bps',
    width: 8,
    min: 0,
    targets: [target(sum(rate('peyk_report_bytes_total', RATE)), [], 'reports')],
  }),
  lines({
    id: 18,
    title: 'Time to a receipt',
    read: 'From a report’s last byte to its receipt, which means durable. The goal is one second for 99 of 100.',
    unit: 's',
    width: 8,
    min: 0,
    targets: [
      target(histogramQuantile(0.5, 'peyk_accept_duration_seconds', RATE), [], 'p50'),
      target(histogramQuantile(0.99, 'peyk_accept_duration_seconds', RATE), [], 'p99'),
    ],
    dashed: 'p99',
  }),
  lines({
    id: 19,
    title: 'Event loop delay',
    read: 'How long the server’s thread was busy at a stretch, since the last scrape.',
    unit: 's',
    width: 8,
    colour: 'delay',
    min: 0,
    targets: [target(max(gauge('peyk_event_loop_delay_seconds'), ['percentile']), ['percentile'], 'p')],
  }),
  table({
    id: 20,
    title: 'What runs',
    read: 'Version of Peyk, of Node, of the rules that judge, and of the catalogue.',
    unit: 'none',
    width: 8,
    targets: [target(max(gauge('peyk_build_info'), ['version', 'node', 'rule', 'catalogue']), ['version'])],
    columns: [
      { from: 'version', head: 'Peyk' },
      { from: 'node', head: 'Node' },
      { from: 'rule', head: 'Rules' },
      { from: 'catalogue', head: 'Catalogue' },
      { from: 'Value #A', head: 'Servers' },
    ],
  }),
]

const store = [
  lines({
    id: 31,
    title: 'Rows made durable',
    read: 'By table.',
    unit: 'ops',
    width: 8,
    min: 0,
    targets: [target(sum(rate('peyk_store_rows_total', RATE), ['table']), ['table'])],
  }),
  lines({
    id: 32,
    title: 'Durable inserts',
    read: 'How many per second.',
    unit: 'ops',
    width: 8,
    min: 0,
    targets: [
      target(sum(observations('peyk_store_insert_duration_seconds', RATE)), [], 'inserts'),
      target(sum(rate('peyk_store_failures_total', RATE), ['operation']), ['operation'], 'failed'),
    ],
  }),
  lines({
    id: 33,
    title: 'Duration of an insert',
    read: 'With fsync. Rising with the rows is growth; rising alone is the disk.',
    unit: 's',
    width: 8,
    min: 0,
    targets: [
      target(histogramQuantile(0.5, 'peyk_store_insert_duration_seconds', RATE), [], 'p50'),
      target(histogramQuantile(0.99, 'peyk_store_insert_duration_seconds', RATE), [], 'p99'),
    ],
    dashed: 'p99',
  }),
  lines({
    id: 34,
    title: 'Lag',
    read: 'Rollup and detector behind the present.',
    unit: 's',
    width: 8,
    colour: 'lag',
    min: 0,
    targets: [
      target(max(gauge('peyk_rollup_lag_seconds')), [], 'rollup'),
      target(max(gauge('peyk_detector_lag_seconds')), [], 'detector'),
    ],
  }),
  lines({
    id: 35,
    title: 'Windows rebuilt',
    read: 'By stage. Bursts are late data being put in its place.',
    unit: 'ops',
    width: 8,
    min: 0,
    targets: [target(sum(rate('peyk_windows_total', RATE), ['stage']), ['stage'])],
  }),
  lines({
    id: 36,
    title: 'Degradations by change',
    read: 'Opened, revised, closed, reopened, withdrawn. Reopened and withdrawn are late data’s doing; many are a detector that flaps.',
    unit: 'none',
    width: 8,
    min: 0,
    targets: [target(sum(increase('peyk_degradations_total', RATE), ['change']), ['change'])],
  }),
]

const delivery = [
  lines({
    id: 41,
    title: 'Remote write',
    read: 'Samples by outcome. Too old: outside Prometheus’ window for late samples, split off and counted; the record has them.',
    unit: 'ops',
    width: 8,
    min: 0,
    targets: [target(sum(rate('peyk_remote_write_samples_total', RATE), ['outcome']), ['outcome'])],
  }),
  lines({
    id: 42,
    title: 'Notifications by Peyk itself',
    read: 'For those without Prometheus: the server’s own, by channel and outcome.',
    unit: 'none',
    width: 8,
    min: 0,
    targets: [target(sum(increase('peyk_notifications_total', RATE), ['channel', 'outcome']), ['channel', 'outcome'])],
  }),
  lines({
    id: 43,
    title: 'Notifications by Alertmanager',
    read: 'Sent and failed, by integration, and what Prometheus dropped before Alertmanager had it. Anything failed is an alert nobody got.',
    unit: 'none',
    width: 8,
    min: 0,
    targets: [
      target(sum(increase('alertmanager_notifications_total', RATE), ['integration']), ['integration'], 'sent'),
      target(
        sum(increase('alertmanager_notifications_failed_total', RATE), ['integration']),
        ['integration'],
        'failed',
      ),
      target(sum(increase('prometheus_notifications_dropped_total', RATE)), [], 'dropped'),
    ],
  }),
  table({
    id: 44,
    title: 'Alerts firing',
    read: 'Every alert that Prometheus holds firing now. The runbook of each is docs/runbooks/<name>.md.',
    unit: 'none',
    width: 24,
    height: 7,
    targets: [
      target(max(gauge('ALERTS', { alertstate: 'firing' }), ['alertname', 'severity', 'app', 'country']), [
        'alertname',
      ]),
    ],
    columns: [
      { from: 'alertname', head: 'Alert' },
      { from: 'severity', head: 'Severity' },
      { from: 'app', head: 'App' },
      { from: 'country', head: 'Country' },
    ],
    empty: 'Nothing fires',
  }),
]

export const pipeline: BoardSpec = {
  name: 'pipeline',
  title: 'Peyk: pipeline',
  description: 'From a report’s arrival to a delivered alert.',
  variables: [],
  narrowing: {},
  showEvents: false,
  from: 'now-6h',
  rows: [
    { id: 1, title: 'Ingest', panels: ingest },
    { id: 2, title: 'Store and analysis', panels: store },
    { id: 3, title: 'Delivery', panels: delivery },
  ],
}
