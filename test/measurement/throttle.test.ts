import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { agree } from '../../measurement/judge/agreement.ts'
import { dropUp, type PingPong } from '../../measurement/judge/drop-up.ts'
import {
  CAP,
  compare,
  goesOn,
  isSuspicious,
  type Leg,
  MARKS,
  type Pair,
  rateFrom,
  type Throttling,
} from '../../measurement/judge/throttle.ts'

const WHOLE = 262_144

/** A transfer at a rate (bytes/s) after `burst` bytes at the line's rate, of `bytes` in all. */
const leg = (rate: number, { burst = 0, line = 1e6, bytes = WHOLE, ...more }: Record<string, number> = {}): Leg => {
  const timeOf = (mark: number): number => Math.min(mark, burst) / line + Math.max(0, mark - burst) / rate
  const reached = MARKS.map(mark => (mark <= bytes && timeOf(mark) <= CAP ? timeOf(mark) : null))
  const whole = timeOf(bytes) <= CAP
  const got = whole ? bytes : Math.floor(burst + Math.max(0, CAP - burst / line) * rate)
  const span = whole ? timeOf(bytes) : CAP
  return { reached, got, span, gap: 0.06, end: whole ? 'whole' : 'cap', idle: 0.05, first: 0.1, ...more }
}

const three = (app: Leg[] | Leg, control: Leg[] | Leg): Pair[] =>
  [0, 1, 2].map(i => ({
    app: Array.isArray(app) ? app[i]! : app,
    control: Array.isArray(control) ? control[i]! : control,
  }))

const frozen = (more: Partial<Leg> = {}): Leg => ({
  reached: [0.1, null, null, null, null],
  got: 16_900,
  span: 8,
  gap: 7.8,
  end: 'cap',
  idle: 0.05,
  first: 0.1,
  ...more,
})

