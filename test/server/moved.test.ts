import { createHash } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Recurrence } from '../../measurement/verdict.ts'
import { sentenceOf } from '../../server/analysis/sentence.ts'
import { currentDegradations, detect, look } from '../../server/findings.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Touched, touch } from '../../server/touched.ts'
import { Watch } from '../../server/watch.ts'
import { DAY, START, seriesOf } from '../bench/detection/series.ts'
import { stored } from './store-contract.ts'
import { rowsOf } from './windows.ts'

/** April 2018 in small: an app served inside the country is answered from abroad from one hour on, and is slower for it. */

let store: Store
beforeAll(async () => {
  store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
  await migrate(store)
})
afterAll(() => store.close())

const ONSET = START + 10.5 * DAY
const HOME = { asn: 44_244, country: 'IR', rtt_floor: 0.02, dc: '4' }
const ABROAD = { asn: 62_041, country: 'NL', rtt_floor: 0.09, dc: '4' }
const event = { day: 10.5, hours: 90, slower: 3 }

/** An answer every half hour, from where it was served at the time. */
const answers = (asn: number, later: typeof HOME) =>
  Array.from({ length: 200 }, (_, i) => {
    const at = START + 8 * DAY + i * 1_800
    const name = createHash('sha256').update(`${asn} ${i}`).digest('hex')
    const place = { country: 'IR', asn, seen_country: 'IR', seen_asn: asn, agent: `a${i % 5}`, arrived: at + 60 }
    return stored({
      ...place,
      id: `${name.slice(0, 8)}-${name.slice(8, 12)}-7${name.slice(13, 16)}-8${name.slice(17, 20)}-${name.slice(20, 32)}`,
      ...{ at, failure: null, served: at < ONSET ? HOME : later },
      steps: [{ operation: 'protocol_handshake', start: 0, duration: 0.1, sent: 105, received: 105, failure: null }],
    })
  })

const found = async (asn: number, later: typeof HOME) => {
  const place = { country: 'IR', asn }
  const trials = seriesOf({ seed: asn, agents: 12, days: 13, event })
  await store.insert('agent_windows', rowsOf(trials, place))
  await store.insert('measurements_raw', answers(asn, later).map(toRow))
  const touched: Touched = new Map()
  for (const { at } of trials) touch(touched, place.country, asn, at)
  const now = START + 13 * DAY
  const sights = await look(new Watch(store), touched, now)
  await detect(sights, store, { events: [], networkName: () => undefined, now, salt: '' })
  const all = await currentDegradations(store, { country: 'IR', app: 'telegram' })
  return all.filter(of => of.networks.includes(asn) && of.end === null)
}

test('answers that come from abroad now, over a longer path, name the slow-down a move', async () => {
  expect(await found(44_244, ABROAD)).toMatchObject([
    {
      ...{ verdict: 'slow', mechanism: 'relocation' },
      moved: { from: { country: 'IR', asn: 44_244 }, to: { country: 'NL', asn: 62_041 }, farther: 0.07 },
      sentence: {
        en: expect.stringContaining('it is answered from Netherlands (AS62041) now, no longer from Iran'),
        fa: expect.stringContaining('هلند'),
      },
    },
  ])
})

test('the same slow-down served from where it was is a slow-down of unknown cause', async () => {
  const [only] = await found(58_224, HOME)
  expect(only).toMatchObject({ verdict: 'slow', mechanism: null })
  expect(only).not.toHaveProperty('moved')
  expect(only!.sentence.en).not.toContain('answered from')
})

test('throttling is told with its size, interval, rate and how, in both languages', () => {
  const finding: Omit<Parameters<typeof sentenceOf>[0], 'networks'> = {
    ...{ app: 'telegram', feature: 'media', country: 'IR', verdict: 'throttled' },
    ...{ layer: 'tls', mechanism: 'police', state: 'confirmed', onset: ONSET, end: null, recurring: null, share: 0 },
    ...{
      slower: 7.26,
      agents: 4,
      control: '',
      tests: { answered: 0, agreed: 0 },
      moved: null,
      together: ['signal', 'whatsapp'],
    },
    transfers: { agents: 5, throttled: 4, slower: { low: 5.1, high: 9.04, coverage: 0.9 }, rate: 16_000 },
    networkName: () => undefined,
  }
  const { en, fa } = sentenceOf({ ...finding, networks: [44_244] })
  expect(en).toContain('its transfers were 7.3 times slower (5.1 to 9.0) than paired transfers of the same agents')
  expect(en).toContain('held at about 16 kB/s, by a policer')
  expect(en).toContain('; trouble with Signal and WhatsApp began there at the same time.')
  expect(fa).toContain('۷.۳ برابر (۵.۱ تا ۹.۰) کندتر')
})

test('a finding of hours is told with its hours and their zone, one of days or of weekly windows by its days', () => {
  const told = (country: string, onset: string, end: string | null, recurring: Recurrence[] | null = null) =>
    sentenceOf({
      ...{ app: 'telegram', feature: 'text', country, networks: [], verdict: 'blocked', layer: null, mechanism: null },
      ...{ onset: Date.parse(onset) / 1000, end: end === null ? null : Date.parse(end) / 1000, recurring, share: 1 },
      ...{ slower: null, control: 'none', transfers: null, moved: null, networkName: () => undefined },
    })
  const brief = told('IR', '2023-11-09T20:15:00Z', '2023-11-09T22:30:00Z')
  expect(brief.en).toContain('in Iran from 9 November 2023, 23:45 to 10 November 2023, 02:00 (UTC+3:30);')
  expect(brief.fa).toContain('از ۱۸ آبان ۱۴۰۲ ساعت ۲۳:۴۵ تا ۱۹ آبان ۱۴۰۲ ساعت ۰۲:۰۰ (\u2068UTC+3:30\u2069)')
  expect(told('KE', '2023-11-09T19:30:00Z', null).en).toContain('since 9 November 2023, 22:30 (UTC+3);')
  const changed = told('US', '2023-11-04T20:15:00Z', '2023-11-05T22:30:00Z')
  expect(changed.en).toContain('4 November 2023, 16:15 (UTC-4) to 5 November 2023, 17:30 (UTC-5)')
  const days = told('KE', '2023-11-09T19:30:00Z', '2023-11-11T19:30:00Z')
  expect(days.en).toContain('from 9 November 2023 to 11 November 2023;')
  const weekly = told('KE', '2023-11-09T19:30:00Z', null, [
    { days: ['mon'], from: '07:00', to: '11:00', tz: 'Africa/Nairobi' },
  ])
  expect(weekly.en).toContain('since 9 November 2023, on mon 07:00–11:00 local time')
})
