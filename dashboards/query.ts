/**
 * PromQL built from the metric table, so that a renamed metric, label or closed value breaks the compilation of whatever
 * asked for it. A query knows the labels of its answer (`Query<'app' | 'country'>`); aggregating or joining by a label it
 * does not have, and a legend that names one, do not compile. Nothing here knows Grafana but its interval variables.
 */
import { type LabelsOf, type MetricName, metrics } from '../measurement/metrics.ts'
import type { Recording, recordings } from './recordings.ts'

/** A PromQL expression and, for the compiler only, the labels of what it returns. */
export type Query<L extends string> = { readonly promql: string; readonly labels?: (label: L) => void }

/** What the components beside Peyk export and our boards and alerts read. */
const foreign = {
  up: { type: 'gauge', labels: ['job'] },
  ALERTS: { type: 'gauge', labels: ['alertname', 'alertstate', 'severity', 'app', 'country'] },
  prometheus_notifications_dropped_total: { type: 'counter', labels: [] },
  prometheus_rule_evaluation_failures_total: { type: 'counter', labels: [] },
  alertmanager_notifications_total: { type: 'counter', labels: ['integration'] },
  alertmanager_notifications_failed_total: { type: 'counter', labels: ['integration'] },
} as const
type Foreign = typeof foreign

type Known = MetricName | keyof Foreign | Recording
type LabelsIn<N extends Known> = N extends MetricName
  ? LabelsOf<N>
  : N extends Recording
    ? (typeof recordings)[N][number]
    : N extends keyof Foreign
      ? Foreign[N]['labels'][number]
      : never

type ValuesOf<N extends Known> = N extends MetricName
  ? (typeof metrics)[N] extends { values: infer V }
    ? V
    : unknown
  : unknown
type ValueOf<N extends Known, L> = L extends keyof ValuesOf<N>
  ? ValuesOf<N>[L] extends readonly (infer V extends string)[]
    ? V
    : string
  : string

/** A variable of the board (`$app`; Grafana puts one value, or `(a|b)` for several, in its place), or printf's in an alert. */
export type Variable = `$${string}` | '%s'

/** Equal to a value, any or none of some, or a pattern of free labels. */
export type Match<V extends string> =
  | V
  | Variable
  | { readonly not: V | readonly V[] }
  | { readonly any: readonly V[] }
  | { readonly like: Variable | (string extends V ? string : never) }

export type Matches<N extends Known> = { readonly [L in LabelsIn<N>]?: Match<ValueOf<N, L>> }

const counters = (table: object) =>
  new Set(
    Object.entries(table).flatMap(([name, { type }]: [string, { type: string }]) => (type === 'counter' ? [name] : [])),
  )
const counterNames = new Set([...counters(metrics), ...counters(foreign)])

type TypedAs<T extends string> = {
  [N in MetricName]: (typeof metrics)[N]['type'] extends T ? N : never
}[MetricName]
type Counter =
  | TypedAs<'counter'>
  | { [N in keyof Foreign]: Foreign[N]['type'] extends 'counter' ? N : never }[keyof Foreign]
type Gauge = Exclude<Known, Counter | Histogram>
type Histogram = TypedAs<'histogram'>

const matcher = (label: string, match: Match<string>): string => {
  const quoted = (text: string) => `"${text}"`
  if (typeof match === 'string') return `${label}=${quoted(match)}`
  if ('like' in match) return `${label}=~${quoted(match.like)}`
  if ('any' in match) return `${label}${match.any.length === 1 ? '=' : '=~'}${quoted(match.any.join('|'))}`
  return typeof match.not === 'string' ? `${label}!=${quoted(match.not)}` : `${label}!~${quoted(match.not.join('|'))}`
}

const selector = (name: string, matches: Readonly<Record<string, Match<string> | undefined>>): string => {
  const parts = Object.entries(matches).flatMap(([label, match]) =>
    match === undefined ? [] : [matcher(label, match)],
  )
  return parts.length === 0 ? name : `${name}{${parts.join(',')}}`
}

/** The span a rate is taken over: chosen by Grafana from the scrape interval, or fixed in rules. */
export type Span = '$__rate_interval' | '$__interval' | '$__range' | '$span' | `${number}${'s' | 'm' | 'h' | 'd'}`
export const RATE = '$__rate_interval'
/** One step of the graph; at least the rollup's 5 minutes where the panel says `every: '5m'`. */
export const STEP = '$__interval'

/** A gauge as it is at each step. */
export const gauge = <N extends Gauge>(name: N, matches: Matches<N> = {} as Matches<N>): Query<LabelsIn<N>> => ({
  promql: selector(name, matches),
})

type RangeFunction = 'last' | 'avg' | 'max' | 'min' | 'count'

/**
 * A gauge over a span. Rollups are read with `last`: revision r of a window is written r seconds after its end, so the
 * last sample of a span is the newest revision of its last window.
 */
