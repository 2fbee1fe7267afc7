import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Throttling } from '../../measurement/judge/throttle.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { findingsOf } from '../../server/analysis/degradations.ts'
import { sentenceOf } from '../../server/analysis/sentence.ts'
import { heldOf, type PairTest, pairedAt, throttledOf, withoutAppsOwn } from '../../server/analysis/throttling.ts'
import { Analyst } from '../../server/analyst.ts'
import { seriesAnswer } from '../../server/answers.ts'
import { Facts } from '../../server/facts.ts'
import { currentDegradations } from '../../server/findings.ts'
import { touchedSamples } from '../../server/samples.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Touched, touch } from '../../server/touched.ts'
import { pairedTests } from './world.ts'

/** Paired transfers on the server: from legs in the store to the verdict, the degradation and the metrics of throttling. */

const HOUR = 3_600
const DAY = 24 * HOUR
const START = Date.parse('2024-03-04T00:00:00Z') / 1000

describe('what tests of several agents say', () => {
  const slower: Throttling['slower'] = { value: 5, low: 4, high: 6, coverage: 0.9 }
  const of = (agent: string, at: number, answer: Throttling['answer'], more: Partial<PairTest> = {}): PairTest => ({
    ...{
      app: 'telegram',
      feature: 'media',
      country: 'KE',
      asn: 1,
      agent,
      prefix: 0,
      start: START + at,
      test: 'confirm',
      differs: 'place',
    },
    ...{ answer, strength: null, mechanism: null, rate: answer === 'throttled' ? 32_000 : null, pairs: 3 },
    ...{ slower: answer === 'throttled' ? slower : { ...slower, value: 1, low: 0.9, high: 1.1 }, idle: 0.1 },
    trains: { app: { hits: 0, tries: 0 }, control: { hits: 0, tries: 0 } },
    ...more,
  })
  const all = (at: number, answer: Throttling['answer'], more: Partial<PairTest> = {}, agents = 'abcde') =>
    agents.split('').map(agent => of(agent, at, answer, more))
  const stretches = (tests: PairTest[], now = START + 30 * DAY) => throttledOf(heldOf(tests), now)
  const at = (tests: PairTest[]) => pairedAt(heldOf(tests), tests.at(-1)!.start)

  test('three that agree open it, at the first of them; as many that do not close it', () => {
    const tests = [
      ...all(0, 'same'),
      of('a', DAY, 'throttled'),
      of('b', DAY + 900, 'throttled'),
      ...all(DAY + HOUR, 'throttled', {}, 'cde'),
      ...all(2 * DAY, 'throttled'),
      ...all(3 * DAY, 'same'),
    ]
    expect(stretches(tests.slice(0, 7))).toEqual([])
    expect(stretches(tests, START + 4 * DAY)).toMatchObject([
      { onset: START + DAY, seen: START + 2 * DAY, end: START + 2 * DAY + 900, paired: { throttled: 5, agents: 5 } },
    ])
    expect(stretches(tests.slice(0, -5), START + 2 * DAY + HOUR)).toMatchObject([{ end: null }])
    // Nobody tests any more: it ends where it was last seen.
    expect(stretches(tests.slice(0, -5))).toMatchObject([{ end: START + 2 * DAY + 900 }])
  })

  test.each([
    ['two agents are too few', all(0, 'throttled', {}, 'ab'), null],
    ['two of five are not most', [...all(0, 'throttled', {}, 'ab'), ...all(0, 'same', {}, 'cde')], false],
    ['three of five are', [...all(0, 'throttled', {}, 'abc'), ...all(0, 'same', {}, 'de')], true],
    ['three of one prefix are two', all(0, 'throttled', { prefix: 9 }, 'abc'), null],
    [
      'a place that always was slower, at no rate TCP would not have, is no throttling',
      all(0, 'throttled', { rate: 5e5 }),
      null,
    ],
    ['the same where the name alone makes the difference', all(0, 'throttled', { rate: 5e5, differs: 'name' }), true],
    ['the same where it was as fast before', [...all(0, 'same'), ...all(HOUR, 'throttled', { rate: 5e5 })], true],
    ['but over a longer path', [...all(0, 'same'), ...all(HOUR, 'throttled', { rate: 5e5, idle: 0.3 })], null],
    ['a place next door, hardly slower', all(0, 'throttled', { rate: 3e6, idle: 0.002 }), null],
    ['starved next door', all(0, 'throttled', { rate: 5e5, idle: 0.002 }), true],
    ['a freeze', all(0, 'throttled', { rate: null, mechanism: 'freeze' }), true],
  ])('%s', (_, tests, confirmed) => expect(at(tests).confirmed).toBe(confirmed))

  /** Tests of control agents, each of a network and country of its own. */
  const abroad = (at: number, answer: Throttling['answer'], more: Partial<PairTest> = {}, countries = ['DE', 'NL']) =>
    countries.map((country, i) => of('far', at, answer, { country, asn: 100 + i, ...more }))
  const changed = { rate: 5e5 }
  const held = [...all(0, 'same'), ...all(DAY, 'throttled', changed)]
  const frozen = all(DAY, 'throttled', { rate: null, mechanism: 'freeze', strength: 'strong' })

  test.each([
    ['nobody abroad looked', held, [], true],
    ['as fast abroad', held, abroad(DAY, 'same'), true],
    ['as slow abroad', held, abroad(DAY, 'throttled', changed), null],
    [
      'slower abroad than it was, whatever the rate',
      held,
      [...abroad(0, 'same'), ...abroad(DAY, 'throttled', { rate: 5e6 })],
      null,
    ],
    ['slow abroad ever since, yet faster by far', held, abroad(DAY, 'throttled', { rate: 5e6 }), true],
    ['as slow in one country', held, abroad(DAY, 'throttled', changed, ['DE', 'DE']), true],
    [
      'as slow on two networks of five',
      held,
      [...abroad(DAY, 'throttled', changed), ...abroad(DAY, 'same', {}, ['', '', 'FR', 'SE', 'US']).slice(2)],
      true,
    ],
    ['found slow abroad a day later', held, abroad(2 * DAY + HOUR, 'throttled', changed), true],
    ['found slow abroad hours later', held, abroad(DAY + 12 * HOUR, 'throttled', changed), null],
    ['another feature as slow abroad', held, abroad(DAY, 'throttled', { ...changed, feature: 'text' }), true],
    [
      'frozen there and abroad',
      frozen,
      abroad(DAY, 'throttled', { rate: null, mechanism: 'freeze', strength: 'strong' }),
      null,
    ],
    [
      'frozen there, a little slower abroad',
      frozen,
      [...abroad(0, 'same'), ...abroad(DAY, 'throttled', { rate: 5e6, strength: 'weak' })],
      true,
    ],
    [
      'the name alone makes the difference',
      all(DAY, 'throttled', { ...changed, differs: 'name' }),
      abroad(DAY, 'throttled', changed),
      true,
    ],
  ])('held back there: %s', (_, tests, far, confirmed) => {
    expect(pairedAt(withoutAppsOwn(heldOf(tests), heldOf(far)), START + DAY).confirmed).toBe(confirmed)
  })

  test('where the filter looks is said by flows that differ in one thing', () => {
    expect(at(all(0, 'throttled')).layer).toBeNull()
    expect(at([...all(0, 'throttled'), ...all(60, 'throttled', { differs: 'name' })]).layer).toBe('tls')
    expect(at(all(0, 'throttled', { differs: 'protocol' })).layer).toBe('protocol')
  })

  test('requests lost on the way up are upstream drop, by three agents and against their controls', () => {
    const lossy = { app: { hits: 14, tries: 50 }, control: { hits: 1, tries: 50 } }
    const shape = { test: 'shape', trains: lossy } as const
    const tests = all(0, 'too_few', shape)
    expect(at(tests)).toMatchObject({ confirmed: true, mechanism: 'drop_up', agents: 5, throttled: 5, slower: null })
    // Transfers the other way that are as fast as ever have no part in it.
    const fast = [...all(0, 'same'), ...tests]
    expect(at(fast)).toMatchObject({ confirmed: true, mechanism: 'drop_up', slower: null, rate: null })
    const [found, ...more] = findingsOf(new Map([[1, []]]), 'UTC', START + HOUR, {
      transfers: () => ({ own: true, tests: heldOf(tests) }),
    })
    expect(more).toEqual([])
    expect(found).toMatchObject({ verdict: 'throttled', state: 'confirmed', agents: 5, slower: null })
    const named = { ...found!, app: 'telegram', feature: 'media', country: 'KE', networkName: () => undefined }
    expect(sentenceOf(named).en).toBe(
      'Telegram (media): throttled on AS1 in Kenya since 4 March 2024, 03:00 (UTC+3); of small requests to it more are lost on the way than of those to controls of the same agents.',
    )
    expect(sentenceOf(named).fa).toMatch(/کندشده است؛ درخواست‌های کوچک به آن بیش از/)
    expect(at(all(0, 'too_few', shape, 'ab')).confirmed).toBeNull()
    const both = { app: lossy.app, control: lossy.app }
    expect(at(all(0, 'too_few', { test: 'shape', trains: both })).confirmed).toBeNull()
  })
})

