/** A board: rows of panels laid out from left to right, the variables, the policy events, and links to its neighbours. */
import type * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import type { PolicyEvent } from '../events/event.ts'
import { builtIn, eventLayers, type Layer, onsetLayer, simulatedLayer } from './annotations.ts'
import type { Narrowing } from './event-queries.ts'
import { type BoardName, uids } from './links.ts'
import type { Panel, Plain } from './panel.ts'
import { datasource, peyk, type Variable } from './variables.ts'

/** What a board is made from, besides the metric table. */
export type Settings = {
  events: readonly PolicyEvent[]
  /** Where people reach Peyk's page and API, Grafana, and the runbooks; no slash at the end. */
  peykUrl: string
  grafanaUrl: string
  runbookUrl: string
}

export type Row = { id: number; title: string; panels: readonly Panel[] }

export type BoardSpec = {
  name: BoardName
  title: string
  description: string
  variables: readonly Variable[]
  /** Variables that policy events must match to be drawn. */
  narrowing: Narrowing
  /** False where policy events are of little use; their toggles are there, and off. */
  showEvents?: boolean
  rows: readonly Row[]
  /** Default range. */
  from: string
  refresh?: string
}

export type Dashboard = Omit<Plain<sdk.Dashboard>, 'panels' | 'annotations' | 'templating'> & {
  uid: string
  panels: readonly (
    | Panel
    | { type: 'row'; id: number; title: string; collapsed: false; gridPos: Panel['gridPos']; panels: [] }
  )[]
  templating: { list: readonly Variable[] }
  annotations: { list: readonly Layer[] }
}

/** Grafana's grid. */
const COLUMNS = 24

/** Panels of a row flow from left to right and wrap; a line is as high as its highest panel. */
function laidOut(rows: readonly Row[]): Dashboard['panels'] {
  let y = 0
  return rows.flatMap(({ id, title, panels }) => {
    const head = {
      type: 'row' as const,
      id,
      title,
      collapsed: false as const,
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
      panels: [] as [],
    }
    y += 1
    let x = 0
    let height = 0
    const placed = panels.map(panel => {
      const { w, h } = panel.gridPos
      if (x + w > COLUMNS) {
        y += height
        x = 0
        height = 0
      }
      const at = { ...panel, gridPos: { h, w, x, y } }
      x += w
      height = Math.max(height, h)
      return at
    })
    y += height
    return [head, ...placed]
  })
}

export const board = (spec: BoardSpec, { events, peykUrl }: Settings): Dashboard => ({
  uid: uids[spec.name],
  title: spec.title,
  description: spec.description,
  tags: ['peyk'],
  schemaVersion: 42,
  version: 1,
  editable: false,
  graphTooltip: 1,
  timezone: 'utc',
  time: { from: spec.from, to: 'now' },
  timepicker: { refresh_intervals: ['30s', '1m', '5m', '15m', '1h'] },
  refresh: spec.refresh ?? '1m',
  links: [
    {
      type: 'dashboards',
      title: 'Peyk',
      tags: ['peyk'],
      asDropdown: true,
      includeVars: false,
      keepTime: true,
      targetBlank: false,
      icon: 'apps',
      tooltip: 'The other boards, at the same time range',
    },
    {
      type: 'link',
      title: 'Page',
      url: peykUrl,
      tags: [],
      asDropdown: false,
      includeVars: false,
      keepTime: false,
      targetBlank: true,
      icon: 'external link',
      tooltip: 'Peyk’s own page',
    },
  ],
  templating: { list: [datasource, peyk(peykUrl), ...spec.variables] },
  annotations: {
    list: [
      builtIn,
      simulatedLayer,
      onsetLayer(spec.narrowing),
      ...eventLayers(events, spec.narrowing, spec.showEvents),
    ],
  },
  panels: laidOut(spec.rows),
})