export const over = <N extends Gauge>(
  what: RangeFunction | number,
  span: Span,
  name: N,
  matches: Matches<N> = {} as Matches<N>,
  when: `offset ${string}` | `@ ${string}` | '' = '',
): Query<LabelsIn<N>> => {
  const range = `${selector(name, matches)}[${span}]${when === '' ? '' : ` ${when}`}`
  return {
    promql: typeof what === 'number' ? `quantile_over_time(${what}, ${range})` : `${what}_over_time(${range})`,
  }
}

const counted =
  (operation: 'rate' | 'increase') =>
  <N extends Counter>(name: N, span: Span, matches: Matches<N> = {} as Matches<N>): Query<LabelsIn<N>> => {
    if (!counterNames.has(name)) throw new Error(`${name} is no counter`)
    return { promql: `${operation}(${selector(name, matches)}[${span}])` }
  }
/** Per second, of a counter. */
export const rate = counted('rate')
/** How many over a span. */
export const increase = counted('increase')

/** A quantile of a histogram, kept apart by some labels. */
export const histogramQuantile = <N extends Histogram, const By extends LabelsOf<N>>(
  q: number,
  name: N,
  span: Span,
  by: readonly By[] = [],
  matches: Matches<N> = {} as Matches<N>,
): Query<By> => ({
  promql: `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${selector(`${name}_bucket`, matches)}[${span}])))`,
})

/** Observations per bucket over a span, for distributions. */
export const buckets = <N extends Histogram>(
  name: N,
  span: Span,
  matches: Matches<N> = {} as Matches<N>,
): Query<LabelsOf<N> | 'le'> => ({ promql: `increase(${selector(`${name}_bucket`, matches)}[${span}])` })

/** How many observations a histogram made per second. */
export const observations = <N extends Histogram>(name: N, span: Span): Query<LabelsOf<N>> => ({
  promql: `rate(${name}_count[${span}])`,
})

/** Over all series, or one result per combination of labels. */
type Aggregate = {
  (query: Query<never>): Query<never>
  <const By extends string>(query: Query<NoInfer<By>>, by: readonly By[]): Query<By>
}
const aggregate =
  (operation: string): Aggregate =>
  (query: { promql: string }, by: readonly string[] = []) => ({
    promql: `${operation}${by.length === 0 ? '' : ` by (${by.join(', ')})`} (${query.promql})`,
  })
export const sum = aggregate('sum')
export const max = aggregate('max')
export const min = aggregate('min')
export const avg = aggregate('avg')
export const count = aggregate('count')

export const quantile = <const By extends string>(
  q: number,
  query: Query<NoInfer<By>>,
  by: readonly By[],
): Query<By> => ({ promql: `quantile by (${by.join(', ')}) (${q}, ${query.promql})` })

export const topk = <L extends string>(n: number, query: Query<L>): Query<L> => ({
  promql: `topk(${n}, ${query.promql})`,
})
export const bottomk = <L extends string>(n: number, query: Query<L>): Query<L> => ({
  promql: `bottomk(${n}, ${query.promql})`,
})

export type Operator = '+' | '-' | '*' | '/' | '>' | '>=' | '<' | '<=' | '==' | '!='

/** Compute with a number, or filter by one. */
export const against = <L extends string>(query: Query<L>, operator: Operator, value: number): Query<L> => ({
  promql: `(${query.promql}) ${operator} ${value}`,
})

/** Join by labels both sides have; the answer carries just these. */
export const join = <const On extends string>(
  left: Query<NoInfer<On>>,
  operator: Operator,
  right: Query<NoInfer<On>>,
  on: readonly On[],
): Query<On> => ({ promql: `(${left.promql}) ${operator} on (${on.join(', ')}) (${right.promql})` })

/** Keep the left side's series that have, or have not, a partner on the right. */
export const keep = <L extends string, const On extends L>(
  left: Query<L>,
  operator: 'and' | 'unless',
  right: Query<NoInfer<On>>,
  on: readonly On[],
): Query<L> => ({ promql: `(${left.promql}) ${operator} on (${on.join(', ')}) (${right.promql})` })

/** All series of all sides; where label sets are equal the first wins. */
export const either = <L extends string>(...queries: readonly Query<L>[]): Query<L> => ({
  promql: queries.map(({ promql }) => `(${promql})`).join(' or '),
})

/** The same with one more label. */
export const mark = <L extends string, const New extends string>(
  query: Query<L>,
  label: New,
  value: string,
): Query<L | New> => ({ promql: `label_replace(${query.promql}, "${label}", "${value}", "", "")` })

/** A label made of another by a pattern (anchored); series that do not match keep what they had. */
export const derive = <L extends string, const New extends string>(
  query: Query<L>,
  label: New,
  value: string,
  from: NoInfer<L>,
  pattern: string,
): Query<L | New> => ({ promql: `label_replace(${query.promql}, "${label}", "${value}", "${from}", "${pattern}")` })

/** What no function above can say. The labels are the author's word. */
export const promql = <L extends string>(text: string): Query<L> => ({ promql: text })
