import type { EffectMeasure, EventEffect } from '../../measurement/effect.ts'
import { linkOf } from './ask.ts'
import { useView } from './view.tsx'

const WIDTH = 240
const ROW = 16

type Look = { length: string; measure: EffectMeasure }

/** Where a change lies on the axis: points of a share as they are, quotients by their logarithm, so that half and twice are as far. */
const placeOf = ({ measure }: EffectMeasure, value: number) => (measure === 'reachability' ? value : Math.log(value))

/** What followed an event: the server's sentence, and under it the intervals it rests on. */
export function Effect({ effect }: { effect: EventEffect }) {
  const { address, words, format } = useView()
  const looks = [effect.first, effect.whole].flatMap((span): Look[] => {
    const known = span?.measures.filter(({ low, high }) => low !== null && high !== null) ?? []
    const measure = known.find(({ expected }) => expected !== null) ?? known[0]
    if (!span || !measure) return []
    const hours = Math.round((Date.parse(span.to) - Date.parse(span.from)) / 3_600_000)
    return [{ length: hours < 48 ? format.unit(hours, 'hour') : format.unit(Math.round(hours / 24), 'day'), measure }]
  })
  return (
    <div class={`effect ${effect.answer}`}>
      <p>
        <strong>{words.events.followed}:</strong> <span dir="auto">{effect.sentence[address.language]}</span>{' '}
        <a href={linkOf(`/v1/events/${effect.event}/effect`)} target="_blank" rel="noopener">
          {words.events.numbers}
        </a>
      </p>
      {looks.length > 0 && <Intervals looks={looks} />}
    </div>
  )
}

/** A bar from the lower to the upper end, a dot for the change, a line where nothing changed. Said in the sentence above. */
function Intervals({ looks }: { looks: readonly Look[] }) {
  const ends = looks.flatMap(({ measure }) => [placeOf(measure, measure.low!), placeOf(measure, measure.high!)])
  const most = Math.max(0.1, ...ends.map(Math.abs)) * 1.05
  const { words } = useView()
  const x = (value: number) => WIDTH / 2 + (value / most) * (WIDTH / 2)
  return (
    <div class="intervals" aria-hidden="true">
      {looks.map(({ length, measure }) => {
        const [low, change, high] = [measure.low!, measure.change!, measure.high!].map(value =>
          x(placeOf(measure, value)),
        )
        return (
          <div key={length}>
            <small>{length}</small>
            <svg viewBox={`0 0 ${WIDTH} ${ROW}`} width={WIDTH} height={ROW} direction="ltr">
              <path class="none" d={`M${WIDTH / 2} 0V${ROW}`} />
              <path class="interval" d={`M${low} ${ROW / 2}H${high}`} />
              <circle cx={change} cy={ROW / 2} r="4" />
            </svg>
          </div>
        )
      })}
      <small>{words.events.intervals}</small>
    </div>
  )
}
