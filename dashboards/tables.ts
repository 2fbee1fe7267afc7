/** Panels that list: rows with columns, and a matrix of verdicts. */
import {
  dataLink,
  type Field,
  type Link,
  type Override,
  type Panel,
  panelOf,
  type Spec,
  stepsOf,
  type Unit,
  verdictMappings,
} from './panel.ts'
import { type Colour, colours } from './thresholds.ts'

export type Column = {
  /** Label of the queries, or `Value #A` for the value of the first query, `#B` of the second. */
  from: string
  head: string
  unit?: Unit
  colour?: Colour
  verdict?: boolean
  width?: number
  links?: readonly Link[]
}

export type TableSpec = Spec & {
  columns: readonly Column[]
  /** Column to order by; descending unless said otherwise. */
  order?: { head: string; ascending?: boolean }
}

/** Rows, now. Several queries with the same labels become columns of one row. */
export function table(spec: TableSpec): Panel {
  const names = spec.columns.map(({ from }) => (spec.targets.length === 1 && from === 'Value #A' ? 'Value' : from))
  const transformations = [
    ...(spec.targets.length > 1 ? [{ id: 'merge', options: {} }] : []),
    {
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(names.map((name, index) => [name, index])),
        renameByName: Object.fromEntries(names.map((name, index) => [name, spec.columns[index]!.head])),
      },
    },
  ]
  const options = {
    showHeader: true,
    cellHeight: 'sm',
    frameIndex: 0,
    sortBy: spec.order ? [{ displayName: spec.order.head, desc: spec.order.ascending !== true }] : [],
  }
  const custom = { align: 'auto', inspect: false, filterable: true }
  const made = panelOf('table', spec, options, { custom }, true, spec.columns.map(columnOverride))
  return { ...made, transformations }
}

function columnOverride({ head, unit, colour, verdict, width, links }: Column): Override {
  const properties: Override['properties'] = []
  if (unit) properties.push({ id: 'unit', value: unit })
  if (width) properties.push({ id: 'custom.width', value: width })
  if (links) properties.push({ id: 'links', value: links.map(dataLink) })
  if (verdict) properties.push({ id: 'mappings', value: verdictMappings })
  if (colour) properties.push({ id: 'thresholds', value: { mode: 'absolute', steps: stepsOf(colours[colour]) } })
  if (colour || verdict) properties.push({ id: 'custom.cellOptions', value: { type: 'color-text' } })
  return { matcher: { id: 'byName', options: head }, properties }
}

/** A table of one query with a row per `row` and a column per `column`, cells coloured as verdicts. */
export function matrix(spec: Omit<Spec, 'unit'> & { row: string; column: string }): Panel {
  const custom = { align: 'center', inspect: false, cellOptions: { type: 'color-background', mode: 'basic' } }
  const options = { showHeader: true, cellHeight: 'sm', frameIndex: 0, sortBy: [] }
  const field = { custom, mappings: verdictMappings!, color: { mode: 'thresholds' } } as Field
  const made = panelOf('table', { ...spec, unit: 'none' }, options, field, true)
  const groupingToMatrix = {
    id: 'groupingToMatrix',
    options: { rowField: spec.row, columnField: spec.column, valueField: 'Value', emptyValue: 'null' },
  }
  return { ...made, transformations: [groupingToMatrix] }
}
