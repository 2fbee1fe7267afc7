/** Where a click leads: overview, app, network, evidence. Grafana puts labels, columns and variables in. */
import type { Link } from './panel.ts'

export const uids = {
  overview: 'peyk-overview',
  app: 'peyk-app',
  network: 'peyk-network',
  throttling: 'peyk-throttling',
  event: 'peyk-event',
  fleet: 'peyk-fleet',
  pipeline: 'peyk-pipeline',
} as const
export type BoardName = keyof typeof uids

/** `$` + `{x}`: text for Grafana, not a template of ours. */
const grafana = (expression: string) => `$\{${expression}}`
/** A column of the clicked row. */
export const column = (head: string) => grafana(`__data.fields["${head}"]`)
/** A label of the clicked series. */
export const label = (name: string) => grafana(`__field.labels.${name}`)
/** The board's own variable. */
export const variable = (name: string) => grafana(name)

export const toBoard = (name: BoardName, title: string, variables: Readonly<Record<string, string>>): Link => ({
  title,
  url: `/d/${uids[name]}?${Object.entries(variables)
    .map(([key, value]) => `var-${key}=${value}&`)
    .join('')}${grafana('__url_time_range')}`,
})

/** The rows themselves, from Peyk's API, in the range of the board. */
export const toEvidence = (place: { app: string; country: string; asn?: string }): Link => {
  const query = [
    `app=${place.app}`,
    `country=${place.country}`,
    ...(place.asn === undefined ? [] : [`asn=${place.asn}`]),
    `from=${grafana('__from:date:iso')}`,
    `to=${grafana('__to:date:iso')}`,
  ]
  return { title: 'Evidence: the measurements', url: `${grafana('peyk')}/v1/measurements?${query.join('&')}` }
}
