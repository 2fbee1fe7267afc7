import { useMemo } from 'preact/hooks'
import { DAY } from '../../events/zone.ts'
import type { Degradation } from '../../measurement/answers.ts'
import { useAsked } from './ask.ts'
import { ChartControls } from './chart-controls.tsx'
import { type Chart, loadChart, operationOf } from './chart-load.ts'
import { DegradationList, DegradationStrip, partsOf } from './degradations.tsx'
import { NotNow } from './empty.tsx'
import { EventList } from './event-list.tsx'
import { EventStrip } from './event-strip.tsx'
import { filterEvents, shadesOf } from './event-words.ts'
import { Lane } from './lane.tsx'
import { SimulatedBand, Sources, TroubleNote } from './notices.tsx'
import { type Range, rangeOf } from './range.ts'
import type { Found } from './shade.ts'
import { useView } from './view.tsx'

/** One app in one country over time: each network's reachability and latency, events and degradations above. */
export function ChartView({ app, country }: { app: string; country: string }) {
  const { address, words, now } = useView()
  const { feature, networks, all, step } = address
  const range = rangeOf(address, now)
  const key = JSON.stringify([app, country, feature, networks, all, step, range])
  const { value, trouble, waiting } = useAsked(key, signal =>
    loadChart({ app, country, feature, networks, all, step, range }, signal),
  )
  if (value === null) return trouble ? <TroubleNote trouble={trouble} /> : <p class="loading">{words.loading}</p>
  return (
    <>
      <SimulatedBand sources={value.sources} />
      <TroubleNote trouble={trouble} />
      <ChartControls app={app} country={country} chart={value} waiting={waiting} />
      <div class="chart">
        <div>
          <Lanes chart={value} country={country} />
          <DegradationList degradations={value.degradations} events={value.events} />
        </div>
        <Events chart={value} />
      </div>
      <Sources sources={value.sources} />
    </>
  )
}

function Events({ chart }: { chart: Chart }) {
  const { address } = useView()
  const { shown, hidden } = filterEvents(chart.events, address)
  return <EventList all={chart.events} shown={shown} hidden={hidden} />
}

/** What newest data a reader of an empty range is offered: the same length, ending where data ends. */
function newestRange({ range, newest }: Chart): Range | null {
  if (newest === null || (newest >= range.from && newest < range.to)) return null
  const end = Math.ceil(newest / DAY + 1) * DAY
  return { from: end - (range.to - range.from), to: end }
}

/** Events, degradations and one lane per network over the same time axis. */
export function Lanes({ chart, country }: { chart: Chart; country: string }) {
  const { address, words, format, now, link } = useView()
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
  return (
    <section class="lanes" aria-label={words.chart.reachability}>
      <p class="quiet">
        {words.chart.howToRead} {words.chart.step[step]} {words.chart.hint}
      </p>
      <EventStrip events={shown} range={range} />
      <DegradationStrip degradations={chart.degradations} range={range} />
      {empty && <NotNow newest={newest && chart.newest} href={newest ? link(newest) : ''} />}
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
