/**
 * Alerts. On messengers they repeat the detector's confirmed findings and judge nothing themselves; burn rates watch only
 * Peyk itself. Names, severities and annotations follow the monitoring mixins: `severity` is critical, warning or info,
 * `summary` is a fixed sentence, `description` the case; the runbook is docs/runbooks/<name>.md (a test holds it there).
 */
import { looks } from '../measurement/look.ts'
import type { Verdict } from '../measurement/verdict.ts'
import type { Settings } from './board.ts'
import { countryFacts, degradationFacts, type Facts } from './facts.ts'
import { uids } from './links.ts'
import { against, either, gauge, keep, mark, max, over, promql, type Query, sum } from './query.ts'
import { limits } from './thresholds.ts'

export type Severity = 'critical' | 'warning' | 'info'

export type AlertSpec = {
  alert: string
  query: { readonly promql: string }
  hold?: string
  severity: Severity
  /** What the board calls the kind of thing that is wrong: decides the route. */
  about: 'messengers' | 'peyk'
  labels?: Readonly<Record<string, string>>
  /** A fixed sentence, in both languages of Peyk. */
  summary: { en: string; fa: string }
  description: string
  facts?: Facts
  /** Path and query of the board to open. */
  board: string
}

export type AlertRule = {
  alert: string
  expr: string
  for?: string
  keep_firing_for?: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

type Finding = 'app' | 'feature' | 'country' | 'verdict' | 'layer' | 'incident'
const finding = ['app', 'feature', 'country', 'verdict', 'layer', 'incident'] as const

/** A block on one network is that operator's; on two or more it is the country's, and silences what it contains. */
const scoped = (networks: Query<Finding>): Query<Finding | 'scope'> =>
  either(mark(against(networks, '>=', 2), 'scope', 'country'), mark(against(networks, '<', 2), 'scope', 'network'))

const confirmed = (verdicts: readonly Verdict[], feature: 'voice-call' | { not: 'voice-call' }) =>
  scoped(max(gauge('peyk_degraded_networks', { verdict: { any: verdicts }, feature, state: 'confirmed' }), finding))

const appBoard = `${uids.app}?var-app={{ $labels.app }}&var-country={{ $labels.country }}&var-feature={{ $labels.feature }}`
const countryBoard = `${uids.network}?var-country={{ $labels.country }}&var-asn=0`

const messenger = (
  alert: string,
  verdict: Verdict,
  severity: Severity,
  words: { en: string; fa: string },
  board = appBoard,
): AlertSpec => ({
  alert,
  query: confirmed([verdict], { not: 'voice-call' }),
  severity,
  about: 'messengers',
  summary: words,
  description: `{{ $labels.app }} ({{ $labels.feature }}) in {{ $labels.country }}: ${looks[verdict].word} on {{ $value }} network(s), at the layer {{ $labels.layer }}.`,
  facts: degradationFacts,
  board,
})

const messengers: AlertSpec[] = [
  messenger('MessengerBlocked', 'blocked', 'critical', {
    en: 'A messenger is blocked.',
    fa: 'یک پیام‌رسان مسدود است.',
  }),
  messenger('MessengerPartlyBlocked', 'partial', 'warning', {
    en: 'Part of a messenger does not answer.',
    fa: 'بخشی از یک پیام‌رسان پاسخ نمی‌دهد.',
  }),
  messenger(
    'MessengerThrottled',
    'throttled',
    'critical',
    { en: 'A messenger is slowed down on purpose.', fa: 'سرعت یک پیام‌رسان عمداً کم شده است.' },
    `${uids.throttling}?var-app={{ $labels.app }}&var-country={{ $labels.country }}&var-feature={{ $labels.feature }}`,
  ),
  messenger('MessengerSlow', 'slow', 'warning', {
    en: 'A messenger is slower than it was; the cause is open.',
    fa: 'یک پیام‌رسان کندتر از پیش است؛ علت هنوز روشن نیست.',
  }),
  {
    alert: 'CallsPathDegraded',
    query: confirmed(['slow', 'throttled', 'partial', 'blocked'], 'voice-call'),
    severity: 'warning',
    about: 'messengers',
    summary: { en: 'The path that calls of a messenger take is degraded.', fa: 'مسیر تماس یک پیام‌رسان افت کرده است.' },
    description:
      'Calls of {{ $labels.app }} in {{ $labels.country }}: {{ $labels.verdict }} on {{ $value }} network(s), at the layer {{ $labels.layer }}.',
    facts: degradationFacts,
    board: appBoard,
  },
  {
    alert: 'DomesticOnly',
    query: max(gauge('peyk_degraded_networks', { verdict: 'domestic_only', state: 'confirmed' }), ['country']),
    labels: { scope: 'country' },
    severity: 'critical',
    about: 'messengers',
    summary: { en: 'Only the national network works: a shutdown.', fa: 'تنها شبکهٔ داخلی کار می‌کند: قطع اینترنت.' },
    description:
      'From {{ $value }} network(s) of {{ $labels.country }} nothing abroad answers, while domestic controls do.',
    facts: countryFacts,
    board: countryBoard,
  },
  {
    alert: 'AppDown',
    query: max(gauge('peyk_degraded_networks', { verdict: 'app_down', state: 'confirmed' }), finding),
    severity: 'info',
    about: 'messengers',
    summary: {
      en: 'A messenger is down by itself: not censorship.',
      fa: 'یک پیام‌رسان خودش از کار افتاده است: سانسور نیست.',
    },
    description:
      '{{ $labels.app }} ({{ $labels.feature }}) does not answer control agents on unfiltered networks either.',
    facts: { since: degradationFacts.since, agents: degradationFacts.agents },
    board: appBoard,
  },
]

type Silence = 'country' | 'asn'
/** Most agents in a day against those now; networks that vanished entirely have no series now. */
const silent = <const By extends Silence>(by: readonly By[], from: number): Query<By> => {
  const now = sum(gauge('peyk_agents_active'), by as readonly Silence[])
  const most = sum(over('max', limits.silentSpan, 'peyk_agents_active'), by as readonly Silence[])
  const enough = promql<Silence>(`(${now.promql}) > ${limits.silentShare} * (${most.promql})`)
  return keep(against(most, '>=', from), 'unless', enough, by as readonly Silence[]) as Query<By>
}
/** A server that was away, or whose detector stands still, sees everybody silent: that is another alert. */
const serverWell = promql<never>(
  `(${max(gauge('peyk_detector_lag_seconds')).promql} < ${limits.detectorLag}) and on () (${max(gauge('up', { job: 'peyk' })).promql} == 1)`,
)

const silence = (by: readonly Silence[], scope: string, where: string): AlertSpec => ({
  alert: 'NetworkSilent',
  query: keep(silent(by, limits.silentFrom), 'and', serverWell, []),
  labels: { scope, seen: 'arrivals' },
  hold: limits.silentHold,
  severity: scope === 'country' ? 'critical' : 'warning',
  about: 'messengers',
  summary: { en: 'Agents have fallen silent.', fa: 'سنجشگرها خاموش شده‌اند.' },
  description: `Of {{ $value }} agents ${where} less than a fifth still deliver. Silence is a sign of a shutdown, not of health.`,
  facts: countryFacts,
  board: countryBoard,
})

const silences: AlertSpec[] = [
  silence(['country', 'asn'], 'network', 'on AS{{ $labels.asn }} in {{ $labels.country }}'),
  silence(['country'], 'country', 'in {{ $labels.country }}'),
  {
    ...silence(['country'], 'country', ''),
    query: max(gauge('peyk_degraded_networks', { verdict: 'network_down', state: 'confirmed' }), ['country']),
    labels: { scope: 'country', seen: 'controls' },
    hold: '0s',
    description: 'On {{ $value }} network(s) of {{ $labels.country }} neither foreign nor domestic controls answer.',
  },
]

export const alertSpecs: readonly AlertSpec[] = [...messengers, ...silences]

/** The YAML of an alert. */
export function alertRule(spec: AlertSpec, { grafanaUrl, runbookUrl }: Settings): AlertRule {
  return {
    alert: spec.alert,
    expr: spec.query.promql,
    ...(spec.hold === undefined || spec.hold === '0s' ? {} : { for: spec.hold }),
    keep_firing_for: limits.keepFiring,
    labels: { severity: spec.severity, about: spec.about, ...spec.labels },
    annotations: {
      summary: spec.summary.en,
      summary_fa: spec.summary.fa,
      description: spec.description,
      ...spec.facts,
      dashboard_url: `${grafanaUrl}/d/${spec.board}`,
      runbook_url: `${runbookUrl}/${spec.alert}.md`,
    },
  }
}
