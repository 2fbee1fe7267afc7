import type { PolicyEvent } from '../../events/event.ts'
import { wording } from '../../events/select.ts'
import { drawingOf } from '../../events/when.ts'
import { type Sort, sortOf, whenText } from './event-words.ts'
import type { Range } from './range.ts'
import { directionOf } from './strings/language.ts'
import { percent, placed } from './strip.ts'
import { useView } from './view.tsx'

const paths: Record<Sort, string> = {
  taking: 'M1 3h14L8 14z',
  giving: 'M1 13h14L8 2z',
  saying: 'M2 2h12v8H8l-4 4v-4H2z',
  beside: 'M8 2a6 6 0 1 0 .01 0zM8 4.500a3.500 3.500 0 1 1 -.01 0z',
}

export function SortShape({ sort }: { sort: Sort }) {
  return (
    <svg class="shape sort" viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[sort]} fill-rule="evenodd" />
    </svg>
  )
}

/** Rows of events drawn above the plots; the list beside has them all. */
const MAX_ROWS = 8

/** Policy events over the same time axis as the plots below: spans as bars, instants as marks, each with its title. */
export function EventStrip({ events, range }: { events: readonly PolicyEvent[]; range: Range }) {
  const { address, words, format, now, link } = useView()
  const speech = { words, format, language: address.language }
  // What a measurement should see stands on top; then what takes away or gives back; the rest by time.
  const weight = (event: PolicyEvent) => (event.expect ? 0 : ['taking', 'giving'].includes(sortOf(event.kind)) ? 1 : 2)
  const ordered = [...events].sort((a, b) => weight(a) - weight(b))
  const all = placed(ordered, event => drawingOf(event, now), range, innerWidth < 700 ? 0.78 : 0.5)
  const bars = all.filter(bar => bar.row < MAX_ROWS)
  const rows = Math.max(0, ...bars.map(bar => bar.row + 1))
  if (rows === 0) return null
  return (
    <>
      <ul class="strip events" dir="ltr" aria-label={words.events.lane} style={{ height: `${rows * 1.6}rem` }}>
        {bars.map(({ item, left, width, row, before }) => {
          const { shape, pale, hatchedFrom, open, endUnknown } = drawingOf(item, now)
          const title = wording(item.title, address.language)
          const classes = [
            'bar',
            shape,
            pale && 'pale',
            hatchedFrom !== null && 'hatched',
            open && 'open',
            before && 'at-end',
          ]
          return (
            <li key={item.id} style={{ top: `${row * 1.6}rem`, left: percent(left), width: percent(width) }}>
              <a
                class={classes.filter(Boolean).join(' ')}
                href={link({ event: item.id === address.event ? null : item.id })}
                aria-current={item.id === address.event ? 'true' : undefined}
                title={`${title.text}\n${whenText(item, speech)}`}
              >
                <span class="label">
                  <SortShape sort={sortOf(item.kind)} />
                  <bdi lang={title.language} dir={directionOf(title.language)}>
                    {title.text}
                  </bdi>
                  {endUnknown && <small>({words.events.endUnknown})</small>}
                </span>
              </a>
            </li>
          )
        })}
      </ul>
      {all.length > bars.length && (
        <p class="quiet">{words.events.more(all.length - bars.length, format.number(all.length - bars.length))}</p>
      )}
    </>
  )
}
