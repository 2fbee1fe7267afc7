import { allTargets } from '../measurement/catalogue.ts'
import type { Throttling } from '../measurement/judge/throttle.ts'
import {
  type HeldTest,
  heldOf,
  isOpen,
  PAIRED_SECONDS,
  PAST_SECONDS,
  type PairTest,
  withoutAppsOwn,
} from './analysis/throttling.ts'
import type { Store } from './store/store.ts'

/** Judged tests of paired transfers (pairs.ts), and which of them show that somebody holds an app back. */

export type PairScope = { country: string; asn?: number; from: number; to: number }

type TestRow = Omit<PairTest, 'answer' | 'mechanism' | 'slower' | 'strength' | 'trains'> & {
  app_stalls: number
  app_tries: number
  control_stalls: number
  control_tries: number
  answer: Throttling['answer']
  strength: 'strong' | 'weak' | ''
  mechanism: PairTest['mechanism'] | ''
  slower: number | null
  low: number | null
  high: number | null
  coverage: number
}

const TESTS = `SELECT app, feature, country, asn, agent, toUnixTimestamp(at) AS start, prefix, test, differs, answer, strength,
    mechanism, rate, slower, low, high, coverage, pairs, idle, app_stalls, app_tries, control_stalls, control_tries
  FROM agent_pairs WHERE at >= fromUnixTimestamp({from:UInt32}) AND at < fromUnixTimestamp({to:UInt32})`

const read = async (
  store: Store,
  where: string,
  params: { from: number; to: number; [name: string]: unknown },
): Promise<PairTest[]> => {
  const rows = await store.query<TestRow>(
    `${TESTS} AND ${where} ORDER BY revision DESC LIMIT 1 BY country, asn, agent, pair`,
    {
      ...params,
      from: Math.max(0, Math.floor(params.from)),
      to: Math.ceil(params.to),
    },
  )
  return rows
    .map(({ slower, low, high, coverage, strength, mechanism, ...row }): PairTest => {
      const { app_stalls, app_tries, control_stalls, control_tries, ...rest } = row
      return {
        ...rest,
        strength: strength || null,
        mechanism: mechanism || null,
        slower: slower === null ? null : { value: slower, low: low!, high: high!, coverage },
        trains: {
          app: { hits: app_stalls, tries: app_tries },
          control: { hits: control_stalls, tries: control_tries },
        },
      }
    })
    .sort((a, b) => a.start - b.start || (a.agent < b.agent ? -1 : 1))
}

/** Tests of networks with at in [from, to), Unix seconds, oldest first, and whether somebody holds the app back. */
export const heldTestsOf = async (store: Store, { country, asn, from, to }: PairScope): Promise<HeldTest[]> => {
  const tests = await read(
    store,
    "country = {country:String} AND role != 'control' AND ({any:Bool} OR asn = {asn:UInt32})",
    { country, asn: asn ?? 0, any: asn === undefined, from, to },
  )
  const held = heldOf(tests)
  const open = held.filter(isOpen)
  if (open.length === 0) return held
  const starts = open.map(({ start }) => start)
  const abroad = await read(
    store,
    `role = 'control' AND country != {country:String} AND app IN {apps:Array(String)} AND differs = 'place' AND test != 'shape'`,
    {
      ...{ country, apps: [...new Set(open.map(({ app }) => app))] },
      from: Math.min(...starts) - PAIRED_SECONDS - PAST_SECONDS,
      to: Math.max(...starts) + PAIRED_SECONDS,
    },
  )
  return withoutAppsOwn(held, heldOf(abroad))
}

const paired = new Set(allTargets().flatMap(({ app, target }) => (target.pairs ? [`${app} ${target.feature}`] : [])))

/** The tests that speak for a feature of an app: its own, or where it has no transfers the app's. */
export const testsFor = <T extends PairTest>(
  tests: readonly T[],
  app: string,
  feature: string,
): { own: boolean; tests: T[] } => {
  const of = tests.filter(test => test.app === app)
  const own = of.filter(test => test.feature === feature)
  if (own.length > 0 || paired.has(`${app} ${feature}`)) return { own: true, tests: own }
  return { own: false, tests: of }
}
