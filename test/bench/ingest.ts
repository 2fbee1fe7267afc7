import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import { batchOf, TestAgent, uuid7 } from '../server/agent.ts'
import { stored } from '../server/store-contract.ts'
import type { Bench } from './bench.ts'

const AGENTS = 2_000
/** Reports sent: about 160,000 measurements in small ones, 200,000 in bulk. */
const SMALL = 4_000
const BULK = 40
/** Agents that wait for a receipt at a time: what a fleet that reports every few minutes has under way. */
const AT_ONCE = 64

type Server = { child: ChildProcess; url: string }

const start = async (folder: string, operators: string[]): Promise<Server> => {
  const victim = join(import.meta.dirname, '../server/victim.ts')
  const child = spawn(process.execPath, [victim, ...operators], {
    env: { ...process.env, PEYK_DATA: folder, PEYK_RATE_NETWORK: '1000000', PEYK_RATE_AGENT: '1000000' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await child.stdout!.take(1).toArray()) as Buffer[]
  return { child, url: (JSON.parse(line!.toString()) as { url: string }).url }
}

const stop = async ({ child }: Server): Promise<void> => {
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

const residentOf = (child: ChildProcess): number => {
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

type Prepared = { agent: TestAgent; body: Buffer; size: number }

/** Seconds of processor time a process has used, in ticks of 10 ms. */
const processorOf = (child: ChildProcess): number => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Bodies are made beforehand, so that what is timed is the server; proofs are not, their nonces must be fresh. */
const prepare = (agents: TestAgent[], reports: number, sizeOf: (at: number) => number): Prepared[] =>
  Array.from({ length: reports }, (_, at) => {
    const agent = agents[at % agents.length]!
    const size = sizeOf(at)
    const found = Array.from({ length: size }, () => agent.measure())
    return { agent, size, body: gzipSync(JSON.stringify(agent.report([batchOf(found)])), { level: 1 }) }
  })

/** Send all, signed, each under a nonce fetched for it; gives what was acknowledged a second and how long receipts took. */
const send = async (server: Server, prepared: Prepared[], atOnce: number) => {
  let acknowledged = 0
  let resident = 0
  const took: number[] = []
  const waiting = prepared.values()
  const processor = processorOf(server.child)
  const begun = performance.now()
  const one = async (): Promise<void> => {
    for (const { agent, body, size } of waiting) {
      const authorization = await agent.authorization('POST', '/v1/reports', body)
      const from = performance.now()
      const { status } = await agent.post('/v1/reports', body, {
        authorization,
        headers: { 'content-encoding': 'gzip' },
      })
      if (status === 200) acknowledged += size
      took.push((performance.now() - from) / 1000)
    }
  }
  const watch = setInterval(() => {
    resident = Math.max(resident, residentOf(server.child))
  }, 200)
  await Promise.all(Array.from({ length: atOnce }, one))
  clearInterval(watch)
  const elapsed = (performance.now() - begun) / 1000
  took.sort((a, b) => a - b)
  const at = (share: number) => Number((took[Math.floor(took.length * share)] ?? 0).toFixed(3))
  return {
    measurements_per_second: Math.round(acknowledged / elapsed),
    reports_per_second: Number((took.length / elapsed).toFixed(1)),
    receipt_p50_seconds: at(0.5),
    receipt_p99_seconds: at(0.99),
    // What the server itself worked, whatever else this machine was doing.
    processor_microseconds_each: Math.round(((processorOf(server.child) - processor) * 1e6) / acknowledged),
    resident_megabytes: Math.round(resident),
    unacknowledged: prepared.reduce((sum, { size }) => sum + size, 0) - acknowledged,
  }
}

/** What the engine itself takes, durably, in inserts of this many rows, with nothing around it. */
const raw = async (rows: number): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-bench-'))
  const store = await openEmbedded(folder)
  await migrate(store)
  const prepared = Array.from({ length: 20 }, () => Array.from({ length: rows }, () => toRow(stored({ id: uuid7() }))))
  const begun = performance.now()
  for (const insert of prepared) await store.insert('measurements_raw', insert)
  const rate = (prepared.length * rows) / ((performance.now() - begun) / 1000)
  await store.close()
  rmSync(folder, { recursive: true, force: true })
  return Math.round(rate)
}

/** Measurements a second acknowledged durable over HTTP: small reports of many agents, and bulk reports of a few. */
export const bench: Bench = async figure => {
  const agents = await Promise.all(Array.from({ length: AGENTS }, () => TestAgent.make('')))
  const folder = mkdtempSync(join(tmpdir(), 'peyk-bench-'))
  const server = await start(
    folder,
    agents.map(({ thumbprint }) => thumbprint),
  )
  const here = agents.map(agent => agent.at(server.url))
  figure({
    case: 'small',
    ...(await send(
      server,
      prepare(here, SMALL, at => 20 + (at % 41)),
      AT_ONCE,
    )),
  })
  const bulked = await send(
    server,
    prepare(here.slice(0, 8), BULK, () => 5_000),
    4,
  )
  await stop(server)
  const engine = await raw(5_000)
  figure({
    case: 'bulk',
    ...bulked,
    raw_per_second: engine,
    of_raw: Number((bulked.measurements_per_second / engine).toFixed(2)),
  })
  rmSync(folder, { recursive: true, force: true })
}
