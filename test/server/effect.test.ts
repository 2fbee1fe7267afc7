import { describe, expect, test } from 'vitest'
import type { PolicyEvent } from '../../events/event.ts'
import { circularBlocks, quantile, randomFrom } from '../../server/analysis/bootstrap.ts'
import { changeOf, type Scale, shiftOf, type Unit, type Window } from '../../server/analysis/change.ts'
import { estimate, newcombe, placeboPs, placebos } from '../../server/analysis/difference.ts'
import { type Plan, planOf } from '../../server/analysis/effect-plan.ts'
import { ALPHA, lordPlusPlus } from '../../server/analysis/lord.ts'

/** Whether what is reckoned around an event is right: against published figures, and where the truth is known. */

test('no quiet window meets the event, another event, or the end of what there is, however long it is', () => {
  const day = 86_400
  const start = Date.parse('2024-01-01T00:00:00Z') / 1000
  const event = (id: string, from: number, days: number): PolicyEvent => ({
    ...{ schema: 1, id, kind: 'hosting-order', title: { en: id }, summary: { en: id } },
    when: { start: iso(from), end: iso(from + (days - 1) * day), tz: 'UTC' },
    where: { countries: ['KE'], scope: 'national' },
    ...{ apps: ['telegram'], actors: [{ name: 'nobody' }], confidence: 'confirmed' },
    sources: [{ cite: 'none', evidence: 'unsourced' }],
  })
  const iso = (at: number) => new Date(at * 1000).toISOString().slice(0, 10)
  const long = event('long', start + 365 * day, 28)
  const other = event('other', start + 100 * day, 2)
  const now = start + 600 * day
  const covered = [{ app: 'telegram', country: 'KE', first: start, last: now }]
  const plan = planOf(long, [other, long], covered, now) as Plan
  const spans = [plan.first, plan.whole!].map(window =>
    plan.quiet(window).map(at => {
      if (at === null) return null
      const onset = plan.from + at * plan.cell
      return { from: onset - 7 * day, to: onset + window.length * plan.cell }
    }),
  )
  expect(spans[0]!.length).toBe(spans[1]!.length)
  const begun = (of: PolicyEvent) => Date.parse(of.when.start) / 1000
  for (const [i, quiet] of spans.entries()) {
    const free = quiet.filter(span => span !== null)
    expect(free.length).toBeGreaterThan([1_000, 500][i]!)
    for (const { from, to } of free) {
      expect(to <= plan.onset || from >= begun(long) + 28 * day).toBe(true)
      for (const at of [begun(other), begun(other) + 2 * day]) expect(at >= to || at < from).toBe(true)
      expect(to).toBeLessThanOrEqual(plan.to)
    }
  }
})

describe('resampling', () => {
  test('the same name gives the same draws, uniform over [0, 1)', () => {
    const draws = Array.from({ length: 20_000 }, randomFrom('a'))
    expect(Array.from({ length: 20_000 }, randomFrom('a'))).toEqual(draws)
    expect(draws[0]).not.toBe(randomFrom('b')())
    expect(draws.every(draw => draw >= 0 && draw < 1)).toBe(true)
    const tenths = Map.groupBy(draws, draw => Math.floor(draw * 10))
    for (let tenth = 0; tenth < 10; tenth++) expect(Math.abs(tenths.get(tenth)!.length - 2_000)).toBeLessThan(180)
  })

  test('blocks run on, past the end to the start', () => {
    const drawn = circularBlocks(5, 12, 3, randomFrom('blocks'))
    expect(drawn.length).toBe(12)
    for (let i = 0; i < 12; i++) if (i % 3 > 0) expect(drawn[i]).toBe((drawn[i - 1]! + 1) % 5)
  })

  test('quantiles are those of numpy', () => {
    const sorted = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3.5].sort((a, b) => a - b)
    const golden = [1.0, 1.0, 3.75, 8.325]
    for (const [i, q] of [0.025, 0.1, 0.5, 0.975].entries()) expect(quantile(sorted, q)).toBeCloseTo(golden[i]!, 10)
    expect(quantile([], 0.5)).toBeNaN()
  })
})

