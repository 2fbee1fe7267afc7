import { useEffect, useRef, useState } from 'preact/hooks'
import type uPlot from 'uplot'
import type { Point } from '../../measurement/answers.ts'
import type { Operation } from '../../measurement/step.ts'
import { isTrouble } from '../../measurement/verdict.ts'
import { type Plotted, plotLatency, plotReachability } from './plot.ts'
import { lengthOf, type Range, rounded, secondsOf } from './range.ts'
import type { Found, Shade } from './shade.ts'
import { go, useView, type View } from './view.tsx'

type Props = {
  name: string
  asn: number | undefined
  points: readonly Point[]
  step: string
  range: Range
  shades: readonly Shade[]
  /** Degradations of this network. */
  found: readonly Found[]
  operation: Operation | null
  /** Seconds at the top of every latency plot, so that lanes compare. */
  most: number
  axis: boolean
}

const DARK = '(prefers-color-scheme: dark)'

function useDark(): boolean {
  const [dark, turn] = useState(() => matchMedia(DARK).matches)
  useEffect(() => {
    const theme = matchMedia(DARK)
    const turned = () => turn(theme.matches)
    theme.addEventListener('change', turned)
    return () => theme.removeEventListener('change', turned)
  }, [])
  return dark
}

/** What one point says, in words; the readout of a lane. */
function readout({ words, format }: Pick<View, 'words' | 'format'>, point: Point, operation: Operation | null): string {
  const share = point.reachability === null ? words.nothingMeasured : words.answered(format.share(point.reachability))
  const interval =
    point.low === null || point.high === null
      ? ''
      : `(${words.interval(format.share(point.low), format.share(point.high))})`
  const time = operation === null ? null : point.latency[operation]
  const [failure] = Object.entries(point.failures).sort((a, b) => b[1] - a[1])
  return [
    `${format.instant(secondsOf(point.at))}: ${words.verdict[point.verdict]}`,
    point.layer && isTrouble(point.verdict) ? words.layer[point.layer] : '',
    `${share} ${interval}`.trim(),
    time == null ? '' : `${words.operation[operation!]} ${format.duration(time)}`,
    words.agents(point.agents, format.number(point.agents)),
    failure ? `${failure[0]} × ${format.number(failure[1])}` : '',
  ]
    .filter(Boolean)
    .join(' · ')
}

/** One network in time: reachability above, latency below, policy events behind both. */
export function Lane(props: Props) {
  const { name, points, step, range, shades, found, operation, most, axis } = props
  const view = useView()
  const { words, format } = view
  const dark = useDark()
  const reach = useRef<HTMLDivElement>(null)
  const speed = useRef<HTMLDivElement>(null)
  const plots = useRef<HTMLDivElement>(null)
  const said = useRef<HTMLParagraphElement>(null)
  const plot = useRef<uPlot | null>(null)
  const measured = points.filter(point => point.reachability !== null)
  const timed = operation === null ? [] : measured.filter(point => point.latency[operation] != null)
  const hasSpeed = timed.length > 0

  useEffect(() => {
    const say = (point: Point | null) => {
      const text = point === null ? '' : readout(view, point, operation)
      if (said.current) said.current.textContent = text
      plots.current?.setAttribute('aria-valuetext', text || words.nothingMeasured)
      plots.current?.setAttribute('aria-valuenow', `${point === null ? 0 : measured.indexOf(point) + 1}`)
    }
    const onSelect = (chosen: Range) => {
      const { from, to } = rounded(chosen)
      go(view.link({ from, to }))
    }
    const common = { range, length: lengthOf(step), shades, found, format, dark, onSelect }
    const upper: Plotted = { ...common, points: measured, axis: axis && !hasSpeed, onPoint: say }
    const drawn = [plotReachability(reach.current!, upper)]
    plot.current = drawn[0]!
    if (operation !== null && hasSpeed && speed.current)
      drawn.push(plotLatency(speed.current, { ...common, points: timed, axis, onPoint: () => {} }, operation, most))
    const fit = new ResizeObserver(() => {
      const width = reach.current?.clientWidth ?? 0
      for (const one of drawn) if (width > 0 && width !== one.width) one.setSize({ width, height: one.height })
    })
    fit.observe(reach.current!)
    return () => {
      fit.disconnect()
      for (const one of drawn) one.destroy()
    }
  }, [points, step, range.from, range.to, shades, found, operation, most, axis, dark, format.short(range.from)])

  return (
    <figure class="lane">
      <figcaption>
        <bdi>{name}</bdi>{' '}
        {props.asn !== undefined && name !== format.network(props.asn) && (
          <small dir="ltr">{format.network(props.asn)}</small>
        )}
      </figcaption>
      <p class="said" ref={said} />
      <div
        class="plots"
        dir="ltr"
        ref={plots}
        role="slider"
        tabIndex={0}
        aria-label={words.chart.lane(name)}
        aria-valuemin={0}
        aria-valuemax={measured.length}
        aria-valuenow={0}
        onKeyDown={event => plot.current && moveCursor(event, plot.current)}
      >
        <div class={axis && !hasSpeed ? 'plot with-axis' : 'plot'} ref={reach} />
        {hasSpeed && <div class={axis ? 'plot with-axis' : 'plot'} ref={speed} />}
      </div>
    </figure>
  )
}

/** Arrow keys move the cursor from point to point, ten at a time with Shift. */
function moveCursor(event: KeyboardEvent, plot: uPlot): void {
  const last = plot.data[0].length - 1
  const from = plot.cursor.idx ?? (event.key === 'ArrowLeft' ? last + 1 : -1)
  const by = event.shiftKey ? 10 : 1
  const goal: Record<string, number> = { ArrowRight: from + by, ArrowLeft: from - by, Home: 0, End: last }
  const wanted = goal[event.key]
  if (wanted === undefined || last < 0) return
  event.preventDefault()
  const index = Math.min(Math.max(wanted, 0), last)
  plot.setCursor({ left: plot.valToPos(plot.data[0][index]!, 'x'), top: 10 })
}
