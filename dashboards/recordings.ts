/** Series that Prometheus computes from ours (rules.ts has their expressions), with their labels. */
export const recordings = {
  'peyk:store_failures:ratio_rate5m': [],
  'peyk:store_failures:ratio_rate30m': [],
  'peyk:store_failures:ratio_rate1h': [],
  'peyk:store_failures:ratio_rate6h': [],
  'peyk:reports_failed:ratio_rate5m': [],
  'peyk:reports_failed:ratio_rate30m': [],
  'peyk:reports_failed:ratio_rate1h': [],
  'peyk:reports_failed:ratio_rate6h': [],
  'peyk:ledger_missing:ratio_rate1h': [],
  'peyk:ledger_missing:ratio_rate6h': [],
  'country:peyk_agents_active:sum': ['country'],
  'peyk:policy_event_deadline:timestamp_seconds': ['event', 'country', 'app'],
} as const satisfies Record<string, readonly string[]>

export type Recording = keyof typeof recordings
