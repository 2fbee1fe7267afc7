import type { Degradation, Degradations, Source } from '../measurement/answers.ts'
import type { Feature } from '../measurement/target.ts'
import { sentenceOf } from './analysis/sentence.ts'
import { sourcesOf } from './answers.ts'
import { currentDegradations } from './findings.ts'
import type { Store } from './store/store.ts'

/** Degradations as everybody may read them: networks that are not public stand in their country alone. */

export type DegradationsWanted = {
  app: string | undefined
  feature: Feature | undefined
  country: string | undefined
  from: number | undefined
  to: number | undefined
}

const DAY_SECONDS = 86_400

/** Degradations that touch [from, to), newest onset first; only public networks are named. */
export const degradationsAnswer = async (store: Store, wanted: DegradationsWanted): Promise<Degradations> => {
  const { app, country, feature } = wanted
  const from = wanted.from ?? 0
  const to = wanted.to ?? Number.MAX_SAFE_INTEGER
  const all = await currentDegradations(store, { app, country })
  const within = all
    .filter(of => (feature === undefined || of.feature === feature) && Date.parse(of.onset) / 1000 < to)
    .filter(of => of.end === null || Date.parse(of.end) / 1000 > from)
    .toSorted((a, b) => (a.onset < b.onset ? 1 : a.onset > b.onset ? -1 : a.id < b.id ? -1 : 1))
  const degradations = await onlyPublic(store, within)
  const origins = await store.query<{ origins: Source['origin'][] }>(
    `SELECT groupUniqArrayArray(origins) AS origins FROM rollups FINAL WHERE level = 86400 AND asn = 0
       AND ({country:String} = '' OR country = {country:String}) AND ({app:String} = '' OR app = {app:String})`,
    { app: app ?? '', country: country ?? '' },
  )
  return { degradations, sources: degradations.length > 0 ? sourcesOf(origins) : [] }
}

/** Networks that were public on some day of the degradation keep their number; the others stand in their country. */
export const onlyPublic = async (store: Store, degradations: readonly Degradation[]): Promise<Degradation[]> => {
  if (degradations.length === 0) return []
  const spans = degradations.map(of => ({
    ...{ of, onset: Date.parse(of.onset) / 1000 },
    end: of.end === null ? Number.MAX_SAFE_INTEGER : Date.parse(of.end) / 1000,
  }))
  const rows = await store.query<{ country: string; asn: number; days: number[] }>(
    `SELECT country, asn, groupArray(toUnixTimestamp(day)) AS days FROM network_days FINAL
     WHERE public = 1 AND asn IN {asns:Array(UInt32)} AND day >= toDate(toDateTime({from:UInt32}, 'UTC'))
     GROUP BY country, asn`,
    {
      asns: [...new Set(degradations.flatMap(({ networks }) => networks))],
      from: Math.floor(Math.min(...spans.map(({ onset }) => onset))),
    },
  )
  const known = new Map(rows.map(({ country, asn, days }) => [`${country} ${asn}`, days]))
  return spans.map(({ of, onset, end }) => {
    const networks = of.networks.filter(asn =>
      known.get(`${of.country} ${asn}`)?.some(day => day < end && day + DAY_SECONDS > onset),
    )
    return networks.length === of.networks.length ? of : { ...of, networks, sentence: withoutOthers(of, networks) }
  })
}

/** The sentence names networks too: told again with those that are public. */
const withoutOthers = (of: Degradation, networks: number[]): Degradation['sentence'] =>
  sentenceOf({
    ...of,
    networks,
    onset: Date.parse(of.onset) / 1000,
    end: of.end === null ? null : Date.parse(of.end) / 1000,
    slower: of.slower ?? null,
    transfers: of.transfers ?? null,
    moved: of.moved ?? null,
    networkName: () => undefined,
  })
