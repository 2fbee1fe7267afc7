import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Degradation } from '../../measurement/answers.ts'
import { RULE_VERSION } from '../../measurement/judge/outcome.ts'
import type { Trial } from '../../server/analysis/trial.ts'
import { verdictsOf } from '../../server/analysis/witnesses.ts'
import { type Change, currentDegradations, detect, look, revisionsOf } from '../../server/findings.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import type { Touched } from '../../server/touched.ts'
import { Watch } from '../../server/watch.ts'
import { Random } from '../bench/detection/random.ts'
import { DAY, type Event, START, seriesOf } from '../bench/detection/series.ts'
import { rowsOf } from './windows.ts'

/** Rows that come late: findings are found, moved, reopened and withdrawn, and in the end the same as if all had come in time. */

let store: Store
beforeAll(async () => {
  store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
  await migrate(store)
})
afterAll(() => store.close())
beforeEach(async () => {
  for (const table of ['agent_windows', 'agent_trials', 'degradations', 'detector_states'])
    await store.command(`TRUNCATE TABLE ${table}`)
})

const HERE = { country: 'KE', asn: 12455 }
const THERE = { country: 'KE', asn: 33771 }
const END = START + 20 * DAY

const arrive = async (watch: Watch, trials: readonly Trial[], now: number, place = HERE): Promise<Change[]> => {
  await store.insert('agent_windows', rowsOf(trials, place))
  const touched: Touched = new Map([[`${place.country} ${place.asn}`, new Set(trials.map(({ at }) => at))]])
  const changes = await detect(await look(watch, touched, now), store, {
    events: [],
    networkName: () => undefined,
    now,
    salt: '',
  })
  // Outages of the whole network, which the generator makes too, are findings of their own.
  return changes.filter(({ degradation }) => degradation.app === 'telegram')
}

const bare = (of: readonly Degradation[]) =>
  of
    .map(({ id: _, revision: __, known: ___, incident: ____, ...rest }) => rest)
    .toSorted((a, b) => (`${a.onset} ${a.app}` < `${b.onset} ${b.app}` ? -1 : 1))
const found = async () => bare(await currentDegradations(store, { country: 'KE', app: 'telegram' }))

const series = (seed: number, event?: Event): Trial[] =>
  seriesOf({ seed, agents: 5, days: 20, ...(event ? { event } : {}) })
const until = (trials: readonly Trial[], at: number) => trials.filter(of => of.at < at)
const since = (trials: readonly Trial[], at: number) => trials.filter(of => of.at >= at)

describe('order of arrival', () => {
  test.each([
    ['a full block', 11, { day: 10.3, hours: 30, lost: 1 }],
    ['a slow-down', 12, { day: 10.6, hours: 40, slower: 2 }],
  ])(
    '%s: in parts, up to 14 days late, over restarts, and all at once give the same findings',
    async (_, seed, event) => {
      const all = series(seed, event)
      await arrive(new Watch(store), all, END)
      const whole = await found()
      expect(whole.length).toBeGreaterThan(0)

      await store.command('TRUNCATE TABLE agent_windows')
      await store.command('TRUNCATE TABLE agent_trials')
      await store.command('TRUNCATE TABLE degradations')
      await store.command('TRUNCATE TABLE detector_states')
      const random = new Random(seed)
      // One in ten rows is late, up to 14 days; the rest come with their two days.
      const arrivals = all.map(trial => ({
        trial,
        by: trial.at + (random.next() < 0.1 ? random.next() * 14 * DAY : 0),
      }))
      let watch = new Watch(store)
      for (let now = START + 2 * DAY; now <= END + 14 * DAY; now += 2 * DAY) {
        const batch = arrivals.filter(({ by }) => by >= now - 2 * DAY && by < now).map(({ trial }) => trial)
        // Now and then the server is restarted.
        if (random.next() < 0.2) watch = new Watch(store)
        if (batch.length > 0) await arrive(watch, batch, Math.min(now, END))
      }
      await detect(await look(watch, new Map([['KE 12455', new Set([END])]]), END), store, {
        events: [],
        networkName: () => undefined,
        now: END,
        salt: '',
      })
      expect(await found()).toEqual(whole)
    },
    120_000,
  )
})

