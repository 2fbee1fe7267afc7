/**
 * Recording rules: burn rates of what Peyk promises about itself, and the deadlines of policy events. Rules run on what
 * is there now and never again, so nothing here reads rollups, which late data changes.
 */
import type { PolicyEvent } from '../events/event.ts'
import { isWithdrawn } from '../events/select.ts'
import { spanOf } from '../events/when.ts'
import { gauge, increase, join, observations, promql, type Query, rate, type Span, sum } from './query.ts'
import type { Recording } from './recordings.ts'

export type Rule = { record: Recording; expr: string; labels?: Record<string, string> }
export type RuleGroup = { name: string; interval: string; rules: Rule[] }

/** Reasons of refusal that are the server's own fault (server/problem.ts); the agent tries again. */
export const OUR_REFUSALS = ['internal-error', 'busy'] as const

const failed = (span: Span) => sum(rate('peyk_refused_total', span, { reason: { any: OUR_REFUSALS } }))
const receipted = (span: Span) => sum(rate('peyk_reports_total', span))
const storeFailed = (span: Span) => sum(rate('peyk_store_failures_total', span))
const inserted = (span: Span) => sum(observations('peyk_store_insert_duration_seconds', span))
const ledger = (span: Span, entry: 'measured' | 'delivered' | 'dropped') =>
  sum(increase('peyk_ledger_measurements_total', span, { entry }))

/** Part of part and rest. Absent where neither has a sample; 0 where only the rest has. */
const shareOf = (part: Query<never>, rest: Query<never>): Query<never> => {
  const known = promql<never>(`(${part.promql} or 0 * ${rest.promql})`)
  return join(known, '/', promql<never>(`${known.promql} + ${rest.promql}`), [])
}

const spans = ['5m', '30m', '1h', '6h'] as const

const burnRates: Rule[] = spans.flatMap(span => [
  { record: `peyk:reports_failed:ratio_rate${span}`, expr: shareOf(failed(span), receipted(span)).promql } as const,
  { record: `peyk:store_failures:ratio_rate${span}`, expr: shareOf(storeFailed(span), inserted(span)).promql } as const,
])

const missing = (['1h', '6h'] as const).map(span => {
  const gone = `${ledger(span, 'measured').promql} - ${ledger(span, 'delivered').promql} - (${ledger(span, 'dropped').promql} or vector(0))`
  return {
    record: `peyk:ledger_missing:ratio_rate${span}` as const,
    expr: `clamp_min(${gone}, 0) / (${ledger(span, 'measured').promql} > 0)`,
  }
})

/** Deadlines that orders and threats name. Constants: an alert can say "deadline in 3 days" before anything happens. */
const deadlines = (events: readonly PolicyEvent[]): Rule[] =>
  events
    .filter(event => !isWithdrawn(event))
    .flatMap(event => {
      const { deadline } = spanOf(event)
      if (deadline === null) return []
      return event.where.countries.flatMap(country =>
        (event.apps.length === 0 ? ['*'] : event.apps).map(app => ({
          record: 'peyk:policy_event_deadline:timestamp_seconds' as const,
          expr: `vector(${deadline.to})`,
          labels: { event: event.id, country, app },
        })),
      )
    })

export const ruleGroups = (events: readonly PolicyEvent[]): RuleGroup[] => [
  { name: 'peyk-burn-rates', interval: '30s', rules: burnRates },
  {
    name: 'peyk-fleet',
    interval: '1m',
    rules: [
      ...missing,
      { record: 'country:peyk_agents_active:sum', expr: sum(gauge('peyk_agents_active'), ['country']).promql },
    ],
  },
  { name: 'peyk-deadlines', interval: '1m', rules: deadlines(events) },
]
