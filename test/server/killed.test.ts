import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import type { Report } from '../../measurement/report.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { batchOf, TestAgent } from './agent.ts'

/** The long series (`npm run bench -- crash`) sets PEYK_KILLS. */
const ROUNDS = Number(process.env['PEYK_KILLS'] ?? 5)
const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
let child: ChildProcess | undefined
afterAll(() => child?.kill('SIGKILL'))

/** Where the server is just now; agents keep their keys while it dies and comes back. */
let url = ''
const start = async (operators: string[]): Promise<void> => {
  const begun = spawn(process.execPath, [join(import.meta.dirname, 'victim.ts'), ...operators], {
    env: { ...process.env, PEYK_DATA: folder, PEYK_RATE_NETWORK: '1000000', PEYK_RATE_AGENT: '1000000' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child = begun
  const [line] = (await begun.stdout!.take(1).toArray()) as Buffer[]
  url = (JSON.parse(line!.toString()) as { url: string }).url
}

const die = async (): Promise<void> => {
  const gone = new Promise(resolve => child?.once('exit', resolve))
  child?.kill('SIGKILL')
  await gone
}

/** Sends every report until its receipt is seen, as agents do; sizes and pauses differ so that kills meet every stage. */
const work = async (
  agent: TestAgent,
  sent: Set<string>,
  acknowledged: Set<string>,
  over: () => boolean,
): Promise<void> => {
  let pending: { report: Report; ids: string[] } | null = null
  while (!over() || pending) {
    pending ??= (() => {
      const found = Array.from({ length: 20 + (sent.size % 41) }, () => agent.measure())
      for (const { id } of found) sent.add(id)
      return { report: agent.report([batchOf(found)]), ids: found.map(({ id }) => id) }
    })()
    try {
      const { status, receipt } = await agent.at(url).send(pending.report)
      if (status !== 200) throw new Error(String(status))
      expect(receipt.receipts).toMatchObject([{ outcome: 'stored' }])
      for (const id of pending.ids) acknowledged.add(id)
      pending = null
    } catch (error) {
      if ((error as Error).name === 'AssertionError') throw error
      await wait(20)
    }
  }
}

test(
  `killed ${ROUNDS} times under load: what was acknowledged is stored, each once, and nothing that was not sent`,
  async () => {
    const agents = await Promise.all(Array.from({ length: 6 }, () => TestAgent.make('')))
    const thumbprints = agents.map(({ thumbprint }) => thumbprint)
    const sent = new Set<string>()
    const acknowledged = new Set<string>()
    let over = false
    await start(thumbprints)
    const working = agents.map(agent => work(agent, sent, acknowledged, () => over))
    // Moments of death are spread over 400 ms by a fixed rule, so that a failing round can be repeated.
    for (let round = 0; round < ROUNDS; round++) {
      await wait(300 + ((round * 157) % 400))
      await die()
      await start(thumbprints)
    }
    over = true
    await Promise.all(working)
    await lostReceipt(agents[0]!, sent, acknowledged)
    await die()
    const store = await openEmbedded(folder)
    const rows = await store.query<{ id: string; n: number }>(
      'SELECT toString(id) AS id, count() AS n FROM measurements GROUP BY id',
    )
    await store.close()
    const stored = new Map(rows.map(({ id, n }) => [id, n]))
    expect([...acknowledged].filter(id => stored.get(id) !== 1)).toEqual([])
    expect([...stored].filter(([id, n]) => n !== 1 || !sent.has(id))).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(100)
    console.log(`${acknowledged.size} measurements acknowledged over ${ROUNDS} kills`)
  },
  ROUNDS * 30_000,
)

/** The whole report arrives, the connection is cut before the receipt does, and the report is sent again. */
const lostReceipt = async (agent: TestAgent, sent: Set<string>, acknowledged: Set<string>): Promise<void> => {
  const found = [agent.measure(), agent.measure()]
  const report = agent.report([batchOf(found)])
  const body = gzipSync(JSON.stringify(report))
  const at = agent.at(url)
  const authorization = await at.authorization('POST', '/v1/reports', body)
  await new Promise<void>(resolve => {
    const sending = request(`${url}/v1/reports`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'content-length': body.length,
        authorization,
      },
    })
    sending.on('error', () => undefined)
    sending.on('close', resolve)
    sending.end(body, () => sending.destroy())
  })
  const { receipt } = await at.send(report)
  expect(receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  for (const { id } of found) {
    sent.add(id)
    acknowledged.add(id)
  }
}
