import fc from 'fast-check'
import { expect, test } from 'vitest'
import { percent, placed } from '../../server/page/strip.ts'

const view = { from: 1_000, to: 2_000 }

test('what is placed lies inside the strip and covers nothing else of its row', () => {
  const spans = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 2_000 })).map(([from, length]) => ({
      from,
      to: from + length,
    })),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(spans, items => {
      const bars = placed(items, item => item, view, 0.3)
      expect(bars.length).toBe(items.filter(({ from, to }) => from < view.to && to >= view.from).length)
      for (const [index, bar] of bars.entries()) {
        expect(bar.left).toBeGreaterThanOrEqual(0)
        expect(bar.left + bar.width).toBeLessThanOrEqual(1 + 1e-9)
        for (const other of bars.slice(index + 1))
          if (other.row === bar.row)
            expect(other.left >= bar.left + bar.width - 1e-9 || bar.left >= other.left + other.width - 1e-9).toBe(true)
      }
    }),
  )
})

test('near the right edge a label stands at the end of its span', () => {
  const [late] = placed([{ from: 1_900, to: 1_950 }], item => item, view, 0.3)
  expect(late!.before).toBe(true)
  const [early] = placed([{ from: 1_100, to: 1_950 }], item => item, view, 0.3)
  expect(early!.before).toBe(false)
})

test('CSS gets a percentage', () => {
  expect(percent(1 / 3)).toBe('33.333%')
})
