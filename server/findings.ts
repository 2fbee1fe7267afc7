import { createHmac } from 'node:crypto'
import type { PolicyEvent } from '../events/event.ts'
import { near } from '../events/select.ts'
import type { Degradation } from '../measurement/answers.ts'
import { CONTROL } from '../measurement/catalogue.ts'
import { RULE_VERSION } from '../measurement/judge/outcome.ts'
import type { Relocation } from '../measurement/judge/relocation.ts'
import type { Feature } from '../measurement/target.ts'
import type { Finding, TransfersSaid } from './analysis/degradations.ts'
import { sentenceOf } from './analysis/sentence.ts'
import { PAST_SECONDS } from './analysis/throttling.ts'
import { besideEachOther, incidentsOf, matching, onsetsOf } from './analysis/together.ts'
import { describe, describeCuts, type Since, troubled } from './describe.ts'
import { heldTestsOf } from './held.ts'
import { sqlTime } from './store/rows.ts'
import type { Store } from './store/store.ts'
import { changedFrom, type Touched } from './touched.ts'
import type { Watch } from './watch.ts'

/** How a degradation changed, for counters and notifiers. */
export type Change = { change: 'opened' | 'revised' | 'closed' | 'reopened' | 'withdrawn'; degradation: Degradation }

export type DetectOptions = {
  events: readonly PolicyEvent[]
  networkName: (asn: number) => string | undefined
  /** Unix seconds. */
  now: number
  /** The store's own (`Analyst`), so that names of findings tell no network. */
  salt: string
}

/** With the last revisions of what was withdrawn, by id; what ended before the horizon is not told anew. */
type Named = DetectOptions & { withdrawn: ReadonlyMap<string, number>; horizon: number }

/** Trouble that ended so long before the first changed row cannot be another than it was: nothing joins over more than a week. */
const HORIZON_SECONDS = 8 * 86_400

/** What the detector sees in a country whose rows changed: the changed networks' first windows, and every network. */
type Sight = { changed: ReadonlyMap<number, number>; seen: Awaited<ReturnType<Watch['see']>> }

/** Bring the detector up to date with agent_windows, by country: verdicts read from it what is usual. */
export const look = async (watch: Watch, touched: Touched, now: number): Promise<ReadonlyMap<string, Sight>> => {
  await watch.pair(touched)
  const countries = changedFrom(touched, now)
  for (const country of await watch.due(now)) if (!countries.has(country)) countries.set(country, new Map())
  const sights = new Map<string, Sight>()
  for (const [country, changed] of countries) {
    sights.set(country, { changed, seen: await watch.see(country, changed, now) })
  }
  return sights
}

/**
 * Bring the degradations of the countries looked at up to date, and write a revision for each that changed. The same
 * rows give the same degradations, however late they came; nothing is overwritten.
 */
export const detect = async (
  sights: ReadonlyMap<string, Sight>,
  store: Store,
  options: DetectOptions,
): Promise<Change[]> => {
  const changes: Change[] = []
  for (const [country, { changed, seen }] of sights) {
    const horizon = Math.min(options.now, ...changed.values()) - HORIZON_SECONDS
    const newest = await newestRevisions(store, { country })
    const known = newest.filter(({ withdrawn, end }) => !withdrawn && (end === null || seconds(end) >= horizon))
    const withdrawn = new Map(newest.filter(of => of.withdrawn).map(({ id, revision }) => [id, revision]))
    // A network whose own trouble ended before is of a finding that goes on elsewhere.
    const begun = onsetsOf(known)
    const since: Since = (key, asn) => Math.min(horizon, begun.get(`${key} ${asn}`) ?? horizon)
    const described = [describeCuts(seen, since)]
    // What still belongs to the findings of these days began no earlier than they did.
    const slow = known.filter(({ verdict }) => verdict === 'slow' || verdict === 'throttled')
    const first = Math.min(horizon, ...slow.map(({ onset }) => seconds(onset)))
    const tests = await heldTestsOf(store, { country, from: first - PAST_SECONDS, to: options.now + 1 })
    for (const [key, trouble] of troubled(seen, tests, horizon, since)) {
      described.push(await describe(store, country, key, trouble, options.now))
    }
    const all = besideEachOther(described)
    const keys = new Set([...described, ...known].map(({ app, feature }) => `${app} ${feature}`))
    const found: Told[] = []
    for (const key of keys) {
      const [app = '', feature = ''] = key.split(' ')
      const is = (of: { app: string; feature: string }) => of.app === app && of.feature === feature
      const findings = all.filter(is).flatMap(of => of.findings)
      const named = { app, feature: feature as Feature, country }
      const told = reconcile(known.filter(is), findings, named, { ...options, withdrawn, horizon })
      found.push(...told.found)
      changes.push(...told.gone)
    }
    changes.push(...changesOf(found))
  }
  await store.insert(
    'degradations',
    changes.map(({ degradation }) => rowOf(degradation)),
  )
  return changes
}

