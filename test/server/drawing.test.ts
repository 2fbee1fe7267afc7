import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Degradation } from '../../measurement/answers.ts'
import { drawFinding, escaped, type Picture } from '../../server/drawing.ts'

/** The picture of a finding holds names that came from databases and files: whatever they are, it stays a picture. */

const HOUR = 3_600
const from = Date.parse('2023-11-08T00:00:00Z') / 1000

const degradation = (sentence: string): Degradation => ({
  ...{ id: 'ke-2023-11-09-telegram-0', app: 'telegram', feature: 'text', country: 'KE', networks: [12455] },
  ...{ verdict: 'blocked', layer: 'tcp', mechanism: 'drop', state: 'confirmed', recurring: null, share: 1, agents: 85 },
  ...{ onset: '2023-11-09T19:00:00Z', end: null, control: 'other networks', events: [], revision: 1 },
  ...{ known: '2023-11-10T00:00:00Z', sentence: { en: sentence, fa: sentence } },
})

const points = [1, 0.5, 0, null].map((reachability, hour) => ({
  ...{
    at: new Date((from + hour * HOUR) * 1000).toISOString(),
    reachability,
    low: null,
    high: null,
    agents: 3,
    attempts: 9,
  },
  ...({ latency: {}, failures: {}, verdict: 'ok', layer: null, mechanism: null, state: null } as const),
}))

const picture = (text: string, language: 'en' | 'fa' = 'en'): Picture => ({
  ...{ degradation: degradation(text), language, from, to: from + 4 * HOUR, step: HOUR },
  lanes: [{ name: text, points }],
  near: [{ title: text, distance: 'P1D', at: from + HOUR }],
  sources: [{ origin: 'simulated', licence: text, attribution: text }],
})

/** Tags and attributes, in their order; throws where it is no well-formed XML of the few forms that are drawn. */
const parsed = (svg: string): string[] => {
  const found: string[] = []
  const open: string[] = []
  const rest = svg
    .replace(/^<\?xml [^>]*\?>/, '')
    .replace(/<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<>]*")*)(\/?)>/g, (_, end, name, attributes, empty) => {
      if (end) expect(open.pop()).toBe(name)
      else if (!empty) open.push(name)
      if (!end) found.push(`${name}${attributes.replaceAll(/="[^"]*"/g, '')}`)
      return ''
    })
  expect(open).toEqual([])
  expect(rest).not.toMatch(/[<>]/)
  expect(rest.replaceAll(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&')
  return found
}

test('what did not answer hangs from the top, what nobody measured is blank', () => {
  const bars = drawFinding(picture('text')).match(/<rect [^>]*fill="#b4101f"\/>/g) ?? []
  // The half, the whole, and the bar of when it was in force.
  expect(bars.map(bar => /height="([\d.]+)"/.exec(bar)?.[1]).toSorted()).toEqual(['22', '44', '8'].toSorted())
  expect(drawFinding(picture('text'))).toBe(drawFinding(picture('text')))
  expect(drawFinding(picture('text'))).toContain('SIMULATED')
  expect(drawFinding(picture('text'))).not.toMatch(/NaN|Infinity|undefined/)
})

test('no text becomes markup, in any place, in either language', () => {
  const usual = new Set(parsed(drawFinding(picture('text'))))
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom(
      '<script>alert(1)</script>',
      '" onload="x',
      ']]>',
      '&lt;',
      '<!--',
      '\u0000\u001f\ud800',
      "'/><a href='javascript:x'>",
    ),
  )
  fc.assert(
    fc.property(hostile, fc.constantFrom('en', 'fa'), (text, language) => {
      const svg = drawFinding(picture(text, language))
      expect(parsed(svg).filter(tag => !usual.has(tag))).toEqual([])
      // XML cannot hold them.
      expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/)
      expect(svg.isWellFormed()).toBe(true)
    }),
    { numRuns: 150 },
  )
  expect(escaped(`<&>"'`)).toBe('&lt;&amp;&gt;&quot;&#39;')
})
