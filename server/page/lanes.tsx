import { useMemo, useRef } from 'preact/hooks'
import { wording } from '../../events/select.ts'
import { DAY } from '../../events/zone.ts'
import type { Degradation } from '../../measurement/answers.ts'
import { CONTROL } from '../../measurement/catalogue.ts'
import { appName } from './app-name.ts'
import { type Chart, operationOf } from './chart-load.ts'
import { DegradationStrip, partsOf } from './degradations.tsx'
import { NotNow } from './empty.tsx'
import { EventStrip } from './event-strip.tsx'
import { filterEvents, shadesOf, whenText } from './event-words.ts'
import { Lane } from './lane.tsx'
import { drawPicture, savePicture } from './picture.ts'
import { type Range, timeText } from './range.ts'
import type { Found } from './shade.ts'
import { apart } from './strings/en.ts'
import { directionOf } from './strings/language.ts'
import { useView } from './view.tsx'

type Props = {
  chart: Chart
  app: string
  country: string
  /** What a saved picture says above the chart; its app, country and time otherwise. */
  title?: string
}

/** What newest data a reader of an empty range is offered: the same length, ending where data ends. */
function newestRange({ range, newest }: Chart): Range | null {
  if (newest === null || (newest >= range.from && newest < range.to)) return null
  const end = Math.ceil(newest / DAY + 1) * DAY
  return { from: end - (range.to - range.from), to: end }
}

/** Events, degradations and one lane per network over the same time axis. */
export function Lanes({ chart, app, country, title }: Props) {
  const { address, words, format, now, link } = useView()
  const section = useRef<HTMLElement>(null)
  const { range, step, whole, lanes } = chart
  const everything = [whole, ...lanes.map(lane => lane.series)]
  const operation = operationOf(everything, address.operation)
  const most = operation === null ? 1 : highest(everything.map(series => series.points.map(p => p.latency[operation])))
  const { shown } = filterEvents(chart.events, address)
  const shades = useMemo(
    () => shadesOf(shown, range, now, address.event),
    [chart, address.event, address.quiet, address.confidence, address.kinds.join()],
  )
  const found = useMemo(
    () => new Map(lanes.map(({ network: { asn } }) => [asn, foundOn(asn, chart.degradations, range, now)])),
    [chart],
  )
  const common = { step, range, shades, operation, most }
  const newest = newestRange(chart)
  const empty = everything.every(series => series.points.every(point => point.reachability === null))
  const save = () => {
    if (section.current === null) return
    const heading = words.chart.heading(appName(app, address.language), format.country(country))
    const picture = drawPicture(section.current, {
      title: title ?? `${heading}${words.comma}${format.span(range.from, range.to)}`,
      notes: [
        words.chart.howToRead,
        ...shown.map(
          event =>
            `${apart(wording(event.title, address.language).text)}${words.comma}${whenText(event, { words, format, language: address.language })}`,
        ),
        words.events.note,
      ],
      footer: [
        ...chart.sources.map(source => `${source.attribution} (${source.licence})`),
        `${words.title}: ${location.href}`,
      ],
      warning: chart.sources.some(source => source.origin === 'simulated') ? words.sources.simulated : null,
      rightToLeft: directionOf(address.language) === 'rtl',
    })
    savePicture(picture, `peyk-${app}-${country}-${timeText(range.from).slice(0, 10)}.png`)
  }
  return (
    <section class="lanes" ref={section} aria-label={words.chart.reachability}>
      <p class="quiet">
        {words.chart.howToRead} {words.chart.step[step]} {words.chart.hint}
      </p>
      <EventStrip events={shown} range={range} />
      <DegradationStrip degradations={chart.degradations} range={range} />
      {/* Controls have no series of their own: they are beside every app's. */}
      {empty && app !== CONTROL && <NotNow newest={newest && chart.newest} href={newest ? link(newest) : ''} />}
      <Lane
        {...common}
        name={words.wholeCountry(format.country(country))}
        asn={undefined}
        found={nothing}
        points={whole.points}
        axis
      />
      {lanes.map(({ network, series }, index) => (
        <Lane
          key={network.asn}
          {...common}
          name={network.name ?? format.network(network.asn)}
          asn={network.asn}
          found={found.get(network.asn) ?? nothing}
          points={series.points}
          axis={index === lanes.length - 1}
        />
      ))}
      {operation !== null && <p class="quiet">{words.chart.latency(words.operation[operation]!)}</p>}
      <p>
        <button type="button" class="button" onClick={save}>
          {words.chart.picture}
        </button>
      </p>
    </section>
  )
}

const nothing: readonly Found[] = []

/** What was found on one network, as stretches of the range. */
const foundOn = (asn: number, degradations: readonly Degradation[], range: Range, now: number): Found[] =>
  degradations
    .filter(degradation => degradation.networks.includes(asn))
    .flatMap(one => partsOf(one, range, now).map(part => ({ ...part, verdict: one.verdict })))

/** The slowest of the ordinary times: the 99th percentile, so that one stray value does not flatten every lane. */
function highest(times: (number | null | undefined)[][]): number {
  const sorted = times
    .flat()
    .filter(time => time != null)
    .sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * 0.99)] ?? 1
}
