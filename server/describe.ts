import { CONTROL } from '../measurement/catalogue.ts'
import { CONFIRMING_AGENTS, CONFIRMING_NETWORKS } from '../measurement/judge/verdict.ts'
import type { Feature } from '../measurement/target.ts'
import { type Finding, findingsOf } from './analysis/degradations.ts'
import type { Episode } from './analysis/detector.ts'
import type { Cut } from './analysis/isolation.ts'
import { joined, type Series, TOGETHER_SECONDS, WEEK_SECONDS } from './analysis/parts.ts'
import { zoneOf } from './analysis/recurrence.ts'
import type { Store } from './store/store.ts'
import { testsOf } from './tests.ts'
import { trialsOf } from './trials.ts'
import type { Seen } from './watch.ts'

/** From what the detector saw in a country to findings, with the rows that describe them read from the store. */

export type Described = { app: string; feature: Feature; findings: Finding[] }

/** Before an onset: a week of what is usual, and what the search for the onset looks back on. */
const BEFORE_SECONDS = WEEK_SECONDS + 2 * 86_400
/** A finding that lasts is described by its first days and its newest four weeks. */
const FIRST_SECONDS = 3 * 86_400
const NEWEST_SECONDS = 28 * 86_400
/** How other networks did is taken from the first day. */
const OTHERS_SECONDS = 86_400

type Episodes = ReadonlyMap<number, readonly Episode[]>

/** Series of the country that had trouble since `horizon`, with those of their episodes that belong to it. */
export const troubled = (seen: ReadonlyMap<number, Seen>, horizon: number): Map<string, Episodes> => {
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
        .filter(({ end, seen }) => end === null || Math.max(end, seen) >= horizon)
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
  episodes: Episodes,
  now: number,
): Promise<Described> => {
  const [app = '', feature = ''] = key.split(' ')
  const of = { country, app, feature }
  const asns = [...episodes.keys()]
  const all = [...episodes.values()].flat()
  const first = Math.min(...all.map(({ onset }) => onset))
  // What is open and not seen for a week has ended; nothing of it lies later.
  const last = Math.floor(Math.min(now, Math.max(...all.map(({ end, seen }) => end ?? seen)) + WEEK_SECONDS))
  const networks = new Map<number, Series[]>()
  const add = async (from: number, to: number, named: readonly number[]) => {
    for (const trials of await trialsOf(store, { ...of, asns: named, from: Math.max(0, from), to })) {
      for (const [asn, own] of trials.networks) {
        if (named.length === 0 && episodes.has(asn)) continue
        networks.set(asn, [...(networks.get(asn) ?? []), ...own])
      }
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
  const findings = findingsOf(networks, zoneOf(country), now, { episodes: asn => episodes.get(asn) ?? [], tests })
  return { app, feature: feature as Feature, findings }
}

/** Networks cut off or silent: findings about the network itself, under the app of the controls. */
export const describeCuts = (seen: ReadonlyMap<number, Seen>, horizon: number): Described => {
  const cuts = [...seen]
    .flatMap(([asn, { cuts }]) => cuts.map(cut => ({ asn, cut })))
    .filter(({ cut }) => cut.end === null || cut.end >= horizon)
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

const findingOf = (group: readonly { asn: number; cut: Cut }[]): Finding => {
  const networks = [...new Set(group.map(({ asn }) => asn))].sort((a, b) => a - b)
  const agents = group.reduce((sum, { cut }) => sum + cut.agents.length, 0)
  const { verdict } = group[0]!.cut
  const ends = group.map(({ cut }) => cut.end)
  return {
    networks,
    verdict,
    layer: null,
    mechanism: verdict === 'domestic_only' ? 'isolation' : null,
    state: agents >= CONFIRMING_AGENTS || networks.length >= CONFIRMING_NETWORKS ? 'confirmed' : 'unconfirmed',
    onset: Math.min(...group.map(({ cut }) => cut.onset)),
    end: ends.includes(null) ? null : Math.max(...ends.map(end => end ?? 0)),
    recurring: null,
    share: 1,
    slower: null,
    agents,
    tests: { answered: 0, agreed: 0 },
    control: verdict === 'domestic_only' ? 'domestic controls of the same agents' : 'agents of other networks',
  }
}