describe('one agent’s three pairs', () => {
  const fast = leg(1e6)
  const policed = leg(16_000, { burst: 32_000, gap: 0.7 })
  const table: [string, Pair[], Partial<Throttling>][] = [
    ['nothing', [], { answer: 'too_few', pairs: 0, slower: null }],
    ['two pairs', three(leg(2e4), fast).slice(1), { answer: 'too_few', pairs: 2 }],
    ['both as fast', three(fast, fast), { answer: 'same', strength: null, mechanism: null, rate: null }],
    ['a little slower, as clean lines are', three(leg(7e5), fast), { answer: 'same' }],
    ['one slow control among three', three(leg(5e5), [fast, leg(7e5), fast]), { answer: 'same' }],
    ['half as fast', three(leg(5e5), fast), { answer: 'throttled', strength: 'weak' }],
    [
      'held at 128 kbit/s, by whom nobody knows',
      three(policed, fast),
      { answer: 'throttled', strength: 'strong', mechanism: null },
    ],
    [
      'twice as slow, twice as far: the way accounts for it',
      three(leg(4.5e5, { idle: 0.1 }), fast),
      { answer: 'same', strength: null },
    ],
    ['held, and far', three({ ...policed, idle: 0.4 }, fast), { answer: 'throttled', strength: 'strong' }],
    ['twice as slow though nearer', three(leg(4.5e5, { idle: 0.02 }), fast), { answer: 'throttled' }],
    [
      'round trips of next to nothing account for nothing',
      three(leg(4.5e5, { idle: 0.001 }), leg(1e6, { idle: 0.0001 })),
      { answer: 'throttled' },
    ],
    [
      'all of it between two looks at the bytes: as fast',
      three(leg(1.6e7, { idle: 0.005 }), leg(1e8, { idle: 0.005 })),
      { answer: 'same' },
    ],
    [
      'SYNs lost on every connect lengthen no way',
      three(
        [1.05, 1.06, 1.04].map(idle => leg(1e5, { idle, first: 0.06 })),
        fast,
      ),
      { answer: 'throttled' },
    ],
    ['no round trip known', three(leg(4.5e5), { ...fast, idle: null }), { answer: 'throttled' }],
    [
      'at no steady rate: no name',
      three([leg(1e4), leg(2e4), leg(4e4)], fast),
      { answer: 'throttled', strength: 'strong', mechanism: null },
    ],
    ['held, round trips grow: a queue', three({ ...policed, trips: [0.05, 0.12, 0.09] }, fast), { mechanism: 'shape' }],
    [
      'held evenly, and round trips beside it do not grow: nobody knows',
      three({ ...policed, gap: 0.2, trips: [0.05, 0.052, 0.055] }, fast),
      { mechanism: null },
    ],
    [
      'held, they do by a quarter: nobody knows',
      three({ ...policed, trips: [0.2, 0.26, 0.25] }, fast),
      { mechanism: null },
    ],
    ['one trip under load is too few', three({ ...policed, trips: [0.05, 0.09] }, fast), { mechanism: null }],
    ['held, they do not: no queue', three({ ...policed, trips: [0.05, 0.3, 0.052] }, fast), { mechanism: 'police' }],
    ['frozen after 16 KB', three(frozen(), fast), { answer: 'throttled', mechanism: 'freeze', rate: null }],
    [
      'frozen, once before anything had come',
      three([frozen(), frozen({ got: 0, first: null, reached: [], end: 'silent' }), frozen()], fast),
      { answer: 'throttled', mechanism: 'freeze', pairs: 2 },
    ],
    ['nothing ever came: a block', three(frozen({ got: 0, first: null, end: 'silent' }), fast), { answer: 'too_few' }],
    ['frozen, but the control does no better', three(frozen(), frozen()), { answer: 'control_slow' }],
    ['cut after 16 KB by a reset: a failure, no speed', three(frozen({ end: 'reset' }), fast), { answer: 'too_few' }],
    ['one leg that never began', three([fast, fast, { ...frozen(), got: 0, first: null }], fast), { pairs: 2 }],
    ['both crawl', three(leg(9_000), leg(1e4)), { answer: 'control_slow', strength: null }],
    [
      'the control crawls, the app crawls more',
      three(leg(2_000), leg(1e4)),
      { answer: 'throttled', strength: 'strong' },
    ],
    [
      'slower before 64 KB only, and made up for',
      three(leg(4e6, { burst: 65_536, line: 5e5 }), fast),
      { answer: 'same' },
    ],
    ['a first pair that shows nothing', three(fast, fast).slice(2), { answer: 'same', pairs: 1 }],
    ['a first pair whose control crawls', three(leg(9_000), leg(1e4)).slice(2), { answer: 'control_slow', pairs: 1 }],
    [
      'a first pair of 160 KB, held as the two of 256',
      three(
        [leg(16_000, { bytes: 163_840, burst: 64_000 }), policed, policed],
        [leg(1e6, { bytes: 163_840 }), fast, fast],
      ),
      { answer: 'throttled', strength: 'strong' },
    ],
    [
      '64 KB pairs of a shape test',
      three(leg(3e4, { bytes: 65_536 }), leg(1e6, { bytes: 65_536 })),
      { answer: 'throttled' },
    ],
  ]

  test.each(table)('%s', (_, pairs, said) => {
    expect(compare(pairs)).toMatchObject(said)
  })

  test('says the rate it is held at and how many times slower', () => {
    const { rate, slower } = compare(
      three(
        [15_800, 16_000, 16_300].map(rate => leg(rate, { burst: 32_000 })),
        fast,
      ),
    )
    expect(rate).toBeCloseTo(16_000, 0)
    expect(slower?.value).toBeGreaterThan(60)
    expect(slower?.low).toBeLessThan(slower!.value)
    expect(slower?.coverage).toBeCloseTo(0.9)
  })

  test('a rate so low that 96 KB never come is read after the burst', () => {
    const { rate } = compare(three(leg(8_000, { burst: 32_000 }), fast))
    expect(rate! / 8_000).toBeCloseTo(1, 1)
  })

  test('a burst larger than what is sent hides a policer: why 256 KB', () => {
    const small = { bytes: 65_536, burst: 100_000 }
    expect(compare(three(leg(16_000, small), leg(1e6, small))).answer).toBe('same')
    expect(compare(three(leg(16_000, { burst: 100_000 }), leg(1e6))).answer).toBe('throttled')
  })

  test('a pair of a shape test asks for a test from twice as slow', () => {
    const [slow, middle, fast] = [2e5, 3e5, 5e5].map(rate => leg(rate, { bytes: 65_536 })) as [Leg, Leg, Leg]
    expect(isSuspicious({ app: slow, control: fast })).toBe(true)
    expect(isSuspicious({ app: middle, control: fast })).toBe(false)
    expect(isSuspicious({ app: fast, control: slow })).toBe(false)
    expect(isSuspicious({ app: frozen(), control: fast })).toBe(true)
    expect(isSuspicious({ app: slow, control: frozen({ end: 'closed' }) })).toBe(false)
  })

  test('a test goes on while no pair stands against it, to three', () => {
    const [slower, alike] = three([leg(3e5), leg(7e5), fast], fast) as [Pair, Pair]
    expect(goesOn([slower])).toBe(true)
    expect(goesOn([slower, slower])).toBe(true)
    expect(goesOn([slower, slower, slower])).toBe(false)
    expect(goesOn([alike])).toBe(false)
    expect(goesOn([slower, alike])).toBe(false)
    const dead = { app: frozen({ got: 0, first: null, end: 'silent' }), control: fast }
    expect(goesOn([dead])).toBe(true)
    expect(goesOn([{ app: frozen({ got: 0, first: null, idle: null, end: 'silent' }), control: fast }])).toBe(false)
    expect(goesOn([{ app: frozen({ end: 'reset' }), control: fast }])).toBe(false)
  })

  test('a rate that time cut off counts until the end, an object that ended has none', () => {
    expect(rateFrom(leg(10_000), 98_304)).toBeCloseTo(10_000, 0)
    expect(rateFrom(leg(20_000), 16_384)).toBeCloseTo(20_000, 0)
    expect(rateFrom(leg(1e5), 16_384)).toBeCloseTo(1e5, 0)
    expect(rateFrom(leg(1e5, { bytes: 65_536 }), 65_536)).toBeNull()
  })
})

