import type { PolicyEvent } from '../../events/event.ts'
import { wording } from '../../events/select.ts'
import { windowsWithin } from '../../events/when.ts'
import type { Degradation } from '../../measurement/answers.ts'
import { home } from './address.ts'
import { distanceText } from './event-words.ts'
import { type Range, secondsOf } from './range.ts'
import { Shape, VerdictMark } from './shape.tsx'
import { percent, placed } from './strip.ts'
import { useView } from './view.tsx'

const spanOfDegradation = ({ onset, end }: Degradation, now: number): Range => ({
  from: secondsOf(onset),
  to: end === null ? now : secondsOf(end),
})

/** The parts of a degradation inside a range: all of it, or its recurring hours. */
export function partsOf(degradation: Degradation, view: Range, now: number): Range[] {
  const span = spanOfDegradation(degradation, now)
  const seen = { from: Math.max(span.from, view.from), to: Math.min(span.to, view.to) }
  if (seen.from >= seen.to) return []
  return degradation.recurring ? windowsWithin(degradation.recurring, seen) : [seen]
}

/** Degradations over the same time axis as the plots: one bar each, or the teeth of a recurring one. */
export function DegradationStrip({ degradations, range }: { degradations: readonly Degradation[]; range: Range }) {
  const { address, words, format, now, link } = useView()
  const bars = placed(degradations, degradation => spanOfDegradation(degradation, now), range, 0.25)
  const rows = Math.max(0, ...bars.map(bar => bar.row + 1))
  if (rows === 0) return null
  const length = range.to - range.from
  return (
    <ul
      class="strip degradations"
      dir="ltr"
      aria-label={words.degradations.heading}
      style={{ height: `${rows * 1.6}rem` }}
    >
      {bars.map(({ item, left, width, row }) => (
        <li key={item.id} style={{ top: `${row * 1.6}rem`, left: percent(left), width: percent(width) }}>
          <a
            class={`bar v-${item.verdict} ${item.state} ${labelSide(left, width)}`}
            href={link({ ...home, finding: item.id })}
            title={item.sentence[address.language]}
          >
            {partsOf(item, range, now).map(part => (
              <i
                key={part.from}
                style={{
                  left: percent((part.from - range.from) / length / (width || 1) - left / (width || 1)),
                  width: percent((part.to - part.from) / length / (width || 1)),
                }}
              />
            ))}
            <span class="label">
              <Shape verdict={item.verdict} /> {words.verdict[item.verdict]}
              <bdi> · {item.networks.map(format.network).join(', ')}</bdi>
            </span>
          </a>
        </li>
      ))}
    </ul>
  )
}

/** A label stands beside its bar, so that the teeth stay visible; over it only where neither side has room. */
const labelSide = (left: number, width: number) => (left + width < 0.7 ? 'after' : left > 0.3 ? 'before' : 'over')

/** When a degradation lasted, in words. */
export function useSpanText(): (degradation: Degradation) => string {
  const { words, format } = useView()
  return ({ onset, end }) => {
    const start = format.instant(secondsOf(onset))
    return end === null
      ? words.degradations.since(start)
      : words.degradations.span(start, format.instant(secondsOf(end)))
  }
}

type ListProps = { degradations: readonly Degradation[]; events: readonly PolicyEvent[] }

/** Each degradation as its sentence, with what it was compared with and the events near its onset. */
export function DegradationList({ degradations, events }: ListProps) {
  const { address, words, link } = useView()
  const spanText = useSpanText()
  return (
    <section class="degradation-list" aria-labelledby="degradations-heading">
      <h2 id="degradations-heading">{words.degradations.heading}</h2>
      {degradations.length === 0 ? (
        <p class="quiet">{words.degradations.none}</p>
      ) : (
        <ol>
          {degradations.map(item => (
            <li key={item.id}>
              <p class="meta">
                <VerdictMark verdict={item.verdict} /> · {words.state[item.state]} ·{' '}
                <time dateTime={item.onset}>{spanText(item)}</time>
              </p>
              <p class="sentence" dir="auto">
                {item.sentence[address.language]}
              </p>
              <p class="meta">
                {words.degradations.comparedWith(words.finding.controls[item.control] ?? item.control)}{' '}
                <a href={link({ ...home, finding: item.id })}>{words.degradations.open}</a>
              </p>
              <Near degradation={item} events={events} />
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

/** Events near the onset: beside it in time, which is all that is said. */
export function Near({ degradation, events }: { degradation: Degradation; events: readonly PolicyEvent[] }) {
  const { address, words, format, link } = useView()
  const near = degradation.events.flatMap(({ id, distance }) => {
    const event = events.find(one => one.id === id)
    return event ? [{ event, distance }] : []
  })
  if (near.length === 0) return null
  return (
    <p class="meta">
      {words.degradations.near}:{' '}
      {near.map(({ event, distance }) => {
        const title = wording(event.title, address.language)
        return (
          <span class="near" key={event.id}>
            <a href={link({ event: event.id })}>
              <bdi lang={title.language}>{title.text}</bdi>
            </a>{' '}
            ({distanceText(distance, { words, format })})
          </span>
        )
      })}
    </p>
  )
}
