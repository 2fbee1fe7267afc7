import { expect, test } from 'vitest'
import type { Place } from '../../measurement/answers.ts'
import { arrange, countriesOf, FOLD, matches, rowsOf } from '../../server/page/matrix-rows.ts'

const place = (asn: number | undefined, app: string, verdict: Place['verdict'], more: Partial<Place> = {}): Place => ({
  app,
  feature: 'text',
  country: 'IR',
  ...(asn === undefined ? {} : { asn, network: `Network ${asn}` }),
  at: '2026-01-08T12:00:00Z',
  reachability: verdict === 'ok' ? 1 : 0,
  low: 0,
  high: 1,
  agents: 3,
  attempts: 30,
  latency: {},
  failures: {},
  verdict,
  layer: null,
  mechanism: null,
  state: 'confirmed',
  ...more,
})

const options = { find: '', all: false, nameOf: (country: string) => country, overview: false }

test('the worst network comes first, then what troubles more apps, then where more agents measured', () => {
  const rows = rowsOf([
    place(1, 'telegram', 'ok', { agents: 90 }),
    place(2, 'telegram', 'blocked'),
    place(3, 'telegram', 'blocked'),
    place(3, 'signal', 'slow'),
    place(4, 'telegram', 'insufficient', { agents: 500 }),
    place(5, 'telegram', 'ok', { agents: 91 }),
  ])
  expect(rows.map(row => row.asn)).toEqual([3, 2, 5, 1, 4])
})

test('apps stand in the order of the catalogue, unknown ones last, those nobody could judge apart', () => {
  const places = [
    place(1, 'newcomer', 'ok'),
    place(1, 'signal', 'ok'),
    place(2, 'telegram', 'ok'),
    place(2, 'viber', 'insufficient'),
  ]
  const { apps, thin } = arrange(places, [], ['telegram', 'whatsapp', 'signal', 'viber'], options)
  expect(apps).toEqual(['telegram', 'signal', 'newcomer'])
  expect(thin).toEqual(['viber'])
  // Where nothing could be judged at all, that is what the matrix says.
  expect(arrange([place(1, 'viber', 'insufficient')], [], ['viber'], options).apps).toEqual(['viber'])
})

const many = (count: number, app = 'telegram') =>
  Array.from({ length: count }, (_, index) => place(index + 1, app, 'ok'))

test('a long list is folded and tells how much; all unfolds it', () => {
  const short = arrange(many(30), [], ['telegram'], options)
  expect([short.rows.length, short.folded, short.total]).toEqual([FOLD.down, 30 - FOLD.down, 30])
  expect(arrange(many(30), [], ['telegram'], { ...options, all: true }).rows.length).toBe(30)
})

test('many apps stand down the side, with the worst networks across', () => {
  const ids = Array.from({ length: 20 }, (_, index) => `app-${index}`)
  const places = ids.flatMap(id => many(30, id))
  const { down, rows, folded } = arrange(places, [], ids, options)
  expect([down, rows.length, folded]).toEqual(['apps', FOLD.across, 30 - FOLD.across])
  // Of many countries each stays a line of its own.
  expect(arrange(places, [], ids, { ...options, overview: true }).down).toBe('places')
  expect(arrange(many(30), [], ['telegram'], options).down).toBe('places')
})

test('networks are found by words of name and number, with either form of Persian letters', () => {
  const row = { asn: 44244, name: 'ايرانسل Irancell', country: 'IR' }
  expect(matches(row, 'irancell', 'Iran')).toBe(true)
  expect(matches(row, 'ایرانسل', 'Iran')).toBe(true)
  expect(matches(row, 'AS44244 ir', 'Iran')).toBe(true)
  expect(matches(row, 'rightel', 'Iran')).toBe(false)
  expect(matches(row, '', 'Iran')).toBe(true)
})

test('a line is down when everything judged on it says so, and never for want of data', () => {
  const [down] = rowsOf([place(1, 'telegram', 'network_down'), place(1, 'signal', 'network_down')])
  expect(down!.lineDown).toBe(true)
  const [thin] = rowsOf([place(1, 'telegram', 'insufficient')])
  expect(thin!.lineDown).toBe(false)
  const [mixed] = rowsOf([place(1, 'telegram', 'network_down'), place(1, 'signal', 'ok')])
  expect(mixed!.lineDown).toBe(false)
})

test('countries in trouble come first, then those with more networks', () => {
  const ordered = countriesOf([
    place(1, 'telegram', 'ok', { country: 'KE' }),
    place(2, 'telegram', 'ok', { country: 'KE' }),
    place(3, 'telegram', 'ok', { country: 'AE' }),
    place(4, 'telegram', 'blocked', { country: 'IR' }),
    place(undefined, 'telegram', 'blocked', { country: 'IR' }),
    // A single network's dead line is not the country's.
    place(5, 'telegram', 'network_down', { country: 'IR' }),
  ])
  expect(ordered).toEqual([
    { country: 'IR', worst: 'blocked', networks: 2 },
    { country: 'KE', worst: 'ok', networks: 2 },
    { country: 'AE', worst: 'ok', networks: 1 },
  ])
})
