/**
 * House style of panels: every panel has an id, a title, a description that says how to read it, a unit, named
 * thresholds, a legend, and links to the next closer look. Classic JSON, typed by Grafana's foundation SDK (types only).
 */
import type * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import { looks } from '../measurement/look.ts'
import { verdicts } from '../measurement/verdict.ts'
import type { Query } from './query.ts'
import { type Colour, colours, type Steps } from './thresholds.ts'

/** The SDK's shapes with plain strings where it has enums, so that nothing of it is needed to run. */
export type Plain<T> = 0 extends 1 & T
  ? T
  : T extends string
    ? `${T}`
    : T extends readonly (infer E)[]
      ? Plain<E>[]
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T

/** A Prometheus query as a panel asks it. */
export type Asked = {
  refId: string
  datasource: typeof DATASOURCE
  expr: string
  legendFormat: string
  instant: boolean
  range: boolean
  format?: 'table' | 'heatmap'
}

export type Panel = Omit<Plain<sdk.Panel>, 'targets'> & {
  id: number
  title: string
  gridPos: Plain<sdk.GridPos>
  targets?: Asked[]
}
export type Field = Plain<sdk.FieldConfig>
export type Override = { matcher: { id: string; options: string }; properties: { id: string; value?: unknown }[] }

/** Units of Grafana that we use; each is on dashboard-linter's list. */
export type Unit =
  | 'percentunit'
  | 's'
  | 'Bps'
  | 'bytes'
  | 'short'
  | 'none'
  | 'ops'
  | 'dateTimeAsIso'
  | 'dateTimeFromNow'

export type Target = {
  promql: string
  legend: string
  /** As the last value instead of a graph; always so in tables and single numbers. */
  instant?: boolean
}

/** One query and its legend: labels of the query joined by a dot, and a word before them. */
export const target = <const L extends string>(query: Query<NoInfer<L>>, legend: readonly L[], word = ''): Target => ({
  promql: query.promql,
  legend: [word, ...legend.map(label => `{{${label}}}`)].filter(part => part !== '').join(' · ') || 'value',
})

/** A place one click away. `url` may use Grafana's `${__field.labels.x}`, `${__data.fields.x}` and variables. */
export type Link = { title: string; url: string }

export type Spec = {
  id: number
  title: string
  /** How to read it: the panel's description. */
  read: string
  unit: Unit
  width: number
  height?: number
  targets: readonly Target[]
  colour?: Colour
  links?: readonly Link[]
  min?: number
  max?: number
  decimals?: number
  /** Least step. Rollups are read with `5m`, their own distance. */
  every?: '5m'
  /** Text where there is no value. */
  empty?: string
}

export const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' }

const refIds = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

export const stepsOf = (steps: Steps) => steps.map(([value, look]) => ({ value, color: looks[look].dark }))

/** Verdict ranks and names as words and colours of the page. */
export const verdictMappings: Field['mappings'] = [
  {
    type: 'value',
    options: Object.fromEntries(
      verdicts.flatMap((verdict, rank) => {
        const look = { text: `${looks[verdict].shape} ${looks[verdict].word}`, color: looks[verdict].dark, index: rank }
        return [
          [String(rank), look],
          [verdict, look],
        ]
      }),
    ),
  },
]

export const dataLink = ({ title, url }: Link) => ({ title, url, targetBlank: false })

export function panelOf(
  type: string,
  spec: Spec,
  options: object,
  field: Field,
  instant: boolean,
  overrides: Override[] = [],
) {
  const table = type === 'table'
  return {
    type,
    id: spec.id,
    title: spec.title,
    description: spec.read,
    datasource: DATASOURCE,
    gridPos: { x: 0, y: 0, w: spec.width, h: spec.height ?? 8 },
    ...(spec.every === undefined ? {} : { interval: spec.every }),
    targets: spec.targets.map(({ promql, legend, instant: own }, index) => {
      const once = instant || own === true
      return {
        refId: refIds[index]!,
        datasource: DATASOURCE,
        expr: promql,
        legendFormat: legend,
        instant: once,
        range: !once,
        ...(table ? { format: 'table' as const } : {}),
      }
    }),
    options,
    fieldConfig: {
      defaults: {
        unit: spec.unit,
        thresholds: { mode: 'absolute', steps: stepsOf(colours[spec.colour ?? 'none']) },
        ...(spec.min === undefined ? {} : { min: spec.min }),
        ...(spec.max === undefined ? {} : { max: spec.max }),
        ...(spec.decimals === undefined ? {} : { decimals: spec.decimals }),
        ...(spec.empty === undefined ? {} : { noValue: spec.empty }),
        links: (spec.links ?? []).map(dataLink) as never[],
        ...field,
      },
      overrides,
    },
  } satisfies Panel
}

export const legendOf = (calcs: string[] = [], placement: 'bottom' | 'right' = 'bottom') => ({
  showLegend: true,
  displayMode: calcs.length > 0 ? 'table' : 'list',
  placement,
  calcs,
})