test('a revision says by which rules it was found; other rules that find the same are none', async () => {
  const watch = new Watch(store)
  const [opened] = await arrive(watch, series(11, { day: 10.3, hours: 30, lost: 1 }), END)
  const { degradation } = opened!
  expect(degradation.rule).toBe(RULE_VERSION)
  await store.command('TRUNCATE TABLE degradations')
  const { id, app, country } = degradation
  const at = Math.floor(Date.parse(degradation.onset) / 1_000)
  const json = JSON.stringify({ ...degradation, rule: 1 })
  await store.insert('degradations', [{ id, app, country, revision: 1, known: '2024-01-01 00:00:00', onset: at, json }])
  const again = await look(watch, new Map([['KE 12455', new Set([at])]]), END)
  await detect(again, store, { events: [], networkName: () => undefined, now: END, salt: '' })
  expect(await currentDegradations(store, { country: 'KE', app: 'telegram' })).toMatchObject([{ rule: 1, revision: 1 }])
})

describe('late rows', () => {
  test('what was withdrawn and is found again goes on under its name', async () => {
    const watch = new Watch(store)
    const [opened] = await arrive(watch, series(11, { day: 10.3, hours: 30, lost: 1 }), END)
    const { degradation } = opened!
    const withdrawn = { ...degradation, withdrawn: true, revision: 2 }
    const at = Math.floor(Date.parse(degradation.onset) / 1_000)
    const { id, app, country } = degradation
    const row = {
      id,
      app,
      country,
      revision: 2,
      known: '2024-01-01 00:00:00',
      onset: at,
      json: JSON.stringify(withdrawn),
    }
    await store.insert('degradations', [row])
    expect(await found()).toEqual([])
    const again = await look(watch, new Map([['KE 12455', new Set([at])]]), END)
    await detect(again, store, { events: [], networkName: () => undefined, now: END, salt: '' })
    expect(await currentDegradations(store, { country: 'KE', app: 'telegram' })).toMatchObject([{ id, revision: 3 }])
  })

  const block: Event = { day: 10.5, hours: 240, lost: 1 }
  const quiet = series(21)
  const blocked = series(21, block)
  const onset = START + 10.5 * DAY
  const of = (trials: readonly Trial[], agents: readonly string[]) =>
    trials.filter(({ agent }) => agents.includes(agent))
  const some = ['a000', 'a001']

  test('open a finding that lies in the past, date it then, and move its onset', async () => {
    const watch = new Watch(store)
    expect(await arrive(watch, until(blocked, onset), START + 14 * DAY)).toEqual([])
    // The agents of the block were offline for two days; first comes what they saw from the second day on.
    const opened = await arrive(watch, until(since(blocked, onset + DAY), onset + 3 * DAY), START + 14 * DAY)
    expect(opened).toMatchObject([{ change: 'opened', degradation: { verdict: 'blocked', end: null, revision: 1 } }])
    const { id, onset: first } = opened[0]!.degradation
    expect(Date.parse(first) / 1000).toBeGreaterThanOrEqual(onset + DAY)
    const moved = await arrive(watch, until(since(blocked, onset), onset + DAY), START + 14 * DAY)
    expect(moved).toMatchObject([{ change: 'revised', degradation: { id, revision: 2 } }])
    expect(Math.abs(Date.parse(moved[0]!.degradation.onset) / 1000 - onset)).toBeLessThanOrEqual(1_800)
    expect((await revisionsOf(store, id)).map(({ onset }) => onset)).toEqual([first, moved[0]!.degradation.onset])
  })

  test('withdraw what they show to have been two agents of many', async () => {
    const watch = new Watch(store)
    await arrive(watch, until(quiet, onset), START + 11 * DAY)
    const opened = await arrive(watch, until(since(of(blocked, some), onset), onset + DAY), onset + DAY)
    expect(opened).toMatchObject([{ change: 'opened', degradation: { state: 'unconfirmed' } }])
    const { id } = opened[0]!.degradation
    // Ten others worked all the time; their rows were under way.
    const others = seriesOf({ seed: 99, agents: 12, days: 20 }).filter(({ agent }) => !some.includes(agent))
    const late = await arrive(watch, until(since(others, onset), onset + DAY), onset + 2 * DAY)
    expect(late).toMatchObject([{ change: 'withdrawn', degradation: { id, withdrawn: true, revision: 2 } }])
    expect(await found()).toEqual([])
    expect(await revisionsOf(store, id)).toHaveLength(2)
  })

  test('close a finding when it works again, and reopen it when later rows say that it did not', async () => {
    const watch = new Watch(store)
    await arrive(watch, until(blocked, onset + DAY), onset + DAY)
    const closed = await arrive(watch, until(since(quiet, onset + DAY), onset + 1.5 * DAY), onset + 1.5 * DAY)
    expect(closed).toMatchObject([{ change: 'closed' }])
    const { id } = closed[0]!.degradation
    const again = await arrive(watch, until(since(blocked, onset + 1.5 * DAY), onset + 2 * DAY), onset + 2 * DAY)
    expect(again).toMatchObject([{ change: 'reopened', degradation: { id, end: null, revision: 3 } }])
  })

  test('of one network leave what was found on another alone', async () => {
    const watch = new Watch(store)
    const [first] = await arrive(watch, until(blocked, onset + DAY), onset + DAY)
    expect(first?.degradation.networks).toEqual([HERE.asn])
    expect(await arrive(watch, until(quiet, onset + DAY), onset + DAY, THERE)).toMatchObject([
      { change: 'revised', degradation: { id: first!.degradation.id, control: 'other networks of the country' } },
    ])
    // The same trouble on the other network too: one finding, on two networks.
    const both = await arrive(watch, until(since(blocked, onset), onset + DAY), onset + DAY, { ...THERE, asn: 37061 })
    expect(both).toMatchObject([{ change: 'revised', degradation: { networks: [HERE.asn, 37061], revision: 3 } }])
  })
})

