import { layers, operations, probeKinds } from './step.ts'
import { states, verdicts } from './verdict.ts'

/**
 * Every metric of Peyk: the exporter registers from this table, dashboards and rules build their queries from it, so a
 * renamed metric or label breaks the compilation of whatever used it. `cap` is the most series a family may have on
 * /metrics; the caps sum to at most SERIES_BUDGET. What does not fit is folded into its country, fewest agents first.
 * Never a label: agent, address, host, or text that came from the network.
 */
export type Metric = {
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
  /** Upper bounds in the metric's unit, at most 10. */
  buckets?: readonly number[]
  /** Most series of the family; a histogram counts its buckets, sum and count. */
  cap: number
  /** Labels with a closed list of values: queries can ask for these and no others. */
  values?: Readonly<Record<string, readonly string[]>>
  /** Who exports it: the server, the agent's own /metrics, or Prometheus from remote write only. */
  on: 'server' | 'agent' | 'rollup'
}

/** One exposition over 10,000 series needs a reason (OpenMetrics); ours has none. */
export const SERIES_BUDGET = 10_000

/** Seconds of one network operation: from a near data centre to the deadline. */
const stepBuckets = [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8] as const
const workBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const

const place = ['app', 'feature', 'country', 'asn'] as const
/** `incident`: one for all that fell into trouble together, by which people are told once. */
const finding = ['app', 'feature', 'country', 'verdict', 'layer', 'state', 'incident'] as const

const verdictValues = { verdict: verdicts }
const findingValues = { verdict: verdicts, layer: [...layers, 'none'], state: states } as const

