import { join } from 'node:path'
import { expect, test } from 'vitest'
import { legOf, pairBytes } from '../../measurement/judge/leg.ts'
import { compare } from '../../measurement/judge/throttle.ts'
import type { Measurement, Pair } from '../../measurement/measurement.ts'
import { type Step, transferMarks } from '../../measurement/step.ts'
import type { Target, TargetOf } from '../../measurement/target.ts'
import { Allowance, openAllowance } from '../../probes/agent/allowance.ts'
import { wireBytes } from '../../probes/agent/budget.ts'
import type { Consent, Place } from '../../probes/agent/may-ask.ts'
import { type PairPlan, Pairs } from '../../probes/agent/pairs.ts'
import { type Profile, profiles } from '../../probes/agent/profiles.ts'
import { Spacing } from '../../probes/agent/spacing.ts'
import { measure } from '../../probes/all.ts'
import { objectPeer } from '../servers/object.ts'
import { loopbackTarget } from '../servers/target.ts'
import { appOf, folder, HandClock } from './samples.ts'

type Run = NonNullable<PairPlan['run']>
type Event = { at: number; end: number; run: Run; bytes: number }
type Made = Pick<Measurement, 'kind' | 'steps' | 'pair'> | null

const place: Place = { country: 'KE', role: 'vantage', families: new Set(['v4']) }
const of = { scheme: 'http', path: '/', roots: 'public', edge: false } as const

const transfer = (id: string, host: string, more: Partial<TargetOf<'transfer'>> = {}) =>
  loopbackTarget('transfer', 80, { bytes: 262_144, trains: 2, of }, { id, host, spacing: 180, decides: 'no', ...more })

const against = (control: string, differs: Pair['differs'] = 'place') => ({ pairs: [{ with: control, differs }] })

const start = (app: readonly Target[], controls: readonly Target[], more: Partial<Profile> & Partial<Consent> = {}) => {
  const clock = new HandClock()
  let state = 7
  const random = () => (state = (state * 48_271) % (2 ** 31 - 1)) / 2 ** 31
  const profile = { ...profiles.home, ...more }
  const { shape, confirm } = profile.pairs
  const allowances = {
    shape: new Allowance(shape.bytes, clock.mono),
    confirm: new Allowance(confirm.bytes, clock.mono),
  }
  const consent = { unusual: false, loopback: true, apps: null, ...more }
  const spacing = new Spacing(Number.NEGATIVE_INFINITY)
  const pairs = new Pairs({ pace: profile.pairs, allowances, spacing, consent, random })
  pairs.adopt({ apps: [appOf('app', app), appOf('control', controls)], forbidden: {} }, clock.now)
  return { clock, allowances, pairs }
}

/** Steps of a leg at so many bytes a second. */
const stepsAt = (run: Run, rate: number, failure: Step['failure'] = null): Step[] => {
  const bytes = pairBytes[run.pair.test]
  const got = Math.min(bytes, Math.floor(rate * 8))
  const none = { start: 0, sent: 0, received: 0, failure: null }
  return [
    { ...none, operation: 'connect', duration: 0.08 },
    { ...none, operation: 'http_round_trip', duration: 0.09 },
    {
      ...{ ...none, operation: 'transfer', duration: got / rate, received: got, failure, gap: 0.05 },
      reached: transferMarks.map(mark => (mark <= got ? mark / rate : null)),
    },
  ]
}

const live = async (
  { clock, pairs }: ReturnType<typeof start>,
  seconds: number,
  make: (run: Run) => Step[] | null | Promise<Step[] | null>,
) => {
  const events: Event[] = []
  let skipped = 0
  for (const until = clock.now + seconds; clock.now < until; clock.now = Math.max(clock.now + 1, pairs.next())) {
    const plan = pairs.plan(clock.now, place)
    if (plan.skipped) skipped++
    const { run } = plan
    if (!run) continue
    const steps = await make(run)
    const at = clock.now
    clock.now += 3
    const made: Made = steps && { kind: 'transfer', steps, pair: run.pair }
    const bytes = steps ? (run.target.kind === 'transfer' ? run.target.ask.bytes + 10_000 : 0) : 500
    pairs.ended(run, clock.now, made, { bytes, connected: null })
    events.push({ at, end: clock.now, run, bytes })
  }
  return { events, skipped }
}

const idsOf = (events: readonly Event[]) => [...Map.groupBy(events, ({ run }) => run.pair.id).values()]
const tests = (events: readonly Event[]) => idsOf(events).map(([first]) => first!.run.pair.test)

const DAY = 86_400
const apps = ['a', 'b', 'c', 'd'].map(name => transfer(`app.${name}`, `${name}.test`, against('control.x')))
const control = transfer('control.x', 'x.test', { spacing: 60 })

