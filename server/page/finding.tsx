import { DAY } from '../../events/zone.ts'
import type { Degradation } from '../../measurement/answers.ts'
import { home } from './address.ts'
import { appName } from './app-name.ts'
import { ask, linkOf, type Trouble, useAsked } from './ask.ts'
import { type Chart, loadChart } from './chart-load.ts'
import { Near, useSpanText } from './degradations.tsx'
import { EventList } from './event-list.tsx'
import { filterEvents } from './event-words.ts'
import { Lanes } from './lanes.tsx'
import { SimulatedBand, Sources, TroubleNote } from './notices.tsx'
import { type Range, secondsOf } from './range.ts'
import { VerdictMark } from './shape.tsx'
import { useView } from './view.tsx'

/** The finding with a quarter of its length to either side, at least two days, so that its onset and end both show. */
function rangeAround({ onset, end }: Pick<Degradation, 'onset' | 'end'>, now: number): Range {
  const from = secondsOf(onset)
  const to = end === null ? now : secondsOf(end)
  const margin = Math.max((to - from) / 4, 2 * DAY)
  return {
    from: Math.floor((from - margin) / DAY) * DAY,
    to: end === null ? Math.ceil(now / 3_600) * 3_600 : Math.ceil((to + margin) / DAY) * DAY,
  }
}

type Found = { degradation: Degradation; revisions: readonly Degradation[]; chart: Chart }

type Answer = { degradation: Degradation; revisions: Degradation[] }

async function load(id: string, now: number, all: boolean, signal: AbortSignal): Promise<Found> {
  const { degradation, revisions } = await ask<Answer>(`/v1/degradations/${id}`, {}, signal)
  const { app, country, feature, networks } = degradation
  const range = rangeAround(degradation, now)
  // Its own networks, and beside them the networks of the country it was compared with.
  const chart = await loadChart(
    { app, country, feature, networks: all ? [] : networks, all, step: null, range },
    signal,
  )
  return { degradation, revisions, chart }
}

/** One degradation, for citing: its sentence, its chart, what it was compared with, and how to refer to it. */
export function FindingView({ id }: { id: string }) {
  const { address, words, now } = useView()
  const { value, trouble } = useAsked(`${id} ${address.all}`, signal => load(id, now, address.all, signal))
  if (value === null) return trouble ? <Absent trouble={trouble} /> : <p class="loading">{words.loading}</p>
  const { degradation, revisions, chart } = value
  const { shown, hidden } = filterEvents(chart.events, address)
  return (
    <article class="finding">
      <SimulatedBand sources={chart.sources} />
      <p class="meta">{words.finding.heading}</p>
      <h1 class="sentence" dir="auto">
        {degradation.sentence[address.language]}
      </h1>
      <Facts degradation={degradation} chart={chart} />
      <div class="chart">
        <div>
          <Lanes
            chart={chart}
            app={degradation.app}
            country={degradation.country}
            title={degradation.sentence[address.language]}
          />
          <Near degradation={degradation} events={chart.events} />
          <Revisions revisions={revisions} />
          <Citation degradation={degradation} />
        </div>
        <EventList all={chart.events} shown={shown} hidden={hidden} />
      </div>
      <Sources sources={chart.sources} />
    </article>
  )
}

function Absent({ trouble }: { trouble: Trouble }) {
  const { words } = useView()
  return trouble.status === 404 ? <p class="empty">{words.finding.absent}</p> : <TroubleNote trouble={trouble} />
}

/** Late data move, widen or withdraw a finding; what was said before stays to be read. */
function Revisions({ revisions }: { revisions: readonly Degradation[] }) {
  const { address, words, format } = useView()
  if (revisions.length < 2) return null
  return (
    <details class="revisions">
      <summary>{words.finding.revisions}</summary>
      <ol>
        {revisions.map(({ revision, known, sentence }) => (
          <li key={revision}>
            <small>{format.instant(secondsOf(known))}</small> <span dir="auto">{sentence[address.language]}</span>
          </li>
        ))}
      </ol>
    </details>
  )
}

function Facts({ degradation, chart }: Pick<Found, 'degradation' | 'chart'>) {
  const { address, words, format, link } = useView()
  const spanText = useSpanText()
  const { app, country, networks, verdict, state, share, agents, control, recurring, layer } = degradation
  const nameOf = (asn: number) => chart.networks.find(network => network.asn === asn)?.name
  const facts: [string, preact.ComponentChildren][] = [
    [words.finding.when, spanText(degradation)],
    ...(recurring
      ? ([[words.finding.recurring, <bdi>{format.windows(recurring)}</bdi>]] as [string, preact.ComponentChildren][])
      : []),
    [
      words.finding.where,
      `${appName(app, address.language)}${words.comma}${format.country(country)}: ${format.list(networks.map(asn => [nameOf(asn), format.network(asn)].filter(Boolean).join(' ')))}`,
    ],
    [
      words.finding.size,
      [
        words.finding.sizeText(format.share(share)),
        words.agents(agents, format.number(agents)),
        layer && words.layer[layer],
      ]
        .filter(Boolean)
        .join(words.semicolon),
    ],
    [words.finding.control, <bdi>{control}</bdi>],
    [
      words.finding.state,
      `${words.state[state]}${words.semicolon}${words.finding.known(format.instant(secondsOf(degradation.known)), format.number(degradation.revision))}`,
    ],
  ]
  return (
    <>
      <VerdictMark verdict={verdict} />
      <dl class="facts">
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p class="controls">
        <a
          class="button"
          href={link({ ...home, app, country, feature: degradation.feature, networks, ...chart.range })}
        >
          {words.finding.chart}
        </a>
        <a class="button" href={link({ all: !address.all })}>
          {address.all ? words.chart.fewer : words.finding.compare}
        </a>
        <a class="button" href={linkOf(`/v1/degradations/${degradation.id}`)} target="_blank" rel="noopener">
          {words.finding.evidence}
        </a>
      </p>
    </>
  )
}

/** A line to put under an article: what, whose, where, when read. */
function Citation({ degradation }: { degradation: Degradation }) {
  const { address, words, format, now } = useView()
  const link = `${location.origin}/finding/${degradation.id}`
  const text = `Peyk: “${degradation.sentence[address.language]}” (${words.finding.known(
    format.day(secondsOf(degradation.known)),
    format.number(degradation.revision),
  )}). ${link}, ${format.day(now)}.`
  return (
    <section class="citation">
      <h2>{words.finding.cite}</h2>
      <blockquote dir="auto">{text}</blockquote>
      <button
        type="button"
        class="button"
        onClick={event => {
          const button = event.currentTarget
          void navigator.clipboard.writeText(text).then(() => {
            button.textContent = words.finding.copied
          })
        }}
      >
        {words.finding.copy}
      </button>
    </section>
  )
}
