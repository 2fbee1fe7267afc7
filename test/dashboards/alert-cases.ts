/** Cases of every alert in promtool's notation: `3x60` is 3 for 60 minutes, `0+5x60` grows by 5 a minute, `_` is a gap. */
export type Case = {
  name: string
  alert: string
  /** Series and their values, a minute apart, or `every`. */
  input: Record<string, string>
  every?: '5m'
  at: string
  /** Labels of each alert that fires; none where left out. */
  fires?: Record<string, string>[]
}

const finding = { app: 'telegram', feature: 'text', country: 'KE', layer: 'tcp', incident: 'ke-1' }
const text = (labels: Record<string, string>) =>
  `{${Object.entries(labels).map(([name, value]) => `${name}="${value}"`)}}`
const of = (name: string, labels: Record<string, string>) => `${name}${text(labels)}`
const open = (verdict: string, more: Record<string, string> = {}) => ({
  ...finding,
  verdict,
  state: 'confirmed',
  ...more,
})

const messengers = { about: 'messengers' }
const networks = (labels: Record<string, string>) => of('peyk_degraded_networks', labels)

/** A verdict's alert: on several networks, on one, unconfirmed, and calls apart. */
const ofVerdict = (alert: string, verdict: string, severity: string): Case[] => {
  const labels = { ...finding, verdict, severity, ...messengers }
  return [
    {
      name: `${alert}: three networks are the country`,
      alert,
      input: { [networks(open(verdict))]: '3x10' },
      at: '5m',
      fires: [{ ...labels, scope: 'country' }],
    },
    {
      name: `${alert}: one network is that operator`,
      alert,
      input: { [networks(open(verdict))]: '1x10' },
      at: '5m',
      fires: [{ ...labels, scope: 'network' }],
    },
    {
      name: `${alert}: unconfirmed pages nobody, calls have their own`,
      alert,
      input: {
        [networks(open(verdict, { state: 'unconfirmed' }))]: '3x10',
        [networks(open(verdict, { feature: 'voice-call' }))]: '3x10',
      },
      at: '5m',
    },
    {
      name: `${alert}: a scrape gap or a restart does not resolve it`,
      alert,
      input: { [networks(open(verdict))]: '3x10 stale _x60' },
      at: '20m',
      fires: [{ ...labels, scope: 'country' }],
    },
    {
      name: `${alert}: it ends`,
      alert,
      input: { [networks(open(verdict))]: '3x10 stale _x60' },
      at: '40m',
    },
  ]
}

const block: Case = {
  name: 'MessengerBlocked: two networks, with every fact',
  alert: 'MessengerBlocked',
  input: {
    [networks(open('blocked'))]: '2x10',
    [of('peyk_degraded_agents', open('blocked'))]: '85x10',
    [of('peyk_degraded_since_timestamp_seconds', open('blocked'))]: '1699509600x10',
    'peyk_verdict{app="telegram",feature="text",country="KE",asn="33771",verdict="blocked"}': '1x10',
    'peyk_verdict{app="telegram",feature="text",country="KE",asn="12455",verdict="blocked"}': '1x10',
    'peyk_verdict{app="telegram",feature="text",country="KE",asn="0",verdict="blocked"}': '1x10',
    'peyk_verdict{app="telegram",feature="text",country="KE",asn="36926",verdict="ok"}': '1x10',
    'peyk_control_reachability_ratio{control="domestic",country="KE",asn="0"}': '1x10',
    'peyk_control_reachability_ratio{control="foreign",country="KE",asn="0"}': '0.98x10',
    'peyk_policy_event_active{event="ke-2023-11-08-telegram-exam-block",kind="block",country="KE",app="telegram"}':
      '1x10',
    'peyk_policy_event_active{event="ke-elsewhere",kind="block",country="KE",app="whatsapp"}': '1x10',
  },
  at: '5m',
  fires: [{ ...finding, verdict: 'blocked', severity: 'critical', scope: 'country', ...messengers }],
}

const calls = open('partial', { feature: 'voice-call', layer: 'udp' })
const others: Case[] = [
  {
    name: 'CallsPathDegraded: calls fail while text works',
    alert: 'CallsPathDegraded',
    input: { [networks(calls)]: '2x10' },
    at: '5m',
    fires: [
      {
        app: 'telegram',
        feature: 'voice-call',
        country: 'KE',
        layer: 'udp',
        incident: 'ke-1',
        verdict: 'partial',
        scope: 'country',
        severity: 'warning',
        ...messengers,
      },
    ],
  },
  {
    name: 'CallsPathDegraded: text is not calls',
    alert: 'CallsPathDegraded',
    input: { [networks(open('blocked'))]: '2x10' },
    at: '5m',
  },
  {
    name: 'DomesticOnly: one alert for the country, whatever the apps',
    alert: 'DomesticOnly',
    input: {
      [networks(open('domestic_only'))]: '4x10',
      [networks(open('domestic_only', { app: 'whatsapp' }))]: '5x10',
    },
    at: '5m',
    fires: [{ country: 'KE', scope: 'country', severity: 'critical', ...messengers }],
  },
  {
    name: 'DomesticOnly: a block is no shutdown',
    alert: 'DomesticOnly',
    input: { [networks(open('blocked'))]: '4x10' },
    at: '5m',
  },
  {
    name: 'AppDown: informs',
    alert: 'AppDown',
    input: { [networks(open('app_down'))]: '4x10' },
    at: '5m',
    fires: [{ ...finding, verdict: 'app_down', severity: 'info', ...messengers }],
  },
  { name: 'AppDown: a block is not', alert: 'AppDown', input: { [networks(open('blocked'))]: '4x10' }, at: '5m' },
]

