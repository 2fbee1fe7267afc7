import { useAsked } from './ask.ts'
import { ChartControls } from './chart-controls.tsx'
import { type Chart, loadChart } from './chart-load.ts'
import { DegradationList } from './degradations.tsx'
import { EventList } from './event-list.tsx'
import { filterEvents } from './event-words.ts'
import { Lanes } from './lanes.tsx'
import { SimulatedBand, Sources, TroubleNote } from './notices.tsx'
import { rangeOf } from './range.ts'
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
          <Lanes chart={value} app={app} country={country} />
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
  return <EventList all={chart.events} shown={shown} hidden={hidden} effects={chart.effects} />
}
