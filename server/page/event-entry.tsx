import type { PolicyEvent } from '../../events/event.ts'
import { wording } from '../../events/select.ts'
import type { EventEffect } from '../../measurement/effect.ts'
import { Effect } from './effect.tsx'
import { SortShape } from './event-strip.tsx'
import { expectation, otherCalendar, sortOf, whenText } from './event-words.ts'
import { directionOf } from './strings/language.ts'
import { useView } from './view.tsx'

/** A title in the reader's language, and beside it the other of English and Persian where there is one. */
function Titles({ event }: { event: PolicyEvent }) {
  const { address, words } = useView()
  const first = wording(event.title, address.language)
  const other = wording(event.title, address.language === 'fa' ? 'en' : 'fa')
  return (
    <h3>
      <span lang={first.language} dir={directionOf(first.language)}>
        <bdi>{first.text}</bdi>
      </span>
      {other.language !== first.language && (
        <span class="other" lang={other.language} dir={directionOf(other.language)}>
          <bdi>{other.text}</bdi>
        </span>
      )}
      {first.fallback && <small>{words.events.untranslated}</small>}
    </h3>
  )
}

type Props = { event: PolicyEvent; all: readonly PolicyEvent[]; effect: EventEffect | undefined }

/** One event: what, when, how sure, what followed, and on request who said so and where. */
export function EventEntry({ event, all, effect }: Props) {
  const { address, words, format, link } = useView()
  const chosen = event.id === address.event
  const summary = wording(event.summary, address.language)
  const other = otherCalendar(event, format, address.language)
  return (
    <li class={chosen ? 'chosen' : undefined} id={event.id}>
      <p class="meta">
        <SortShape sort={sortOf(event.kind)} /> {words.events.kind[event.kind]} · {words.events.level[event.confidence]}
      </p>
      <Titles event={event} />
      <p>
        <a href={link({ event: chosen ? null : event.id })}>
          {whenText(event, { words, format, language: address.language })}
        </a>
        {other && <small> {other}</small>}
      </p>
      {effect && <Effect effect={effect} />}
      <details open={chosen}>
        <summary>{words.events.details}</summary>
        <p lang={summary.language} dir={directionOf(summary.language)}>
          {summary.text}
        </p>
        <Particulars event={event} />
        <Linked event={event} all={all} />
        <Citations event={event} />
      </details>
    </li>
  )
}

/** Who, where, which use, what was claimed, and what a measurement should see. */
function Particulars({ event }: { event: PolicyEvent }) {
  const { words, format } = useView()
  const { where, features = [], actors, claims = [] } = event
  const networks = where.networksText ?? (where.asns ?? []).map(format.network)
  const uses = features.filter(feature => feature !== 'all').map(feature => words.features[feature] ?? feature)
  const rows: [string, string[]][] = [
    [words.events.expect, expectation(event, words)],
    [words.events.actors, actors.map(actor => actor.name)],
    [words.events.networks, networks],
    [words.events.area, where.area ? [where.area] : []],
    [words.feature, uses],
    [
      words.events.claims,
      claims.map(({ metric, value, unit, by }) => `${metric}: ${format.number(value)} ${unit}${by ? ` (${by})` : ''}`),
    ],
  ]
  return (
    <dl>
      {rows
        .filter(([, texts]) => texts.length > 0)
        .map(([name, texts]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{format.list(texts)}</bdi>
            </dd>
          </div>
        ))}
    </dl>
  )
}

/** A claim and its denial, an order and what ended it: named together where both are in sight. */
function Linked({ event, all }: { event: PolicyEvent; all: readonly PolicyEvent[] }) {
  const { address, words, link } = useView()
  const others = [
    ...(event.links ?? []).map(({ rel, id }) => ({ text: words.events.rel[rel], id })),
    ...all.flatMap(one =>
      (one.links ?? []).some(({ rel, id }) => rel === 'denies' && id === event.id)
        ? [{ text: words.events.deniedBy, id: one.id }]
        : [],
    ),
  ]
  return others.map(({ text, id }) => {
    const other = all.find(one => one.id === id)
    if (!other) return null
    const title = wording(other.title, address.language)
    return (
      <p key={`${text} ${id}`}>
        {text}:{' '}
        <a href={link({ event: id })}>
          <bdi lang={title.language}>{title.text}</bdi>
        </a>
      </p>
    )
  })
}

/** Only the web's own schemes become links: a source is text that somebody typed. */
const isWeb = (url: string | undefined): url is string => /^https?:\/\//.test(url ?? '')

function Citations({ event }: { event: PolicyEvent }) {
  const { words } = useView()
  return (
    <ul class="citations">
      {event.sources.map((source, index) => (
        <li key={`${index} ${source.cite}`}>
          <bdi>{isWeb(source.url) ? <a href={source.url}>{source.cite}</a> : source.cite}</bdi>
          {source.published && <bdi> {source.published}</bdi>} · {words.events.evidence[source.evidence]}
          {isWeb(source.archived) && (
            <>
              {' '}
              · <a href={source.archived}>{words.events.archived}</a>
            </>
          )}
        </li>
      ))}
    </ul>
  )
}
