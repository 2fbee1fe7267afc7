import { CONTROL } from '../measurement/catalogue.ts'
import type { Feature } from '../measurement/target.ts'
import { DETECTOR_BIN_SECONDS } from '../measurement/windows.ts'
import { type Finding, findingsOf } from './analysis/degradations.ts'
import type { Episode } from './analysis/detector.ts'
import type { Cut } from './analysis/isolation.ts'
import { ALARM_AT } from './analysis/mixture.ts'
import { joined, type Series, TOGETHER_SECONDS, type Transfers, WEEK_SECONDS } from './analysis/parts.ts'
import { zoneOf } from './analysis/recurrence.ts'
import { type HeldTest, throttledOf } from './analysis/throttling.ts'
import { stateOf, type Tally } from './analysis/trust.ts'
import { isDownAbroad } from './down.ts'
import { testsFor } from './held.ts'
import { movedOf } from './moved.ts'
import type { Store } from './store/store.ts'
import { testsOf } from './tests.ts'
import { trialsOf } from './trials.ts'
import type { Seen } from './watch.ts'

/** From what the detector saw in a country to findings, with the rows that describe them read from the store. */

const DOWN_ABROAD = 'none: control agents in other countries fail too'

export type Described = { app: string; feature: Feature; findings: Finding[] }

/** Before an onset: a week of what is usual, and what the search for the onset looks back on. */
const BEFORE_SECONDS = WEEK_SECONDS + 2 * 86_400
/** A finding that lasts is described by its first days and its newest four weeks. */
const FIRST_SECONDS = 3 * 86_400
const NEWEST_SECONDS = 28 * 86_400
/** How other networks did is taken from the first day. */
const OTHERS_SECONDS = 86_400

/** By network: what the detector saw of a series, and paired transfers that speak for it. */
type Trouble = {
  episodes: ReadonlyMap<number, readonly Episode[]>
  transfers: ReadonlyMap<number, Transfers>
}

/** From when on trouble of a series (`app feature`) on a network may be of use. */
export type Since = (key: string, asn: number) => number

/**
 * Series of the country that had trouble since `horizon`, by the detector (of a network: `since`) or by paired transfers,
 * with what belongs to it.
 */
export const troubled = (
  seen: ReadonlyMap<number, Seen>,
  tests: readonly HeldTest[],
  horizon: number,
  since: Since,
): Map<string, Trouble> => {
  const episodes = episodesSince(seen, since)
  const shown = tests.filter(({ held, start }) => held && start >= horizon)
  const keys = new Set([...episodes.keys(), ...shown.map(({ app, feature }) => `${app} ${feature}`)])
  const byApp = Map.groupBy(tests, ({ app }) => app)
  return new Map(
    [...keys].map(key => {
      const [app = '', feature = ''] = key.split(' ')
      const { own, tests: of } = testsFor(byApp.get(app) ?? [], app, feature)
      const networks = Map.groupBy(of, ({ asn }) => asn)
      const transfers = new Map([...networks].map(([asn, tests]) => [asn, { own, tests }]))
      return [key, { episodes: episodes.get(key) ?? new Map(), transfers }]
    }),
  )
}

const episodesSince = (seen: ReadonlyMap<number, Seen>, since: Since): Map<string, Map<number, Episode[]>> => {
  const found = new Map<string, Map<number, Episode[]>>()
  for (const [asn, { series }] of seen) {
    for (const [key, episodes] of series) {
      const spans = (['reach', 'slow'] as const).flatMap(kind =>
        joined(
          episodes.filter(of => of.kind === kind),
          WEEK_SECONDS,
        ),
      )
      const relevant = spans
        .filter(({ end, seen }) => end === null || Math.max(end, seen) >= since(key, asn))
        .flatMap(span => span.episodes)
      if (relevant.length === 0) continue
      const networks = found.get(key) ?? found.set(key, new Map()).get(key)!
      networks.set(
        asn,
        relevant.sort((a, b) => a.onset - b.onset),
      )
    }
  }
  return found
}

