import { DAY } from '../../events/zone.ts'
import type { Degradation } from '../../measurement/answers.ts'
import { CONTROL } from '../../measurement/catalogue.ts'
import type { FindingAnswer } from '../../measurement/evidence.ts'
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
import { apart } from './strings/en.ts'
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

type Found = {
  degradation: Degradation
  revisions: readonly Degradation[]
  evidence: FindingAnswer['evidence']
  chart: Chart
}

type Wanted = { revision: number | null; all: boolean; now: number }

async function load(id: string, { revision, all, now }: Wanted, signal: AbortSignal): Promise<Found> {
  const { degradation, revisions, evidence } = await ask<FindingAnswer>(`/v1/degradations/${id}`, { revision }, signal)
  const { app, country, feature, networks } = degradation
  const range = rangeAround(degradation, now)
  // Its own networks, and beside them the networks of the country it was compared with.
  const chart = await loadChart(
    { app, country, feature, networks: all ? [] : networks, all, step: null, range },
    signal,
  )
  return { degradation, revisions, evidence, chart }
}

/** One degradation, for citing: its sentence, its chart, what it was compared with, and how to refer to it. */
export function FindingView({ id }: { id: string }) {
  const { address, words, now } = useView()
  const { revision, all } = address
  const { value, trouble } = useAsked(`${id} ${revision} ${all}`, signal => load(id, { revision, all, now }, signal))
  if (value === null) return trouble ? <Absent trouble={trouble} /> : <p class="loading">{words.loading}</p>
  const { degradation, revisions, evidence, chart } = value
  const { shown, hidden } = filterEvents(chart.events, address)
  return (
    <article class="finding">
      <SimulatedBand sources={chart.sources} />
      <p class="meta">{words.finding.heading}</p>
      <h1 class="sentence" dir="auto">
        {degradation.sentence[address.language]}
      </h1>
      <Older degradation={degradation} revisions={revisions} />
      <Facts degradation={degradation} chart={chart} evidence={evidence} />
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
        <EventList all={chart.events} shown={shown} hidden={hidden} effects={chart.effects} />
      </div>
      <Sources sources={chart.sources} />
    </article>
  )
}

function Absent({ trouble }: { trouble: Trouble }) {
  const { words } = useView()
  return trouble.status === 404 ? <p class="empty">{words.finding.absent}</p> : <TroubleNote trouble={trouble} />
}

/** A link to an older revision shows what was said then, and that more is known now; a withdrawn one says that first. */
function Older({ degradation, revisions }: Pick<Found, 'degradation' | 'revisions'>) {
  const { words, link } = useView()
  const newest = revisions.at(-1)
  if (newest?.withdrawn) return <p class="caution">{words.finding.withdrawn}</p>
  if (!newest || newest.revision === degradation.revision) return null
  return (
    <p class="caution">
      {words.finding.older} <a href={link({ revision: null })}>{words.finding.newest}</a>
    </p>
  )
}

/** Late data move, widen or withdraw a finding; what was said before stays to be read. */
function Revisions({ revisions }: { revisions: readonly Degradation[] }) {
  const { address, words, format, link } = useView()
  if (revisions.length < 2) return null
  return (
    <details class="revisions">
      <summary>{words.finding.revisions}</summary>
      <ol>
        {revisions.map(({ revision, known, sentence }) => (
          <li key={revision}>
            <a href={link({ revision })}>{format.instant(secondsOf(known))}</a>{' '}
            <span dir="auto">{sentence[address.language]}</span>
          </li>
        ))}
      </ol>
    </details>
  )
}

function Facts({ degradation, chart, evidence }: Omit<Found, 'revisions'>) {
  const { address, words, format, link } = useView()
  const spanText = useSpanText()
  const { app, country, networks, verdict, state, share, slower, agents, control, recurring, layer } = degradation
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
        slower === undefined
          ? app !== CONTROL && words.finding.sizeText(format.share(share))
          : words.finding.slowerText(format.number(slower)),
        words.agents(agents, format.number(agents)),
        layer && words.layer[layer],
      ]
        .filter(Boolean)
        .join(words.semicolon),
    ],
    [words.finding.control, <bdi>{words.finding.controls[control] ?? control}</bdi>],
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
          href={link(
            app === CONTROL
              ? { ...home, country, at: secondsOf(degradation.onset) }
              : { ...home, app, country, feature: degradation.feature, networks, ...chart.range },
          )}
        >
          {words.finding.chart}
        </a>
        <a class="button" href={link({ all: !address.all })}>
          {address.all ? words.chart.fewer : words.finding.compare}
        </a>
        <a class="button" href={evidence.bundle} download>
          {words.finding.bundle}
        </a>
        <a class="button" href={`${evidence.chart}&lang=${address.language}`} target="_blank" rel="noopener">
          {words.finding.drawing}
        </a>
        <a
          class="button"
          href={linkOf(`/v1/degradations/${degradation.id}`, { revision: degradation.revision })}
          target="_blank"
          rel="noopener"
        >
          {words.finding.evidence}
        </a>
      </p>
    </>
  )
}

/** A line to put under an article: what, whose, where, when read. */
function Citation({ degradation }: { degradation: Degradation }) {
  const { address, words, format, now } = useView()
  // What was cited stays what was said then.
  const link = `${location.origin}/finding/${degradation.id}?revision=${degradation.revision}`
  const known = words.finding.known(format.day(secondsOf(degradation.known)), format.number(degradation.revision))
  const text = words.finding.citation(degradation.sentence[address.language], known, apart(link), format.day(now))
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