/** Any leg a hostile or broken line may give. */
const anyLeg: fc.Arbitrary<Leg> = fc
  .record({
    times: fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 5, maxLength: 5 }),
    marks: fc.integer({ min: 0, max: 5 }),
    gap: fc.double({ min: 0, max: CAP, noNaN: true }),
    end: fc.constantFrom('whole' as const, 'cap' as const, 'silent' as const, 'reset' as const, 'closed' as const),
    idle: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    first: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    trips: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 5 }),
    rest: fc.integer({ min: 0, max: 16_000 }),
    lost: fc.option(
      fc.integer({ min: 0, max: 328 }).map(hits => ({ hits, tries: 328 })),
      { freq: 3 },
    ),
  })
  .map(({ times, marks, rest, lost, ...known }) => {
    const more = { ...known, ...(lost ? { lost } : {}) }
    let at = 0
    const reached = times.map((time, i) => (i < marks ? (at += time) : null))
    return { ...more, reached, got: marks === 0 ? rest : MARKS[marks - 1]! + rest, span: Math.min(CAP, at + 0.5) }
  })
const anyPairs = fc.array(fc.record({ app: anyLeg, control: anyLeg }), { maxLength: 6 })

/** Every number in a value. */
const numbersIn = (value: unknown): number[] =>
  typeof value === 'number'
    ? [value]
    : value && typeof value === 'object'
      ? Object.values(value).flatMap(numbersIn)
      : []

describe('laws', () => {
  test('no number is ever NaN or infinite', () => {
    fc.assert(
      fc.property(fc.array(anyPairs, { maxLength: 5 }), tests => {
        const said = tests.map(compare)
        const wrong = numbersIn([said, agree(said)]).filter(number => !Number.isFinite(number))
        expect(wrong).toEqual([])
      }),
    )
  })

  test('app and control swapped: never both throttled, and the effect turns round', () => {
    fc.assert(
      fc.property(anyPairs, pairs => {
        const there = compare(pairs)
        const back = compare(pairs.map(({ app, control }) => ({ app: control, control: app })))
        expect([there.answer, back.answer]).not.toEqual(['throttled', 'throttled'])
        if (there.slower && back.slower) {
          expect(Math.log(there.slower.value)).toBeCloseTo(-Math.log(back.slower.value), 6)
        }
      }),
    )
  })

  test('the order of the pairs does not matter', () => {
    fc.assert(
      fc.property(anyPairs, pairs => {
        const { slower, ...rest } = compare(pairs)
        const { slower: turned, ...same } = compare(pairs.toReversed())
        expect(rest).toEqual(same)
        expect(slower?.value).toEqual(turned?.value)
      }),
    )
  })

  test('a line slower by any factor gives the same answer', () => {
    const whole = fc.array(fc.double({ min: 0.01, max: 0.1, noNaN: true }), { minLength: 5, maxLength: 5 })
    const stretched = (times: readonly number[], by: number): Leg => {
      let at = 0
      const reached = times.map(time => (at += time * by))
      return { reached, got: WHOLE, span: at, gap: 0.01 * by, end: 'whole', idle: 0.03 * by, first: 0.03 * by }
    }
    const runs = fc.array(fc.record({ app: whole, control: whole }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(runs, fc.double({ min: 1, max: 15, noNaN: true }), (legs, by) => {
        const at = (factor: number) =>
          compare(
            legs.map(({ app, control }) => ({ app: stretched(app, factor), control: stretched(control, factor) })),
          )
        expect(at(by).answer).toBe(at(1).answer)
        expect(at(by).slower!.value / at(1).slower!.value).toBeCloseTo(1, 6)
      }),
    )
  })

  test('missing legs never make an alarm', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ app: anyLeg, control: anyLeg }), { maxLength: 2 }), pairs => {
        expect(compare(pairs).answer).not.toBe('throttled')
      }),
    )
  })

  test('a test that stopped would not have become throttled by more', () => {
    // Round trips aside, of which the shortest yet counts.
    const still = anyLeg.map(leg => ({ ...leg, idle: 0.05, first: leg.first === null ? null : 0.1 }))
    fc.assert(
      fc.property(fc.array(fc.record({ app: still, control: still }), { minLength: 3, maxLength: 3 }), pairs => {
        const seen = [1, 2].map(count => pairs.slice(0, count))
        if (compare(pairs).answer === 'throttled') expect(seen.map(goesOn)).toEqual([true, true])
      }),
    )
  })
})

