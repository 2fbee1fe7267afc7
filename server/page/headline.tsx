import type { Degradation, Place } from '../../measurement/answers.ts'
import { isTrouble, type Verdict, verdicts } from '../../measurement/verdict.ts'
import { appName } from './app-name.ts'
import { rowsOf } from './matrix-rows.ts'
import { Shape } from './shape.tsx'
import { useView } from './view.tsx'

/** Lines said one by one; more are told together, by verdict. */
const MOST_LINES = 4

/** Counts of networks by verdict as the server gave them, from the worst; what is unknown to us is left out. */
export const countsOf = (place: Place): [Verdict, number][] =>
  [...verdicts].reverse().flatMap(verdict => {
    const count = place.networks?.[verdict] ?? 0
    return count > 0 ? ([[verdict, count]] as [Verdict, number][]) : []
  })

/** Of a country's networks, how many share its verdict, and how many were judged. */
export function breadthOf(place: Place): { own: number; total: number } {
  const counts = countsOf(place)
  return {
    own: counts.find(([verdict]) => verdict === place.verdict)?.[1] ?? 0,
    total: counts.reduce((sum, [, count]) => sum + count, 0),
  }
}

/** The worst verdict on networks of a country whose own is fine, since it is not confirmed; and on how many. */
const doubtOf = (place: Place): [Verdict, number] | undefined =>
  place.verdict === 'ok' ? countsOf(place).find(([verdict]) => isTrouble(verdict)) : undefined

type Props = { places: readonly Place[]; findings: readonly Degradation[]; overview: boolean }

/**
 * What a reader would quote: a sentence for each app in trouble, or that all is well, or that the line is dead. All is well
 * only where no network is in trouble: one blocked network is not fine, however few saw it.
 */
export function Headline({ places, findings, overview }: Props) {
  const { address, words, format } = useView()
  const apps = [...new Set(places.map(place => place.app))]
  const rows = rowsOf(places)
  if (rows.length === 1 && rows[0]!.lineDown) return <p class="line-is-down">{words.matrix.lineDown}</p>
  const troubled = places
    .filter(place => isTrouble(place.verdict))
    .sort((a, b) => verdicts.indexOf(b.verdict) - verdicts.indexOf(a.verdict))
  const doubts = places.flatMap(place => {
    const [verdict, count] = doubtOf(place) ?? []
    return verdict && count ? [{ place, verdict, count }] : []
  })
  // Of what was found the findings say more, and more surely.
  const unknown = doubts.filter(
    ({ place: { app, country } }) => !findings.some(found => found.app === app && found.country === country),
  )
  const fine = places.length > 0 && doubts.length === 0 && places.every(place => place.verdict === 'ok')
  return (
    <ul class="headline">
      {troubled.length <= MOST_LINES ? (
        troubled.map(place => (
          <li key={`${place.country} ${place.app}`}>
            <Shape verdict={place.verdict} />
            <Line place={place} overview={overview} />
          </li>
        ))
      ) : (
        <Together places={troubled} overview={overview} />
      )}
      {unknown.length > 0 && <Doubts doubts={unknown} overview={overview} />}
      {fine && (
        <li>
          <Shape verdict="ok" />
          {words.matrix.allFine(apps.length, format.number(apps.length), appName(apps[0]!, address.language))}
        </li>
      )}
    </ul>
  )
}

type Doubt = { place: Place; verdict: Verdict; count: number }

/** Said in one line, and that it is not certain. */
function Doubts({ doubts, overview }: { doubts: readonly Doubt[]; overview: boolean }) {
  const { words, format } = useView()
  const subject = useSubject(overview)
  const said = doubts.slice(0, MOST_LINES).map(({ place, verdict, count }) => {
    const { total } = breadthOf(place)
    return words.matrix.headline(subject(place), words.verdict[verdict], format.number(count), format.number(total))
  })
  const rest = doubts.length - said.length
  return (
    <li class="doubt">
      <Shape verdict={doubts[0]!.verdict} />
      <span>
        {words.matrix.doubt(
          [...said, ...(rest > 0 ? [words.matrix.others(format.number(rest))] : [])].join(words.semicolon),
        )}
      </span>
    </li>
  )
}

function useSubject(overview: boolean): (place: Place) => string {
  const { address, words, format } = useView()
  return place => {
    const app = appName(place.app, address.language)
    return overview ? `${app}${words.comma}${format.country(place.country)}` : app
  }
}

function Line({ place, overview }: { place: Place; overview: boolean }) {
  const { words, format } = useView()
  const subject = useSubject(overview)(place)
  const word = words.verdict[place.verdict]
  const { own, total } = breadthOf(place)
  if (total === 0) return <span>{`${subject}: ${word}`}</span>
  return <span>{words.matrix.headline(subject, word, format.number(own), format.number(total))}</span>
}

/** One line a verdict, with the apps it is true of. */
function Together({ places, overview }: { places: readonly Place[]; overview: boolean }) {
  const { words, format } = useView()
  const subject = useSubject(overview)
  return [...new Set(places.map(place => place.verdict))].map(verdict => (
    <li key={verdict}>
      <Shape verdict={verdict} />
      <span>
        {words.verdict[verdict]}: {format.list(places.filter(place => place.verdict === verdict).map(subject))}
      </span>
    </li>
  ))
}
