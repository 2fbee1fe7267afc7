import type { Degradation, Degradations, Place, Reachability } from '../../measurement/answers.ts'
import { CONTROL } from '../../measurement/catalogue.ts'
import { features } from '../../measurement/target.ts'
import { ROLLUP_SECONDS } from '../../measurement/windows.ts'
import { instantText } from './address.ts'
import { appIds, appName, idsWith } from './app-name.ts'
import { ask, useAsked } from './ask.ts'
import { newestOf } from './chart-load.ts'
import { CurrentFindings } from './current-findings.tsx'
import { Empty, NotNow } from './empty.tsx'
import { Headline } from './headline.tsx'
import { Legend } from './legend.tsx'
import { Matrix } from './matrix.tsx'
import { MatrixControls } from './matrix-controls.tsx'
import { type Arranged, arrange, countriesOf } from './matrix-rows.ts'
import { SimulatedBand, Sources, TroubleNote } from './notices.tsx'
import { secondsOf } from './range.ts'
import { useView } from './view.tsx'

/** While the present is shown it is asked for anew this often, in milliseconds: verdicts are made every five minutes. */
const REFRESH = 60_000

type Answer = { answer: Reachability; findings: readonly Degradation[] }

/** Verdicts of one time, and the findings that last then. Of one country where one is chosen: so is whose data it is. */
async function load(at: number | null, country: string | null, signal: AbortSignal): Promise<Answer> {
  const time = at ?? Date.now() / 1_000
  const [answer, { degradations }] = await Promise.all([
    ask<Reachability>('/v1/reachability', { at: at === null ? null : instantText(at), country }, signal),
    ask<Degradations>(
      '/v1/degradations',
      { country, from: instantText(time), to: instantText(time + ROLLUP_SECONDS) },
      signal,
    ),
  ])
  return { answer, findings: degradations }
}

/** Which messengers work at one time: by country, or by the networks of one country. */
export function MatrixView() {
  const { address, words } = useView()
  const { at, country } = address
  const { value, trouble } = useAsked(
    `${at} ${country}`,
    signal => load(at, country, signal),
    at === null ? REFRESH : undefined,
  )
  if (value === null) return trouble ? <TroubleNote trouble={trouble} /> : <p class="loading">{words.loading}</p>
  const { places, countries, newest, sources } = value.answer
  const nothingEver = places.length === 0 && (countries?.length ?? 0) === 0 && newest === null
  return (
    <>
      <SimulatedBand sources={sources} />
      <TroubleNote trouble={trouble} />
      {nothingEver ? <Empty /> : <Measured {...value} />}
      <Sources sources={sources} />
    </>
  )
}

/** Networks of the chosen country; of the only country; or, with several to choose from, the countries themselves. */
function placesOf(own: readonly Place[], country: string | null) {
  return country === null
    ? { all: own.filter(place => place.asn === undefined), whole: [] }
    : {
        all: own.filter(place => place.country === country && place.asn !== undefined),
        whole: own.filter(place => place.country === country && place.asn === undefined),
      }
}

function Measured({ answer, findings }: Answer) {
  const { address, format, link } = useView()
  const own = answer.places.filter(place => place.feature === address.feature && appIds.includes(place.app))
  const countries = countriesOf(own)
  const country = address.country ?? (countries.length === 1 ? countries[0]!.country : null)
  const overview = country === null
  const { all, whole } = placesOf(own, country)
  const arranged = arrange(all, whole, appIds, {
    find: address.find,
    all: address.all,
    nameOf: format.country,
    overview,
  })
  const newest = newestOf(answer, country)
  // Of the network itself whatever the use.
  const known = findings.filter(({ app, feature }) => app === CONTROL || feature === address.feature)
  const measuredFeatures = features.filter(feature => answer.places.some(place => place.feature === feature))
  return (
    <>
      <Title answer={answer} country={country} />
      <MatrixControls
        countries={countries}
        known={answer.countries ?? []}
        country={country}
        features={measuredFeatures}
      />
      {all.length === 0 && whole.length === 0 ? (
        <>
          <NotNow newest={newest} href={link({ at: newest })} />
          <CurrentFindings findings={known} />
        </>
      ) : (
        <>
          <Headline places={overview ? all : whole} findings={known} overview={overview} />
          <CurrentFindings findings={known} />
          <Matrix arranged={arranged} whole={whole} overview={overview} />
          <Left arranged={arranged} />
          <Legend />
        </>
      )}
    </>
  )
}

function Title({ answer, country }: { answer: Reachability; country: string | null }) {
  const { address, words, format } = useView()
  const place = country === null ? null : format.country(country)
  return (
    <>
      <h1>
        {place === null
          ? words.matrix.heading
          : place === words.thisLine
            ? words.matrix.headingHere
            : words.matrix.headingIn(place)}
      </h1>
      <p class="span">
        {address.at === null && `${words.present}${words.comma}`}
        <time dateTime={answer.at}>{format.instant(secondsOf(answer.at))}</time>
      </p>
    </>
  )
}

/** Apps that have no place in the matrix, and why. */
function Left({ arranged: { apps, thin } }: { arranged: Arranged }) {
  const { address, words, format } = useView()
  const names = (ids: readonly string[]) => format.list(ids.map(id => appName(id, address.language)))
  const unmeasured = idsWith(address.feature).filter(id => !apps.includes(id) && !thin.includes(id))
  return (
    <>
      {thin.length > 0 && <p class="quiet">{words.matrix.thin(names(thin))}</p>}
      {unmeasured.length > 0 && <p class="quiet">{words.matrix.unmeasured(names(unmeasured))}</p>}
    </>
  )
}
