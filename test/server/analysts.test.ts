import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Analyst, type AnalystParts } from '../../server/analyst.ts'
import { reachabilityAnswer, seriesAnswer } from '../../server/answers.ts'
import { Facts } from '../../server/facts.ts'
import { currentDegradations, revisionsOf } from '../../server/findings.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import type { Touched } from '../../server/touched.ts'
import { touch } from '../../server/touched.ts'
import { world } from './world.ts'

/** A second analyst is waste and no damage: what two make of the same rows, at once or in turn, one would have made. */

const START = 1_750_003_200
const HOURS = 3_600
const END = START + 5 * HOURS

let store: Store
beforeEach(async () => {
  store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
  await migrate(store)
})
afterEach(() => store.close())

const analyst = async (more: Partial<AnalystParts> = {}) =>
  new Analyst({
    ...{ store, facts: await Facts.open(store), events: [], networkName: () => undefined },
    ...{ leastAgents: 3, now: () => END, ...more },
  })

/** Telegram is blocked on one network from the third hour on. */
const rows = [
  ...world({ from: START, to: END, step: 1_800, agents: 3 }, ({ app, asn, time }) =>
    app === 'telegram' && asn === 12455 && time >= START + 2 * HOURS ? 'generic_timeout_error' : null,
  ),
]

const arrive = async (from: number, to: number): Promise<Touched> => {
  const part = rows.filter(({ at }) => at >= from && at < to)
  await store.insert('measurements_raw', part.map(toRow))
  const touched: Touched = new Map()
  for (const { country, asn, at, offset } of part) touch(touched, country, asn, at + offset)
  return touched
}

const told = async () => {
  const degradations = await currentDegradations(store, {})
  const series = await seriesAnswer(
    store,
    {
      ...{ app: 'telegram', feature: 'text', country: 'KE', asn: undefined },
      ...{ from: START, to: END, level: 300, step: '5m' },
    },
    () => undefined,
  )
  const present = await reachabilityAnswer(
    store,
    { at: END - 600, present: false, app: undefined, feature: undefined, country: undefined },
    () => undefined,
  )
  return {
    degradations: degradations
      .map(({ id: _, revision: __, known: ___, incident: ____, ...rest }) => rest)
      .toSorted((a, b) => (a.feature < b.feature ? -1 : 1)),
    ...{ series, present },
  }
}

test('two analysts at once and in turn tell what one tells', async () => {
  const one = await analyst()
  one.touch(await arrive(START, END))
  await one.idle()
  await one.stop()
  const alone = await told()
  expect(alone.degradations).toContainEqual(
    expect.objectContaining({ feature: 'text', networks: [12455], verdict: 'blocked', end: null }),
  )

  for (const table of [
    'measurements_raw',
    'agent_windows',
    'agent_trials',
    'verdicts',
    'rollups',
    'network_days',
    'degradations',
    'facts',
    'detector_states',
  ])
    await store.command(`TRUNCATE TABLE ${table}`)
  const both = [await analyst(), await analyst()]
  // Rows come in two parts; each analyst hears of them all, at its own time.
  for (const [from, to] of [
    [START, START + 3 * HOURS],
    [START + 3 * HOURS, END],
  ] as const) {
    const touched = await arrive(from, to)
    for (const of of both) of.touch(touched)
    await Promise.all(both.map(of => of.idle()))
  }
  for (const of of both) await of.stop()
  expect(await told()).toEqual(alone)
  const [{ id } = { id: '' }] = await currentDegradations(store, {})
  const revisions = await revisionsOf(store, id)
  expect(revisions.map(({ revision }) => revision)).toEqual(revisions.map((_, at) => at + 1))
})

test('nothing is judged for rows that count for nothing, at the start nor as they come', async () => {
  const some = rows.filter(({ at }) => at >= END - HOURS)
  const quarantined = (asn: number) => some.map(row => toRow({ ...row, asn, trust: 'quarantined', arrived: END }))
  const judged = new Set<string>()
  const one = await analyst({
    follow: true,
    settled: of => {
      for (const network of of.keys()) judged.add(network)
    },
  })
  await store.insert('measurements_raw', [...quarantined(64501), ...some.slice(0, 20).map(toRow)])
  await one.start()
  await one.idle()
  await store.insert('measurements_raw', quarantined(64502))
  await one.idle()
  await one.stop()
  expect([...judged].toSorted()).toEqual([...new Set(some.slice(0, 20).map(row => `KE ${row.asn}`)), 'KE 0'].toSorted())
})
