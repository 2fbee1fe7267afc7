import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { allTargets, CONTROL } from '../../measurement/catalogue.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { Analyst } from '../../server/analyst.ts'
import { Facts } from '../../server/facts.ts'
import { type Change, currentDegradations, detect, look } from '../../server/findings.ts'
import { agentWindows } from '../../server/rollup.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Touched, touch } from '../../server/touched.ts'
import { pairingParams, pairingSql } from '../../server/trials.ts'
import { Watch } from '../../server/watch.ts'
import { uuid7 } from './agent.ts'
import { stored } from './store-contract.ts'

/** A network that falls silent, as a running server sees it: nobody tells of it, and time passes. */

let store: Store
beforeAll(async () => {
  store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
  await migrate(store)
})
afterAll(() => store.close())
beforeEach(async () => {
  for (const table of ['measurements_raw', 'agent_windows', 'agent_trials', 'degradations', 'detector_states'])
    await store.command(`TRUNCATE TABLE ${table}`)
})

const BIN = 900
const HOUR = 4 * BIN
const DAY = 24 * HOUR
const SILENT = { country: 'KE', asn: 12455 }
const OTHER = { country: 'IR', asn: 44244 }
const control = allTargets().find(({ target }) => target.control === 'foreign')!.target

/** Lately: prefixes are forgotten after days. */
const FROM = Math.floor(Date.now() / DAY / 1_000) * DAY - 4 * DAY
/** The silence begins; everybody reported for two days and a half before. */
const ONSET = FROM + 2.5 * DAY

/** The control of every agent in every bin of [from, to), reported a minute later or when the server is there again. */
function* reports(place: typeof SILENT, from: number, to: number, agents: number, arrived = 0): Generator<Stored> {
  for (let at = from; at < to; at += BIN) {
    for (let agent = 0; agent < agents; agent++) {
      yield stored({
        ...place,
        ...{ id: uuid7(), agent: `${place.asn}-${agent}`, prefix_token: agent + 1, trust: 'corroborated' },
        ...{ app: CONTROL, feature: 'web', target: control.id, kind: control.kind, failure: null },
        ...{ at: at + 60 + agent, arrived: Math.max(at + 120 + agent, arrived), offset: 0 },
        steps: [{ operation: 'connect', start: 0, duration: 0.1, sent: 0, received: 0, failure: null }],
      })
    }
  }
}

const arrive = async (...of: Iterable<Stored>[]): Promise<Touched> => {
  const rows = of.flatMap(rows => [...rows])
  const touched: Touched = new Map()
  if (rows.length > 0) await store.insert('measurements_raw', rows.map(toRow))
  for (const { country, asn, at } of rows) touch(touched, country, asn, at)
  return touched
}

/** What the analyst does of it. */
const settle = async (watch: Watch, touched: Touched, now: number): Promise<Change[]> => {
  await agentWindows(store, touched)
  return await detect(await look(watch, touched, now), store, {
    ...{ events: [], networkName: () => undefined, now, salt: '' },
  })
}

const cutsOf = async (watch: Watch, country: string, now: number) =>
  [...(await watch.see(country, new Map(), now)).values()].flatMap(({ cuts }) => cuts)

const PARTLY = { country: 'TZ', asn: 33771 }
const networkDown = (asn: number, end: string | null) => ({
  ...{ verdict: 'network_down', about: 'network', networks: [asn], onset: iso(ONSET), end },
})
const iso = (at: number) => new Date(at * 1_000).toISOString().replace('.000', '')

test('of all agents, or of all but one, is found while it lasts, as a full rebuild finds it, and ends with it', async () => {
  const watch = new Watch(store)
  const before = [SILENT, PARTLY, OTHER].map(place => reports(place, FROM, ONSET, 8))
  expect(await settle(watch, await arrive(...before), ONSET)).toEqual([])
  const END = ONSET + 2.5 * HOUR
  const told: Change[] = []
  for (let now = ONSET + BIN; now <= END + HOUR; now += BIN) {
    const over = now > END
    const rows = [reports(SILENT, now - BIN, now, over ? 8 : 0), reports(PARTLY, now - BIN, now, over ? 8 : 1)]
    told.push(...(await settle(watch, await arrive(...rows, reports(OTHER, now - BIN, now, 8)), now)))
    if ((now - ONSET) % (4 * BIN) !== BIN) continue
    for (const { country } of [SILENT, PARTLY])
      expect(await cutsOf(new Watch(store), country, now)).toEqual(await cutsOf(watch, country, now))
    // Known after two bins that are older than half an hour.
    expect(told).toHaveLength(now < ONSET + HOUR ? 0 : now < END ? 2 : 4)
  }
  const of = (change: Change['change'], asn: number, end: string | null) =>
    expect.objectContaining({ change, degradation: expect.objectContaining(networkDown(asn, end)) })
  expect(told).toHaveLength(4)
  for (const { asn } of [SILENT, PARTLY]) {
    expect(told).toContainEqual(of('opened', asn, null))
    expect(told).toContainEqual(of('closed', asn, iso(END)))
  }
})

test('is none where the server was down, whoever comes back first, nor where nobody else is heard', async () => {
  const watch = new Watch(store)
  await settle(watch, await arrive(reports(SILENT, FROM, ONSET, 8)), ONSET)
  for (let now = ONSET + HOUR; now <= ONSET + 3 * HOUR; now += HOUR)
    expect(await settle(watch, new Map(), now)).toEqual([])
  const there = ONSET + 6 * HOUR
  const spooled = await arrive(reports(OTHER, FROM, there, 8, there))
  expect(await settle(watch, spooled, there + BIN)).toEqual([])
  expect(await cutsOf(new Watch(store), 'KE', there + BIN)).toEqual([])
  // What goes on from there is silence.
  const since = await arrive(reports(OTHER, there, there + 2 * HOUR, 8))
  expect(await settle(watch, since, there + 2 * HOUR)).toMatchObject([
    { change: 'opened', degradation: { verdict: 'network_down', onset: iso(there) } },
  ])
})

test('is found by an analyst that was started meanwhile, and told of other countries only', async () => {
  const now = ONSET + 3 * HOUR
  const analyst = async () =>
    new Analyst({
      ...{ store, facts: await Facts.open(store), events: [], networkName: () => undefined },
      ...{ leastAgents: 3, now: () => now },
    })
  await agentWindows(store, await arrive(reports(SILENT, FROM, ONSET, 8), reports(OTHER, FROM, ONSET, 8)))
  await store.command(pairingSql('WHERE 1'), { ...pairingParams, revision: 1 })
  const touched = await arrive(reports(OTHER, ONSET, now, 8))
  for (const restarted of [await analyst(), await analyst()]) {
    restarted.touch(touched)
    await restarted.idle()
    await restarted.stop()
    const found = await currentDegradations(store, {})
    expect(found).toMatchObject([{ ...networkDown(SILENT.asn, null), revision: 1 }])
  }
})
