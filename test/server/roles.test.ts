import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Reachability } from '../../measurement/answers.ts'
import { allTargets } from '../../measurement/catalogue.ts'
import type { Measurement } from '../../measurement/measurement.ts'
import { openClickHouse } from '../../server/store/clickhouse.ts'
import type { Store } from '../../server/store/store.ts'
import { type ClickHouse, startClickHouse } from '../servers/clickhouse.ts'
import { batchOf, TestAgent } from './agent.ts'
import { type Part, startPart } from './part.ts'

/** Two collectors, an analyst and a web server, each a process, over one ClickHouse. */

const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
let clickhouse: ClickHouse
let store: Store
let parts: Record<'one' | 'two' | 'analyst' | 'web', Part>

beforeAll(async () => {
  clickhouse = await startClickHouse(join(folder, 'engine'))
  store = await openClickHouse(clickhouse.url)
  const start = (name: string, role: string) =>
    startPart({
      PEYK_DATA: join(folder, name),
      PEYK_KEYS: join(folder, 'keys'),
      PEYK_CLICKHOUSE_URL: clickhouse.url,
      PEYK_ROLES: role,
      PEYK_MIN_AGENTS: '1',
    })
  // The first makes schema and keys.
  const one = await start('one', 'collector')
  const [two, analyst, web] = await Promise.all([
    start('two', 'collector'),
    start('analyst', 'analyst'),
    start('web', 'web'),
  ])
  parts = { one, two, analyst, web }
})
afterAll(async () => {
  await Promise.all(Object.values(parts).map(part => part.stop()))
  await store.close()
  await clickhouse.kill()
})

const stored = async (found: readonly Measurement[]): Promise<number> => {
  const [row] = await store.query<{ n: number }>(
    'SELECT count() AS n FROM measurements WHERE toString(id) IN {ids:Array(String)}',
    { ids: found.map(({ id }) => id) },
  )
  return row!.n
}

/** An agent invited at one collector and enrolled at the other. */
const enrolled = async (): Promise<TestAgent> => {
  const { code } = await parts.one.admin('POST', '/v1/admin/invites', { role: 'vantage' })
  const agent = await TestAgent.make(parts.two.url)
  expect((await agent.enrol(String(code))).status).toBe(201)
  return agent
}

/** A round in which the controls answer and Telegram does not. */
const blocked = (agent: TestAgent): Measurement[] =>
  allTargets()
    .filter(
      ({ app, target }) => target.control || (app === 'telegram' && target.decides === 'yes' && !target.countries),
    )
    .map(({ app, target }) => agent.measure(app === 'telegram' ? { failure: 'generic_timeout_error' } : {}, target.id))

test('what two collectors take the analyst judges and the web server tells', async () => {
  const agents = await Promise.all([enrolled(), enrolled()])
  for (const [at, agent] of agents.entries()) {
    const report = agent.report([batchOf(blocked(agent))])
    // At the collector that has not heard of it, and, its receipt lost, at the other.
    for (const url of at === 0 ? [parts.one.url, parts.two.url] : [parts.one.url]) {
      expect((await agent.at(url).send(report)).receipt.receipts).toMatchObject([{ outcome: 'stored' }])
    }
  }
  await vi.waitFor(
    async () => {
      const response = await fetch(`${parts.web.url}/v1/reachability?app=telegram&country=KE`)
      const { places } = (await response.json()) as Reachability
      const own = places.find(({ asn, feature }) => asn === 33771 && feature === 'text')
      expect(own).toMatchObject({ verdict: 'blocked', agents: 2, reachability: 0 })
    },
    { timeout: 60_000, interval: 500 },
  )
  const metrics = await Promise.all(
    Object.values(parts).map(async ({ metricsUrl }) => await (await fetch(metricsUrl)).text()),
  )
  expect(metrics.map(text => /^peyk_verdict\{.*blocked/m.test(text))).toEqual([false, false, true, false])
})

test('each part answers what is its own and nothing else', async () => {
  const ask = async (path: string) =>
    await Promise.all(Object.values(parts).map(async ({ url }) => (await fetch(`${url}${path}`)).status))
  expect(await ask('/v1/nonce')).toEqual([200, 200, 404, 404])
  expect(await ask('/v1/reachability')).toEqual([404, 404, 404, 200])
  expect(await ask('/readyz')).toEqual([200, 200, 200, 200])
})

test('an agent revoked at one collector is soon refused at the other', async () => {
  const agent = await enrolled()
  await parts.one.admin('PATCH', `/v1/admin/agents/${agent.thumbprint}`, { standing: 'revoked' })
  await vi.waitFor(
    async () => expect((await agent.send(agent.report([batchOf([agent.measure()])]))).status).toBe(403),
    { timeout: 60_000, interval: 500 },
  )
})

test('the collectors seal with the same keys', async () => {
  const sealing = async ({ url }: Part) => {
    const [, payload = ''] = (await (await fetch(`${url}/v1/operator`)).text()).split('.')
    return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sealing: unknown }).sealing
  }
  expect(await sealing(parts.one)).toEqual(await sealing(parts.two))
})

test('while the store is gone nothing is acknowledged, and when it is back everything is taken', async () => {
  const agent = await enrolled()
  const found = blocked(agent)
  const report = agent.report([batchOf(found)])
  const { port } = new URL(clickhouse.url)
  await clickhouse.kill()
  const away = await agent.send(report)
  expect(away.body).toMatchObject({ status: 503, type: 'urn:peyk:problem:busy' })
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await fetch(`${parts.web.url}/v1/reachability`)).status).toBe(503)
  expect((await fetch(`${parts.web.url}/readyz`)).status).toBe(503)
  clickhouse = await startClickHouse(join(folder, 'engine'), Number(port))
  expect((await agent.send(report)).receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  expect(await stored(found)).toBe(found.length)
  // The analyst, too, goes on where it was.
  const judged = async () =>
    await store.query(
      `SELECT 1 FROM agent_windows
       WHERE agent IN (SELECT agent FROM measurements_raw WHERE toString(id) = {id:String}) LIMIT 1`,
      { id: found[0]!.id },
    )
  await vi.waitFor(async () => expect(await judged()).toHaveLength(1), { timeout: 60_000, interval: 500 })
})