const PLACE = { country: 'KE', asn: 33771 }

describe('from legs to a finding', () => {
  let store: Store
  let analyst: Analyst
  let now = START
  const SLOWED = START + 2 * DAY
  const LIFTED = START + 4 * DAY

  beforeAll(async () => {
    store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
    await migrate(store)
    const facts = await Facts.open(store)
    analyst = new Analyst({
      store,
      facts,
      events: [],
      networkName: () => undefined,
      leastAgents: 3,
      now: () => now + 0.25,
    })
  })
  afterAll(async () => {
    await analyst.stop()
    await store.close()
  })

  const arrive = async (rows: readonly Stored[], at: number): Promise<Touched> => {
    now = at
    await store.insert('measurements_raw', rows.map(toRow))
    const touched: Touched = new Map()
    for (const { country, asn, at } of rows) touch(touched, country, asn, at)
    analyst.touch(touched)
    await analyst.idle()
    return touched
  }
  const found = async () => await currentDegradations(store, { country: 'KE', app: 'telegram' })
  const verdictsIn = async (from: number, to: number) => {
    const wanted = { app: 'telegram', feature: 'media', ...PLACE, from, to, level: 300, step: '5m' } as const
    return (await seriesAnswer(store, wanted, () => undefined)).points
  }

  test('slow for one agent alone: nothing is found, and what comes after is settled', async () => {
    const alone = { country: 'KE', asn: 37_061 }
    await arrive(
      pairedTests(alone, START + HOUR, 32_000).filter(({ agent }) => agent === 'agent0'),
      START + 2 * HOUR,
    )
    expect(await found()).toEqual([])
  })

  test('as fast as their pairs: nothing is found', async () => {
    await arrive(
      [...pairedTests(PLACE, START + HOUR, 9e5), ...pairedTests(PLACE, START + DAY, 9e5)],
      START + DAY + HOUR,
    )
    expect(await found()).toEqual([])
  })

  test('held at 32 kB/s: throttled, by how much and at which rate, in answers and in metrics', async () => {
    const touched = await arrive(
      [...pairedTests(PLACE, SLOWED, 32_000), ...pairedTests(PLACE, SLOWED + DAY, 32_000)],
      SLOWED + DAY + HOUR,
    )
    const [only, ...more] = await found()
    expect(more).toEqual([])
    expect(only).toMatchObject({
      ...{ app: 'telegram', feature: 'media', verdict: 'throttled', state: 'confirmed', networks: [33771], agents: 4 },
      ...{ onset: new Date(SLOWED * 1000).toISOString().replace('.000', ''), end: null },
      transfers: { agents: 4, throttled: 4 },
    })
    expect(only!.slower).toBeGreaterThan(25)
    expect(only!.transfers!.slower!.low).toBeGreaterThan(25)
    expect(only!.transfers!.slower!.high).toBeLessThan(40)
    expect(only!.transfers!.rate! / 32_000).toBeCloseTo(1, 1)
    expect(only!.sentence.en).toMatch(
      /^Telegram \(media\): throttled on AS33771 .* times slower \(.* to .*\) .*held at about 3\d kB\/s/,
    )
    expect(only!.sentence.fa).toContain('کندشده')
    const points = await verdictsIn(SLOWED, SLOWED + HOUR)
    expect(points.length).toBeGreaterThan(0)
    expect(points.at(-1)).toMatchObject({ verdict: 'throttled', state: 'confirmed' })
    expect(points.find(({ goodput }) => goodput)?.goodput?.ratio).toBeCloseTo(0.03, 2)
    const samples = await touchedSamples(store, touched)
    const value = (name: string, labels: object) =>
      samples.find(of => of.name === name && Object.entries(labels).every(([key, is]) => of.labels[key] === is))?.value
    expect(
      value('peyk_goodput_bytes_per_second', { flow: 'app', asn: '33771', feature: 'media' })! / 32_000,
    ).toBeCloseTo(1, 1)
    expect(value('peyk_goodput_bytes_per_second', { flow: 'control', asn: '0' })! / 1e6).toBeCloseTo(1, 0)
    expect(value('peyk_throughput_ratio', { pair: 'control', asn: '33771' })).toBeCloseTo(0.03, 2)
  })

  test('lifted: it ends; and a late test before it began moves its onset', async () => {
    await arrive(pairedTests(PLACE, LIFTED, 9e5), LIFTED + HOUR)
    expect(await found()).toMatchObject([{ verdict: 'throttled', end: expect.stringContaining('2024-03-07') }])
    const earlier = SLOWED - 6 * HOUR
    await arrive(pairedTests(PLACE, earlier, 32_000), LIFTED + 2 * HOUR)
    expect(await found()).toMatchObject([
      { onset: new Date(earlier * 1000).toISOString().replace('.000', ''), revision: 3 },
    ])
    // The windows a day after it were judged anew.
    expect((await verdictsIn(earlier + 2 * HOUR, earlier + 3 * HOUR)).at(-1)).toMatchObject({ verdict: 'throttled' })
  })

  test('as slow for control agents abroad, who are heard later: slow by itself, in findings and in verdicts', async () => {
    const tests = (place: typeof PLACE, at: number) =>
      pairedTests(place, at, 32_000).map(row => ({ ...row, role: 'control' as const }))
    const far = [
      { country: 'DE', asn: 3320 },
      { country: 'NL', asn: 1136 },
    ]
    await arrive(
      far.slice(0, 1).flatMap(place => tests(place, SLOWED + 12 * HOUR)),
      LIFTED + 3 * HOUR,
    )
    expect(await found()).toHaveLength(1)
    await arrive(
      far.slice(1).flatMap(place => tests(place, SLOWED + 12 * HOUR)),
      LIFTED + 4 * HOUR,
    )
    expect(await found()).toEqual([])
    const points = await verdictsIn(SLOWED, SLOWED + DAY + HOUR)
    expect(points.length).toBeGreaterThan(0)
    expect(points.map(({ verdict }) => verdict)).not.toContain('throttled')
  })
})
