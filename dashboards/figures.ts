/** Queries that several boards and alerts ask. */
import type { MetricName } from '../measurement/metrics.ts'
import { verdicts } from '../measurement/verdict.ts'
import {
  derive,
  either,
  gauge,
  increase,
  type Match,
  type Matches,
  max,
  over,
  promql,
  type Query,
  type Span,
  STEP,
  sum,
} from './query.ts'

export type Place = 'app' | 'feature' | 'country' | 'asn'
type Where = { readonly [L in Place]?: Match<string> }

/** Rows of a country as a whole carry asn 0; `[1-9].*` and `!= 0` are its networks. */
export const WHOLE = '0'
export const NETWORKS = { not: WHOLE } as const

type PlacedRollup = Extract<
  MetricName,
  | 'peyk_reachability_ratio'
  | 'peyk_reachability_agents'
  | 'peyk_latency_seconds'
  | 'peyk_throughput_ratio'
  | 'peyk_goodput_bytes_per_second'
  | 'peyk_policer_rate_bytes_per_second'
  | 'peyk_verdict_rank'
>

/** A rollup over time: the newest revision of the last window of each step. */
export const rollup = <N extends PlacedRollup>(name: N, where: Matches<N>) => over('last', STEP, name, where)

/** A rollup now: the last of the past half hour, since a window is judged some minutes after its end. */
export const newest = <N extends PlacedRollup>(name: N, where: Matches<N>) => over('last', '30m', name, where)

/** The verdict in force as its rank (0 insufficient, 1 ok, …), from the live state. */
export const presentRank = <const By extends Place>(where: Where, by: readonly By[]): Query<By> =>
  max(
    either(
      ...verdicts.map((verdict, rank) => {
        const one = max(gauge('peyk_verdict', { ...where, verdict }), ['app', 'feature', 'country', 'asn'])
        // `* 0` keeps networks without enough data in sight, as such.
        return promql<Place>(`${one.promql} * ${rank}`)
      }),
    ),
    by,
  )

/** Layer that a failure's name alone tells; a time-out or an early end can be any. First match wins, so order matters. */
const layerPatterns = [
  ['not told', '.*'],
  ['tcp', 'connection_.*|host_unreachable|network_.*'],
  ['dns', 'dns_.*|android_dns_.*'],
  ['tls', 'ssl_.*'],
  ['http', 'http_.*|json_.*'],
  ['protocol', 'mtproto_.*|noise_.*'],
] as const

/** Fresh failures per step by layer. */
export const failuresByLayer = (span: Span, app: '$app'): Query<'layer'> => {
  let query: Query<'failure' | 'layer'> = promql(
    sum(increase('peyk_failures_total', span, { app }), ['failure']).promql,
  )
  for (const [layer, pattern] of layerPatterns) query = derive(query, 'layer', layer, 'failure', pattern)
  return sum(query, ['layer'])
}
