import { expect, test } from 'vitest'
import type { Place, Point, Series } from '../../measurement/answers.ts'
import { chooseLanes, LANES, networksOf, newestOf, operationOf } from '../../server/page/chart-load.ts'

const here = { app: 'telegram', country: 'KE' }
const present = (places: Partial<Place>[]) => ({ places: places as Place[] })

test('networks with data come first by what was found on them, then by how much was measured', () => {
  const whole = {
    networks: [
      { asn: 1, attempts: 900 },
      { asn: 2, network: 'Two', attempts: 500 },
      { asn: 3, attempts: 10 },
    ],
  }
  const known = networksOf(whole, present([{ ...here, asn: 3, network: 'Three' }]), [{ networks: [3, 4] }], here)
  expect(known).toEqual([
    { asn: 3, name: 'Three', attempts: 10 },
    { asn: 4, name: undefined, attempts: 0 },
    { asn: 1, name: undefined, attempts: 900 },
    { asn: 2, name: 'Two', attempts: 500 },
  ])
})

test('where the server lists no networks, those of the present stand in, of this app and country only', () => {
  const places = [
    { ...here, asn: 7, attempts: 5 },
    { ...here, country: 'UG', asn: 8, attempts: 5 },
    { ...here, app: 'signal', asn: 9, attempts: 5 },
    { ...here, attempts: 5 },
  ]
  expect(networksOf({}, present(places), [], here).map(({ asn }) => asn)).toEqual([7])
})

test('lanes are the first few, all on request, or those asked for in the list’s order', () => {
  const known = Array.from({ length: 40 }, (_, asn) => ({ asn, name: undefined, attempts: 40 - asn }))
  expect(chooseLanes(known, [], false).length).toBe(LANES)
  expect(chooseLanes(known, [], true).length).toBe(24)
  expect(chooseLanes(known, [39, 99, 2], false).map(({ asn }) => asn)).toEqual([2, 39, 99])
})

const series = (...latencies: Point['latency'][]): Series =>
  ({ points: latencies.map(latency => ({ latency })) }) as unknown as Series

test('the time shown is the deepest that most points know, unless another is asked for', () => {
  const some = [series({ connect: 0.1, tls_handshake: 0.2 }, { connect: 0.1, http_round_trip: null })]
  expect(operationOf(some, null)).toBe('tls_handshake')
  const few = [series({ connect: 0.1 }, { connect: 0.1 }, { connect: 0.1, http_round_trip: 0.5 })]
  expect(operationOf(few, null)).toBe('connect')
  expect(operationOf(few, 'resolve')).toBe('resolve')
  expect(operationOf([series({})], null)).toBeNull()
})

test('a country that was never measured has no newest data, whatever others have', () => {
  const answer = {
    newest: '2026-01-01T00:00:00Z',
    countries: [{ country: 'KE', newest: '2023-11-29T19:05:00Z' }],
  }
  expect(newestOf(answer, 'KE')).toBe(Date.UTC(2023, 10, 29, 19, 5) / 1_000)
  expect(newestOf(answer, 'IR')).toBeNull()
  expect(newestOf(answer, null)).toBe(Date.UTC(2026, 0, 1) / 1_000)
})