type Row = { json: string }

/** `open`: without those that have ended. */
type Wanted = { country?: string | undefined; app?: string | undefined; open?: boolean }

/** The newest revision of each degradation that is not withdrawn. */
export const currentDegradations = async (store: Store, wanted: Wanted): Promise<Degradation[]> =>
  (await newestRevisions(store, wanted)).filter(({ withdrawn }) => !withdrawn)

const newestRevisions = async (store: Store, { country, app, open = false }: Wanted): Promise<Degradation[]> => {
  const rows = await store.query<Row>(
    `SELECT argMax(json, (revision, -toUnixTimestamp64Milli(known), json)) AS json FROM degradations
     WHERE (country = {country:String} OR {country:String} = '') AND (app = {app:String} OR {app:String} = '') GROUP BY id
     ${open ? "HAVING JSONExtractRaw(json, 'end') = 'null'" : ''}`,
    { country: country ?? '', app: app ?? '' },
  )
  return rows.map(({ json }) => JSON.parse(json) as Degradation)
}

/** Every revision of one degradation, oldest first. */
export const revisionsOf = async (store: Store, id: string): Promise<Degradation[]> => {
  const rows = await store.query<Row>(
    'SELECT json FROM degradations WHERE id = {id:String} ORDER BY revision, known LIMIT 1 BY revision',
    { id },
  )
  return rows.map(({ json }) => JSON.parse(json) as Degradation)
}

const rowOf = (degradation: Degradation): object => ({
  id: degradation.id,
  revision: degradation.revision,
  known: sqlTime(Date.parse(degradation.known) / 1000),
  app: degradation.app,
  country: degradation.country,
  onset: Math.floor(Date.parse(degradation.onset) / 1000),
  json: JSON.stringify(degradation),
})

type Key = { app: string; feature: Feature; country: string }

/** A finding by its name, and what was last told of it. */
type Told = { before: Degradation | undefined; degradation: Degradation }

const reconcile = (
  known: readonly Degradation[],
  findings: readonly Finding[],
  key: Key,
  options: Named,
): { found: Told[]; gone: Change[] } => {
  const unmatched = new Set(known)
  const isOld = ({ end }: Finding) => end !== null && end < options.horizon
  // What is not old goes first: the names in view are of such.
  const found = findings
    .toSorted((a, b) => Number(isOld(a)) - Number(isOld(b)))
    .flatMap((finding): Told[] => {
      const before = matching([...unmatched], finding)
      if (before) unmatched.delete(before)
      return before || !isOld(finding) ? [{ before, degradation: named(finding, key, before, options) }] : []
    })
  const gone = [...unmatched].map((of): Change => {
    const degradation = { ...of, withdrawn: true, revision: of.revision + 1, known: iso(options.now) }
    return { change: 'withdrawn', degradation }
  })
  return { found, gone }
}

