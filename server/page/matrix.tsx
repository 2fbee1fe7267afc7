import type { Place } from '../../measurement/answers.ts'
import { isTrouble, type Verdict, verdicts } from '../../measurement/verdict.ts'
import { appIds, appName } from './app-name.ts'
import { onGridKey } from './grid-keys.ts'
import { type Arranged, type Row, rowsOf } from './matrix-rows.ts'
import { Shape } from './shape.tsx'
import { useView } from './view.tsx'

/** Counts of networks by verdict as the server gave them, from the worst; what is unknown to us is left out. */
const countsOf = (place: Place): [Verdict, number][] =>
  [...verdicts].reverse().flatMap(verdict => {
    const count = place.networks?.[verdict] ?? 0
    return count > 0 ? ([[verdict, count]] as [Verdict, number][]) : []
  })

/** One sentence for each app in trouble, or that all is well: what a reader would quote. */
export function Headline({ places, country }: { places: readonly Place[]; country: string | null }) {
  const { address, words, format } = useView()
  const lines = places
    .filter(place => isTrouble(place.verdict))
    .sort((a, b) => verdicts.indexOf(b.verdict) - verdicts.indexOf(a.verdict))
    .map(place => {
      const counts = countsOf(place)
      const total = counts.reduce((sum, [, count]) => sum + count, 0)
      const inTrouble = counts.find(([verdict]) => verdict === place.verdict)?.[1] ?? 0
      const name = appName(place.app, address.language)
      const app = country === null ? `${name}${words.comma}${format.country(place.country)}` : name
      return { key: `${place.country} ${place.app}`, place, app, inTrouble, total }
    })
  if (rowsOf(places).length === 1 && rowsOf(places)[0]!.lineDown)
    return <p class="line-is-down">{words.matrix.lineDown}</p>
  const fine = places.length > 0 && places.every(place => place.verdict === 'ok')
  return (
    <ul class="headline">
      {lines.slice(0, 4).map(({ key, place, app, inTrouble, total }) => (
        <li key={key}>
          <Shape verdict={place.verdict} />
          {total > 0
            ? words.matrix.headline(app, words.verdict[place.verdict], format.number(inTrouble), format.number(total))
            : `${app}: ${words.verdict[place.verdict]}`}
        </li>
      ))}
      {fine && (
        <li>
          <Shape verdict="ok" />
          {words.matrix.allFine(places.length, format.number(places.length))}
        </li>
      )}
    </ul>
  )
}

type Props = { arranged: Arranged; whole: readonly Place[]; country: string | null }

/** Apps across, networks (or countries) down, a verdict in every cell. */
export function Matrix({ arranged, whole, country }: Props) {
  const { address, words, format, link } = useView()
  const columns = arranged.columns.length > 0 ? arranged.columns : appIds.filter(id => whole.some(p => p.app === id))
  const lines = [...rowsOf(whole), ...arranged.rows]
  return (
    <>
      <div class="scroller">
        <table
          class="matrix"
          role="grid"
          aria-label={country === null ? words.matrix.countriesLabel : words.matrix.label}
          onKeyDown={onGridKey}
        >
          <thead>
            <tr>
              <th scope="col">{country === null ? words.place : words.network}</th>
              {columns.map(app => (
                <th key={app} scope="col">
                  {appName(app, address.language)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {lines.map((row, index) => (
              <Line key={row.key} row={row} columns={columns} overview={country === null} first={index === 0} />
            ))}
          </tbody>
        </table>
      </div>
      {lines.length === 0 || (arranged.rows.length === 0 && address.find) ? (
        <p class="quiet">{words.matrix.notFound}</p>
      ) : null}
      {arranged.folded > 0 && (
        <a class="button more" href={link({ all: true })}>
          {words.matrix.more(format.number(arranged.folded))}
        </a>
      )}
      {address.all && arranged.total > 12 && (
        <a class="button more" href={link({ all: false })}>
          {words.matrix.fewer}
        </a>
      )}
    </>
  )
}

type LineProps = { row: Row; columns: readonly string[]; overview: boolean; first: boolean }

function Line({ row, columns, overview, first }: LineProps) {
  const { words, format, link } = useView()
  const isCountry = row.asn === undefined
  const name = isCountry
    ? overview
      ? format.country(row.country)
      : words.wholeCountry(format.country(row.country))
    : (row.name ?? format.network(row.asn!))
  return (
    <tr class={isCountry && !overview ? 'whole' : undefined}>
      <th scope="row">
        {overview ? <a href={link({ country: row.country })}>{name}</a> : <bdi>{name}</bdi>}
        <small>
          {!isCountry && row.name && (
            <>
              <bdi>{format.network(row.asn!)}</bdi>
              {row.agents > 0 && ' · '}
            </>
          )}
          {/* A verdict looks back an hour: in its own five minutes nobody need have measured. */}
          {row.agents > 0 && words.agents(row.agents, format.number(row.agents))}
        </small>
      </th>
      {row.lineDown ? (
        <td colSpan={columns.length} class="line-down v-network_down">
          <span data-cell tabIndex={first ? 0 : -1}>
            <Shape verdict="network_down" /> {words.matrix.lineDown}
          </span>
        </td>
      ) : (
        columns.map((app, column) => (
          <td key={app}>
            <Cell place={row.cells.get(app)} app={app} row={row} name={name} stop={first && column === 0} />
          </td>
        ))
      )}
    </tr>
  )
}

type CellProps = { place: Place | undefined; app: string; row: Row; name: string; stop: boolean }

function Cell({ place, app, row, name, stop }: CellProps) {
  const { address, words, format, link } = useView()
  const tabIndex = stop ? 0 : -1
  const title = `${appName(app, address.language)}, ${name}`
  if (place === undefined)
    return (
      <span class="cell absent" data-cell tabIndex={tabIndex}>
        <span aria-hidden="true">–</span>
        <span class="unseen">{`${title}: ${words.nothingMeasured}`}</span>
      </span>
    )
  const unsure = place.state === 'unconfirmed' && isTrouble(place.verdict)
  const share = place.reachability === null ? '' : format.share(place.reachability)
  const label = [
    `${title}: ${words.verdict[place.verdict]}`,
    isTrouble(place.verdict) && place.state ? words.state[place.state] : '',
    place.layer && isTrouble(place.verdict) ? words.layer[place.layer] : '',
    share && words.answered(share),
    place.agents > 0 && words.agents(place.agents, format.number(place.agents)),
  ]
  const networks = row.asn === undefined ? [] : [row.asn]
  return (
    <a
      class={`cell v-${place.verdict} ${isTrouble(place.verdict) ? 'bad' : ''} ${unsure ? 'unsure' : ''}`}
      data-cell
      tabIndex={tabIndex}
      href={link({ country: row.country, app, networks, find: '', all: false })}
      aria-label={label.filter(Boolean).join(', ')}
      title={label.slice(1).filter(Boolean).join(' · ')}
    >
      <span class="word">
        <Shape verdict={place.verdict} /> {words.verdict[place.verdict]}
      </span>
      <small>
        {row.asn === undefined && place.networks ? <Breadth place={place} /> : share}
        {unsure && ` ${words.state['unconfirmed']}`}
      </small>
    </a>
  )
}

/** Of how many networks a country's headline is true. */
function Breadth({ place }: { place: Place }) {
  const { words, format } = useView()
  const counts = countsOf(place)
  const total = counts.reduce((sum, [, count]) => sum + count, 0)
  const own = counts.find(([verdict]) => verdict === place.verdict)?.[1] ?? 0
  return <>{words.matrix.breadth(own, total, format.number(own), format.number(total))}</>
}
