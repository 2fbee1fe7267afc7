/** Alerts on Peyk itself: server, ingest, store, rollup, detector, remote write, delivery of alerts, fleet. */
import type { AlertSpec, Severity } from './alerts.ts'
import { uids } from './links.ts'
import {
  against,
  either,
  gauge,
  histogramQuantile,
  increase,
  join,
  keep,
  max,
  over,
  promql,
  type Query,
  sum,
} from './query.ts'
import type { Recording } from './recordings.ts'
import { burns, limits, OBJECTIVE } from './thresholds.ts'

const own = (
  alert: string,
  severity: Severity,
  query: Query<never> | { promql: string },
  hold: string,
  summary: AlertSpec['summary'],
  description: string,
  board = uids.pipeline as string,
): AlertSpec => ({ alert, severity, query, hold, about: 'peyk', summary, description, board })

/** Fast and slow burn of the error budget, each over a long and a short span. */
const burning = (
  alert: string,
  what: 'peyk:reports_failed' | 'peyk:store_failures',
  summary: AlertSpec['summary'],
  description: string,
): AlertSpec[] =>
  burns.map(({ long, short, factor, severity, hold }) => {
    const over = (span: '5m' | '30m' | '1h' | '6h') =>
      against(
        gauge(`${what}:ratio_rate${span}` satisfies Recording),
        '>',
        Number((factor * (1 - OBJECTIVE)).toFixed(6)),
      )
    const spec = own(alert, severity, keep(over(long), 'and', over(short), []), hold, summary, description)
    return { ...spec, labels: { burn: long } }
  })

const day = 86_400

