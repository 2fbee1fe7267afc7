import fc from 'fast-check'
import { expect, test } from 'vitest'
import { apps as builtIn } from '../../measurement/catalogue.ts'
import type { Target } from '../../measurement/target.ts'
import { Bucket } from '../../probes/agent/budget.ts'
import type { Consent, Place } from '../../probes/agent/may-ask.ts'
import { forRounds, type Profile, profiles } from '../../probes/agent/profiles.ts'
import { Schedule } from '../../probes/agent/schedule.ts'
import { Spacing } from '../../probes/agent/spacing.ts'
import { loopbackTarget } from '../servers/target.ts'
import { appOf, HandClock, healthyBytes, tcpTarget } from './samples.ts'

type Event = { at: number; end: number; target: Target; bytes: number; round: number; connected: string | null }

const consent: Consent = { unusual: false, loopback: true, apps: null }
const place: Place = { country: 'KE', role: 'vantage', families: new Set(['v4']) }

/** Lives `seconds` of virtual time by the schedule; every measurement takes as long and costs as much as told. */
const live = (
  schedule: Schedule,
  clock: HandClock,
  seconds: number,
  run: (target: Target) => { duration: number; bytes: number; connected: string | null },
  where: Place = place,
  between: (now: number) => void = () => {},
): { events: Event[]; skipped: number } => {
  const events: Event[] = []
  const until = clock.now + seconds
  let skipped = 0
  for (let round = 0; clock.now < until; round++) {
    clock.now = Math.max(clock.now, schedule.nextRound())
    const plan = schedule.plan(clock.now, where)
    skipped += plan.skipped
    for (const planned of plan.runs) {
      if (!schedule.begins(planned, clock.now)) continue
      const at = clock.now
      const { duration, bytes, connected } = run(planned.target)
      clock.now += duration
      events.push({ at, end: clock.now, target: planned.target, bytes, round, connected })
      schedule.ended(planned, clock.now, connected, bytes)
    }
    between(clock.now)
  }
  return { events, skipped }
}

const start = (profile: Profile, apps = builtIn, more: Partial<Consent> = {}, random?: () => number) => {
  const clock = new HandClock()
  const budget = new Bucket(forRounds(profile), clock.mono)
  const options = { profile, budget, consent: { ...consent, ...more }, ...(random ? { random } : {}) }
  const schedule = new Schedule(options, clock.now)
  schedule.adopt({ apps, forbidden: {} }, clock.now)
  return { clock, budget, schedule }
}

const steady = (target: Target) => ({
  duration: 0.5,
  bytes: target.kind === 'http' ? 9_000 : 1_500,
  connected: null,
})