describe('several agents', () => {
  const slow = (rate: number) =>
    compare(three({ ...leg(rate, { burst: 32_000, gap: 0.7 }), trips: [0.05, 0.052, 0.052] }, leg(1e6)))
  const fine = compare(three(leg(1e6), leg(1e6)))
  const mute = compare(three(leg(9e3), leg(9e3)))

  test('three of four at one rate confirm it, with the rate', () => {
    const said = agree([slow(16_000), slow(16_500), slow(15_500), fine])
    expect(said).toMatchObject({ agents: 4, throttled: 3, confirmed: true, mechanism: 'police' })
    expect(said.rate).toBeCloseTo(16_000, 0)
    expect(said.slower?.value).toBeGreaterThan(2)
  })

  test('half do not', () => {
    expect(agree([slow(16_000), slow(16_000), slow(16_000), fine, fine, fine]).confirmed).toBe(false)
  })

  test('two are too few, and those who could say nothing do not count', () => {
    expect(agree([slow(16_000), slow(16_000)]).confirmed).toBeNull()
    expect(agree([slow(16_000), slow(16_000), mute, mute])).toMatchObject({ agents: 2, confirmed: null })
    expect(agree([])).toMatchObject({ agents: 0, confirmed: null, rate: null, slower: null })
  })

  test('different rates are no one’s plan', () => {
    expect(agree([slow(8_000), slow(16_000), slow(32_000)])).toMatchObject({ confirmed: true, rate: null })
  })
})

describe('upstream drop by ping-pong', () => {
  const trips = (stalled: number, lost = 0): number[] => [
    ...Array.from({ length: 25 - stalled - lost }, (_, i) => 0.05 + (i % 5) * 0.002),
    ...Array.from({ length: stalled }, () => 0.4),
    ...Array.from({ length: lost }, () => -1),
  ]
  const round = (app: number, control: number, lost = 0): PingPong => ({
    app: trips(app, lost),
    control: trips(control),
  })

  test('one agent: many stalls on one side only', () => {
    expect(dropUp([[round(8, 0)]])).toMatchObject({ found: true })
    expect(dropUp([[round(2, 0)]]).found).toBe(false)
    expect(dropUp([[round(8, 7)]]).found).toBe(false)
    expect(dropUp([[round(0, 8)]]).found).toBe(false)
    expect(dropUp([[round(0, 0, 7)]]).found).toBe(true)
  })

  test('little drop shows over rounds and agents', () => {
    expect(dropUp([[round(3, 0)]]).found).toBe(false)
    expect(dropUp([[round(3, 0), round(2, 0), round(4, 1)]]).found).toBe(true)
    expect(dropUp([[round(5, 0)], [round(4, 0)], [round(5, 0)], [round(3, 0)]]).found).toBe(true)
  })

  test('silence is no drop, and nothing is nothing', () => {
    const dead = Array.from({ length: 25 }, () => -1)
    expect(dropUp([[{ app: dead, control: trips(0) }]])).toEqual({ found: false, p: 1 })
    expect(dropUp([])).toEqual({ found: false, p: 1 })
  })
})
