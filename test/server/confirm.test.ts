import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Degradations } from '../../measurement/answers.ts'
import { allTargets, findTarget } from '../../measurement/catalogue.ts'
import type { Measurement } from '../../measurement/measurement.ts'
import type { Request } from '../../measurement/report.ts'
import { isConfirmed, losesReach, type Test, tested } from '../../server/analysis/confirm.ts'
import { readConfig } from '../../server/config.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { batchOf, jsonOf, TestAgent } from './agent.ts'
import { CATALOGUE } from './live.ts'

/** From an alarm to agents that are asked, and from their answers to a confirmed finding: over HTTP, with the real store. */

const one = (agent: string, answered: number, more: Partial<Test> = {}): Test => ({
  ...{ asn: 1, agent, prefix: 0, asked: 0, attempts: 4, answered, layer: 'tcp', line: true, ratio: null },
  ...more,
})
const of = (...tests: Test[]) => tested(tests, losesReach(1))

describe('what tests say together', () => {
  test.each([
    ['three of three', of(one('a', 0), one('b', 0), one('c', 0)), true],
    ['three of five', of(one('a', 0), one('b', 0), one('c', 0), one('d', 4), one('e', 4)), true],
    ['three of six', of(...'abc'.split('').map(a => one(a, 0)), ...'def'.split('').map(a => one(a, 4))), false],
    ['two of two', of(one('a', 0), one('b', 0)), false],
    ['dead lines say nothing', of(one('a', 0), one('b', 0), one('c', 0, { line: false })), false],
    ['one agent counts once', of(one('a', 0), one('a', 0, { asked: 1 }), one('b', 0)), false],
    ['its newest test stands', of(one('a', 0), one('b', 0), one('c', 0), one('c', 4, { asked: 1 })), false],
    ['one prefix counts twice at most', of(...'abc'.split('').map(a => one(a, 0, { prefix: 7 }))), false],
  ])('%s', (_, said, confirmed) => expect(isConfirmed(said)).toBe(confirmed))
})

const HOUR = 3_600
const HERE = { country: 'KE', asn: 33771 }
const MONO = 1e6
const CONTROL_TARGET = allTargets().find(({ target }) => target.control === 'foreign')!.target.id
const CENTRES = [1, 2, 3].map(dc => `telegram.dc${dc}.v4.443.mtproto`)

let server: Server
let agents: TestAgent[]
let admin: (method: string, path: string, body?: unknown) => ReturnType<typeof jsonOf>

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
  const settings = {
    PEYK_DATA: folder,
    PEYK_PORT: '0',
    PEYK_METRICS_PORT: '0',
    PEYK_LOG: 'silent',
    PEYK_PROXIES: '127.0.0.1',
  }
  const parts = { events: [], catalogue: () => CATALOGUE, version: 'test' }
  server = await runServer(readConfig(settings), parts)
  const token = readFileSync(join(folder, 'admin-token'), 'utf8').trim()
  admin = async (method, path, body) =>
    await jsonOf(
      await fetch(`${server.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      }),
    )
  agents = await Promise.all(Array.from({ length: 6 }, enrolled))
})
afterAll(() => server.close())

const enrolled = async (): Promise<TestAgent> => {
  const agent = await TestAgent.make(server.url)
  const { body } = await admin('POST', '/v1/admin/invites', { role: 'vantage' })
  await agent.enrol(String(body['code']))
  return agent
}

const run = (agent: TestAgent, target: string, age: number, failure: string | null, more: Partial<Measurement> = {}) =>
  agent.measure({ ...HERE, at: Date.now() / 1000 - age, mono: MONO - age, failure: failure as never, ...more }, target)

/** A round of an agent: controls that answer, and the targets as told. */
const round = (
  agent: TestAgent,
  age: number,
  failure: string | null,
  targets: readonly string[] = CENTRES,
  at = HERE,
) => [run(agent, CONTROL_TARGET, age, null, at), ...targets.map(target => run(agent, target, age, failure, at))]

const deliver = async (agent: TestAgent, found: readonly Measurement[]): Promise<Request[]> => {
  // Each from a prefix of its own, as a proxy before the server tells.
  const prefix = { 'x-forwarded-for': `10.0.${agents.indexOf(agent) + 1}.7` }
  const { status, receipt } = await agent.send(agent.report([batchOf(found)], { mono: MONO }), { headers: prefix })
  expect(status).toBe(200)
  expect(receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  return receipt.requests
}

const findings = async () =>
  ((await (await fetch(`${server.url}/v1/degradations?app=telegram&country=KE`)).json()) as Degradations).degradations
const requests = async (outcome: string): Promise<number> => {
  const metrics = await (await fetch(server.metricsUrl)).text()
  return Number(new RegExp(`peyk_confirmation_requests_total{outcome="${outcome}"} (\\d+)`).exec(metrics)?.[1] ?? 0)
}
const eventually = (look: () => Promise<void>) => vi.waitFor(look, { timeout: 60_000, interval: 250 })

test('an alarm asks agents of its network, and their answers confirm it', async () => {
  // Two days of answers; then, for an hour and a half, nothing of five of the six agents reaches the app.
  for (const [index, agent] of agents.entries()) {
    const rows: Measurement[] = []
    for (let age = 48 * HOUR; age > 300; age -= 900) {
      rows.push(...round(agent, age, age < 1.5 * HOUR && index > 0 ? 'generic_timeout_error' : null))
    }
    expect(await deliver(agent, rows)).toEqual([])
  }
  await eventually(async () => expect(await findings()).toMatchObject([{ state: 'unconfirmed', end: null }]))

  // Somebody who came after the alarm, and somebody of another network, are not told of it.
  const newcomer = await enrolled()
  expect(await deliver(newcomer, round(newcomer, 1, 'generic_timeout_error'))).toEqual([])
  const elsewhere = round(agents[0]!, 1, null, CENTRES, { country: 'KE', asn: 12455 })
  expect(await deliver(agents[0]!, elsewhere)).toEqual([])

  const told = new Map<TestAgent, Request[]>()
  // The finding can be read a moment before anybody is asked.
  await eventually(async () => {
    for (const agent of agents.filter(of => !told.has(of))) {
      const wanted = await deliver(agent, round(agent, 1, null, []))
      if (wanted.length > 0) told.set(agent, wanted)
    }
    expect(told.size).toBe(5)
  })
  for (const wanted of told.values()) {
    expect(wanted.length).toBeLessThanOrEqual(12)
    for (const { target, expires } of wanted) {
      expect(findTarget(target)).toMatchObject({ app: 'telegram', target: { feature: 'text', decides: 'yes' } })
      expect(expires).toBeGreaterThan(Date.now() / 1000)
      expect(expires).toBeLessThanOrEqual(Date.now() / 1000 + HOUR)
    }
  }
  // Nobody is asked twice for the same.
  for (const agent of told.keys()) expect(await deliver(agent, round(agent, 1, null, []))).toEqual([])
  expect(await requests('sent')).toBe(5)

  await new Promise(resolve => setTimeout(resolve, 1_100))
  for (const [agent, wanted] of told) {
    const failure = agent === agents[0] ? null : 'generic_timeout_error'
    await deliver(
      agent,
      round(
        agent,
        0,
        failure,
        wanted.map(({ target }) => target),
      ),
    )
  }
  await eventually(async () =>
    expect(await findings()).toMatchObject([{ state: 'confirmed', verdict: 'blocked', tests: { answered: 5 } }]),
  )
  const [found] = await findings()
  expect(found!.tests!.agreed).toBeGreaterThanOrEqual(4)
  expect(found!.sentence.en).toContain('Telegram: blocked')
})
