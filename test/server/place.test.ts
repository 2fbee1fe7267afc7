import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Measurement } from '../../measurement/measurement.ts'
import { Refusal } from '../../server/batch.ts'
import { Nonces } from '../../server/nonce.ts'
import { place } from '../../server/place.ts'
import { stored } from './store-contract.ts'

const BOOT = '00000000000000aa'
const OTHER = '00000000000000bb'
const DAY = 86_400
const NOW = 1_750_000_000
const YEAR = 365 * DAY

/** What an agent whose clock is `wrong` seconds off measured `age` seconds ago. */
const aged = (age: number, wrong: number, boot = BOOT): Measurement =>
  stored({ boot, mono: 10_000_000 - age, at: NOW - age + wrong, marks: [] })
const sent = (wrong: number) => ({ wall: NOW + wrong, mono: 10_000_000, boot: BOOT })
const trueTime = (found: Measurement, wrong: number, retention: number | null = null) => {
  const { offset, marks } = place(found, sent(wrong), NOW, retention)
  return { at: found.at + offset, marks }
}

describe('the boot that reports', () => {
  test('is placed by its monotonic clock, however wrong its wall clock is', () => {
    const wrongs = fc.integer({ min: -20 * YEAR, max: 20 * YEAR })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 * DAY }), wrongs, (age, wrong) => {
        const { at, marks } = trueTime(aged(age, wrong), wrong)
        expect(at).toBeCloseTo(NOW - age, 3)
        expect(marks).toEqual([])
      }),
    )
  })

  test('cannot have measured after it reported', () => {
    expect(() => trueTime(aged(-60, 0), 0)).toThrow(new Refusal('/mono must not be after the mono of the report'))
  })
})

describe('another boot', () => {
  test.each([
    ['a clock that is right', 5 * DAY, 0, 0, NOW - 5 * DAY],
    ['a clock that is two hours ahead, as it still is', 5 * DAY, 7_200, 7_200, NOW - 5 * DAY],
    ['a clock a year ahead, as it still is', 5 * DAY, YEAR, YEAR, NOW - 5 * DAY],
    ['a clock a year behind, as it still is', 5 * DAY, -YEAR, -YEAR, NOW - 5 * DAY],
    ['a clock that was right and is lost now', 5 * DAY, 0, -20 * YEAR, NOW - 5 * DAY],
  ])('%s', (_, age, then, now, at) => {
    expect(trueTime(aged(age, then, OTHER), now)).toEqual({ at: expect.closeTo(at, 3), marks: ['time_uncertain'] })
  })

  test('what no correction brings into the past is refused', () => {
    expect(() => trueTime(aged(DAY, YEAR, OTHER), 0)).toThrow(/must not lie more than 600 s in the future/)
  })

  test('ten minutes ahead are allowed, eleven are not', () => {
    expect(trueTime(aged(0, 600, OTHER), 0).at).toBe(NOW + 600)
    expect(() => trueTime(aged(0, 660, OTHER), 0)).toThrow(Refusal)
  })
})

test('what is older than the retention is refused, and only that', () => {
  expect(() => trueTime(aged(91 * DAY, 0), 0, 90 * DAY)).toThrow(
    '/at must be within the 90 days that this server keeps',
  )
  expect(trueTime(aged(89 * DAY, 0), 0, 90 * DAY).at).toBe(NOW - 89 * DAY)
})

describe('nonces', () => {
  test('are good for five minutes, once, wherever the secret is known', () => {
    let now = NOW
    const key = Buffer.alloc(32, 1)
    const here = new Nonces(key, () => now)
    const { nonce, expires } = here.issue()
    expect(expires).toBe(NOW + 300)
    now += 299
    new Nonces(key, () => now).spend(nonce)
    here.spend(nonce)
    expect(() => here.spend(nonce)).toThrow(/used before/)
    const late = here.issue().nonce
    now += 302
    expect(() => here.spend(late)).toThrow(/expired/)
    expect(() => here.spend(nonce)).toThrow(/expired/)
    expect(() => new Nonces(Buffer.alloc(32, 2), () => now).spend(here.issue().nonce)).toThrow(/not ours/)
  })

  test('a nonce in another spelling is not another nonce', () => {
    const nonces = new Nonces(Buffer.alloc(32, 1), () => NOW)
    const { nonce } = nonces.issue()
    for (const spelling of [`${nonce}=`, `${nonce} `, `${nonce}.`, nonce.slice(0, -1)]) {
      expect(() => nonces.spend(spelling), spelling).toThrow(/not ours/)
    }
  })
})