/** Findings of one series of a country. */
export const describe = async (
  store: Store,
  country: string,
  key: string,
  { episodes, transfers }: Trouble,
  now: number,
): Promise<Described> => {
  const [app = '', feature = ''] = key.split(' ')
  const of = { country, app, feature }
  const held = [...transfers.values()].flatMap(({ own, tests }) => (own ? throttledOf(tests, now) : []))
  const asns = [...new Set([...episodes.keys(), ...transfers.keys()])]
  const all = [...[...episodes.values()].flat(), ...held]
  // Tests of fewer agents than can say so.
  if (all.length === 0) return { app, feature: feature as Feature, findings: [] }
  const first = Math.min(...all.map(({ onset }) => onset))
  // What is open and not seen for a week has ended; nothing of it lies later.
  const last = Math.floor(Math.min(now, Math.max(...all.map(({ end, seen }) => end ?? seen)) + WEEK_SECONDS))
  const networks = new Map<number, Series[]>()
  const add = async (from: number, to: number, named: readonly number[]) => {
    for (const [asn, own] of await trialsOf(store, { ...of, asns: named, from: Math.max(0, from), to })) {
      if (named.length === 0 && asns.includes(asn)) continue
      networks.set(asn, [...(networks.get(asn) ?? []), ...own])
    }
  }
  const newest = Math.max(first, last - NEWEST_SECONDS)
  if (newest - first > FIRST_SECONDS) {
    await add(first - BEFORE_SECONDS, first + FIRST_SECONDS, asns)
    // What lies between serves no description; each onset in it is dated by the days around it, once its turn comes.
    await add(newest, last, asns)
  } else await add(first - BEFORE_SECONDS, last, asns)
  let until = 0
  for (const { onset } of all.toSorted((a, b) => a.onset - b.onset)) {
    const from = Math.max(until, onset)
    until = Math.max(until, onset + OTHERS_SECONDS)
    if (until > from) await add(from, until, [])
  }
  const tests = await testsOf(store, { ...of, from: Math.max(0, first - BEFORE_SECONDS), to: last + 1 })
  // Transfers show trouble where nothing else was measured.
  for (const asn of transfers.keys()) if (!networks.has(asn)) networks.set(asn, [])
  const findings = findingsOf(networks, zoneOf(country), now, {
    episodes: asn => episodes.get(asn) ?? [],
    tests,
    transfers: asn => transfers.get(asn) ?? { own: false, tests: [] },
  })
  return {
    app,
    feature: feature as Feature,
    findings: await Promise.all(findings.map(one => explained(store, of, one, now))),
  }
}

/**
 * What fails abroad too is down by itself. A slow-down whose app left the country is named so; throttled by nobody, since
 * the longer way accounts for it.
 */
const explained = async (
  store: Store,
  of: { country: string; app: string; feature: string },
  finding: Finding,
  now: number,
): Promise<Finding> => {
  const { verdict, mechanism, layer, onset, seen, end, networks } = finding
  if (verdict === 'blocked' || verdict === 'partial') {
    const down = await isDownAbroad(store, { ...of, networks, onset, until: seen + DETECTOR_BIN_SECONDS })
    return down ? { ...finding, verdict: 'app_down', mechanism: null, control: DOWN_ABROAD } : finding
  }
  if (verdict !== 'slow' && verdict !== 'throttled') return finding
  const throttled = verdict === 'throttled' && (mechanism !== null || layer !== null)
  const moved = await movedOf(store, { ...of, asns: networks, onset, until: end ?? now, throttled })
  return moved ? { ...finding, verdict: 'slow', mechanism: 'relocation', moved } : finding
}

/** Networks cut off or silent: findings about the network itself, under the app of the controls. */
export const describeCuts = (seen: ReadonlyMap<number, Seen>, since: Since): Described => {
  const cuts = [...seen]
    .flatMap(([asn, { cuts }]) => cuts.map(cut => ({ asn, cut })))
    .filter(({ asn, cut }) => cut.end === null || cut.end >= since(`${CONTROL} web`, asn))
    .sort((a, b) => a.cut.onset - b.cut.onset || a.asn - b.asn)
  const groups: { asn: number; cut: Cut }[][] = []
  for (const one of cuts) {
    const group = groups.find(
      of =>
        of.every(({ asn }) => asn !== one.asn) &&
        of.some(
          ({ cut }) => cut.verdict === one.cut.verdict && Math.abs(cut.onset - one.cut.onset) <= TOGETHER_SECONDS,
        ),
    )
    if (group) group.push(one)
    else groups.push([one])
  }
  return { app: CONTROL, feature: 'web', findings: groups.map(findingOf) }
}

/** Whose line was lost for two bins needs no further evidence. */
const talliesOf = ({ asn, cut: { agents, fine } }: { asn: number; cut: Cut }): Tally[] => [
  ...[...agents].map(([agent, prefix]) => ({ asn, agent, prefix, hit: true, evidence: ALARM_AT })),
  ...[...fine].filter(agent => !agents.has(agent)).map(agent => ({ asn, agent, prefix: 0, hit: false, evidence: 0 })),
]

const findingOf = (group: readonly { asn: number; cut: Cut }[]): Finding => {
  const networks = [...new Set(group.map(({ asn }) => asn))].sort((a, b) => a - b)
  const agents = group.reduce((sum, { cut }) => sum + cut.agents.size, 0)
  const { verdict } = group[0]!.cut
  const ends = group.map(({ cut }) => cut.end)
  return {
    networks,
    verdict,
    layer: null,
    mechanism: verdict === 'domestic_only' ? 'isolation' : null,
    state: stateOf(group.flatMap(talliesOf)),
    onset: Math.min(...group.map(({ cut }) => cut.onset)),
    seen: Math.max(...group.map(({ cut }) => cut.seen)),
    end: ends.includes(null) ? null : Math.max(...ends.map(end => end ?? 0)),
    recurring: null,
    share: 1,
    slower: null,
    transfers: null,
    moved: null,
    agents,
    tests: { answered: 0, agreed: 0 },
    together: [],
    control: verdict === 'domestic_only' ? 'domestic controls of the same agents' : 'agents of other networks',
  }
}
