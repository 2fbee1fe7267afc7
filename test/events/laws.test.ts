import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PolicyEvent } from '../../events/event.ts'
import { breaches, unknownApps } from '../../events/laws.ts'
import { loadEvents } from '../../events/load.ts'
import { made } from './make.ts'

const when = (change: Partial<PolicyEvent['when']>) => ({ when: { ...made().when, ...change } })
const hours = (from: string, to: string, tz = 'Asia/Tehran') => ({
  windows: [{ days: ['mon' as const], from, to, tz }],
})

describe('laws', () => {
  it('the made event keeps them all, and so does every odd but lawful one', () => {
    expect(breaches([made()])).toEqual([])
    const lawful = [
      when({ start: '2016-12-17', end: '2016-12', endState: 'ended' }),
      when({ start: '2018', end: '2018-04-26', endState: 'ended' }),
      when({ start: '2020-02-29' }),
      when({ start: '2018-07-30T06:28Z' }),
      when(hours('16:00', '24:00')),
      { confidence: 'reported' as const, sources: [{ cite: 'memory', evidence: 'unsourced' as const }] },
      { tags: ['withdrawn'], revisions: [{ at: '2026-01-01', note: 'the page it cites says the contrary' }] },
    ]
    for (const change of lawful) expect(breaches([made(change)])).toEqual([])
  })

  it.each<[string, Partial<PolicyEvent>]>([
    ['when.start: 2018-02-30 is not in the calendar', when({ start: '2018-02-30' })],
    ['when.start: 2018-13 is not in the calendar', when({ start: '2018-13' })],
    ['when.deadline: 2018-04-26T24:00Z is not in the calendar', when({ deadline: '2018-04-26T24:00Z' })],
    ['when.announced: 2019-02-29 is not in the calendar', when({ announced: '2019-02-29' })],
    ['when.end: 2018-04-25 is before the start, 2018-04-26', when({ end: '2018-04-25', endState: 'ended' })],
    ['when.end: 2018-03 is before the start, 2018-04-26', when({ end: '2018-03', endState: 'ended' })],
    ['when.endState: "open" with an end', when({ end: '2018-04-27', endState: 'open' })],
    ['when.endState: "ended" without an end', when({ endState: 'ended' })],
    ['when.tz: no time zone "Asia/Teheran-Nord"', when({ tz: 'Asia/Teheran-Nord' })],
    ['when.windows.tz: no time zone "Nairobi"', when(hours('07:00', '10:00', 'Nairobi'))],
    ['when.windows.from: no hour "24:00"', when(hours('24:00', '10:00'))],
    ['when.windows.to: no hour "10:60"', when(hours('07:00', '10:60'))],
    ['where.countries: no country "QQ"', { where: { countries: ['QQ'], scope: 'national' } }],
    ['where.countries: no country "UK"', { where: { countries: ['UK'], scope: 'national' } }],
    ['where.countries: empty for global events and only for these', { where: { countries: [], scope: 'national' } }],
    ['expect: a rumor lets nobody expect anything', { confidence: 'rumor', expect: { reachability: 'lost' } }],
    [
      'confidence: "confirmed" needs a source that is not "unsourced"',
      { sources: [{ cite: 'memory', evidence: 'unsourced' }] },
    ],
    ['revisions: a withdrawn event needs one that says why', { tags: ['withdrawn'] }],
    ['links: no event "ir-nowhere"', { links: [{ rel: 'follows', id: 'ir-nowhere' }] }],
    [
      'sources.published: 2018-04-31 is not in the calendar',
      { sources: [{ cite: 'a page', evidence: 'page', published: '2018-04-31' }] },
    ],
  ])('%s', (text, change) => {
    expect(breaches([made(change)])).toEqual([`${made().id}: ${text}`])
  })

  it('ids are unique, a denial shares a country or an app with what it denies, apps are known', () => {
    expect(breaches([made(), made()])).toEqual([`${made().id}: id stands twice; ids are never reused`])
    const denial = made({ id: 'ru-denial', kind: 'denial', links: [{ rel: 'denies', id: made().id }] })
    const elsewhere = { where: { countries: ['RU'], scope: 'national' as const } }
    expect(breaches([made(), denial])).toEqual([])
    expect(breaches([made(), { ...denial, ...elsewhere }])).toEqual([])
    expect(breaches([made(), { ...denial, ...elsewhere, apps: ['signal'] }]).length).toBe(1)
    expect(unknownApps([made({ apps: ['telegram', 'hotgram', '*', 'telgram'] })], ['telegram'])).toEqual([
      `${made().id}: apps: "telgram" is neither in the catalogue nor in events/apps.ts`,
    ])
  })
})

describe('the loader', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'peyk-events-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const write = (name: string, content: unknown) =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))

  it('sorts over files and reads nothing but event files', () => {
    write('README.md', 'not events')
    write('RU.json', [
      made({ id: 'ru-later', where: { countries: ['RU'], scope: 'national' }, when: { start: '2019-01-01' } }),
    ])
    write('IR.json', [made(), made({ id: 'ir-month', when: { start: '2018-04' } })])
    expect(loadEvents(folder).map(({ id }) => id)).toEqual(['ir-month', made().id, 'ru-later'])
  })

  it('lists every fault as file, event and field, and gives no event then', () => {
    const { title: _, ...untitled } = made({ id: 'ir-untitled' })
    write('IR.json', [
      untitled,
      made({ id: 'ir-date', when: { start: '26 April 2018' } }),
      { ...made({ id: 'ir-surplus' }), colour: 'red' },
      made({
        id: 'ir-window',
        when: { start: '2018', windows: [{ days: ['mo'], from: '1', to: '2', tz: '' }] } as never,
      }),
      'not an event',
      made({ id: 'ir-leap', when: { start: '2019-02-29' } }),
    ])
    write('KE.json', [made({ id: 'ir-elsewhere' })])
    write('RU.json', '[{"id": ')
    write('TR.json', { events: [] })
    expect(() => loadEvents(folder)).toThrow()
    const message = String(messageOf(() => loadEvents(folder)))
    for (const part of [
      /IR\.json: ir-untitled: title: /,
      /IR\.json: ir-date: when\.start: .*pattern/,
      /IR\.json: ir-surplus: colour: must not have additional properties\n/,
      /IR\.json: ir-window: when\.windows\.0\.days\.0: .*allowed values: mon, tue/,
      /IR\.json: ir-window: when\.windows\.0\.from: /,
      /IR\.json: event 5: event: /,
      /IR\.json: ir-leap: when\.start: 2019-02-29 is not in the calendar/,
      /KE\.json: ir-elsewhere: where: belongs into IR\.json/,
      /RU\.json: not JSON: /,
      /TR\.json: not a list of events/,
    ])
      expect(message).toMatch(part)
  })

  it('says which folder has no events', () => {
    expect(() => loadEvents(folder)).toThrow(`No event files (*.json) in ${folder}`)
  })
})

function messageOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}