const well = { 'up{job="peyk"}': '1x300', peyk_detector_lag_seconds: '600x300' }
const agents = (asn: string) => `peyk_agents_active{country="KE",asn="${asn}"}`
const silent: Case[] = [
  {
    name: 'NetworkSilent: one network vanishes, the country does not',
    alert: 'NetworkSilent',
    input: { ...well, [agents('12455')]: '8x60 stale', [agents('33771')]: '20x300' },
    at: '2h',
    fires: [{ country: 'KE', asn: '12455', scope: 'network', seen: 'arrivals', severity: 'warning', ...messengers }],
  },
  {
    name: 'NetworkSilent: a whole country',
    alert: 'NetworkSilent',
    input: { ...well, [agents('12455')]: '8x60 1x60', [agents('33771')]: '20x60 2x60' },
    at: '2h',
    fires: [
      { country: 'KE', scope: 'country', seen: 'arrivals', severity: 'critical', ...messengers },
      { country: 'KE', asn: '12455', scope: 'network', seen: 'arrivals', severity: 'warning', ...messengers },
      { country: 'KE', asn: '33771', scope: 'network', seen: 'arrivals', severity: 'warning', ...messengers },
    ],
  },
  {
    name: 'NetworkSilent: both controls dead is the detector’s word',
    alert: 'NetworkSilent',
    input: { [networks(open('network_down'))]: '3x10' },
    at: '5m',
    fires: [{ country: 'KE', scope: 'country', seen: 'controls', severity: 'critical', ...messengers }],
  },
  {
    name: 'NetworkSilent: night halves a fleet',
    alert: 'NetworkSilent',
    input: { ...well, [agents('12455')]: '20x60 9x60' },
    at: '2h',
  },
  {
    name: 'NetworkSilent: three laptops that sleep',
    alert: 'NetworkSilent',
    input: { ...well, [agents('12455')]: '3x60 stale' },
    at: '2h',
  },
  {
    name: 'NetworkSilent: we are blind ourselves',
    alert: 'NetworkSilent',
    input: {
      'up{job="peyk"}': '1x60 0x60',
      peyk_detector_lag_seconds: '600x60 stale',
      [agents('12455')]: '8x60 stale',
    },
    at: '2h',
  },
]

const peyk = (severity: string, more: Record<string, string> = {}) => [{ severity, about: 'peyk', ...more }]

const burn = (alert: string, good: string, bad: string): Case[] => [
  {
    name: `${alert}: fast, 20 in 100`,
    alert,
    input: { [good]: '0+80x400', [bad]: '0+20x400' },
    at: '2h',
    fires: [...peyk('critical', { burn: '1h' }), ...peyk('warning', { burn: '6h' })],
  },
  {
    name: `${alert}: slow, 1 in 100`,
    alert,
    input: { [good]: '0+990x500', [bad]: '0+10x500' },
    at: '7h',
    every: '5m',
    fires: peyk('warning', { burn: '6h' }),
  },
  {
    name: `${alert}: one in 10,000 is what was promised`,
    alert,
    input: { [good]: '0+9999x500', [bad]: '0+1x500' },
    at: '7h',
    every: '5m',
  },
  { name: `${alert}: nothing failed yet`, alert, input: { [good]: '0+100x500' }, at: '7h', every: '5m' },
]

const buckets = (metric: string, slow: boolean) => ({
  [`${metric}_bucket{le="1"}`]: slow ? '0+50x60' : '0+100x60',
  [`${metric}_bucket{le="2.5"}`]: '0+100x60',
  [`${metric}_bucket{le="+Inf"}`]: '0+100x60',
})

const pair = (
  alert: string,
  bad: Record<string, string>,
  good: Record<string, string>,
  at: string,
  fires: Record<string, string>[],
  every?: '5m',
): Case[] => [
  { name: `${alert}: fires`, alert, input: bad, at, fires, ...(every ? { every } : {}) },
  { name: `${alert}: quiet`, alert, input: good, at, ...(every ? { every } : {}) },
]

