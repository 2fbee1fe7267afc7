/** OpenMetrics text of every metric of the table, with every verdict in it, over the last hours and around one event. */
import { type Metric, type MetricName, metrics } from '../../measurement/metrics.ts'
import { isTrouble, verdicts } from '../../measurement/verdict.ts'

const apps = ['telegram', 'whatsapp', 'signal']
const features = ['text', 'web']
const countries = ['IR', 'KE', 'RU']
const asns = ['0', '12455', '44244', '36926']

/** Values for labels without a closed list. */
const domains: Record<string, readonly string[]> = {
  app: apps,
  feature: features,
  country: countries,
  asn: asns,
  failure: ['generic_timeout_error', 'connection_reset', 'dns_injected', 'ssl_failed_handshake', 'http_blockpage'],
  dc: ['1', '2', '3', '4', '5'],
  version: ['0.1.0', '0.2.0'],
  node: ['24.21.0'],
  rule: ['1'],
  catalogue: ['1'],
  table: ['measurements', 'rollups'],
  reason: ['unknown_agent', 'too_large'],
  operation: ['insert', 'query'],
  stage: ['agent_windows', 'rollups', 'verdicts'],
  family: ['peyk_verdict'],
  event: ['ke-2023-11-08-telegram-exam-block', 'ir-2018-04-26-tic-hosting-order'],
  job: ['peyk', 'prometheus'],
  alertname: ['MessengerBlocked'],
  alertstate: ['firing'],
  severity: ['critical'],
  integration: ['webhook'],
  channel: ['webhook'],
}

type Labels = Record<string, string>

function* combinations(names: readonly string[], values: Metric['values']): Generator<Labels> {
  const [first, ...rest] = names
  if (first === undefined) return yield {}
  for (const value of values?.[first] ?? domains[first] ?? [`a ${first}`])
    for (const others of combinations(rest, values)) yield { [first]: value, ...others }
}

const indexOf = (labels: Labels, name: string) => domains[name]?.indexOf(labels[name]!) ?? 0

/** Each verdict stands somewhere: by place for the state, one country per finding. */
export const verdictOf = (place: Labels): (typeof verdicts)[number] => {
  const number =
    indexOf(place, 'app') + 3 * indexOf(place, 'country') + indexOf(place, 'asn') + 4 * indexOf(place, 'feature')
  return verdicts[number % verdicts.length]!
}

function kept(name: string, labels: Labels): boolean {
  if (name === 'peyk_verdict') return labels['verdict'] === verdictOf(labels)
  if (name.startsWith('peyk_degraded'))
    return labels['layer'] === 'tcp' && isTrouble(labels['verdict'] as never) && labels['feature'] === 'text'
  if (name === 'peyk_agents_active') return labels['asn'] !== '0'
  return true
}

function sampleOf(name: string, metric: { type: string }, labels: Labels, at: number, start: number): number {
  if (metric.type === 'counter') return (at - start) * (1 + indexOf(labels, 'app'))
  if (name === 'peyk_verdict_rank') return verdicts.indexOf(verdictOf(labels))
  if (name.endsWith('_timestamp_seconds')) return start - 86_400
  if (name.endsWith('_ratio')) return Number((0.5 + 0.5 * Math.sin(at / 7_200 + indexOf(labels, 'asn'))).toFixed(4))
  if (name.endsWith('_seconds')) return 0.1 + 0.05 * indexOf(labels, 'asn')
  if (name === 'peyk_degraded' || name === 'peyk_verdict' || name === 'up' || name === 'ALERTS') return 1
  return 5 + indexOf(labels, 'asn')
}

const text = (labels: Labels) => {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

/** Everything around the metric table that boards ask for. */
const beside: Record<string, { type: string; labels: readonly string[] }> = {
  up: { type: 'gauge', labels: ['job'] },
  ALERTS: { type: 'gauge', labels: ['alertname', 'alertstate', 'severity', 'app', 'country'] },
  prometheus_notifications_dropped_total: { type: 'counter', labels: [] },
  alertmanager_notifications_total: { type: 'counter', labels: ['integration'] },
  alertmanager_notifications_failed_total: { type: 'counter', labels: ['integration'] },
}

/** Seconds; `scrape` null for a past that holds rollups only. */
export type Times = { from: number; to: number; scrape: number | null; rollup: number }

function* instants(metric: { on?: string }, { from, to, scrape, rollup }: Times): Generator<number> {
  const step = metric.on === 'rollup' ? rollup : scrape
  if (step !== null) for (let at = from; at <= to; at += step) yield at
}

/** Lines of an OpenMetrics file, families together and times ascending, as promtool wants them. */
export function* openMetrics(times: Times): Generator<string> {
  const families: [
    string,
    { type: string; labels: readonly string[]; on?: string; values?: Metric['values']; buckets?: readonly number[] },
  ][] = [...Object.entries(metrics as Record<MetricName, Metric>), ...Object.entries(beside)]
  for (const [name, metric] of families) {
    yield `# TYPE ${metric.type === 'counter' ? name.replace(/_total$/, '') : name} ${metric.type}\n`
    for (const labels of combinations(metric.labels, metric.values)) {
      if (!kept(name, labels)) continue
      for (const at of instants(metric, times)) {
        if (metric.type === 'histogram') yield* observed(name, labels, metric.buckets!, at, times.from)
        else yield `${name}${text(labels)} ${sampleOf(name, metric, labels, at, times.from)} ${at}\n`
      }
    }
  }
  yield '# EOF\n'
}

function* observed(name: string, labels: Labels, bounds: readonly number[], at: number, start: number) {
  const total = at - start
  for (const [index, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
    const share = Math.min(1, (index + 1) / bounds.length)
    const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound)
    yield `${name}_bucket${text({ ...labels, le })} ${Math.round(total * share)} ${at}\n`
  }
  yield `${name}_count${text(labels)} ${total} ${at}\n`
  yield `${name}_sum${text(labels)} ${total * 0.1} ${at}\n`
}
