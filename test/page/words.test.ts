import { expect, test } from 'vitest'
import { looks } from '../../measurement/look.ts'
import { verdicts } from '../../measurement/verdict.ts'
import { niceBelow, withBreaks } from '../../server/page/breaks.ts'
import { formatIn } from '../../server/page/format.ts'
import { nextCell } from '../../server/page/grid-keys.ts'
import { wrapped } from '../../server/page/picture.ts'
import { en } from '../../server/page/strings/en.ts'
import { fa } from '../../server/page/strings/fa.ts'

/** WCAG 2.2, relative luminance and contrast. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map(at => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map(part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}
const contrast = (a: string, b: string) => {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (light! + 0.05) / (dark! + 0.05)
}

test('every verdict can be read on both grounds and told apart without its colour', () => {
  for (const verdict of verdicts) {
    expect(contrast(looks[verdict].light, '#ffffff')).toBeGreaterThanOrEqual(4.5)
    expect(contrast(looks[verdict].dark, '#14181d')).toBeGreaterThanOrEqual(4.5)
  }
  for (const key of ['shape', 'path', 'word'] as const)
    expect(new Set(verdicts.map(verdict => looks[verdict][key])).size).toBe(verdicts.length)
})

/** Every text of a language by its path, functions called with plain arguments. */
function texts(strings: object, path = ''): [string, string][] {
  return Object.entries(strings).flatMap(([name, value]): [string, string][] => {
    const here = `${path}.${name}`
    if (typeof value === 'string') return [[here, value]]
    if (typeof value === 'function') return [[here, value('7', '7', '7', '7')]]
    return texts(value, here)
  })
}

test('Persian says all that English says, in Persian', () => {
  const english = new Map(texts(en))
  const persian = new Map(texts(fa))
  expect([...persian.keys()].sort()).toEqual([...english.keys()].sort())
  for (const [path, text] of persian) {
    expect(text, path).not.toMatch(/undefined|[يك]/)
    // Names of protocols and the language switch stay Latin.
    if (!/layer|otherLanguage/.test(path)) expect(text, path).toMatch(/[\u0600-\u06ff]/)
  }
})

test('numbers, shares and places are written in the language', () => {
  const english = formatIn('en', en)
  const persian = formatIn('fa', fa)
  expect(english.country('KE')).toBe('Kenya')
  expect(persian.country('IR')).toBe('ایران')
  expect(english.country('ZZ')).toBe('this line')
  expect(persian.network(12455)).toBe('AS12455')
  expect(persian.share(0.5)).toMatch(/۵۰/)
  expect(english.duration(0.1823)).toBe('0.18 s')
  expect(english.span(Date.UTC(2023, 9, 15) / 1_000, Date.UTC(2023, 10, 30) / 1_000)).toMatch(
    /^15 Oct\s–\s29 Nov 2023$/,
  )
})

test('arrow keys move over the grid, turned round where the page is', () => {
  const size = { rows: 3, columns: 4 }
  const ltr = { control: false, rightToLeft: false }
  expect(nextCell('ArrowRight', { row: 0, column: 0 }, size, ltr)).toEqual({ row: 0, column: 1 })
  expect(nextCell('ArrowRight', { row: 0, column: 1 }, size, { ...ltr, rightToLeft: true })).toEqual({
    row: 0,
    column: 0,
  })
  expect(nextCell('ArrowUp', { row: 0, column: 2 }, size, ltr)).toEqual({ row: 0, column: 2 })
  expect(nextCell('End', { row: 1, column: 0 }, size, { ...ltr, control: true })).toEqual({ row: 2, column: 3 })
  expect(nextCell('x', { row: 0, column: 0 }, size, ltr)).toBeNull()
})

test('a text is wrapped between words', () => {
  expect(wrapped('one two three', 7, text => text.length)).toEqual(['one two', 'three'])
  expect(wrapped('extraordinary day', 5, text => text.length)).toEqual(['extraordinary', 'day'])
  expect(wrapped('', 5, text => text.length)).toEqual([])
})

test('a line breaks where too much time passed without a value', () => {
  expect(withBreaks([0, 10, 50], [1, 2, 3], 30)).toEqual([
    [0, 10, 30, 50],
    [1, 2, null, 3],
  ])
  expect([0.034, 0.7, 1.9, 12, 0].map(niceBelow)).toEqual([0.02, 0.5, 1, 10, 1])
})
