/** Variables of the boards. All of them read what Prometheus holds in the range shown, so nothing is kept in two places. */
import type * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import type { PolicyEvent } from '../events/event.ts'
import { comparable } from './annotations.ts'
import { DATASOURCE, type Plain } from './panel.ts'
import { gauge, type Query } from './query.ts'

export type Variable = Plain<sdk.VariableModel> & { name: string }

/** Values of `All`: networks without `0`, which stands for the whole country. */
const ALL = { any: '.*', networks: '[1-9].*' } as const

const query = (name: string, label: string, expression: string, more: Partial<Variable> = {}): Variable => ({
  type: 'query',
  name,
  label,
  datasource: DATASOURCE,
  query: { query: expression, refId: 'Variable' },
  definition: expression,
  // Again with every change of the time range: the past has other apps and networks.
  refresh: 2,
  sort: 1,
  multi: false,
  includeAll: false,
  hide: 0,
  ...more,
})

const valuesOf = <L extends string>(of: Query<L>, label: NoInfer<L>) => `label_values(${of.promql}, ${label})`

const many = (allValue: string): Partial<Variable> => ({
  multi: true,
  includeAll: true,
  allValue,
  current: { selected: true, text: ['All'], value: ['$__all'] },
})
const one = (value: string): Partial<Variable> => ({ current: { selected: true, text: value, value } })

export const datasource: Variable = {
  type: 'datasource',
  name: 'datasource',
  label: 'Data source',
  query: 'prometheus',
  multi: false,
  includeAll: false,
  hide: 0,
  current: { selected: true, text: 'Prometheus', value: 'peyk-prometheus' },
}

/** Where Peyk's own page and API answer; links to evidence lead there. */
export const peyk = (url: string): Variable => ({
  type: 'constant',
  name: 'peyk',
  label: 'Peyk',
  query: url,
  current: { selected: true, text: url, value: url },
  hide: 2,
  skipUrlSync: true,
})

const reached = 'peyk_reachability_ratio'

export const anyApp = query('app', 'App', valuesOf(gauge(reached), 'app'), many(ALL.any))
export const oneApp = query('app', 'App', valuesOf(gauge(reached), 'app'), one('telegram'))
export const feature = query('feature', 'Feature', valuesOf(gauge(reached), 'feature'), one('text'))
export const anyCountry = query('country', 'Country', valuesOf(gauge(reached), 'country'), many(ALL.any))
export const oneCountry = query('country', 'Country', valuesOf(gauge(reached), 'country'), one('IR'))

const inCountry = gauge(reached, { country: { like: '$country' } })
export const anyNetwork = query('asn', 'Network (ASN)', valuesOf(inCountry, 'asn'), { ...many(ALL.networks), sort: 3 })
export const oneNetwork = query('asn', 'Network (ASN; 0: whole country)', valuesOf(inCountry, 'asn'), {
  ...one('0'),
  sort: 3,
})

export const span: Variable = {
  type: 'custom',
  name: 'span',
  label: 'Before and after',
  query: '1d,7d,28d',
  ...one('7d'),
  options: ['1d', '7d', '28d'].map(value => ({ text: value, value, selected: value === '7d' })),
  multi: false,
  includeAll: false,
  hide: 0,
}

/** One of the facts packed by `comparable`, taken out of `$facts` by the text that Grafana makes of an answer. */
const fact = (name: string, label: string, index: number): Variable => {
  const pattern = [0, 1, 2, 3, 4, 5].map(at => (at === index ? '([^~"]*)' : '[^~"]*')).join('~')
  return query(name, label, 'query_result(label_replace(vector(1), "facts", "$facts", "", ""))', {
    regex: `/facts="${pattern}"/`,
    hide: 2,
    sort: 0,
    skipUrlSync: true,
  })
}

/**
 * The Event board's: a policy event, and from it the pattern of its countries and apps and its start. The facts are
 * constants in the query, so the board works for 2018 without any event stored in Prometheus.
 */
export function eventVariables(events: readonly PolicyEvent[]): Variable[] {
  const known = comparable(events)
  const newest = known.at(-1)!
  const options = known.toReversed().map(({ event }) => ({
    text: `${event.when.start} ${event.where.countries.join(' ')} ${event.title.en}`.replaceAll(/[,:]/g, ''),
    value: event.id,
    selected: event === newest.event,
  }))
  const packed = known.map(({ facts }) => `label_replace(vector(1), "facts", "${facts}", "", "")`).join(' or ')
  // `$event` picks one of the constants: only its own facts begin with its id.
  const chosen = `label_replace(${packed}, "chosen", "yes", "facts", "$event~.*")`
  const facts = `query_result((${chosen}) and on (chosen) label_replace(vector(1), "chosen", "yes", "", ""))`
  return [
    {
      type: 'custom',
      name: 'event',
      label: 'Event',
      query: options.map(({ text, value }) => `${text} : ${value}`).join(','),
      options,
      current: { ...options[0]!, selected: true },
      multi: false,
      includeAll: false,
      hide: 0,
    },
    query('facts', 'Facts', facts, { regex: '/facts="([^"]*)"/', hide: 2, sort: 0, skipUrlSync: true }),
    fact('country', 'Country', 1),
    fact('app', 'App', 2),
    fact('start', 'Start', 3),
    fact('since', 'Since', 4),
    fact('until', 'Until', 5),
  ]
}
