import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { centreOf, fisher, shiftOf, stouffer } from '../../measurement/judge/ranks.ts'
import golden from './golden/ranks.json' with { type: 'json' }

/** Golden values are scipy's, made once by golden/ranks.py beside them. */
describe('as scipy has it', () => {
  test.each(golden.shifts.map(row => [`${row.before.length} and ${row.after.length}`, row] as const))(
    'shift of %s',
    (_, { before, after, value, low, high }) => {
      const shift = shiftOf(before, after)!
      expect(shift.value).toBeCloseTo(value, 9)
      expect([shift.low, shift.high]).toEqual([expect.closeTo(low, 9), expect.closeTo(high, 9)])
    },
  )

  test.each(golden.centres.map(row => [row.values.length, row] as const))(
    'centre of %s',
    (_, { values, value, low, high }) => {
      const centre = centreOf(values)!
      expect(centre.value).toBeCloseTo(value, 9)
      expect([centre.low, centre.high]).toEqual([expect.closeTo(low, 9), expect.closeTo(high, 9)])
    },
  )

  test.each(golden.fishers)('Fisher: $here against $there', ({ here, there, p }) => {
    const counted = ([hits = 0, tries = 0]: number[]) => ({ hits, tries })
    expect(fisher(counted(here), counted(there)) / p).toBeCloseTo(1, 9)
  })

  test.each(golden.stouffers)('Stouffer: $ps', ({ ps, p }) => {
    expect(stouffer(ps) / p).toBeCloseTo(1, 6)
  })
})

describe('laws', () => {
  const numbers = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 12 })

  test('swapped samples turn the sign, and the interval holds the value', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [there, back] = [shiftOf(a, b)!, shiftOf(b, a)!]
        expect(there.value).toBeCloseTo(-back.value, 6)
        expect(there.low).toBeCloseTo(-back.high, 6)
        expect(there.low).toBeLessThanOrEqual(there.value)
        expect(there.value).toBeLessThanOrEqual(there.high)
      }),
    )
  })

  test('three pairs cannot give 95 %, and say so', () => {
    expect(shiftOf([1, 2, 3], [4, 5, 6])?.coverage).toBeCloseTo(0.9)
    expect(shiftOf([1, 2, 3, 4, 5], [4, 5, 6, 7, 8])?.coverage).toBeGreaterThanOrEqual(0.95)
    expect(centreOf([1])?.coverage).toBe(0)
    expect(shiftOf([], [1])).toBeNull()
    expect(centreOf([])).toBeNull()
  })

  test('many numbers take the normal way and agree with the exact one', () => {
    const few = Array.from({ length: 100 }, (_, i) => Math.sin(i * 12.9898) * 5)
    const more = few.map(x => x + 1)
    const exact = shiftOf(few, more)!
    const approximate = shiftOf([...few, 0], more)!
    expect(approximate.low).toBeCloseTo(exact.low, 0)
    expect(approximate.coverage).toBeCloseTo(exact.coverage, 2)
  })

  test('a p-value is a chance', () => {
    const count = fc.integer({ min: 0, max: 60 })
    fc.assert(
      fc.property(count, count, count, count, (a, b, more, rest) => {
        const p = fisher({ hits: a, tries: a + more }, { hits: b, tries: b + rest })
        expect(p).toBeGreaterThanOrEqual(0)
        expect(p).toBeLessThanOrEqual(1)
      }),
    )
    expect(stouffer([])).toBe(1)
    expect(stouffer([0, 1])).toBeCloseTo(0.5)
  })
})
