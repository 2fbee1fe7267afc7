import { useEffect, useRef } from 'preact/hooks'
import type { EventKind, PolicyEvent } from '../../events/event.ts'
import type { EventEffect } from '../../measurement/effect.ts'
import { EventEntry } from './event-entry.tsx'
import { SortShape } from './event-strip.tsx'
import { sortOf } from './event-words.ts'
import { go, useView } from './view.tsx'

type Props = {
  all: readonly PolicyEvent[]
  shown: readonly PolicyEvent[]
  hidden: number
  effects: ReadonlyMap<string, EventEffect>
}

/** The events of a chart in words, with their filter. */
export function EventList({ all, shown, hidden, effects }: Props) {
  const { address, words } = useView()
  const list = useRef<HTMLElement>(null)
  useEffect(() => {
    // Within the list only: the page itself stays where the reader put it.
    const chosen = list.current?.querySelector<HTMLElement>('.chosen')
    if (chosen && list.current) list.current.scrollTop = chosen.offsetTop - 16
  }, [address.event])
  return (
    <section class="event-list" ref={list} aria-labelledby="events-heading">
      <h2 id="events-heading">{words.events.heading}</h2>
      <p class="caution">{words.events.note}</p>
      {all.length > 0 && <Filter all={all} hidden={hidden} />}
      {shown.length === 0 ? (
        <p class="quiet">{all.length === 0 ? words.events.none : words.events.noneLeft}</p>
      ) : (
        <ol>
          {shown.map(event => (
            <EventEntry key={event.id} event={event} all={all} effect={effects.get(event.id)} />
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
              {level === 'rumor' ? words.events.anyLevel : words.events.level[level]}
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
