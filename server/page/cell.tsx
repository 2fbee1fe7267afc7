import type { Place } from '../../measurement/answers.ts'
import { isTrouble } from '../../measurement/verdict.ts'
import { appName } from './app-name.ts'
import { breadthOf } from './headline.tsx'
import type { Row } from './matrix-rows.ts'
import { Shape } from './shape.tsx'
import { useView } from './view.tsx'

/** How a place is called: its network, the whole of its country, or the line nobody knows the network of. */
export function usePlaceName(overview: boolean): (row: Pick<Row, 'asn' | 'name' | 'country'>) => string {
  const { words, format } = useView()
  return ({ asn, name, country }) => {
    if (asn !== undefined) return name ?? format.network(asn)
    const whole = format.country(country)
    return overview || whole === words.thisLine ? whole : words.wholeCountry(whole)
  }
}

type Props = { app: string; row: Row; name: string; stop: boolean }

/** One verdict: shape, word, and what stands behind it; a link to its chart. `stop`: the grid's one tab stop. */
export function Cell({ app, row, name, stop }: Props) {
  const { address, words, format, link } = useView()
  const place = row.cells.get(app)
  const tabIndex = stop ? 0 : -1
  const title = `${appName(app, address.language)}${words.comma}${name}`
  if (place === undefined)
    return (
      <span class="cell absent" data-cell tabIndex={tabIndex}>
        <span aria-hidden="true">–</span>
        <span class="unseen">{`${title}: ${words.nothingMeasured}`}</span>
      </span>
    )
  const bad = isTrouble(place.verdict)
  const unsure = place.state === 'unconfirmed' && bad
  const share = place.reachability === null ? '' : format.share(place.reachability)
  const behind = [
    bad && place.state ? words.state[place.state] : '',
    bad && place.layer ? words.layer[place.layer] : '',
    share && words.answered(share),
    place.agents > 0 && words.agents(place.agents, format.number(place.agents)),
  ].filter(Boolean)
  return (
    <a
      class={`cell v-${place.verdict} ${bad ? 'bad' : ''} ${unsure ? 'unsure' : ''}`}
      data-cell
      tabIndex={tabIndex}
      href={link({ country: row.country, app, networks: row.asn === undefined ? [] : [row.asn], find: '', all: false })}
      aria-label={[`${title}: ${words.verdict[place.verdict]}`, ...behind].join(words.comma)}
      title={behind.join(' · ')}
    >
      <span class="word">
        <Shape verdict={place.verdict} /> {words.verdict[place.verdict]}
      </span>
      <small>
        <Behind place={place} share={share} />
        {unsure && ` ${words.state['unconfirmed']}`}
      </small>
    </a>
  )
}

/** Of a country on how many networks it is so; of a network the share of endpoints that answer. */
function Behind({ place, share }: { place: Place; share: string }) {
  const { words, format } = useView()
  const { own, total } = breadthOf(place)
  if (place.asn !== undefined || total === 0) return <>{share}</>
  return <>{words.matrix.breadth(own, total, format.number(own), format.number(total))}</>
}
