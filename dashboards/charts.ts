/** Panels that draw: values over time, single numbers, bars, verdicts over time, distributions, and words. */
import { looks } from '../measurement/look.ts'
import { verdicts } from '../measurement/verdict.ts'
import { type Field, legendOf, type Override, type Panel, panelOf, type Spec, verdictMappings } from './panel.ts'

export type LinesSpec = Spec & {
  /** Stack areas: parts of a whole. */
  stack?: boolean
  /** Legends that match are drawn dashed and pale: what it is compared with. */
  dashed?: string
  logarithmic?: boolean
}

/** Values over time. Gaps stay gaps: absence of data is never a line. */
export function lines(spec: LinesSpec): Panel {
  const custom = {
    drawStyle: 'line',
    lineInterpolation: 'stepAfter',
    lineWidth: spec.stack === true ? 0 : 2,
    fillOpacity: spec.stack === true ? 60 : 0,
    showPoints: 'auto',
    pointSize: 4,
    spanNulls: false,
    stacking: { mode: spec.stack === true ? 'normal' : 'none', group: 'A' },
    thresholdsStyle: { mode: (spec.colour ?? 'none') === 'none' ? 'off' : 'dashed' },
    scaleDistribution: spec.logarithmic === true ? { type: 'log', log: 2 } : { type: 'linear' },
  }
  const dashed: Override[] =
    spec.dashed === undefined
      ? []
      : [
          {
            matcher: { id: 'byRegexp', options: spec.dashed },
            properties: [
              { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } },
              { id: 'custom.lineWidth', value: 1 },
            ],
          },
        ]
  const options = { legend: legendOf(['lastNotNull', 'min', 'max']), tooltip: { mode: 'multi', sort: 'desc' } }
  return panelOf('timeseries', spec, options, { color: { mode: 'palette-classic' }, custom }, false, dashed)
}

/** Single numbers, now. */
export function numbers(spec: Spec & { verdict?: boolean; text?: 'value_and_name' | 'value' | 'name' }): Panel {
  const options = {
    colorMode: 'value',
    graphMode: 'none',
    justifyMode: 'auto',
    orientation: 'auto',
    textMode: spec.text ?? 'auto',
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: 'standard',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    legend: legendOf(),
  }
  const field = { color: { mode: 'thresholds' }, ...(spec.verdict === true ? { mappings: verdictMappings } : {}) }
  return panelOf('stat', { height: 4, ...spec }, options, field as Field, true)
}

/** Shares of a whole as bars, now. */
export function bars(spec: Spec & { verdict?: boolean }): Panel {
  const options = {
    displayMode: 'basic',
    valueMode: 'text',
    namePlacement: 'left',
    showUnfilled: true,
    sizing: 'auto',
    minVizWidth: 8,
    minVizHeight: 16,
    maxVizHeight: 30,
    orientation: 'horizontal',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    legend: legendOf(),
  }
  // Bars named by a verdict take its colour, whatever their length.
  const overrides: Override[] = spec.verdict === true ? verdicts.map(paintedAs) : []
  return panelOf('bargauge', spec, options, { color: { mode: 'thresholds' } }, true, overrides)
}

const paintedAs = (verdict: (typeof verdicts)[number]): Override => ({
  matcher: { id: 'byName', options: verdict },
  properties: [
    { id: 'color', value: { mode: 'fixed', fixedColor: looks[verdict].dark } },
    { id: 'displayName', value: `${looks[verdict].shape} ${looks[verdict].word}` },
  ],
})

/** Verdicts over time, a row each; values are ranks. */
export function timeline(spec: Omit<Spec, 'unit'>): Panel {
  const options = {
    showValue: 'never',
    rowHeight: 0.85,
    mergeValues: true,
    alignValue: 'left',
    legend: legendOf(),
    tooltip: { mode: 'single', sort: 'none' },
  }
  const custom = { fillOpacity: 85, lineWidth: 0, spanNulls: false }
  const field: Field = { color: { mode: 'thresholds' }, mappings: verdictMappings!, custom }
  return panelOf('state-timeline', { ...spec, unit: 'none' }, options, field, false)
}

/** Durations of a histogram over time: the query sums by `le`. */
export function heat(spec: Spec): Panel {
  const options = {
    calculate: false,
    color: { mode: 'scheme', scheme: 'Blues', fill: 'blue', exponent: 0.5, steps: 64, reverse: false },
    cellGap: 1,
    filterValues: { le: 1e-9 },
    rowsFrame: { layout: 'auto' },
    showValue: 'never',
    tooltip: { mode: 'single', yHistogram: false, showColorScale: true },
    yAxis: { unit: spec.unit, axisPlacement: 'left', reverse: false },
    cellValues: { unit: 'ops' },
    legend: { show: true },
  }
  const made = panelOf('heatmap', spec, options, {}, false)
  return { ...made, targets: made.targets.map(one => ({ ...one, format: 'heatmap' as const })) }
}

/** A few sentences on the board itself. */
export function text(spec: Pick<Spec, 'id' | 'title' | 'width' | 'height'> & { markdown: string }): Panel {
  return {
    type: 'text',
    id: spec.id,
    title: spec.title,
    description: 'How to read this board.',
    gridPos: { x: 0, y: 0, w: spec.width, h: spec.height ?? 4 },
    options: {
      mode: 'markdown',
      content: spec.markdown,
      code: { language: 'plaintext', showLineNumbers: false, showMiniMap: false },
    },
    fieldConfig: { defaults: {}, overrides: [] },
  } satisfies Panel
}