/** Catalogues with few hosts and many targets, so that addresses collide; names may share an address. */
const offers = fc
  .array(
    fc.record({
      host: fc.constantFrom('a.test', 'b.test', 'c.test', '198.51.100.7'),
      spacing: fc.integer({ min: 60, max: 1_200 }),
      decides: fc.constantFrom('yes' as const, 'no' as const),
      control: fc.constantFrom(undefined, undefined, 'foreign' as const, 'domestic' as const),
      family: fc.constantFrom('v4' as const, 'v4' as const, 'v6' as const),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map(list =>
    list.map(({ control, host, ...one }, at) =>
      tcpTarget(`t.${at}`, { ...one, host: control ? `${control}${at}.test` : host, ...(control ? { control } : {}) }),
    ),
  )

const behind: Record<string, string> = { 'a.test': '203.0.113.1', 'b.test': '203.0.113.1', 'c.test': '203.0.113.2' }

test('spacing is never violated, nothing exceeds the budget, and controls are in every round', () => {
  const whatHappens = fc.record({
    targets: offers,
    seed: fc.integer({ min: 1, max: 2 ** 31 - 2 }),
    duration: fc.double({ min: 0.01, max: 30, noNaN: true }),
    bytes: fc.integer({ min: 0, max: 700 }),
    bytesPerDay: fc.integer({ min: 20_000, max: 3_000_000 }),
    greedy: fc.boolean(),
  })
  fc.assert(
    fc.property(whatHappens, ({ targets, seed, duration, bytes, bytesPerDay, greedy }) => {
      let state = seed
      const random = () => (state = (state * 48_271) % (2 ** 31 - 1)) / 2 ** 31
      const profile = { ...profiles.home, bytesPerDay: bytesPerDay + 3.5e6 }
      const { clock, schedule } = start(profile, [appOf('t', targets)], {}, random)
      const where = { ...place, families: new Set(['v4', 'v6'] as const) }
      const ask = (now: number) =>
        greedy &&
        schedule.request(
          targets.map(({ id }) => id),
          now + 300,
          now,
        )
      const run = ({ host }: Target) => ({ duration, bytes, connected: behind[host] ?? null })
      const { events } = live(schedule, clock, 86_400, run, where, ask)
      spaced(events)
      withinBudget(events, bytesPerDay)
      controlled(events, targets)
    }),
    { numRuns: 60 },
  )
})

const spaced = (events: readonly Event[]): void => {
  const last = new Map<string, Event>()
  const known = new Map<string, string>()
  for (const event of events) {
    const { host, spacing } = event.target
    const before = last.get(host)
    if (before)
      expect(event.at - before.end).toBeGreaterThanOrEqual(Math.max(60, spacing, before.target.spacing) - 1e-6)
    // An address stands behind a name from the first answer on.
    const address = known.get(host)
    const there = address && last.get(address)
    if (there) expect(event.at - there.end).toBeGreaterThanOrEqual(60 - 1e-6)
    last.set(host, event)
    if (event.connected) {
      known.set(host, event.connected)
      last.set(event.connected, event)
    }
  }
}

const withinBudget = (events: readonly Event[], perDay: number): void => {
  let sum = 0
  let oldest = 0
  for (const event of events) {
    sum += event.bytes
    while (events[oldest]!.at < event.at - 86_400) sum -= events[oldest++]!.bytes
    expect(sum).toBeLessThanOrEqual(perDay)
  }
}

const controlled = (events: readonly Event[], targets: readonly Target[]): void => {
  for (const round of Map.groupBy(events, event => event.round).values()) {
    expect(round.some(({ target }) => !target.control)).toBe(true)
    for (const side of ['foreign', 'domestic'] as const) {
      const has = targets.some(({ control }) => control === side)
      expect(round.some(({ target }) => target.control === side)).toBe(has)
    }
  }
}

/** Verdicts look back 60 minutes, over the agents of a network; an agent of every app may be slower (`profiles.ts`). */
const SLOWEST = 110 * 60

test.each(['KE', 'IR', 'RU', 'CN'])('on the home profile in %s the whole catalogue fits the day', country => {
  const where: Place = { ...place, country }
  const { clock, schedule } = start(profiles.home)
  const healthy = (target: Target) => ({ duration: 0.5, bytes: healthyBytes(target), connected: null })
  const { events } = live(schedule, clock, 3 * 86_400, healthy, where)
  withinBudget(events, forRounds(profiles.home))
  const day = events.filter(({ at }) => at > clock.now - 86_400)
  expect(day.reduce((total, one) => total + one.bytes, 0)).toBeGreaterThan(6.5e6)
  // What decides, of international apps and of this country's own, comes within little more than an hour.
  const perTarget = Map.groupBy(day, ({ target }) => target.id)
  const rare = builtIn
    .filter(({ home }) => home === null || home === country)
    .flatMap(app => app.targets)
    .filter(({ decides, family, control }) => decides === 'yes' && family === 'v4' && !control)
    .filter(({ id }) => (perTarget.get(id)?.length ?? 0) < 86_400 / SLOWEST - 1)
  expect(rare.map(({ id }) => id)).toEqual([])
  // And everything else that may be asked here is asked, if rarely.
  const asked = new Set(events.map(({ target }) => target.id))
  const never = builtIn
    .flatMap(app => app.targets)
    .filter(({ risk, family, roles, kind }) => risk === 'ordinary' && family === 'v4' && !roles && kind !== 'transfer')
    .filter(({ id, countries }) => !asked.has(id) && (!countries || countries.includes(country)))
  expect(never.map(({ id }) => id)).toEqual([])
})

test('an agent of six apps measures what decides within the hour', () => {
  const apps = ['telegram', 'whatsapp', 'signal', 'instagram', 'soroush', 'bale']
  const { clock, schedule } = start(profiles.home, builtIn, { apps })
  const healthy = (target: Target) => ({ duration: 0.5, bytes: healthyBytes(target), connected: null })
  const { events } = live(schedule, clock, 2 * 86_400, healthy, { ...place, country: 'IR' })
  const perTarget = Map.groupBy(events, ({ target }) => target.id)
  const deciding = builtIn
    .filter(({ id }) => apps.includes(id))
    .flatMap(app => app.targets.filter(({ decides, family }) => decides === 'yes' && family === 'v4'))
  expect(deciding.filter(({ id }) => (perTarget.get(id)?.length ?? 0) < 48).map(({ id }) => id)).toEqual([])
})

const deciding = (app: string): string[] =>
  builtIn
    .filter(({ id }) => id === app)
    .flatMap(({ targets }) => targets)
    .filter(
      ({ decides, experimental, family, risk }) =>
        decides === 'yes' && !experimental && family === 'v4' && risk === 'ordinary',
    )
    .map(({ id }) => id)

test('on a metered line the great apps are still measured several times a day', () => {
  const { clock, schedule } = start(profiles.metered)
  const healthy = (target: Target) => ({ duration: 0.5, bytes: healthyBytes(target), connected: null })
  const { events } = live(schedule, clock, 2 * 86_400, healthy)
  withinBudget(events, forRounds(profiles.metered))
  const perTarget = Map.groupBy(events, ({ target }) => target.id)
  for (const id of ['telegram', 'whatsapp', 'signal'].flatMap(deciding))
    expect(perTarget.get(id)?.length ?? 0, id).toBeGreaterThanOrEqual(4)
})

test('a cap that is hit skips, counts once per target, and goes on when bytes flow in', () => {
  const profile = { ...profiles.home, bytesPerDay: 3.5e6 + 300_000 }
  const { clock, schedule } = start(profile)
  const { events, skipped } = live(schedule, clock, 86_400, () => ({ duration: 1, bytes: 1_400, connected: null }))
  expect(skipped).toBeGreaterThan(0)
  expect(skipped).toBeLessThan(builtIn.flatMap(app => app.targets).length * 4)
  expect(events.length).toBeGreaterThan(10)
})

test('who may be asked: families, countries, roles, risk, consent, retired apps, what the document forbids', () => {
  const targets = [
    tcpTarget('t.plain', { host: 'a.test' }),
    tcpTarget('t.v6', { host: 'b.test', family: 'v6' }),
    tcpTarget('t.elsewhere', { host: 'c.test', countries: ['IR'] }),
    tcpTarget('t.here', { host: 'd.test', countries: ['KE'] }),
    tcpTarget('t.operator', { host: 'e.test', roles: ['operator'] }),
    tcpTarget('t.unusual', { host: 'f.test', risk: 'unusual' }),
    tcpTarget('t.forbidden', { host: 'g.test' }),
    tcpTarget('t.lab', { host: 'h.test' }),
  ].map(target => (target.id === 't.lab' ? target : { ...target, address: 'public' as const }))
  const gone = appOf('gone', [tcpTarget('gone.x', { host: 'i.test' })], { status: 'retired' })
  const asked = (more: Partial<Consent>, where: Partial<Place> = {}) => {
    const { clock, schedule } = start(profiles.home)
    const strict = new Schedule(
      {
        profile: profiles.home,
        budget: new Bucket(1e9, clock.mono),
        consent: { ...consent, loopback: false, ...more },
      },
      clock.now,
    )
    expect(schedule).toBeDefined()
    strict.adopt({ apps: [appOf('t', targets), gone], forbidden: { KE: ['t.forbidden'] } }, clock.now)
    const { events } = live(strict, clock, 7_200, steady, { ...place, ...where })
    return [...new Set(events.map(({ target }) => target.id))].sort()
  }
  expect(asked({})).toEqual(['t.here', 't.plain'])
  expect(asked({ unusual: true })).toEqual(['t.here', 't.plain', 't.unusual'])
  expect(asked({ loopback: true })).toEqual(['t.here', 't.lab', 't.plain'])
  expect(asked({}, { families: new Set(['v4', 'v6']) })).toEqual(['t.here', 't.plain', 't.v6'])
  expect(asked({}, { country: 'IR' })).toEqual(['t.elsewhere', 't.forbidden', 't.plain'])
  expect(asked({}, { role: 'operator' })).toEqual(['t.here', 't.operator', 't.plain'])
  expect(asked({ apps: ['other'] })).toEqual([])
})

test('a request whose address has not rested yet waits for that, and not for the next round', () => {
  const asked = [tcpTarget('t.slow', { host: 'a.test', spacing: 180 })]
  const { clock, schedule } = start(profiles.home, [appOf('t', asked)])
  live(schedule, clock, 1, () => ({ duration: 10, bytes: 1_400, connected: null }))
  const ended = clock.now
  schedule.request(['t.slow'], clock.now + 1_000, clock.now)
  const { events } = live(schedule, clock, 200, () => ({ duration: 10, bytes: 1_400, connected: null }))
  expect(events.map(({ at }) => at - ended)).toEqual([180])
})

test('a request is honoured early, once, and not past its expiry', () => {
  const targets = Array.from({ length: 30 }, (_, at) => tcpTarget(`t.${at}`, { host: `h${at}.test`, decides: 'no' }))
  const { clock, schedule } = start(profiles.home, [appOf('t', targets)], {}, () => 0.5)
  live(schedule, clock, 600, steady)
  const before = clock.now
  schedule.request(['t.29', 'nobody'], clock.now + 1_000, clock.now)
  const { events } = live(schedule, clock, 120, steady)
  expect(events[0]?.target.id ?? events.find(({ target }) => target.id === 't.29')?.target.id).toBeDefined()
  expect(events.filter(({ target }) => target.id === 't.29')).toHaveLength(1)
  expect(events.find(({ target }) => target.id === 't.29')!.at).toBeLessThanOrEqual(before + 120)
  schedule.request(['t.28'], clock.now - 1, clock.now)
  const next = live(schedule, clock, 120, steady)
  expect(next.events.filter(({ target }) => target.id === 't.28').length).toBeLessThanOrEqual(1)
})

test('a restart within one boot keeps its distance', () => {
  const clock = new HandClock()
  const budget = new Bucket(1e9, clock.mono)
  const schedule = new Schedule({ profile: profiles.home, budget, consent, lastActive: clock.now - 20 }, clock.now)
  schedule.adopt({ apps: [appOf('t', [tcpTarget('t.a', { spacing: 180 })])], forbidden: {} }, clock.now)
  const begin = clock.now
  const { events } = live(schedule, clock, 900, steady)
  expect(events[0]!.at).toBeGreaterThanOrEqual(begin + 160)
})

test('a new catalogue keeps what is known of the targets that stay', () => {
  const { clock, schedule } = start(profiles.home, [appOf('t', [tcpTarget('t.a')])])
  live(schedule, clock, 10, steady)
  schedule.adopt(
    { apps: [appOf('t', [tcpTarget('t.a'), tcpTarget('t.b', { host: 'b.test' })])], forbidden: {} },
    clock.now,
  )
  const { events } = live(schedule, clock, 130, steady)
  expect(events.map(({ target }) => target.id)).not.toContain('t.a')
})

test('the resolver that an answer is compared with is rested as well', () => {
  const spacing = new Spacing(Number.NEGATIVE_INFINITY)
  const named = { address: '127.0.0.9', port: 443 } as const
  const against = { ...named, name: 'r.example', path: '/', roots: 'public' } as const
  const compares = loopbackTarget('dns', 443, { type: 'A', resolver: 'system', against }, { host: 'app.example' })
  const asks = loopbackTarget('dns', 443, { type: 'A', resolver: { ...named, transport: 'doh' } }, { spacing: 60 })
  const taken = new Set<string>()
  expect([spacing.claim(compares, taken), spacing.claim(asks, taken)]).toEqual([true, false])
  spacing.ended(compares, 100, null)
  expect([spacing.freeAt(compares), spacing.freeAt(asks)]).toEqual([280, 160])
})

test('in a country whose filters hold a grudge, what they may react to rests longer, and controls do not', () => {
  const asked = [tcpTarget('telegram.a', { spacing: 180 }), tcpTarget('telegram.b', { spacing: 60 })]
  const rests = (country: string) =>
    asked.map(target => {
      const { schedule } = start(profiles.home, [appOf('telegram', asked)])
      schedule.adopt({ apps: [], forbidden: {}, spacing: { RU: 600 } }, 0)
      schedule.plan(0, { ...place, country })
      schedule.spacing.ended(target, 1_000, null)
      return schedule.spacing.freeAt(target) - 1_000
    })
  expect([rests('RU'), rests('KE')]).toEqual([
    [600, 60],
    [180, 60],
  ])
})
