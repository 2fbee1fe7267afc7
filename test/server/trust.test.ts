import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Measurement } from '../../measurement/measurement.ts'
import type { Touched } from '../../server/touched.ts'
import { batchOf, jsonOf, TestAgent, type Twist } from './agent.ts'
import { type Live, live } from './live.ts'

/** Two addresses of Kenya, in networks of the names they have here. */
const DUMP = `# Location Database Export
# Generated: Sat, 29 Oct 2022 05:59:54 GMT

net:                     196.201.214.0/24
country:                 KE
aut-num:                 33771
`
const HERE: Twist = { headers: { 'x-forwarded-for': '196.201.214.9' } }
const ELSEWHERE: Twist = { headers: { 'x-forwarded-for': '41.90.64.9' } }

let server: Live
let now = 1_790_000_000
const touched: Touched[] = []
beforeAll(async () => {
  const database = join(mkdtempSync(join(tmpdir(), 'peyk-')), 'networks.txt')
  writeFileSync(database, DUMP)
  const env = {
    PEYK_ENROLMENT: 'open',
    PEYK_PROXIES: '127.0.0.1',
    PEYK_ASN_DB: database,
    PEYK_ORIGINS: 'https://friend.example',
  }
  server = await live(env, { now: () => now, touched: places => touched.push(places) })
})
afterAll(() => server.stop())

/** The trust that a measurement is stored with. */
const trustOf = async (agent: TestAgent, more: Partial<Measurement>, twist: Twist): Promise<unknown> => {
  const found = agent.measure({ at: now, ...more })
  const { receipt } = await agent.send(agent.report([batchOf([found])], { wall: now, mono: 10_000 }), twist)
  expect(receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  const [row] = await server.store.query<{ trust: string }>(
    'SELECT trust, seen_asn FROM measurements WHERE toString(id) = {id:String}',
    { id: found.id },
  )
  return row
}

test('only a fresh, direct report from the network it names is corroborated', async () => {
  const agent = await server.enrolled()
  const fresh = { mono: 9_990 }
  expect(await trustOf(agent, fresh, HERE)).toEqual({ trust: 'corroborated', seen_asn: 33771 })
  expect(await trustOf(agent, fresh, ELSEWHERE)).toEqual({ trust: 'claimed', seen_asn: 0 })
  expect(await trustOf(agent, { ...fresh, route: 'tor' }, HERE)).toMatchObject({ trust: 'claimed' })
  expect(await trustOf(agent, { ...fresh, asn: 37061 }, HERE)).toMatchObject({ trust: 'claimed' })
  expect(await trustOf(agent, { ...fresh, country: 'UG' }, HERE)).toMatchObject({ trust: 'claimed' })
  expect(await trustOf(agent, { mono: 10_000 - 3_601 }, HERE)).toMatchObject({ trust: 'claimed' })
  // Unknown on both sides is no agreement.
  expect(await trustOf(agent, { ...fresh, asn: 0 }, ELSEWHERE)).toMatchObject({ trust: 'claimed' })
})

test('the operator’s own are known as such; whoever is quarantined counts for nothing', async () => {
  const own = await server.enrolled('operator')
  expect(await trustOf(own, { mono: 9_990 }, ELSEWHERE)).toMatchObject({ trust: 'operator' })
  await server.admin('PATCH', `/v1/admin/agents/${own.thumbprint}`, { standing: 'quarantined' })
  touched.length = 0
  expect(await trustOf(own, { mono: 9_990 }, HERE)).toMatchObject({ trust: 'quarantined' })
  // Nor does it cost the analyst anything, whatever networks it names.
  expect(touched).toEqual([])
})

test('a key that came in openly ages two weeks; an invitation ends that', async () => {
  const young = await TestAgent.make(server.url)
  expect(await young.enrol()).toMatchObject({ status: 201, body: { role: 'vantage' } })
  const fresh = { mono: 9_990 }
  expect(await trustOf(young, fresh, HERE)).toMatchObject({ trust: 'quarantined' })
  const invited = await TestAgent.make(server.url)
  await invited.enrol()
  const { body } = await server.admin('POST', '/v1/admin/invites', {})
  expect((await invited.enrol(String(body['code']))).status).toBe(200)
  expect(await trustOf(invited, fresh, HERE)).toMatchObject({ trust: 'corroborated' })
  now += 14 * 86_400 + 1
  expect(await trustOf(young, fresh, HERE)).toMatchObject({ trust: 'corroborated' })
})

test('a code expires', async () => {
  const { body } = await server.admin('POST', '/v1/admin/invites', { lifetime: 60 })
  now += 61
  const late = await TestAgent.make(server.url)
  expect((await late.enrol(String(body['code']))).body).toMatchObject({ status: 403, field: 'body/code' })
})

test('readyz tells which database is in use, and that it is old', async () => {
  const { body } = await jsonOf(await fetch(`${server.url}/readyz`))
  expect(body).toMatchObject({
    networks: { known: true, date: '2022-10-29' },
    warnings: [expect.stringMatching('The network database is of 2022-10-29: replace')],
  })
  expect(await server.metrics()).toContain(
    `peyk_asn_database_timestamp_seconds ${Date.parse('2022-10-29T05:59:54Z') / 1000}`,
  )
})

test('an origin that the operator names may read; behind a proxy the host is the proxy’s matter', async () => {
  const ask = async (origin: string) =>
    (await fetch(`${server.url}/v1/nonce`, { headers: { origin } })).headers.get('access-control-allow-origin')
  expect(await ask('https://friend.example')).toBe('https://friend.example')
  expect(await ask('https://evil.example')).toBeNull()
})