describe('LORD++', () => {
  test('levels are those of the definition, reckoned apart with scipy', () => {
    const ps = [0.2, 0.002, 0.5, 0.009, 0.03, 0.0008, 0.0005, 0.6, 0.011, 0.3]
    const golden: [number, boolean][] = [
      [0.0095698346, false],
      [0.00338344747, true],
      [0.011411550127, false],
      [0.004579676795, false],
      [0.002697667555, false],
      [0.001847374094, true],
      [0.020512343727, true],
      [0.026980639843, false],
      [0.011321486813, true],
      [0.02594111458, false],
    ]
    expect(lordPlusPlus(ps).map(({ found }) => found)).toEqual(golden.map(([, found]) => found))
    for (const [i, { level }] of lordPlusPlus(ps).entries()) expect(level).toBeCloseTo(golden[i]![0], 10)
  })

  test('of streams without any effect, at most one in twenty has a finding', () => {
    const random = randomFrom('null streams')
    const wrong = Array.from({ length: 4_000 }, () =>
      lordPlusPlus(Array.from({ length: 50 }, random)).some(({ found }) => found),
    ).filter(Boolean).length
    expect(wrong / 4_000).toBeLessThan(ALPHA)
    expect(wrong).toBeGreaterThan(0)
  })
})

test('Newcombe’s interval is that of his paper: 56 of 70 against 48 of 80', () => {
  // Newcombe 1998, Statistics in Medicine 17, table II, method 10: 0.2000 (0.0524 to 0.3339).
  const none = { mean: 0, low: 0, high: 0 }
  const { below, above } = newcombe(
    { after: { mean: 0.8, low: 0.6918, high: 0.8769 }, before: { mean: 0.6, low: 0.4904, high: 0.7004 } },
    { before: none, after: none },
  )
  expect(0.2 - below).toBeCloseTo(0.0524, 3)
  expect(0.2 + above).toBeCloseTo(0.3339, 3)
})

test('several looks are tested together: the larger of two is as rare as it is, however many were taken', () => {
  const quiet = Array.from({ length: 199 }, (_, i) => (i - 99) / 99)
  const one = placeboPs([{ change: 2, quiet }])
  expect(one).toEqual({ ps: [1 / 200], placebos: 199 })
  // The same look twice is one look, in whatever unit.
  const twice = placeboPs([
    { change: 0.95, quiet },
    { change: 95, quiet: quiet.map(value => 100 * value) },
  ])
  const [alone] = placeboPs([{ change: 0.95, quiet }]).ps
  expect(twice.ps[0]).toBeCloseTo(alone!, 10)
  expect(twice.ps[1]).toBeCloseTo(alone!, 10)
  // Another, independent one makes the largest larger.
  const other = quiet.map((_, i) => quiet[(i * 71) % 199]!)
  expect(
    placeboPs([
      { change: 0.95, quiet },
      { change: 0, quiet: other },
    ]).ps[0],
  ).toBeGreaterThan(alone! * 1.5)
  expect(
    placeboPs([
      { change: 0.95, quiet },
      { change: 0, quiet: other.map(() => null) },
    ]).placebos,
  ).toBe(0)
})

/** Normal numbers (Box and Muller). */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const DAY = 4
type World = { days: number; networks: number; controls: number; agents: number; noise: number; memory: number }

/**
 * Networks in six-hour cells: what all share, what each network does by itself from day to day (AR 1), what each agent
 * adds, and from `at` on the effect.
 */
const simulated = (world: World, scale: Scale, effect: number, at: number, random: () => number) => {
  const { days, networks, controls, agents, noise, memory } = world
  const cells = days * DAY
  const walk = (size: number) => {
    let last = size * normal(random)
    return Array.from(
      { length: days },
      () => (last = memory * last + Math.sqrt(1 - memory ** 2) * size * normal(random)),
    )
  }
  const shared = walk(noise * 2)
  const unit = (treated: boolean): Unit => {
    const own = walk(noise)
    const usual = scale === 'share' ? 0.85 : normal(random)
    const [weight, sum, squares] = [0, 1, 2].map(() => new Float64Array(cells + 1))
    let opinions: number[] = []
    for (let cell = 0; cell < cells; cell++) {
      const day = Math.floor(cell / DAY)
      const centre = usual + shared[day]! + own[day]! + (treated && cell >= at ? effect : 0)
      // An agent stays of one opinion all day.
      if (cell % DAY === 0)
        opinions = Array.from({ length: agents }, () => (scale === 'share' ? random() : 0.2 * normal(random)))
      const values = opinions.map(opinion => (scale === 'share' ? Number(opinion < centre) : centre + opinion))
      weight![cell + 1] = weight![cell]! + agents
      sum![cell + 1] = sum![cell]! + values.reduce((all, value) => all + value, 0)
      squares![cell + 1] = squares![cell]! + values.reduce((all, value) => all + value ** 2, 0)
    }
    const voters = (from: number, to: number) => (agents * (to - from)) / DAY
    return { app: 'telegram', country: 'KE', asn: 1, weight: weight!, sum: sum!, squares: squares!, voters }
  }
  return {
    treated: Array.from({ length: networks }, () => unit(true)),
    controls: Array.from({ length: controls }, () => unit(false)),
  }
}