export const metrics = {
  // Live counters: fresh measurements only, late ones are counted apart (DESIGN §4, two clocks).
  peyk_measurements_total: {
    type: 'counter',
    help: 'Fresh measurements accepted.',
    labels: ['app', 'kind', 'country', 'outcome'],
    cap: 1850,
    values: { kind: probeKinds, outcome: ['answered', 'failed', 'void'] },
    on: 'server',
  },
  peyk_failures_total: {
    type: 'counter',
    help: 'Fresh measurements that failed, by failure.',
    labels: ['app', 'kind', 'failure'],
    cap: 900,
    values: { kind: probeKinds },
    on: 'server',
  },
  peyk_step_duration_seconds: {
    type: 'histogram',
    help: 'Duration of the steps of fresh measurements that succeeded.',
    labels: ['app', 'operation'],
    buckets: stepBuckets,
    cap: 1500,
    values: { operation: operations },
    on: 'server',
  },
  peyk_late_total: {
    type: 'counter',
    help: 'Measurements that arrived too late for the live counters.',
    labels: ['app'],
    cap: 40,
    on: 'server',
  },

  // Present state, rebuilt at each scrape from the newest verdicts and open degradations.
  peyk_verdict: {
    type: 'gauge',
    help: '1 for the verdict in force on a network (asn 0: the whole country).',
    labels: [...place, 'verdict'],
    cap: 1500,
    values: verdictValues,
    on: 'server',
  },
  peyk_degraded: {
    type: 'gauge',
    help: '1 while a degradation is open.',
    labels: finding,
    cap: 200,
    values: findingValues,
    on: 'server',
  },
  peyk_degraded_since_timestamp_seconds: {
    type: 'gauge',
    help: 'Onset of the open degradation.',
    labels: finding,
    cap: 200,
    values: findingValues,
    on: 'server',
  },
  peyk_degraded_networks: {
    type: 'gauge',
    help: 'Networks in the open degradation.',
    labels: finding,
    cap: 200,
    values: findingValues,
    on: 'server',
  },
  peyk_degraded_agents: {
    type: 'gauge',
    help: 'Agents behind the open degradation.',
    labels: finding,
    cap: 200,
    values: findingValues,
    on: 'server',
  },
  peyk_datacentre_share_ratio: {
    type: 'gauge',
    help: 'Share of agents that each data centre answers, last hour.',
    labels: ['app', 'dc', 'country'],
    cap: 250,
    on: 'server',
  },
  peyk_agents_active: {
    type: 'gauge',
    help: 'Agents that delivered a measurement of the last hour.',
    labels: ['country', 'asn'],
    cap: 250,
    on: 'server',
  },
  peyk_agents_software: {
    type: 'gauge',
    help: 'Agents that delivered in the last day, by software version.',
    labels: ['version'],
    cap: 30,
    on: 'server',
  },

  // Rollups at measured time: by remote write, or on /metrics where PEYK_REMOTE_WRITE_URL is unset.
  peyk_reachability_ratio: {
    type: 'gauge',
    help: 'Median over agents of answered / attempted deciding endpoints.',
    labels: place,
    cap: 400,
    on: 'rollup',
  },
  peyk_reachability_agents: {
    type: 'gauge',
    help: 'Agents behind the reachability.',
    labels: place,
    cap: 400,
    on: 'rollup',
  },
  peyk_latency_seconds: {
    type: 'gauge',
    help: 'Median over agents of the duration of an operation.',
    labels: [...place, 'operation'],
    cap: 600,
    values: { operation: operations },
    on: 'rollup',
  },
  peyk_control_reachability_ratio: {
    type: 'gauge',
    help: 'Reachability of the neutral controls.',
    labels: ['control', 'country', 'asn'],
    cap: 200,
    values: { control: ['domestic', 'foreign'] },
    on: 'rollup',
  },
  peyk_throughput_ratio: {
    type: 'gauge',
    help: 'Goodput to the app divided by that of its pair: the control, or the same path with another name or shape.',
    labels: [...place, 'pair'],
    cap: 200,
    values: { pair: ['control', 'name', 'shape', 'port'] },
    on: 'rollup',
  },
  peyk_goodput_bytes_per_second: {
    type: 'gauge',
    help: 'Median over agents of the goodput of paired transfers, of the app and of its control.',
    labels: [...place, 'flow'],
    cap: 200,
    values: { flow: ['app', 'control'] },
    on: 'rollup',
  },
  peyk_policer_rate_bytes_per_second: {
    type: 'gauge',
    help: 'Rate at which a policer or shaper holds the app, where the evidence shows one.',
    labels: place,
    cap: 50,
    on: 'rollup',
  },
  peyk_verdict_rank: {
    type: 'gauge',
    help: 'Verdict of the window as its place in the order from best to worst: 0 insufficient, 1 ok, … (verdict.ts).',
    labels: place,
    cap: 400,
    on: 'rollup',
  },

  // Policy events.
  peyk_policy_event_timestamp_seconds: {
    type: 'gauge',
    help: 'Start of a policy event.',
    labels: ['event', 'kind', 'country', 'app'],
    cap: 50,
    on: 'server',
  },
  peyk_policy_event_active: {
    type: 'gauge',
    help: '1 while a confirmed or reported policy event is in force.',
    labels: ['event', 'kind', 'country', 'app'],
    cap: 150,
    on: 'server',
  },

  // Pipeline.
  peyk_reports_total: {
    type: 'counter',
    help: 'Reports received, by outcome.',
    labels: ['outcome'],
    cap: 10,
    values: { outcome: ['receipted'] },
    on: 'server',
  },
  peyk_batches_total: {
    type: 'counter',
    help: 'Batches received, by outcome.',
    labels: ['outcome'],
    cap: 5,
    values: { outcome: ['stored', 'known', 'refused'] },
    on: 'server',
  },
  peyk_report_bytes_total: {
    type: 'counter',
    help: 'Bytes of report bodies as sent.',
    labels: [],
    cap: 1,
    on: 'server',
  },
  peyk_accept_duration_seconds: {
    type: 'histogram',
    help: 'From a report’s last byte to its receipt.',
    labels: [],
    buckets: workBuckets,
    cap: 13,
    on: 'server',
  },
  peyk_refused_total: {
    type: 'counter',
    help: 'Requests refused before anything was stored, by reason.',
    labels: ['reason'],
    cap: 20,
    on: 'server',
  },
  peyk_store_rows_total: {
    type: 'counter',
    help: 'Rows made durable, by table.',
    labels: ['table'],
    cap: 10,
    on: 'server',
  },
  peyk_store_insert_duration_seconds: {
    type: 'histogram',
    help: 'Duration of one durable insert.',
    labels: [],
    buckets: workBuckets,
    cap: 13,
    on: 'server',
  },
  peyk_store_failures_total: {
    type: 'counter',
    help: 'Store operations that failed and were retried or refused.',
    labels: ['operation'],
    cap: 5,
    on: 'server',
  },
  peyk_rollup_lag_seconds: {
    type: 'gauge',
    help: 'Age of the oldest touched window not yet rolled up; 0 when none waits.',
    labels: [],
    cap: 1,
    on: 'server',
  },
  peyk_windows_total: { type: 'counter', help: 'Windows rebuilt, by stage.', labels: ['stage'], cap: 5, on: 'server' },
  peyk_degradations_total: {
    type: 'counter',
    help: 'Degradations opened, revised, closed, reopened, withdrawn.',
    labels: ['change'],
    cap: 6,
    values: { change: ['opened', 'revised', 'closed', 'reopened', 'withdrawn'] },
    on: 'server',
  },
  peyk_confirmation_requests_total: {
    type: 'counter',
    help: 'Agents asked to confirm a finding, and how that ended.',
    labels: ['outcome'],
    cap: 3,
    values: { outcome: ['sent', 'answered', 'expired'] },
    on: 'server',
  },
  peyk_detector_lag_seconds: {
    type: 'gauge',
    help: 'Age of the newest window the detector has judged.',
    labels: [],
    cap: 1,
    on: 'server',
  },
  peyk_remote_write_samples_total: {
    type: 'counter',
    help: 'Samples by remote write, by outcome; too old ones are counted by network and window.',
    labels: ['outcome'],
    cap: 5,
    values: { outcome: ['sent', 'too_old', 'refused', 'failed', 'exhausted'] },
    on: 'server',
  },
  peyk_notifications_total: {
    type: 'counter',
    help: 'Notifications of degradations, by channel and outcome.',
    labels: ['channel', 'outcome'],
    cap: 12,
    values: { channel: ['webhook', 'alertmanager'], outcome: ['sent', 'failed'] },
    on: 'server',
  },
  peyk_ledger_measurements_total: {
    type: 'counter',
    help: 'Ledger of agents: measured, delivered, dropped.',
    labels: ['entry'],
    cap: 3,
    values: { entry: ['measured', 'delivered', 'dropped'] },
    on: 'server',
  },
  peyk_series_folded: {
    type: 'gauge',
    help: 'Series folded into their country because the family was full.',
    labels: ['family'],
    cap: 30,
    on: 'server',
  },
  peyk_event_loop_delay_seconds: {
    type: 'gauge',
    help: 'Event loop delay since the last scrape.',
    labels: ['percentile'],
    cap: 3,
    values: { percentile: ['50', '99', '100'] },
    on: 'server',
  },
  peyk_asn_database_timestamp_seconds: {
    type: 'gauge',
    help: 'Date of the network database in use; absent where there is none.',
    labels: [],
    cap: 1,
    on: 'server',
  },
  peyk_build_info: {
    type: 'gauge',
    help: '1, with what runs.',
    labels: ['version', 'node', 'rule', 'catalogue'],
    cap: 1,
    on: 'server',
  },

  // The agent's own, on its loopback page.
  peyk_agent_measurements_total: {
    type: 'counter',
    help: 'Measurements made, by outcome.',
    labels: ['app', 'outcome'],
    cap: 80,
    on: 'agent',
  },
  peyk_agent_skipped_total: {
    type: 'counter',
    help: 'Measurements not made, by reason.',
    labels: ['reason'],
    cap: 10,
    on: 'agent',
  },
  peyk_agent_spool_measurements: {
    type: 'gauge',
    help: 'Measurements on disk not yet receipted.',
    labels: [],
    cap: 1,
    on: 'agent',
  },
  peyk_agent_spool_bytes: { type: 'gauge', help: 'Bytes of the spool.', labels: [], cap: 1, on: 'agent' },
  peyk_agent_dropped_total: {
    type: 'counter',
    help: 'Measurements lost here, by reason.',
    labels: ['reason'],
    cap: 6,
    on: 'agent',
  },
  peyk_agent_reports_total: {
    type: 'counter',
    help: 'Attempts to deliver, by outcome.',
    labels: ['outcome'],
    cap: 8,
    on: 'agent',
  },
  peyk_agent_budget_bytes: { type: 'gauge', help: 'Bytes left of today’s budget.', labels: [], cap: 1, on: 'agent' },
} as const satisfies Record<string, Metric>

export type MetricName = keyof typeof metrics
/** Label names of a metric, as the compiler knows them. */
export type LabelsOf<N extends MetricName> = (typeof metrics)[N]['labels'][number]