test('a week of four transfers: both legs of a size, close, in an order of chance; spacing and bytes are kept', async () => {
  const world = start(apps, [control])
  const { events } = await live(world, 7 * DAY, run => stepsAt(run, 400_000))
  for (const legs of idsOf(events)) {
    expect(legs.map(({ run }) => run.pair.leg).sort()).toEqual(['app', 'control'])
    expect(legs.map(({ run }) => run.pair.first)).toEqual([true, false])
    expect(legs[0]!.run.target.ask).toMatchObject({ bytes: pairBytes[legs[0]!.run.pair.test], trains: 0 })
    expect(legs[1]!.run.target.ask).toMatchObject({ bytes: pairBytes[legs[0]!.run.pair.test] })
    expect(legs[1]!.at - legs[0]!.end).toBeLessThan(60)
  }
  const first = events.filter(({ run }) => run.pair.first && run.pair.leg === 'app').length
  expect(first / idsOf(events).length).toBeGreaterThan(0.3)
  expect(first / idsOf(events).length).toBeLessThan(0.7)
  const last = new Map<string, Event>()
  for (const event of events) {
    const before = last.get(event.run.target.host)
    if (before) expect(event.at - before.end).toBeGreaterThanOrEqual(event.run.target.spacing)
    last.set(event.run.target.host, event)
    const day = events.filter(({ at }) => at <= event.at && at > event.at - DAY)
    expect(day.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(3.5e6)
  }
  // Four of them are looked at every 16 hours, and every other day by a larger pair; nothing was suspicious.
  const kinds = Map.groupBy(tests(events), kind => kind)
  expect(kinds.get('screen')!.length).toBeGreaterThanOrEqual(4 * 2)
  expect(kinds.get('shape')!.length).toBeGreaterThanOrEqual(4 * 7)
  expect(events.some(({ run }) => run.pair.test === 'confirm')).toBe(false)
})

test('what looks slow gets a test of three rounds; three times a day at most, and some bytes stay', async () => {
  const world = start(apps.slice(0, 1), [control])
  const { events, skipped } = await live(world, 3 * DAY, run => stepsAt(run, run.pair.leg === 'app' ? 30_000 : 400_000))
  const confirmed = idsOf(events).filter(legs => legs.some(({ run }) => run.pair.test === 'confirm'))
  const whole = confirmed.filter(legs => legs.length === 6)
  expect(whole.length).toBeGreaterThanOrEqual(2)
  expect(whole[0]!.map(({ run }) => `${run.pair.test} ${run.pair.round}`)).toEqual([
    ...['screen 1', 'screen 1', 'confirm 2', 'confirm 2', 'confirm 3', 'confirm 3'],
  ])
  // Small requests are sent beside the app's larger transfers, and beside nothing else.
  for (const { run } of events) {
    const { beside } = run.target.kind === 'transfer' ? run.target.ask : {}
    expect(beside).toBe(run.pair.test === 'confirm' && run.pair.leg === 'app')
  }
  const { at } = whole[0]![0]!
  const screens = events.filter(({ run, at: when }) => run.pair.test === 'screen' && when >= at && when < at + DAY)
  expect(screens.length / 2).toBeLessThanOrEqual(3)
  // A confirmation that found no bytes was skipped, and the shape tests went on.
  expect(skipped).toBeGreaterThan(0)
  expect(events.filter(({ run }) => run.pair.test === 'shape').length).toBeGreaterThan(12)
})

test('a server’s request brings a confirmation at once, and no more than three a day', async () => {
  const world = start(apps.slice(0, 1), [control])
  const all: Event[] = []
  for (let hour = 0; hour < 12; hour++) {
    world.pairs.request(['app.a', 'nobody'], world.clock.now + 600)
    const { events } = await live(world, 3_600, run => stepsAt(run, 400_000))
    if (hour === 0) expect(events[0]!.run.pair.test).toBe('screen')
    all.push(...events)
  }
  expect(all.filter(({ run }) => run.pair.test === 'screen').length / 2).toBe(3)
})

test('a metered line makes pairs on request only, and one that does not fit is skipped', async () => {
  const world = start(apps.slice(0, 1), [control], profiles.metered)
  expect((await live(world, DAY, run => stepsAt(run, 400_000))).events).toEqual([])
  world.pairs.request(['app.a'], world.clock.now + 600)
  const slow = await live(world, 3_600, run => stepsAt(run, run.pair.leg === 'app' ? 30_000 : 400_000))
  expect(tests(slow.events)).toEqual(['screen'])
  expect(slow.skipped).toBe(1)
})

test('two flows to one address: the innocuous one first, the other when the address has rested', async () => {
  const named = transfer('app.name', 'helper.test', { risk: 'unusual', ...against('control.name', 'name') })
  const plain = transfer('control.name', 'helper.test', { risk: 'unusual' })
  const none = start([named], [plain])
  expect((await live(none, 2 * DAY, run => stepsAt(run, 4e5))).events).toEqual([])
  const world = start([named], [plain], { unusual: true })
  const { events } = await live(world, 2 * DAY, run => stepsAt(run, 4e5))
  expect(events.length).toBeGreaterThan(4)
  for (const [first, second] of idsOf(events)) {
    expect([first!.run.pair.leg, second!.run.pair.leg]).toEqual(['control', 'app'])
    expect(second!.at - first!.end).toBeGreaterThanOrEqual(180)
    expect(second!.at - first!.end).toBeLessThan(300)
  }
})

test('a leg that is spoilt spares the other, and gives its bytes back', async () => {
  const world = start(apps.slice(0, 1), [control])
  const left = () => world.allowances.shape.left() + world.allowances.confirm.left()
  const before = left()
  const { events } = await live(world, 4 * 3_600, run => stepsAt(run, 4e5, 'transfer_cached'))
  for (const legs of idsOf(events)) expect(legs).toHaveLength(1)
  expect(before - left()).toBe(events.reduce((sum, { bytes }) => sum + bytes, 0))
})

test('a country, a consent or a catalogue that does not allow it ends a test', async () => {
  const domestic = transfer('control.ru', 'ru.test', { countries: ['RU'] })
  const only = { apps: ['other'] }
  expect((await live(start(apps, [control], only), DAY, () => [])).events).toEqual([])
  const elsewhere = start([transfer('app.a', 'a.test', against('control.ru'))], [domestic])
  expect((await live(elsewhere, DAY, () => [])).events).toEqual([])
  const world = start(apps.slice(0, 1), [control])
  world.pairs.request(['app.a'], world.clock.now + 600)
  const { run } = world.pairs.plan(world.clock.now, place)
  world.pairs.adopt({ apps: [], forbidden: {} }, world.clock.now)
  world.pairs.ended(run!, world.clock.now, null, { bytes: 100, connected: null })
  expect(world.pairs.plan(world.clock.now, place).run).toBeNull()
})

test('over real sockets: an app held at 200 kB/s beside a free control is called throttled', {
  timeout: 30_000,
  retry: 2,
}, async () => {
  await using held = await objectPeer({ rate: 200_000 })
  await using free = await objectPeer()
  const app = { ...transfer('app.a', '127.0.0.1', against('control.x')), port: held.port }
  const other = { ...transfer('control.x', '127.0.0.2'), host: '127.0.0.1', port: free.port }
  const world = start([app], [other])
  world.pairs.request(['app.a'], world.clock.now + 600)
  const legs: { pair: Pair; steps: Step[] }[] = []
  await live(world, 3_600, async ({ target, pair, granted }) => {
    const { steps, ...took } = await measure(target, { loopback: true })
    expect(wireBytes({ steps, ...took })).toBeLessThanOrEqual(granted)
    legs.push({ pair, steps })
    return steps
  })
  const seen = [1, 2, 3].map(round => {
    const leg = (side: string) => {
      const one = legs.find(({ pair }) => pair.test !== 'shape' && pair.round === round && pair.leg === side)!
      return legOf({ kind: 'transfer', ...one })!
    }
    return { app: leg('app'), control: leg('control') }
  })
  const { answer, strength, slower, rate } = compare(seen)
  expect({ answer, strength }).toEqual({ answer: 'throttled', strength: 'strong' })
  expect(slower!.value).toBeGreaterThan(4)
  expect(rate! / 200_000).toBeGreaterThan(0.7)
  expect(rate! / 200_000).toBeLessThan(1.3)
})

test('what a day saw survives a restart, and a damaged file costs nothing but memory', async () => {
  const file = join(await folder(), 'pairs.json')
  const clock = new HandClock()
  const first = await openAllowance(file, 1e6, clock, 'boot')
  expect(first.take(6e5)).toBe(true)
  expect(first.take(5e5)).toBe(false)
  first.settle(6e5, 7e5)
  await first.save()
  clock.now += 3_600
  const second = await openAllowance(file, 1e6, clock, 'boot')
  expect(second.left()).toBe(3e5)
  // Another boot: the clock that never jumps begins anew, and the wall clock says how long it was away.
  const later = new HandClock(50)
  later.jumped = clock.wall() - later.wall() + DAY / 2
  const third = await openAllowance(file, 1e6, later, 'other')
  expect(third.left()).toBe(3e5)
  later.now += DAY / 2
  expect(third.left()).toBe(1e6)
})
