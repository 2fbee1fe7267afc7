import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Analyst } from '../../server/analyst.ts'
import { Facts } from '../../server/facts.ts'
import { type Change, currentDegradations } from '../../server/findings.ts'
import { presentOf } from '../../server/present.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Told, toldAfter } from '../../server/told.ts'
import { type Touched, touch } from '../../server/touched.ts'
import { type Trouble, world } from './world.ts'

/** An app that fails for control agents abroad too is down by itself: from rows to what Prometheus and people are told. */

const HOUR = 3_600
const START = Date.parse('2024-03-04T00:00:00Z') / 1_000
const BROKEN = START + 3 * HOUR
const MENDED = BROKEN + 2 * HOUR
const HERE = [12455, 33771].map(asn => ({ country: 'KE', asn }))
const ABROAD = [
  { country: 'DE', asn: 3320 },
  { country: 'FR', asn: 3215 },
]

/** Enough of them for verdicts. */
const TARGETS = /^(telegram\.dc[123]\.v4\.443|signal\.chat|control\.portal)\./

/** Telegram breaks everywhere and is mended, but not in Kenya; Signal never works there, nor for one control agent of two. */
const trouble: Trouble = ({ app, asn, time }) => {
  const here = HERE.some(network => network.asn === asn)
  const fails =
    app === 'telegram'
      ? time >= BROKEN && (here || time < MENDED)
      : app === 'signal' && (here || asn === ABROAD[0]!.asn)
  return fails ? 'generic_timeout_error' : null
}

const folder = mkdtempSync(join(tmpdir(), 'peyk-down-'))
let store: Store
let analyst: Analyst
let now = START
const changes: Change[] = []
beforeAll(async () => {
  store = await openEmbedded(folder)
  await migrate(store)
  analyst = new Analyst({
    ...{ store, facts: await Facts.open(store), events: [], networkName: () => undefined, leastAgents: 3 },
    now: () => now,
    changed: of => void changes.push(...of),
  })
})
afterAll(async () => {
  await analyst.stop()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What the rows of [from, to) make of an app's findings. */
const found = async (from: number, to: number, app: string) => {
  const span = { from, to, step: 900, apps: ['telegram', 'signal', 'control'] }
  const rows = [
    ...world({ ...span, agents: 4, on: HERE }, trouble),
    ...world({ ...span, agents: 1, on: ABROAD, role: 'control' }, trouble),
  ].filter(({ target }) => TARGETS.test(target))
  now = to
  await store.insert('measurements_raw', rows.map(toRow))
  const touched: Touched = new Map()
  for (const { country, asn, at } of rows) touch(touched, country, asn, at)
  analyst.touch(touched)
  await analyst.idle()
  return await currentDegradations(store, { app, country: 'KE' })
}

const degraded = async (app: string) => {
  const present = await presentOf(store, [], { now: () => now, lag: () => 0, rollups: false })()
  return present.peyk_degraded!.map(({ labels }) => labels).filter(of => of.app === app)
}

test('down abroad too: no block, in answers, in metrics and in words', async () => {
  const [down, ...more] = await found(START, MENDED, 'telegram')
  expect(more).toEqual([])
  expect(down).toMatchObject({
    ...{ verdict: 'app_down', layer: 'protocol', mechanism: null, state: 'confirmed', end: null, share: 1 },
    control: 'none: control agents in other countries fail too',
    sentence: {
      en: 'Telegram: down on AS12455 and AS33771 in Kenya since 4 March 2024, 06:00 (UTC+3); 0% of its endpoints answered (trouble at its own protocol); control agents in other countries could not reach it either.',
      fa: expect.stringContaining('سنجشگرهای شاهد در کشورهای دیگر هم به آن نمی‌رسند'),
    },
  })
  expect(await degraded('telegram')).toMatchObject([{ verdict: 'app_down', state: 'confirmed', country: 'KE' }])
})

test('failing in one other country is not down everywhere', async () => {
  expect(await currentDegradations(store, { app: 'signal', country: 'KE' })).toMatchObject([{ verdict: 'blocked' }])
  expect(await degraded('signal')).toMatchObject([{ verdict: 'blocked' }])
})

test('mended abroad and not here: a block, under the same name, and people are told', async () => {
  // Not before it worked abroad for as long as it did not.
  expect(await found(MENDED, MENDED + HOUR, 'telegram')).toMatchObject([{ verdict: 'app_down' }])
  expect(await found(MENDED + HOUR, MENDED + 2.5 * HOUR, 'telegram')).toMatchObject([
    { verdict: 'blocked', mechanism: 'drop', state: 'confirmed', control: 'none' },
  ])
  const of = changes.filter(({ degradation: { app } }) => app === 'telegram')
  expect(new Set(of.map(({ degradation }) => degradation.id)).size).toBe(1)
  const words = of.reduce<Told | undefined>((told, change) => toldAfter(change, told) ?? told, undefined)
  expect(words?.waiting.map(({ change, degradation }) => [change, degradation.verdict])).toEqual([
    ['open', 'app_down'],
    ['worsen', 'blocked'],
  ])
})
