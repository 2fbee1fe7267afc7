import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PolicyEvent } from '../../events/event.ts'
import type { EffectMeasure, EventEffect } from '../../measurement/effect.ts'
import { randomFrom } from '../../server/analysis/bootstrap.ts'
import { Effects } from '../../server/effects.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'

/** From public rollups of a made-up country, in which one event made one app slow, to what is said of each event. */

const HOUR = 3_600
const DAY = 24 * HOUR
const DAYS = 160
const START = Date.parse('2024-01-01T00:00:00Z') / 1000
const NOW = START + DAYS * DAY
const SLOWER = 1.6
/** In force for eight days. */
const slowed = { from: START + 60 * DAY, to: START + 68 * DAY }
const networks = [64501, 64502, 64503]
const HIDDEN = 64599

const random = randomFrom('effects')
const noise = (size: number) => size * (random() + random() + random() - 1.5)

function* rollups(): Generator<object> {
  for (const asn of [...networks, HIDDEN])
    for (const app of ['telegram', 'whatsapp'])
      for (let day = 0; day < DAYS; day++) {
        const today = noise(0.1)
        for (const level of [HOUR, DAY])
          for (let at = START + day * DAY; at < START + (day + 1) * DAY; at += level) {
            const busy = 0.2 * Math.sin((at / DAY) * 2 * Math.PI)
            const slow = app === 'telegram' && at >= slowed.from && at < slowed.to ? Math.log(SLOWER) : 0
            // The hidden network has trouble of its own all the time: it must change nothing.
            const seconds = asn === HIDDEN ? 5 * random() + 0.1 : 0.2 * Math.exp(busy + today + slow + noise(0.1))
            const reachability = asn === HIDDEN ? random() : Math.min(1, 0.98 + noise(0.02))
            yield {
              ...{
                level,
                app,
                feature: 'text',
                country: 'KE',
                asn,
                at,
                origins: ['simulated'],
                agents: 6,
                attempts: 60,
              },
              ...{
                answered: 59,
                reachability,
                seconds: { connect: seconds / 2, http_round_trip: seconds / 2, resolve: 9 },
              },
              ...{ failures: {}, verdict: 'ok', layer: '', mechanism: '', state: '', networks: {}, revision: 1 },
            }
          }
      }
}

const day = (at: number) => new Date(at * 1000).toISOString().slice(0, 10)
const event = (id: string, from: number, more: Partial<PolicyEvent> = {}): PolicyEvent => ({
  ...{ schema: 1, id, kind: 'hosting-order', title: { en: id }, summary: { en: id } },
  when: { start: day(from), end: day(from + 7 * DAY) },
  where: { countries: ['KE'], scope: 'national' },
  ...{
    apps: ['telegram'],
    actors: [{ name: 'nobody' }],
    confidence: 'confirmed',
    sources: [{ cite: 'none', evidence: 'unsourced' }],
  },
  expect: { reachability: 'none', latency: 'up' },
  ...more,
})
const events: readonly PolicyEvent[] = [
  event('nothing-happened', START + 30 * DAY),
  event('order-to-slow', slowed.from),
  event('said-to-be-faster', START + 61 * DAY, { confidence: 'rumor', expect: { latency: 'down' } }),
  event('all-of-the-internet', START + 90 * DAY, { apps: ['*'] }),
]

const folder = mkdtempSync(join(tmpdir(), 'peyk-effects-'))
let store: Store
let effects: Effects
beforeAll(async () => {
  store = await openEmbedded(folder)
  await migrate(store)
  await store.insert('rollups', [...rollups()])
  const shown = Array.from({ length: DAYS }, (_, i) => day(START + i * DAY)).flatMap(date =>
    [...networks, HIDDEN].map(asn => ({
      country: 'KE',
      asn,
      day: date,
      agents: 3,
      public: Number(asn !== HIDDEN),
      revision: 1,
    })),
  )
  await store.insert('network_days', shown)
  effects = new Effects({ store, events, networkName: asn => `Net ${asn}`, now: () => NOW })
}, 60_000)
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const effect = async (id: string): Promise<EventEffect> => (await effects.of(id))!
const latency = ({ measures }: { measures: EffectMeasure[] }) => measures.find(({ measure }) => measure === 'latency')!

