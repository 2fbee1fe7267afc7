import type { ComponentChildren } from 'preact'
import type { Place } from '../../measurement/answers.ts'
import { appName } from './app-name.ts'
import { Cell, usePlaceName } from './cell.tsx'
import { onGridKey } from './grid-keys.ts'
import { type Arranged, FOLD, type Row, rowsOf } from './matrix-rows.ts'
import { Shape } from './shape.tsx'
import { useView } from './view.tsx'

type Props = { arranged: Arranged; whole: readonly Place[]; overview: boolean }

/** A verdict for every app and network (or country): apps across, or down where there are many. */
export function Matrix({ arranged, whole, overview }: Props) {
  const { address, words, format, link } = useView()
  const places = [...rowsOf(whole), ...arranged.rows]
  const shared = { apps: arranged.apps, places, overview }
  return (
    <>
      {arranged.down === 'apps' ? <AppsDown {...shared} /> : <PlacesDown {...shared} />}
      {arranged.rows.length === 0 && address.find && <p class="quiet">{words.matrix.notFound}</p>}
      {arranged.folded > 0 && (
        <a class="button more" href={link({ all: true })}>
          {words.matrix.more(format.number(arranged.folded))}
        </a>
      )}
      {address.all && arranged.total > FOLD.across && (
        <a class="button more" href={link({ all: false })}>
          {words.matrix.fewer}
        </a>
      )}
    </>
  )
}

type Shared = { apps: readonly string[]; places: readonly Row[]; overview: boolean }

function PlacesDown({ apps, places, overview }: Shared) {
  const { address, words } = useView()
  const nameOf = usePlaceName(overview)
  return (
    <Grid
      down="places"
      overview={overview}
      corner={overview ? words.place : words.network}
      heads={apps.map(app => ({ key: app, head: appName(app, address.language) }))}
    >
      {places.map((row, index) => (
        <tr key={row.key} class={row.asn === undefined && !overview ? 'whole' : undefined}>
          <th scope="row">
            <PlaceHead row={row} overview={overview} />
          </th>
          {row.lineDown ? (
            <td colSpan={apps.length} class="line-down v-network_down">
              <span data-cell tabIndex={index === 0 ? 0 : -1}>
                <Shape verdict="network_down" /> {words.matrix.lineDown}
              </span>
            </td>
          ) : (
            apps.map((app, column) => (
              <td key={app}>
                <Cell app={app} row={row} name={nameOf(row)} stop={index === 0 && column === 0} />
              </td>
            ))
          )}
        </tr>
      ))}
    </Grid>
  )
}

function AppsDown({ apps, places, overview }: Shared) {
  const { address, words } = useView()
  const nameOf = usePlaceName(overview)
  // Of the whole country the headline says it.
  const dead = places.filter(row => row.lineDown && (overview || row.asn !== undefined))
  const alive = places.filter(row => !row.lineDown)
  return (
    <>
      {dead.map(row => (
        <p key={row.key} class="line-is-down">
          <strong>
            <bdi>{nameOf(row)}</bdi>:
          </strong>{' '}
          {words.matrix.lineDown}
        </p>
      ))}
      {alive.length > 0 && (
        <Grid
          down="apps"
          overview={overview}
          corner={words.matrix.apps}
          heads={alive.map(row => ({ key: row.key, head: <PlaceHead row={row} overview={overview} /> }))}
        >
          {apps.map((app, index) => (
            <tr key={app}>
              <th scope="row">{appName(app, address.language)}</th>
              {alive.map((row, column) => (
                <td key={row.key} class={row.asn === undefined && !overview ? 'whole' : undefined}>
                  <Cell app={app} row={row} name={nameOf(row)} stop={index === 0 && column === 0} />
                </td>
              ))}
            </tr>
          ))}
        </Grid>
      )}
    </>
  )
}

type GridProps = {
  down: 'apps' | 'places'
  overview: boolean
  corner: string
  heads: { key: string; head: ComponentChildren }[]
  children: ComponentChildren
}

function Grid({ down, overview, corner, heads, children }: GridProps) {
  const { words } = useView()
  return (
    <div class="scroller">
      <table
        class={`matrix ${down}-down`}
        role="grid"
        aria-label={overview ? words.matrix.countriesLabel : words.matrix.label}
        onKeyDown={onGridKey}
      >
        <thead>
          <tr>
            <th scope="col">{corner}</th>
            {heads.map(({ key, head }) => (
              <th key={key} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}

/** A network with its number and agents, or a country, which leads to its networks. */
function PlaceHead({ row, overview }: { row: Row; overview: boolean }) {
  const { words, format, link } = useView()
  const name = usePlaceName(overview)(row)
  return (
    <>
      {overview ? <a href={link({ country: row.country })}>{name}</a> : <bdi>{name}</bdi>}
      <small>
        {row.asn !== undefined && row.name && <bdi>{format.network(row.asn)}</bdi>}
        {row.asn !== undefined && row.name && row.agents > 0 && ' · '}
        {/* A verdict looks back an hour: in its own five minutes nobody need have measured. */}
        {row.agents > 0 && words.agents(row.agents, format.number(row.agents))}
      </small>
    </>
  )
}
