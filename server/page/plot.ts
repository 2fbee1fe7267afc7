import uPlot from 'uplot'
import { DAY } from '../../events/zone.ts'
import type { Point } from '../../measurement/answers.ts'
import { looks } from '../../measurement/look.ts'
import type { Operation } from '../../measurement/step.ts'
import { isTrouble } from '../../measurement/verdict.ts'
import { niceBelow, withBreaks } from './breaks.ts'
import type { Format } from './format.ts'
import { type Range, secondsOf } from './range.ts'
import { type Found, type Shade, shade, tint } from './shade.ts'

/** Left of every plot there is room for the values, right of it some air: event and degradation strips keep to the same. */
const AXIS = 46
const AIR = 22

export type Plotted = {
  points: readonly Point[]
  range: Range
  /** Seconds a point stands for. */
  length: number
  shades: readonly Shade[]
  found: readonly Found[]
  format: Format
  dark: boolean
  /** Whether this plot writes the times below it. */
  axis: boolean
  onSelect: (range: Range) => void
  /** The point under the cursor, or null where nothing was measured. */
  onPoint: (point: Point | null) => void
}

/** Pixels from the cursor within which a point counts as pointed at. */
const NEAR = 14

function options(
  { range, length, shades, found, format, dark, axis, onSelect, onPoint, points }: Plotted,
  host: HTMLElement,
) {
  const style = getComputedStyle(host)
  const ink = style.getPropertyValue('--quiet').trim()
  const rule = style.getPropertyValue('--rule').trim()
  const font = `11px ${style.fontFamily}`
  const long = range.to - range.from > 3 * DAY
  return {
    width: host.clientWidth,
    height: axis ? 96 : 72,
    padding: [6, AIR, axis ? 0 : 6, 0] as uPlot.Padding,
    legend: { show: false },
    tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    cursor: {
      // Only where the cursor is: were the ends of a drag told as well, every plot would zoom.
      sync: {
        key: 'time',
        setSeries: false,
        filters: { pub: (type: string) => /^mouse(move|leave|enter)$/.test(type) },
      },
      drag: { x: true, y: false, setScale: false },
      points: { show: false },
      y: false,
    },
    scales: { x: { time: true, range: () => [range.from, range.to] as uPlot.Range.MinMax } },
    axes: [
      {
        size: axis ? 26 : 0,
        gap: 4,
        font,
        stroke: ink,
        space: 74,
        grid: { stroke: rule, width: 1 },
        ticks: { show: axis, stroke: rule, size: 4, width: 1 },
        values: (_: uPlot, splits: number[]) =>
          axis ? splits.map(at => (long || at % DAY === 0 ? format.short(at) : format.hour(at))) : [],
      },
    ] as uPlot.Axis[],
    hooks: {
      drawClear: [(plot: uPlot) => shade(plot, shades, dark), (plot: uPlot) => tint(plot, found, dark)],
      setSelect: [
        (plot: uPlot) => {
          if (plot.select.width < 4) return
          const at = (left: number) => plot.posToVal(left, 'x')
          onSelect({ from: at(plot.select.left), to: at(plot.select.left + plot.select.width) })
        },
      ],
      setCursor: [
        (plot: uPlot) => {
          const { left = -1, idx } = plot.cursor
          const point = idx == null ? undefined : points[idx]
          const reach = point ? Math.abs(plot.valToPos(secondsOf(point.at) + length / 2, 'x') - left) : 0
          const width = (plot.width / (range.to - range.from)) * length
          onPoint(point !== undefined && left >= 0 && reach <= Math.max(NEAR, width / 2) ? point : null)
        },
      ],
    },
    axisBase: { stroke: ink, font, size: AXIS, gap: 4, rule },
  }
}

const middles = ({ points, length }: Plotted) => points.map(point => secondsOf(point.at) + length / 2)

/**
 * Reachability: a line where it was measured, and what did not answer hanging from the top, in the colour of the verdict.
 * Where nothing was measured nothing is drawn: a gap is not a zero.
 */
export function plotReachability(host: HTMLElement, plotted: Plotted): uPlot {
  const { axisBase, axes, scales, ...base } = options(plotted, host)
  const { rule, ...axis } = axisBase
  return new uPlot(
    {
      ...base,
      scales: { ...scales, y: { range: [0, 1] } },
      axes: [
        ...axes,
        {
          ...axis,
          splits: () => [0, 0.5, 1],
          values: (_, splits) => splits.map(value => (value === 0.5 ? '' : plotted.format.share(value))),
          grid: { stroke: rule, width: 1 },
          ticks: { show: false },
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: { ...base.hooks, draw: [plot => hang(plot, plotted)] },
    },
    [middles(plotted), plotted.points.map(point => point.reachability)],
    host,
  )
}

function hang(plot: uPlot, { points, length, dark }: Plotted): void {
  const { ctx, bbox } = plot
  const dense = devicePixelRatio
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top - 3 * dense, bbox.width, bbox.height + 6 * dense)
  ctx.clip()
  const top = plot.valToPos(1, 'y', true)
  const quiet = looks.insufficient[dark ? 'dark' : 'light']
  for (const point of points) {
    if (point.reachability === null) continue
    const start = plot.valToPos(secondsOf(point.at), 'x', true)
    const end = plot.valToPos(secondsOf(point.at) + length, 'x', true)
    // A short window on a long axis would vanish between two pixels.
    const width = Math.max(end - start, 2 * dense)
    const y = plot.valToPos(point.reachability, 'y', true)
    const colour = looks[point.verdict][dark ? 'dark' : 'light']
    // What is missing without anybody's verdict on it stays grey: a failed attempt is not yet trouble.
    ctx.fillStyle = isTrouble(point.verdict) ? colour : quiet
    ctx.globalAlpha = isTrouble(point.verdict) ? 0.55 : 0.3
    ctx.fillRect(start, top, width, y - top)
    ctx.globalAlpha = 1
    ctx.fillStyle = colour
    ctx.fillRect(start, y - dense, width, 2 * dense)
  }
  ctx.restore()
}

/** Time of one operation, seconds; the line breaks where more than three windows hold no value. */
export function plotLatency(host: HTMLElement, plotted: Plotted, operation: Operation, most: number): uPlot {
  const { axisBase, axes, scales, ...base } = options(plotted, host)
  const { rule, ...axis } = axisBase
  const times = plotted.points.map(point => point.latency[operation] ?? null)
  const stroke = getComputedStyle(host).getPropertyValue('--line').trim()
  return new uPlot(
    {
      ...base,
      scales: { ...scales, y: { range: [0, most * 1.08] } },
      axes: [
        ...axes,
        {
          ...axis,
          splits: () => [0, niceBelow(most)],
          values: (_, splits) => splits.map(value => plotted.format.duration(value)),
          grid: { stroke: rule, width: 1 },
          ticks: { show: false },
        },
      ],
      series: [{}, { stroke, width: 1.5, points: { size: 4, fill: stroke, stroke } }],
      hooks: base.hooks,
    },
    withBreaks(middles(plotted), times, plotted.length * 3),
    host,
  )
}