test('the slow-down is found, its size lies in the interval, and what it did not touch stands beside it', async () => {
  const found = await effect('order-to-slow')
  expect(found).toMatchObject({ answer: 'effect', reason: null, control: { kind: 'apps', series: 3 } })
  for (const span of [found.first!, found.whole!]) {
    const of = latency(span)
    expect(of).toMatchObject({ answer: 'effect', expected: 'up', match: 'agrees', parallel: true })
    expect(of.low!).toBeLessThan(SLOWER)
    expect(of.high!).toBeGreaterThan(SLOWER)
    expect(of.low!).toBeGreaterThan(1.2)
    expect(of.controlAfter! / of.controlBefore!).toBeLessThan(1.2)
    // The name's lookup is left out: 9 s of it would drown all else.
    expect(of.before!).toBeLessThan(0.4)
    const reach = span.measures.find(({ measure }) => measure === 'reachability')
    expect(reach).toMatchObject({ answer: 'no_visible_effect', expected: 'none', match: 'agrees' })
  }
  expect(found.test!.placebos).toBeGreaterThanOrEqual(199)
  expect(found.test!.p!).toBeLessThanOrEqual(found.test!.level!)
  expect(found.words).toBe('consistent_with')
  expect(found.sentence.en).toMatch(
    /seconds to an answer of Telegram in Kenya .* ×1\.\d+ .* is consistent with the event \(p 0\.00\d+/,
  )
  expect(found.networks.map(({ asn, network }) => [asn, network]).toSorted()).toEqual(
    networks.map(asn => [asn, `Net ${asn}`]),
  )
  expect(JSON.stringify(found)).not.toMatch(new RegExp(`${HIDDEN}|NaN|Infinity`))
})

test('an event after which nothing changed has none; it is tested too, and comes first in the stream', async () => {
  const found = await effect('nothing-happened')
  expect(found).toMatchObject({ answer: 'no_visible_effect', words: null })
  expect(latency(found.first!)).toMatchObject({ answer: 'no_visible_effect', match: 'not_seen' })
  expect(found.test!.place).toBe(1)
  expect((await effect('order-to-slow')).test!.place).toBe(2)
  expect(found.sentence.en).toContain('No visible effect')
})

test('what came otherwise than expected is said so, and another event at that time forbids more than “follows”', async () => {
  const found = await effect('said-to-be-faster')
  expect(found.others).toEqual(['order-to-slow'])
  expect(found.words).not.toBe('consistent_with')
  expect(found.sentence.en).toContain('Expected was a fall.')
})

test('where everything is touched nothing is left to compare with', async () => {
  expect(await effect('all-of-the-internet')).toMatchObject({
    answer: 'not_enough',
    reason: 'no_control',
    control: null,
  })
  expect(await effects.of('no-such-event')).toBeUndefined()
})

test('networks that are not public have no weight', async () => {
  const before = await effect('order-to-slow')
  await store.command(`ALTER TABLE rollups DELETE WHERE asn = ${HIDDEN} SETTINGS mutations_sync = 1`)
  const without = new Effects({ store, events, networkName: asn => `Net ${asn}`, now: () => NOW })
  expect(await without.of('order-to-slow')).toEqual(before)
})

test('a named network is looked at however small it is; where it was not measured, no other stands for it', async () => {
  const [small, large] = [64700, Array.from({ length: 45 }, (_, i) => 64800 + i)]
  const from = START + 100 * DAY
  const span = Array.from({ length: 12 }, (_, i) => from - 8 * DAY + i * DAY)
  const rows = [small, ...large].flatMap(asn =>
    span.flatMap(at =>
      [...Array.from({ length: 24 }, (_, hour) => [HOUR, at + hour * HOUR] as const), [DAY, at] as const].map(
        ([level, at]) => ({
          ...{ level, app: 'telegram', feature: 'text', country: 'TZ', asn, at, origins: ['simulated'] },
          ...{ agents: asn === small ? 3 : 9, attempts: 60, answered: 59, reachability: 1, seconds: {}, failures: {} },
          ...{ verdict: 'ok', layer: '', mechanism: '', state: '', networks: {}, revision: 1 },
        }),
      ),
    ),
  )
  await store.insert('rollups', rows)
  const shown = (asn: number) => span.map(at => ({ country: 'TZ', asn, day: day(at), public: 1, revision: 1 }))
  await store.insert('network_days', [small, ...large].flatMap(shown))
  const inTanzania = (id: string, scope: PolicyEvent['where']['scope'], asn: number) =>
    event(id, from, { where: { countries: ['TZ'], scope, asns: [asn] } })
  const named = new Effects({
    ...{ store, networkName: () => undefined, now: () => NOW },
    events: [
      inTanzania('of-a-small-network', 'network', small),
      inTanzania('of-one-not-measured', 'network', 64999),
      inTanzania('of-all-seen-on-one', 'national', 64999),
    ],
  })
  const networksOf = async (id: string) => (await named.of(id))!.networks.map(({ asn }) => asn)
  expect(await networksOf('of-a-small-network')).toEqual([small])
  const none = (await named.of('of-one-not-measured'))!
  expect(none).toMatchObject({ answer: 'no_data', reason: 'nothing_there', networks: [], control: null })
  expect(none.sentence.en).toMatch(/^[A-Z].*\.$/)
  expect((await networksOf('of-all-seen-on-one')).length).toBe(20)
})

test('the same rows give the same answer; new ones are seen', async () => {
  let now = NOW
  const live = new Effects({ store, events, networkName: () => undefined, now: () => now })
  const first = await live.of('order-to-slow')
  now += HOUR / 2
  expect(await live.of('order-to-slow')).toEqual(first)
  await store.command(
    `ALTER TABLE rollups DELETE WHERE at >= fromUnixTimestamp(${slowed.from}) SETTINGS mutations_sync = 1`,
  )
  now += DAY / 2
  expect((await live.of('order-to-slow'))?.answer).not.toBe('effect')
})
