import type { EventKind, PolicyEvent } from '../../events/event.ts'
import { wording } from '../../events/select.ts'
import { SortShape } from './event-strip.tsx'
import { expectation, sortOf, whenText } from './event-words.ts'
import { directionOf } from './strings/language.ts'
import { go, useView } from './view.tsx'

type Props = { all: readonly PolicyEvent[]; shown: readonly PolicyEvent[]; hidden: number }

/** The events of a chart in words, with their filter. */
export function EventList({ all, shown, hidden }: Props) {
  const { words } = useView()
  return (
    <section class="event-list" aria-labelledby="events-heading">
      <h2 id="events-heading">{words.events.heading}</h2>
      <p class="caution">{words.events.note}</p>
      {all.length > 0 && <Filter all={all} hidden={hidden} />}
      {shown.length === 0 ? (
        <p class="quiet">{all.length === 0 ? words.events.none : words.events.noneLeft}</p>
      ) : (
        <ol>
          {shown.map(event => (
            <Entry key={event.id} event={event} />
          ))}
        </ol>
      )}
    </section>
  )
}

function Filter({ all, hidden }: { all: readonly PolicyEvent[]; hidden: number }) {
  const { address, words, format, link } = useView()
  const kinds = [...new Set(all.map(event => event.kind))]
  const toggled = (kind: EventKind) =>
    address.kinds.includes(kind) ? address.kinds.filter(one => one !== kind) : [...address.kinds, kind]
  return (
    <div class="filter">
      {kinds.length > 1 && (
        <fieldset>
          <legend>{words.events.kinds}</legend>
          {kinds.map(kind => (
            <label key={kind} class="chip">
              <input
                type="checkbox"
                checked={address.kinds.includes(kind)}
                onChange={() => go(link({ kinds: toggled(kind) }))}
              />
              <SortShape sort={sortOf(kind)} /> {words.events.kind[kind]}
            </label>
          ))}
        </fieldset>
      )}
      <label>
        {words.events.confidence}{' '}
        <select
          value={address.confidence}
          onChange={event => go(link({ confidence: event.currentTarget.value as typeof address.confidence }))}
        >
          {(['rumor', 'reported', 'confirmed'] as const).map(level => (
            <option key={level} value={level}>
              {words.events.level[level]}
            </option>
          ))}
        </select>
      </label>
      {(hidden > 0 || address.quiet) && (
        <a class="button" href={link({ quiet: !address.quiet })}>
          {address.quiet ? words.events.quietShown : words.events.quiet(hidden, format.number(hidden))}
        </a>
      )}
    </div>
  )
}

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

function Entry({ event }: { event: PolicyEvent }) {
  const { address, words, format, link } = useView()
  const chosen = event.id === address.event
  const summary = wording(event.summary, address.language)
  const expected = expectation(event, words)
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
      </p>
      <details open={chosen}>
        <summary>{words.events.details}</summary>
        <p lang={summary.language} dir={directionOf(summary.language)}>
          {summary.text}
        </p>
        <dl>
          {expected.length > 0 && (
            <div>
              <dt>{words.events.expect}</dt>
              <dd>{format.list(expected)}</dd>
            </div>
          )}
          <div>
            <dt>{words.events.actors}</dt>
            <dd>{format.list(event.actors.map(actor => actor.name))}</dd>
          </div>
          {event.claims && (
            <div>
              <dt>{words.events.claims}</dt>
              <dd>
                {event.claims.map(claim => (
                  <div key={claim.metric}>
                    <bdi>
                      {claim.metric}: {format.number(claim.value)} {claim.unit} {claim.by && `(${claim.by})`}
                    </bdi>
                  </div>
                ))}
              </dd>
            </div>
          )}
        </dl>
        <Citations event={event} />
      </details>
    </li>
  )
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