describe('what goes on', () => {
  const onset = START + 3 * DAY
  const [recovered, early, late] = [onset + 2 * DAY, onset + 5 * DAY, onset + 12 * DAY]
  const days = { agents: 5, days: 20 }
  const quiet = (seed: number) => seriesOf({ ...days, seed })
  const blocked = (seed: number, hours: number) => seriesOf({ ...days, seed, event: { day: 3, hours, lost: 1 } })
  const isolated = (seed: number, hours: number) =>
    quiet(seed).map(of =>
      of.at >= onset && of.at < onset + hours * 3_600 ? { ...of, foreign: false, domestic: true, answered: 0 } : of,
    )

  test.each([
    ['a block', 'telegram', blocked],
    ['being cut off', 'control', isolated],
  ])('%s keeps the networks where it ended more than a week before', async (_, app, made) => {
    const watch = new Watch(store)
    const [short, long] = [made(61, 48), made(63, 1_000)]
    const look = async (from: number, to: number) => {
      await arrive(watch, until(since(short, from), to), to, HERE)
      await arrive(watch, until(since(long, from), to), to, THERE)
      const all = await currentDegradations(store, { country: 'KE', app })
      return all.filter(of => Math.abs(Date.parse(of.onset) / 1_000 - onset) < 3_600)
    }
    const both = { networks: [HERE.asn, THERE.asn], state: 'confirmed', end: null }
    await look(0, recovered)
    const [first, ...none] = await look(recovered, early)
    expect(none).toEqual([])
    expect(first).toMatchObject(both)
    const again = await look(early, late)
    expect(again).toMatchObject([{ ...both, id: first!.id }])
    // Nor is it told anew what ended so long ago.
    const changes = await arrive(watch, until(since(short, late), late + 3_600), late + 3_600, HERE)
    expect(changes).toEqual([])
  })
})

test('many windows are judged by passing their rows once, not once for each window', () => {
  const starts = Array.from({ length: 2_000 }, (_, i) => i * 300)
  let reads = 0
  const rows = starts.map(at => ({
    ...{ agent: 'a', foreign_tried: 1, foreign_answered: 1, domestic_tried: 1, domestic_answered: 1, misled: 0 },
    ...{
      app: 'telegram',
      feature: 'text',
      target: 't',
      failure: '',
      layer: '',
      tries: 1,
      answers: 1,
      ratio: null,
      prefix: 0,
    },
    ...{ asn: 1, country: 'DE', attempts: 1, answered: 1 },
    get start() {
      reads++
      return at
    },
  }))
  const known = { usual: () => undefined, transfers: () => null, compared: rows }
  const judged = verdictsOf(rows, rows, rows, starts, known)
  expect(judged.map(({ at }) => at)).toEqual(starts)
  expect(reads).toBeLessThan(starts.length * 50)
})

describe('states', () => {
  test('of days are kept, and a restart answers from them as a full rebuild does', async () => {
    const all = series(31, { day: 18, hours: 30, lost: 1 })
    await arrive(new Watch(store), until(all, START + 19 * DAY), START + 19 * DAY)
    const [kept] = await store.query<{ n: number }>('SELECT count() AS n FROM detector_states')
    expect(kept!.n).toBeGreaterThanOrEqual(2)
    await arrive(new Watch(store), since(all, START + 19 * DAY), END)
    const resumed = await found()
    await store.command('TRUNCATE TABLE detector_states')
    await store.command('TRUNCATE TABLE degradations')
    await arrive(new Watch(store), all.slice(0, 1), END)
    expect(await found()).toEqual(resumed)
    expect(resumed).toHaveLength(1)
  })
})
