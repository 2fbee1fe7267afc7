import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lengthOf, MAX_POINTS, presets, rangeOf, rounded, stepFor, wider } from '../../server/page/range.ts'

const DAY = 86_400
const NOW = Date.UTC(2023, 10, 29, 12, 34) / 1_000

test('no line of up to five years has more than 2,000 points, and none is coarser than it must be', () => {
  fc.assert(
    fc.property(fc.integer({ min: 900, max: 5 * 365 * DAY }), length => {
      const step = stepFor({ from: 0, to: length })
      expect(length / lengthOf(step)).toBeLessThanOrEqual(MAX_POINTS)
      const finer = ['5m', '1h', '1d'].at(['5m', '1h', '1d'].indexOf(step) - 1)
      if (step !== '5m') expect(length / lengthOf(finer!)).toBeGreaterThan(MAX_POINTS)
    }),
  )
})

test('every preset has a step', () => {
  expect(presets.map(({ length }) => stepFor({ from: 0, to: length }))).toEqual(['5m', '1h', '1h', '1d', '1d'])
})

test('without a range of its own a chart shows the week up to now, or the week around the chosen time', () => {
  const now = rangeOf({ from: null, to: null, at: null }, NOW)
  expect(now.to - now.from).toBe(7 * DAY)
  expect(now.to).toBeGreaterThanOrEqual(NOW)
  expect(now.to - NOW).toBeLessThan(3_600)
  const around = rangeOf({ from: null, to: null, at: NOW - 90 * DAY }, NOW)
  expect((around.from + around.to) / 2).toBe(NOW - 90 * DAY)
})

test('a drag is rounded outwards and never to nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2e9 }), fc.integer({ min: 1, max: 400 * DAY }), (from, length) => {
      const drag = { from, to: from + length }
      const { from: start, to: end } = rounded(drag)
      expect(start).toBeLessThanOrEqual(drag.from)
      expect(end).toBeGreaterThanOrEqual(drag.to)
      expect(end - start).toBeGreaterThanOrEqual(900)
      expect(start % 300).toBe(0)
    }),
  )
})

test('zooming out doubles the range and does not reach into the future', () => {
  const week = { from: NOW - 7 * DAY, to: NOW }
  const out = wider(week, NOW)
  expect(out.to - out.from).toBe(14 * DAY)
  expect(out.to - NOW).toBeLessThan(3_600)
  const past = wider({ from: 0, to: DAY }, NOW)
  expect(past).toEqual({ from: -DAY / 2, to: DAY * 1.5 })
})