const ledger = (delivered: string) => ({
  'peyk_ledger_measurements_total{entry="measured"}': '0+100x600',
  'peyk_ledger_measurements_total{entry="delivered"}': delivered,
  'peyk_ledger_measurements_total{entry="dropped"}': '0+2x600',
})

const itself: Case[] = [
  ...pair(
    'PeykServerDown',
    { 'up{job="peyk"}': '1x5 0x20' },
    { 'up{job="peyk"}': '1x60' },
    '20m',
    peyk('critical', { job: 'peyk' }),
  ).map(one => ({ ...one, ...(one.fires ? { fires: peyk('critical') } : {}) })),
  {
    name: 'PeykServerDown: never seen',
    alert: 'PeykServerDown',
    input: { 'up{job="other"}': '1x60' },
    at: '20m',
    fires: peyk('critical', { job: 'peyk' }),
  },
  ...burn(
    'PeykIngestFailing',
    'peyk_reports_total{outcome="receipted"}',
    'peyk_refused_total{reason="internal-error"}',
  ),
  ...burn(
    'PeykStoreFailing',
    'peyk_store_insert_duration_seconds_count',
    'peyk_store_failures_total{operation="insert"}',
  ),
  ...pair(
    'PeykAcceptSlow',
    buckets('peyk_accept_duration_seconds', true),
    buckets('peyk_accept_duration_seconds', false),
    '40m',
    peyk('warning'),
  ),
  ...pair(
    'PeykRollupBehind',
    { peyk_rollup_lag_seconds: '3000x60' },
    { peyk_rollup_lag_seconds: '600x60' },
    '30m',
    peyk('warning'),
  ),
  ...pair(
    'PeykDetectorBehind',
    { peyk_detector_lag_seconds: '9000x60' },
    { peyk_detector_lag_seconds: '1800x60' },
    '30m',
    peyk('critical'),
  ),
  ...pair(
    'PeykRemoteWriteFailing',
    { 'peyk_remote_write_samples_total{outcome="failed"}': '0+10x60' },
    { 'peyk_remote_write_samples_total{outcome="too_old"}': '0+10x60' },
    '50m',
    peyk('warning'),
  ),
  ...pair(
    'PeykNotificationsFailing',
    { 'peyk_notifications_total{channel="webhook",outcome="failed"}': '0+1x60' },
    { 'peyk_notifications_total{channel="webhook",outcome="sent"}': '0+1x60' },
    '30m',
    peyk('warning'),
  ),
  ...pair(
    'PeykAlertDeliveryFailing',
    { 'alertmanager_notifications_failed_total{integration="slack"}': '0+1x60' },
    { 'alertmanager_notifications_total{integration="slack"}': '0+1x60' },
    '30m',
    peyk('critical', { integration: 'slack' }),
  ),
  {
    name: 'PeykAlertDeliveryFailing: Prometheus cannot hand over',
    alert: 'PeykAlertDeliveryFailing',
    input: { prometheus_notifications_dropped_total: '0+1x60' },
    at: '30m',
    fires: peyk('critical'),
  },
  ...pair(
    'PeykRulesFailing',
    { prometheus_rule_evaluation_failures_total: '0+1x60' },
    { prometheus_rule_evaluation_failures_total: '5x60' },
    '30m',
    peyk('warning'),
  ),
  ...pair(
    'PeykSeriesFolded',
    { 'peyk_series_folded{family="peyk_verdict"}': '7x120' },
    { 'peyk_series_folded{family="peyk_verdict"}': '0x120' },
    '100m',
    peyk('info', { family: 'peyk_verdict' }),
  ),
  // promtool's time begins at 1970: a date before it is as old as wished.
  ...pair(
    'PeykNetworkDatabaseOld',
    { peyk_asn_database_timestamp_seconds: '-6000000x120' },
    { peyk_asn_database_timestamp_seconds: '-600000x120' },
    '100m',
    peyk('info'),
  ),
  ...pair(
    'PeykFleetShrinking',
    { [agents('1')]: '20x60 6x60', 'peyk_agents_active{country="IR",asn="2"}': '20x60 6x60' },
    { [agents('1')]: '20x60 4x60', 'peyk_agents_active{country="IR",asn="2"}': '20x120' },
    '8h',
    peyk('warning'),
    '5m',
  ),
  ...pair('PeykLedgerMissing', ledger('0+80x600'), ledger('0+97x600'), '8h', peyk('warning'), '5m'),
  { name: 'PeykWatchdog: always', alert: 'PeykWatchdog', input: {}, at: '5m', fires: peyk('info') },
]

export const cases: readonly Case[] = [
  block,
  ...ofVerdict('MessengerBlocked', 'blocked', 'critical'),
  ...ofVerdict('MessengerPartlyBlocked', 'partial', 'warning'),
  ...ofVerdict('MessengerThrottled', 'throttled', 'critical'),
  ...ofVerdict('MessengerSlow', 'slow', 'warning'),
  ...others,
  ...silent,
  ...itself,
]
