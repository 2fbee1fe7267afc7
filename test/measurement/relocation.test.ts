import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { latencyStep, type Paired, placeOf, relocation } from '../../measurement/judge/relocation.ts'

const paired = (app: number, control: number, count = 12): Paired[] =>
  Array.from({ length: count }, (_, i) => ({ app: app * (1 + (i % 4) / 20), control: control * (1 + (i % 3) / 20) }))

describe('step of latency', () => {
  test('the app alone is slower', () => {
    const step = latencyStep(paired(0.02, 0.09), paired(0.12, 0.09))!
    expect(step.stepped).toBe(true)
    expect(step.slower.value).toBeCloseTo(6, 0)
    expect(step.added.value).toBeCloseTo(0.1, 1)
    expect(step.slower.low).toBeGreaterThan(4)
  })

  test('the line is slower, and the app with it', () => {
    const step = latencyStep(paired(0.05, 0.09), paired(0.15, 0.27))!
    expect(step.stepped).toBe(false)
    expect(step.slower.value).toBeCloseTo(1, 1)
  })

  test('faster, hardly slower, or of too few samples, is none', () => {
    expect(latencyStep(paired(0.1, 0.1), paired(0.05, 0.1))?.stepped).toBe(false)
    expect(latencyStep(paired(0.1, 0.1), paired(0.12, 0.1))?.stepped).toBe(false)
    expect(latencyStep(paired(0.02, 0.09, 3), paired(0.12, 0.09))).toBeNull()
    expect(latencyStep(paired(0, 0.09), paired(0.12, 0.09))).toBeNull()
  })

  test('it does not depend on the unit, and turns round in time', () => {
    const samples = fc.array(
      fc.record({
        app: fc.double({ min: 0.01, max: 2, noNaN: true }),
        control: fc.double({ min: 0.01, max: 2, noNaN: true }),
      }),
      { minLength: 4, maxLength: 10 },
    )
    const scaled = (of: readonly Paired[], by: number) =>
      of.map(({ app, control }) => ({ app: app * by, control: control * by }))
    fc.assert(
      fc.property(samples, samples, fc.double({ min: 0.1, max: 10, noNaN: true }), (before, after, by) => {
        const step = latencyStep(before, after)!
        expect(latencyStep(scaled(before, by), scaled(after, by))!.slower.value / step.slower.value).toBeCloseTo(1, 6)
        expect(latencyStep(after, before)!.slower.value * step.slower.value).toBeCloseTo(1, 6)
        expect(step.stepped && latencyStep(after, before)!.stepped).toBe(false)
      }),
    )
  })
})

describe('moved abroad', () => {
  const served = (asn: number, country: string, rtt_floor: number | null, count = 5) =>
    Array.from({ length: count }, () => ({ asn, country, rtt_floor, dc: null }))
  const inside = served(64_500, 'IR', 0.012)
  const outside = served(64_501, 'DE', 0.095)
  const step = latencyStep(paired(0.02, 0.09), paired(0.12, 0.09))
  const none = latencyStep(paired(0.02, 0.09), paired(0.02, 0.09))
  const setting = { home: 'IR', step, throttled: false }

  test('the case of April 2018: from inside to abroad, farther, slower, nothing held back', () => {
    expect(relocation(inside, outside, setting)).toMatchObject({
      from: { asn: 64_500, country: 'IR' },
      to: { asn: 64_501, country: 'DE' },
      farther: expect.closeTo(0.083, 6),
    })
  })

  const not: [string, Parameters<typeof relocation>][] = [
    ['no step of latency', [inside, outside, { ...setting, step: none }]],
    ['no step known', [inside, outside, { ...setting, step: null }]],
    ['held back too: not the move is the cause', [inside, outside, { ...setting, throttled: true }]],
    ['the country changed in the database only', [inside, served(64_501, 'DE', 0.012), setting]],
    ['no floor known', [inside, served(64_501, 'DE', null), setting]],
    ['another network at home', [inside, served(64_502, 'IR', 0.095), setting]],
    ['from one country abroad to another', [outside, served(64_503, 'US', 0.2), setting]],
    ['back home', [outside, inside, setting]],
    ['half of the answers', [inside, [...inside.slice(1), ...outside.slice(1)], setting]],
    ['too few answers', [inside, outside.slice(3), setting]],
    ['a country nobody knows', [inside, served(0, 'ZZ', 0.095), setting]],
  ]
  test.each(not)('not where %s', (_, [before, after, rest]) => {
    expect(relocation(before, after, rest)).toBeNull()
  })

  test('a place is where most answers come from', () => {
    expect(placeOf([...outside.slice(0, 4), inside[0]!])).toMatchObject({ asn: 64_501, country: 'DE' })
    expect(placeOf([...outside.slice(0, 2), ...inside.slice(0, 2)])).toMatchObject({ asn: null, country: null })
    expect(placeOf([])).toBeNull()
  })
})
