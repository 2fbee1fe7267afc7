/** What Grafana does to a board's queries before they reach Prometheus, as far as our boards use it. */

import type { Layer } from '../../dashboards/annotations.ts'
import type { Dashboard } from '../../dashboards/board.ts'
import type { Asked } from '../../dashboards/panel.ts'
import type { Variable } from '../../dashboards/variables.ts'
import { ask, instant, ranged, type Series } from '../servers/prometheus.ts'

/** Seconds. */
export type View = { from: number; to: number }

const SCRAPE = 60
/** Steps a panel of ordinary width has. */
const POINTS = 600

const stepOf = ({ from, to }: View, least: number) => Math.max(least, Math.ceil((to - from) / POINTS / 60) * 60)

const escaped = (text: string) => text.replaceAll(/[\\^$*+?.()|[\]{}]/g, '\\\\$&')

export type Values = ReadonlyMap<string, string>

/** Puts variables in; a name that neither the board nor Grafana knows is an error. `$1` is label_replace's. */
export function filled(text: string, values: Values, view: View, step: number): string {
  const builtIn: Record<string, string> = {
    __interval: `${step}s`,
    __interval_ms: String(step * 1000),
    __rate_interval: `${Math.max(step + SCRAPE, 4 * SCRAPE)}s`,
    __range: `${view.to - view.from}s`,
  }
  return text.replaceAll(/\$\{(\w+)(?::\w+)?\}|\$([A-Za-z_]\w*)/g, (_, braced: string, bare: string) => {
    const name = braced ?? bare
    const value = builtIn[name] ?? values.get(name)
    if (value === undefined) throw new Error(`No variable $${name} in: ${text.slice(0, 200)}`)
    return value
  })
}

/** Values of a query variable, as Grafana makes them of Prometheus' answer. */
async function valuesOf(url: string, variable: Variable, values: Values, view: View): Promise<string[]> {
  const text = filled((variable.query as { query: string }).query, values, view, SCRAPE)
  const labelled = /^label_values\((.+), (\w+)\)$/.exec(text)
  let found: string[]
  if (labelled) {
    const series = (await ask(url, 'series', { 'match[]': labelled[1]!, start: view.from, end: view.to })) as Record<
      string,
      string
    >[]
    found = [...new Set(series.map(labels => labels[labelled[2]!]!))].sort()
  } else {
    const query = /^query_result\((.+)\)$/s.exec(text)?.[1]
    if (query === undefined) throw new Error(`Neither label_values nor query_result: ${text.slice(0, 200)}`)
    found = (await instant(url, query, view.to)).map(({ metric, value }) => {
      const labels = Object.entries(metric).map(([name, label]) => `${name}="${label}"`)
      return `{${labels.join(',')}} ${value![1]} ${value![0] * 1000}`
    })
  }
  const pattern = variable.regex ? new RegExp(variable.regex.replace(/^\/|\/$/g, '')) : /^(.*)$/s
  return found.flatMap(one => pattern.exec(one)?.[1] ?? [])
}

/** Every variable of a board resolved in order, with wishes where the board leaves a choice. */
export async function resolved(
  url: string,
  board: Dashboard,
  view: View,
  wishes: Record<string, string> = {},
): Promise<Values> {
  const values = new Map<string, string>()
  for (const variable of board.templating.list) {
    const { name } = variable
    if (variable.type !== 'query') {
      values.set(name, wishes[name] ?? String(variable.current?.value ?? variable.query))
      continue
    }
    const found = await valuesOf(url, variable, values, view)
    if (found.length === 0) throw new Error(`${board.uid}: variable ${name} has no values`)
    const wish = wishes[name]
    if (wish !== undefined && !found.includes(wish))
      throw new Error(`${board.uid}: ${name} has no value ${wish}, only ${found}`)
    if (variable.includeAll && wish === undefined) values.set(name, variable.allValue!)
    else if (variable.multi) values.set(name, escaped(wish!))
    else values.set(name, wish ?? found[0]!)
  }
  return values
}

/** Series of one query of a panel or annotation over a view. */
export async function answered(
  url: string,
  { expr, instant: once }: Pick<Asked, 'expr' | 'instant'> | NonNullable<Layer['target']>,
  values: Values,
  view: View,
  least = SCRAPE,
): Promise<Series[]> {
  const step = stepOf(view, least)
  const query = filled(expr, values, view, step)
  // Grafana aligns ranges to the step.
  return once
    ? instant(url, query, view.to)
    : ranged(url, query, Math.floor(view.from / step) * step, Math.floor(view.to / step) * step, step)
}
