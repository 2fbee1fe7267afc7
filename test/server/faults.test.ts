import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { readConfig } from '../../server/config.ts'
import { startServer } from '../../server/server.ts'
import type { Store } from '../../server/store/store.ts'
import { batchOf, jsonOf, type TestAgent } from './agent.ts'
import { CATALOGUE, type Live, live } from './live.ts'

/** The real store behind a fault that a test turns on: its insert fails, or takes its time. */
let fault: ((table: string, rows: readonly object[]) => Promise<void>) | null = null
const faulty = (store: Store): Store => ({
  query: (sql, params) => store.query(sql, params),
  stream: (sql, params) => store.stream(sql, params),
  bytes: (sql, format, params) => store.bytes(sql, format, params),
  command: (sql, params) => store.command(sql, params),
  load: (table, path) => store.load(table, path),
  close: () => store.close(),
  insert: async (table, rows) => {
    await fault?.(table, rows)
    await store.insert(table, rows)
  },
})

let server: Live
let agent: TestAgent
beforeAll(async () => {
  server = await live({}, { wrap: faulty })
  agent = await server.enrolled()
})
afterAll(() => server.stop())

const storedOf = async (ids: string[]): Promise<number> => {
  const [row] = await server.store.query<{ n: number }>(
    'SELECT count() AS n FROM measurements WHERE toString(id) IN {ids:Array(String)}',
    { ids },
  )
  return row!.n
}

test('while the store is away nothing is acknowledged and agents are told to come again; then all is taken', async () => {
  const found = agent.measure()
  const report = agent.report([batchOf([found])])
  fault = async () => {
    throw new Error('Cannot reserve 1.00 MiB, not enough space')
  }
  const away = await agent.send(report)
  expect(away.body).toMatchObject({ status: 503, type: 'urn:peyk:problem:busy' })
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(JSON.stringify(away.body)).not.toContain('not enough space')
  expect(server.log()).toContain('not enough space')
  fault = null
  expect((await agent.send(report)).receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  expect(await storedOf([found.id])).toBe(1)
  expect(await server.metrics()).toContain('peyk_store_failures_total{operation="insert"} 1')
})

test('reports that arrive together share an insert, and one whose rows the store refuses costs the others nothing', async () => {
  const inserts: number[] = []
  const poison = agent.measure()
  fault = async (table, rows) => {
    if (table !== 'measurements_raw') return
    inserts.push(rows.length)
    await wait(50)
    if (rows.some(row => (row as { id: string }).id === poison.id)) throw new Error('refused')
  }
  const found = Array.from({ length: 30 }, () => agent.measure())
  found[10] = poison
  const answers = await Promise.all(found.map(one => agent.send(agent.report([batchOf([one])]))))
  fault = null
  expect(answers.map(({ status }) => status)).toEqual(found.map(one => (one === poison ? 503 : 200)))
  expect(Math.max(...inserts)).toBeGreaterThan(5)
  expect(await storedOf(found.map(({ id }) => id))).toBe(29)
})

test('when the store falls behind, reports wait outside before memory grows', async () => {
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  fault = async () => await held
  // 100,000 measurements may wait: one report of 21 is too many.
  const line = JSON.stringify(agent.measure())
  const body = (at: number) =>
    agent.report([
      batchOf(
        Array.from({ length: 5_000 }, () => line),
        { id: at.toString(16).padStart(32, '0') },
      ),
    ])
  const refused: unknown[] = []
  const sending = Array.from({ length: 21 }, async (_, at) => {
    const { status, body: answer } = await agent.send(body(at))
    if (status === 503) refused.push(answer)
    return status
  })
  // None of them may come so late that it finds the room another left.
  await vi.waitFor(() => expect(refused).toHaveLength(1), { timeout: 100_000 })
  expect(refused[0]).toMatchObject({ type: 'urn:peyk:problem:busy' })
  release()
  fault = null
  expect((await Promise.all(sending)).filter(status => status === 200)).toHaveLength(20)
})

test('readyz says so when the store does not answer', async () => {
  const query = server.store.query
  server.store.query = async () => {
    throw new Error('gone')
  }
  const { status, body } = await jsonOf(await fetch(`${server.url}/readyz`))
  server.store.query = query
  expect({ status, ...body }).toMatchObject({ status: 503, ready: false, store: 'it refuses queries' })
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
})

test('a port that is taken is told by its setting', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const parts = { store: server.store, catalogue: () => CATALOGUE, version: '0.1.0', logTo: { write: () => undefined } }
  for (const setting of ['PEYK_PORT', 'PEYK_METRICS_PORT']) {
    const env = { PEYK_DATA: server.folder, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', [setting]: String(port) }
    await expect(startServer(readConfig(env), parts)).rejects.toThrow(`${setting}: another program has port ${port}`)
  }
  other.close()
})

test('closing finishes the reports under way', async () => {
  const found = agent.measure()
  fault = () => wait(300)
  const nonce = await agent.nonce()
  const sending = agent.send(agent.report([batchOf([found])]), { nonce })
  await wait(100)
  const closing = server.close()
  expect((await sending).receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  await closing
  expect(await storedOf([found.id])).toBe(1)
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
})