export const ownAlertSpecs: readonly AlertSpec[] = [
  own(
    'PeykServerDown',
    'critical',
    either(against(max(gauge('up', { job: 'peyk' })), '==', 0), promql<never>('absent(up{job="peyk"})')),
    limits.downFor,
    { en: 'The server does not answer Prometheus.', fa: 'سرور به پرومتئوس پاسخ نمی‌دهد.' },
    'No scrape of job "peyk" succeeded for {{ "' +
      limits.downFor +
      '" }}. Agents keep their measurements on disk meanwhile.',
  ),
  ...burning(
    'PeykIngestFailing',
    'peyk:reports_failed',
    { en: 'Reports fail by our own fault.', fa: 'گزارش‌ها به خطای خود ما پذیرفته نمی‌شوند.' },
    '{{ $value | humanizePercentage }} of reports were answered with busy or an internal error. Nothing is lost yet: agents come again.',
  ),
  ...burning(
    'PeykStoreFailing',
    'peyk:store_failures',
    { en: 'The store refuses inserts.', fa: 'انبار داده نوشتن را نمی‌پذیرد.' },
    '{{ $value | humanizePercentage }} of durable inserts failed. No receipt is given for what is not durable.',
  ),
  own(
    'PeykAcceptSlow',
    'warning',
    against(histogramQuantile(0.99, 'peyk_accept_duration_seconds', '10m'), '>', limits.acceptSeconds),
    '15m',
    { en: 'Receipts take too long.', fa: 'رسیدها دیر می‌رسند.' },
    '99 of 100 reports have their receipt only after {{ $value | humanizeDuration }}.',
  ),
  own(
    'PeykRollupBehind',
    'warning',
    against(max(gauge('peyk_rollup_lag_seconds')), '>', limits.rollupLag),
    '10m',
    { en: 'Rollups are behind.', fa: 'جمع‌بندی‌ها عقب مانده‌اند.' },
    'The oldest touched window has waited {{ $value | humanizeDuration }}; page, boards and verdicts are as old.',
  ),
  own(
    'PeykDetectorBehind',
    'critical',
    against(max(gauge('peyk_detector_lag_seconds')), '>', limits.detectorLag),
    '10m',
    {
      en: 'The detector is behind: no messenger alert can fire.',
      fa: 'آشکارساز عقب مانده است: هیچ هشدار پیام‌رسانی نمی‌آید.',
    },
    'The newest window judged is {{ $value | humanizeDuration }} old.',
  ),
  own(
    'PeykRemoteWriteFailing',
    'warning',
    against(
      sum(increase('peyk_remote_write_samples_total', '15m', { outcome: { any: ['refused', 'failed'] } })),
      '>',
      limits.remoteWriteFailures,
    ),
    '15m',
    { en: 'Rollups do not reach Prometheus.', fa: 'جمع‌بندی‌ها به پرومتئوس نمی‌رسند.' },
    '{{ $value | humanize }} samples were refused or failed in 15 minutes. The record is whole; boards are not.',
  ),
  own(
    'PeykNotificationsFailing',
    'warning',
    against(sum(increase('peyk_notifications_total', '15m', { outcome: 'failed' })), '>', 0),
    '5m',
    { en: 'Peyk’s own notifications fail.', fa: 'پیام‌های خود پیک نمی‌رسند.' },
    '{{ $value | humanize }} attempts failed in 15 minutes; they are tried again with the same key.',
  ),
  own(
    'PeykAlertDeliveryFailing',
    'critical',
    against(
      either(
        sum(increase('alertmanager_notifications_failed_total', '15m'), ['integration']),
        // Without an integration: Prometheus could not hand them over at all.
        promql<'integration'>(sum(increase('prometheus_notifications_dropped_total', '15m')).promql),
      ),
      '>',
      0,
    ),
    '5m',
    { en: 'Alerts do not reach people.', fa: 'هشدارها به کسی نمی‌رسند.' },
    '{{ $value | humanize }} notifications failed in 15 minutes{{ with $labels.integration }} by {{ . }}{{ end }}.',
  ),
  own(
    'PeykRulesFailing',
    'warning',
    against(sum(increase('prometheus_rule_evaluation_failures_total', '15m')), '>', 0),
    '5m',
    { en: 'Prometheus cannot evaluate a rule.', fa: 'پرومتئوس یکی از قاعده‌ها را نمی‌تواند حساب کند.' },
    '{{ $value | humanize }} evaluations failed in 15 minutes: alerts may be blind.',
  ),
  own(
    'PeykSeriesFolded',
    'info',
    against(max(gauge('peyk_series_folded'), ['family']), '>', 0),
    '1h',
    { en: 'A metric family is full.', fa: 'یک خانوادهٔ سنجه پر است.' },
    '{{ $value | humanize }} series of {{ $labels.family }} stand in their country only. The record and the page have them all.',
  ),
  own(
    'PeykNetworkDatabaseOld',
    'info',
    against(
      promql<never>(`time() - ${max(gauge('peyk_asn_database_timestamp_seconds')).promql}`),
      '>',
      limits.asnDatabaseDays * day,
    ),
    '1h',
    { en: 'The network database is old.', fa: 'پایگاه دادهٔ شبکه‌ها کهنه است.' },
    'It is {{ $value | humanizeDuration }} old; addresses that moved since are filed under the wrong network.',
    uids.fleet,
  ),
  own(
    'PeykFleetShrinking',
    'warning',
    keep(
      against(
        join(
          sum(gauge('country:peyk_agents_active:sum')),
          '/',
          against(
            promql<never>(`sum (${over('max', '1d', 'country:peyk_agents_active:sum').promql})`),
            '>=',
            limits.fleetFrom,
          ),
          [],
        ),
        '<',
        limits.fleetShare,
      ),
      'and',
      // In several countries at once: one country alone is NetworkSilent's.
      promql<never>('count (country:peyk_agents_active:sum) > 1'),
      [],
    ),
    '1h',
    { en: 'Half of the agents are gone.', fa: 'نیمی از سنجشگرها رفته‌اند.' },
    'Only {{ $value | humanizePercentage }} of the agents of the last day still deliver, over several countries: look at ourselves first.',
    uids.fleet,
  ),
  own(
    'PeykLedgerMissing',
    'warning',
    keep(
      against(gauge('peyk:ledger_missing:ratio_rate6h'), '>', limits.ledgerMissing),
      'and',
      against(gauge('peyk:ledger_missing:ratio_rate1h'), '>', limits.ledgerMissing),
      [],
    ),
    '30m',
    { en: 'Measurements are missing.', fa: 'بخشی از اندازه‌گیری‌ها گم است.' },
    'Agents say they measured more than they delivered or dropped: {{ $value | humanizePercentage }} over six hours.',
    uids.fleet,
  ),
  own(
    'PeykWatchdog',
    'info',
    promql<never>('vector(1)'),
    '0s',
    { en: 'Always firing: alerts work.', fa: 'همیشه روشن: هشدارها کار می‌کنند.' },
    'Its absence at the receiver means that no alert can arrive.',
  ),
]