const typical: World = { days: 40, networks: 4, controls: 6, agents: 8, noise: 0.02, memory: 0.4 }

describe('a known effect is found again', () => {
  test.each([
    { scale: 'share', effect: -0.3, length: 8, world: typical },
    { scale: 'share', effect: -0.02, length: 4, world: { ...typical, agents: 20 } },
    { scale: 'share', effect: 0, length: 28, world: { ...typical, noise: 0.04 } },
    { scale: 'log', effect: 0.4, length: 8, world: typical },
    { scale: 'log', effect: 0, length: 8, world: { ...typical, noise: 0.1, memory: 0.6 } },
  ] as const)(
    '$scale $effect over $length cells: within the interval in about 95 %',
    ({ scale, effect, length, world }) => {
      const random = randomFrom(`truth within ${scale} ${effect} ${length}`)
      const window: Window = { at: 30 * DAY, length, day: DAY }
      const rounds = 200
      let [inside, sum] = [0, 0]
      for (let round = 0; round < rounds; round++) {
        const { treated, controls } = simulated(world, scale, effect, window.at, random)
        const found = estimate(treated, controls, window, scale, `${round}`)!
        inside += Number(found.low <= effect && effect <= found.high)
        sum += found.change
      }
      expect(inside / rounds).toBeGreaterThanOrEqual(0.91)
      expect(Math.abs(sum / rounds - effect)).toBeLessThan(0.02)
    },
  )
})

test.each([1, 3, 4, 9, 40])('the change alone is the change with its levels, over %i cells', length => {
  const random = randomFrom(`shift ${length}`)
  const { treated } = simulated(typical, 'log', 0.3, 100, random)
  const fit = treated.map(random)
  for (const at of [-3, 5, 28, 101, 158, 400]) {
    const window: Window = { at, length, day: DAY }
    const [alone, whole] = [shiftOf(treated, window, fit), changeOf(treated, window, 'log', fit)]
    if (whole === null) expect(alone).toBeNull()
    else expect(alone).toBeCloseTo(whole.change, 10)
  }
})

test('streams of events that did nothing have a finding in at most one of twenty', () => {
  const random = randomFrom('false discoveries')
  const streams = 40
  let wrong = 0
  let ps: number[] = []
  for (let stream = 0; stream < streams; stream++) {
    const world = { ...typical, days: 120, networks: 3, controls: 4, agents: 3, memory: 0.5 }
    const { treated, controls } = simulated(world, 'share', 0, 0, random)
    const own = Array.from({ length: 8 }, () => 7 * DAY + Math.floor(random() * (world.days - 10) * DAY)).map(at => {
      const window: Window = { at, length: 8, day: DAY }
      const quiet = Array.from({ length: world.days * DAY }, (_, i) => i).filter(
        i => i >= 7 * DAY && i + 8 < world.days * DAY && (i + 8 <= at || i - 7 * DAY >= at + 8),
      )
      const found = estimate(treated, controls, window, 'share', `${stream} ${at}`)!
      const tested = placeboPs([{ change: found.change, quiet: placebos(treated, controls, quiet, window) }])
      expect(tested.placebos).toBeGreaterThanOrEqual(199)
      return tested.ps[0]!
    })
    ps = [...ps, ...own]
    wrong += Number(lordPlusPlus(own).some(({ found }) => found))
  }
  expect(wrong / streams).toBeLessThanOrEqual(ALPHA)
})