/** What is new in what was found in a country, each with the name of what it began together with. */
const changesOf = (found: readonly Told[]): Change[] => {
  const begun = found.map(({ degradation }) => ({ ...degradation, onset: seconds(degradation.onset) }))
  const incidents = incidentsOf(begun)
  return found.flatMap(({ before, degradation: alone }): Change[] => {
    const incident = incidents.get(alone.id)
    const degradation = incident === undefined ? alone : { ...alone, incident }
    return before && same(before, degradation) ? [] : [{ change: changeOf(before, degradation), degradation }]
  })
}

const changeOf = (before: Degradation | undefined, after: Degradation): Change['change'] => {
  if (!before) return 'opened'
  if (before.end === null && after.end !== null) return 'closed'
  return before.end !== null && after.end === null ? 'reopened' : 'revised'
}

const seconds = (time: string): number => Date.parse(time) / 1000
const iso = (at: number): string => new Date(at * 1000).toISOString().replace('.000Z', 'Z')

const named = (finding: Finding, key: Key, before: Degradation | undefined, options: Named): Degradation => {
  const { onset, seen: _, end, slower, tests, transfers, moved, together, ...plain } = finding
  const change = { ...key, onset, asn: finding.networks.length === 1 ? finding.networks[0] : undefined }
  const id = before?.id ?? idOf(finding, key, options.salt)
  return {
    id,
    ...(before?.incident === undefined ? {} : { incident: before.incident }),
    ...key,
    ...plain,
    onset: iso(onset),
    end: end === null ? null : iso(end),
    share: Math.round(finding.share * 1e4) / 1e4,
    ...(slower === null ? {} : { slower: Math.round(slower * 100) / 100 }),
    ...(key.app === CONTROL ? { about: 'network' as const } : {}),
    ...(together.length === 0 ? {} : { together }),
    ...(tests.answered === 0 ? {} : { tests }),
    ...(moved === null ? {} : { moved: movedTo(moved) }),
    ...(transfers === null ? {} : { transfers: rounded(transfers) }),
    events: near(options.events, change).map(({ event, distance }) => ({ id: event.id, distance })),
    sentence: sentenceOf({ ...finding, ...key, networkName: options.networkName }),
    // What was withdrawn and is found again goes on under its name.
    revision: (before?.revision ?? options.withdrawn.get(id) ?? 0) + 1,
    rule: RULE_VERSION,
    known: iso(Math.floor(options.now)),
  }
}

const movedTo = ({ from, to, farther }: Relocation): NonNullable<Degradation['moved']> => {
  const place = ({ asn, country }: Relocation['from']) => ({ asn, country })
  return { from: place(from), to: place(to), farther: Math.round(farther * 1e4) / 1e4 }
}

const rounded = ({ agents, throttled, slower, rate }: TransfersSaid): NonNullable<Degradation['transfers']> => {
  const two = (value: number) => Math.round(value * 100) / 100
  return {
    ...{ agents, throttled },
    slower: slower && { low: two(slower.low), high: two(slower.high), coverage: two(slower.coverage) },
    rate: rate === null ? null : Math.round(rate),
  }
}

/**
 * A name people can cite; the same findings get the same name on every analyst of a store. Keyed: a network that is not
 * public must not be found by trying the numbers there are.
 */
const idOf = ({ networks, onset, layer }: Finding, { app, feature, country }: Key, salt: string): string => {
  const digest = createHmac('sha256', salt)
    .update(JSON.stringify([app, feature, country, layer, onset, networks]))
    .digest('hex')
  return `${country.toLowerCase()}-${iso(onset).slice(0, 10)}-${app}-${digest.slice(0, 8)}`
}

/** Whether two say the same: a program with better words, or with other rules that find the same, must not revise what was cited. */
const same = (a: Degradation, b: Degradation): boolean => {
  const bare = ({ revision: _, known: __, sentence: ___, rule: ____, ...rest }: Degradation) =>
    JSON.stringify(Object.entries(rest).toSorted())
  return bare(a) === bare(b)
}
