import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Analyst } from '../../server/analyst.ts'
import { reachabilityAnswer } from '../../server/answers.ts'
import { Facts } from '../../server/facts.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { touch } from '../../server/touched.ts'
import { world } from './world.ts'

/** A window began at MEASURED; a little later everything measured in it is judged. Prefixes are forgotten after two weeks. */
const MEASURED = Math.floor(Date.now() / 300_000) * 300 - 3_600
const WINDOW = 300

/** Twelve agents each, that an app does not answer: in one rack, and each at home. */
const RACK = { country: 'UG', asn: 20294 }
const HOMES = { country: 'UG', asn: 21491 }

const folder = mkdtempSync(join(tmpdir(), 'peyk-present-'))
let store: Store
let now = MEASURED + 120

beforeAll(async () => {
  store = await openEmbedded(folder)
  await migrate(store)
  const rows = [...world({ from: MEASURED, to: MEASURED + 60, step: 60, agents: 3 }, () => null)]
  // An agent that finds neither its network nor anything else.
  const unplaced = { country: 'ZZ', seen_country: 'ZZ', asn: 0, seen_asn: 0, agent: 'f'.repeat(32) }
  const dead = world({ from: MEASURED, to: MEASURED + 60, step: 60, agents: 1 }, () => 'generic_timeout_error')
  for (const row of dead) if (row.asn === 44244) rows.push({ ...row, ...unplaced, id: `f${row.id.slice(1)}` })
  const span = { from: MEASURED, to: MEASURED + 60, step: 60, agents: 12 }
  const blocked = ({ app }: { app: string }) => (app === 'telegram' ? 'generic_timeout_error' : null)
  for (const row of world({ ...span, on: [RACK] }, blocked)) rows.push({ ...row, prefix_token: 7 })
  rows.push(...world({ ...span, on: [HOMES] }, blocked))
  await store.insert('measurements_raw', rows.map(toRow))
  const facts = await Facts.open(store)
  const analyst = new Analyst({
    ...{ store, facts, events: [], networkName: () => undefined, leastAgents: 3, now: () => now },
  })
  const touched = new Map()
  for (const { country, asn, at } of rows) touch(touched, country, asn, at)
  analyst.touch(touched)
  await analyst.idle()
  await analyst.stop()
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const placesAt = async (at: number, present: boolean) =>
  (await reachabilityAnswer(store, { at, present, ...nothingElse }, () => undefined)).places
const nothingElse = { app: undefined, feature: undefined, country: undefined }

test('the present does not go blank while its window waits to be judged', async () => {
  const before = await placesAt(now, true)
  expect(before.length).toBeGreaterThan(0)
  now = MEASURED + WINDOW + 1
  const after = await placesAt(now, true)
  expect(after).toEqual(before)
  // A time asked for is that time, and nothing was judged then.
  expect(await placesAt(now, false)).toEqual([])
})

test('it ends with the window after: what is older is not the present', async () => {
  expect(await placesAt(MEASURED + 2 * WINDOW, true)).toEqual([])
})

test('the agents of a rack confirm nothing, as many at home do', async () => {
  const told = (await placesAt(MEASURED, false)).filter(({ feature, asn }) => feature === 'text' && asn)
  const of = (asn: number) => told.filter(place => place.asn === asn).map(({ verdict, state }) => [verdict, state])
  expect(of(RACK.asn)).toEqual([['blocked', 'unconfirmed']])
  expect(of(HOMES.asn)).toEqual([['blocked', 'confirmed']])
})

test('on an unknown network, too, a dead line is a dead line and not a block', async () => {
  const line = (await placesAt(MEASURED, false)).filter(place => place.country === 'ZZ')
  expect(line.length).toBeGreaterThan(0)
  expect(new Set(line.map(place => place.verdict))).toEqual(new Set(['network_down']))
  const known = (await placesAt(MEASURED, false)).filter(place => place.country === 'KE')
  expect(known.map(place => place.verdict)).not.toContain('network_down')
})
