import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadEvents } from '../../events/load.ts'
import { near, select, shownByDefault, type Wanted, wording } from '../../events/select.ts'
import { made } from './make.ts'

const events = loadEvents()
const at = (iso: string) => Date.parse(iso)
const ids = (wanted: Wanted) => select(events, wanted).map(event => event.id)
const chosen = (change: Parameters<typeof made>[0], wanted: Wanted) => select([made(change)], wanted).length === 1

describe('selection', () => {
  it('by app: its own events and those of all international internet; an event without an app is of none', () => {
    expect(chosen({ apps: ['telegram'] }, { app: 'telegram' })).toBe(true)
    expect(chosen({ apps: ['telegram'] }, { app: 'telegram-x' })).toBe(false)
    expect(chosen({ apps: ['*'] }, { app: 'signal' })).toBe(true)
    expect(chosen({ apps: [] }, { app: 'signal' })).toBe(false)
    expect(chosen({ apps: [] }, { country: 'IR' })).toBe(true)
  })

  it('by feature: all or none is every one, proxy is annotation only', () => {
    for (const feature of ['text', 'media', 'voice-call', 'web', 'registration', 'download', 'cdn']) {
      expect(chosen({}, { feature })).toBe(true)
      expect(chosen({ features: [] }, { feature })).toBe(true)
      expect(chosen({ features: ['all'] }, { feature })).toBe(true)
      expect(chosen({ features: ['proxy'] }, { feature })).toBe(false)
      expect(chosen({ features: ['media'] }, { feature })).toBe(feature === 'media')
    }
    expect(chosen({ features: ['proxy'] }, {})).toBe(true)
    expect(chosen({ features: ['proxy'] }, { feature: 'proxy' })).toBe(true)
    expect(chosen({}, { feature: 'proxy' })).toBe(false)
  })

  it('by country and network: global and cross-border concern everybody, only scope "network" is limited to its list', () => {
    expect(chosen({}, { country: 'IR' })).toBe(true)
    expect(chosen({}, { country: 'IQ' })).toBe(false)
    expect(chosen({ where: { countries: [], scope: 'global' } }, { country: 'IQ' })).toBe(true)
    expect(chosen({ where: { countries: ['IR'], scope: 'cross-border' } }, { country: 'IQ' })).toBe(true)
    const asns = { countries: ['IR'], asns: [44244] }
    expect(chosen({ where: { ...asns, scope: 'national' } }, { asn: 197207 })).toBe(true)
    expect(chosen({ where: { ...asns, scope: 'network' } }, { asn: 197207 })).toBe(false)
    expect(chosen({ where: { ...asns, scope: 'network' } }, { asn: 44244 })).toBe(true)
  })

  it('by kind and confidence; a withdrawn event is in no list', () => {
    expect(chosen({}, { kinds: ['block', 'throttle'] })).toBe(true)
    expect(chosen({}, { kinds: ['throttle'] })).toBe(false)
    expect(chosen({ confidence: 'reported' }, { atLeast: 'reported' })).toBe(true)
    expect(chosen({ confidence: 'reported' }, { atLeast: 'confirmed' })).toBe(false)
    expect(chosen({ confidence: 'rumor' }, { atLeast: 'rumor' })).toBe(true)
    expect(chosen({ tags: ['withdrawn'] }, {})).toBe(false)
  })

  it('by time: [from, to) against what is drawn', () => {
    const day = { from: at('2018-04-25T19:30Z'), to: at('2018-04-26T19:30Z') }
    expect(chosen({}, day)).toBe(true)
    expect(chosen({}, { to: day.from })).toBe(false)
    expect(chosen({}, { from: day.to })).toBe(false)
    const open = made().when
    expect(chosen({ when: { ...open, endState: 'open' } }, { from: at('2040-01-01T00:00Z') })).toBe(true)
    expect(chosen({ when: { ...open, start: '2018' } }, { from: at('2018-12-01T00:00Z') })).toBe(true)
    expect(chosen({ when: { ...open, end: '2018-05-02', endState: 'ended' } }, { from: at('2018-05-02T19:00Z') })).toBe(
      true,
    )
  })

  it('Telegram in Kenya, October and November 2023: the exam block', () => {
    const range = { from: at('2023-10-15T00:00Z'), to: at('2023-11-30T00:00Z') }
    expect(ids({ app: 'telegram', feature: 'text', country: 'KE', ...range })).toEqual([
      'ke-2023-11-08-telegram-exam-block',
    ])
    expect(ids({ app: 'whatsapp', country: 'KE', ...range })).toEqual([])
  })

  it('property: every added wish narrows the list and keeps the order', () => {
    const wish: fc.Arbitrary<Wanted> = fc.record(
      {
        app: fc.constantFrom('telegram', 'whatsapp', 'signal'),
        feature: fc.constantFrom('text', 'voice-call', 'proxy'),
        country: fc.constantFrom('IR', 'RU', 'KE', 'FR'),
        atLeast: fc.constantFrom('rumor', 'reported', 'confirmed'),
        from: fc.integer({ min: at('2012-01-01'), max: at('2026-01-01') }),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(wish, wish, (some, more) => {
        const wide = select(events, some)
        const narrow = select(events, { ...more, ...some })
        expect(narrow).toEqual(wide.filter(event => narrow.includes(event)))
      }),
    )
  })
})

describe('events near an onset', () => {
  const change = (country: string, onset: string) => ({ app: 'telegram', feature: 'text', country, onset: at(onset) })
  const list = (...asked: Parameters<typeof change>) =>
    near(events, change(...asked)).map(({ event, distance }) => [event.id, distance])

  it('Kenya 2023: a day before the onset on AS12455, the same day for Safaricom, no longer two days after', () => {
    const id = 'ke-2023-11-08-telegram-exam-block'
    expect(list('KE', '2023-11-09T00:00Z')).toEqual([[id, 'P1D']])
    expect(list('KE', '2023-11-08T04:15Z')).toEqual([[id, 'P0D']])
    expect(list('KE', '2023-11-07T16:00Z')).toEqual([[id, '-P1D']])
    expect(list('KE', '2023-11-07T14:00Z')).toEqual([])
    expect(list('KE', '2023-11-10T00:00Z')).toEqual([])
  })

  it('Iran, 26 April 2018: the hosting order leads although it names other features; no rumour, figure or denial', () => {
    const found = near(events, change('IR', '2018-04-26T09:00Z'))
    expect(found.slice(0, 2).map(({ event, distance, sameFeature }) => [event.id, distance, sameFeature])).toEqual([
      ['ir-2018-04-26-scc-order-no-domestic-telegram-servers', 'P0D', false],
      ['ir-2018-04-26-tic-telegram-foreign-servers', 'P0D', false],
    ])
    expect(found.every(({ event }) => shownByDefault(event))).toBe(true)
    expect(found.map(({ event }) => event.id)).not.toContain('ir-2018-04-telegram-40m-users')
    // Known to the month only: listed after what is known to the day, at a distance that says so.
    expect(found.find(({ event }) => event.when.start === '2018-04')?.distance).toBe('P0M')
    expect(list('IR', '2018-04-30T08:00Z')[0]).toEqual(['ir-2018-04-30-telegram-judicial-ban', 'P0D'])
  })

  it('an event about proxies only is never near, whatever the window', () => {
    const proxy = [made({ features: ['proxy'] }), made({ id: 'other-made', features: ['proxy', 'media'] })]
    const found = near(proxy, change('IR', '2018-04-26T09:00Z'), { beforeOnset: 1e12, afterOnset: 1e12 })
    expect(found.map(({ event }) => event.id)).toEqual(['other-made'])
  })
})

describe('wording', () => {
  it('gives the language asked, else English and says so', () => {
    const { title } = made()
    expect(wording(title, 'fa')).toEqual({ text: 'برای آزمون', language: 'fa', fallback: false })
    expect(wording(title, 'fa-IR').language).toBe('fa')
    expect(wording(title, 'en-GB')).toEqual({ text: 'Made for a test', language: 'en', fallback: false })
    expect(wording(title, 'ru')).toEqual({ text: 'Made for a test', language: 'en', fallback: true })
    for (const odd of ['', '-', 'toString', '__proto__', 'constructor-x'])
      expect(wording(title, odd)).toMatchObject({ language: 'en', fallback: true })
  })
})

it('what the page imports imports nothing at run time but its own kind', () => {
  for (const file of ['when.ts', 'select.ts', 'apps.ts']) {
    const text = readFileSync(join(import.meta.dirname, '../../events', file), 'utf8')
    const imported = [...text.matchAll(/^import (?!type\b).*from '(.+)'/gm)].map(match => match[1])
    expect(imported.filter(name => !['./when.ts', './select.ts', './apps.ts'].includes(name!))).toEqual([])
  }
})
