/** Rollups on their way to a real Prometheus: at their own time, revised, late, refused, and when it is away. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Stored } from '../../measurement/measurement.ts'
import { verdicts } from '../../measurement/verdict.ts'
import { ROLLUP_SECONDS } from '../../measurement/windows.ts'
import { Analyst } from '../../server/analyst.ts'
import { seriesAnswer } from '../../server/answers.ts'
import { Facts } from '../../server/facts.ts'
import { openMetricsText } from '../../server/openmetrics.ts'
import { RemoteWrite } from '../../server/remote-write.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Touched, touch } from '../../server/touched.ts'
import {
  instant,
  prometheusPath,
  promtoolPath,
  type Running,
  ranged,
  run,
  scratch,
  startPrometheus,
} from '../servers/prometheus.ts'
import { type Trouble, world } from './world.ts'

const missing =
  prometheusPath === null || promtoolPath === null ? ' (skipped: prometheus or promtool is not installed)' : ''

const HALF = 1_800
const DAY = 86_400
const now = Math.floor(Date.now() / 1000 / ROLLUP_SECONDS) * ROLLUP_SECONDS
const blocked: Trouble = ({ app, asn }) => (app === 'telegram' && asn === 12455 ? 'generic_timeout_error' : null)
const well: Trouble = () => null

describe.skipIf(missing !== '')(`remote write${missing}`, () => {
  const closing: AsyncDisposable[] = []
  const counted = new Map<string, number>()
  let store: Store
  let facts: Facts
  let prometheus: Running
  let receiver: { url: URL; answer: 'forward' | number; requests: number }
  let remote: RemoteWrite
  let analyst: Analyst
  let folder: string
  let clock = now

  /** Stands before Prometheus and passes requests on, or is told to fail. */
  const front = async (to: string) => {
    const state: typeof receiver = { url: new URL('http://127.0.0.1'), answer: 'forward', requests: 0 }
    const server = createServer((from, response) => {
      state.requests++
      if (state.answer !== 'forward')
        return void from.resume().on('end', () => response.writeHead(state.answer as number).end('away'))
      const onward = httpRequest(`${to}${from.url}`, { method: 'POST', headers: from.headers }, answer => {
        response.writeHead(answer.statusCode!)
        answer.pipe(response)
      })
      from.pipe(onward)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    state.url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`)
    closing.push({ [Symbol.asyncDispose]: async () => void server.close() })
    return state
  }

  const remoteOf = (window = 7 * DAY) =>
    new RemoteWrite({
      ...{ url: receiver.url, window, store, facts, now: () => clock },
      meter: {
        count: (_: string, labels: { outcome: string }, by = 1) =>
          void counted.set(labels.outcome, (counted.get(labels.outcome) ?? 0) + by),
      } as never,
    })

  const take = async (rows: Iterable<Stored>) => {
    const list = [...rows]
    await store.insert('measurements_raw', list.map(toRow))
    const touched: Touched = new Map()
    for (const { country, asn, at } of list) touch(touched, country, asn, at)
    analyst.touch(touched)
    await analyst.idle()
  }

  beforeAll(async () => {
    const place = await scratch('remote-write')
    closing.push(place)
    folder = place.path
    store = await openEmbedded(join(folder, 'store'))
    closing.push({ [Symbol.asyncDispose]: () => store.close() })
    await migrate(store)
    facts = await Facts.open(store)
    prometheus = await startPrometheus(folder, 'storage:\n  tsdb:\n    out_of_order_time_window: 7d\n', [
      '--web.enable-remote-write-receiver',
    ])
    closing.push(prometheus)
    receiver = await front(prometheus.url)
    remote = remoteOf()
    analyst = new Analyst({
      ...{ store, facts, events: [], networkName: () => undefined, leastAgents: 1, now: () => clock },
      settled: judged => remote.touch(judged),
    })
  })

  afterAll(async () => {
    await analyst?.stop()
    for (const one of closing.toReversed()) await one[Symbol.asyncDispose]()
  })

  const place = { app: 'telegram', feature: 'text', country: 'KE' } as const
  const selector = (name: string, asn: number) => `${name}{app="telegram",feature="text",country="KE",asn="${asn}"}`

  /** Every point of the API, beside what Prometheus says at the window's end and up to the last revision. */
  const compare = async (from: number, to: number, asn: number) => {
    const wanted = { ...place, from, to, level: 300, step: '5m', asn: asn === 0 ? undefined : asn } as const
    const { points } = await seriesAnswer(store, wanted, () => undefined)
    expect(points.length).toBeGreaterThan(0)
    for (const { at, reachability, verdict, agents, latency } of points) {
      const time = Date.parse(at) / 1000 + 2 * ROLLUP_SECONDS - 1
      const last = async (query: string) => {
        const [series] = await instant(prometheus.url, `last_over_time(${query}[5m])`, time)
        return series && Number(series.value![1])
      }
      const told = await last(selector('peyk_reachability_ratio', asn))
      if (reachability === null) expect(told).toBeUndefined()
      else expect(told).toBeCloseTo(reachability, 3)
      expect(verdicts[(await last(selector('peyk_verdict_rank', asn)))!], at).toBe(verdict)
      if (agents > 0) expect(await last(selector('peyk_reachability_agents', asn))).toBe(agents)
      for (const [operation, seconds] of Object.entries(latency)) {
        const query = `peyk_latency_seconds{app="telegram",feature="text",country="KE",asn="${asn}",operation="${operation}"}`
        expect(await last(query)).toBeCloseTo(seconds!, 5)
      }
    }
    return points.length
  }

  test('the last half hour: the values of /v1/series, network by network and for the country', async () => {
    await take(world({ from: now - HALF, to: now, step: 300, agents: 3 }, blocked))
    clock = now + 120
    await remote.push()
    for (const asn of [12455, 33771, 0]) expect(await compare(now - HALF, now, asn)).toBeGreaterThanOrEqual(6)
    const controls = await instant(
      prometheus.url,
      'last_over_time(peyk_control_reachability_ratio{country="KE",asn="0"}[1h])',
      now,
    )
    expect(controls.map(({ metric, value }) => [metric['control'], Number(value![1])])).toContainEqual(['foreign', 1])
    expect(counted.get('sent')).toBeGreaterThan(100)
    expect(counted.get('failed') ?? 0).toBe(0)
  })

  test('two days late: shows in the past it belongs to', async () => {
    const [from, to] = [now - 2 * DAY, now - 2 * DAY + HALF]
    await take(world({ from, to, step: 300, agents: 3 }, blocked))
    await remote.push()
    await compare(from, to, 12455)
    const series = await ranged(prometheus.url, selector('peyk_reachability_ratio', 12455), from + 300, to, 300)
    expect(series[0]!.values!.every(([, value]) => value === '0')).toBe(true)
  })

  test('revised: later agents change a window, and the newest revision is read', async () => {
    const [from, to] = [now - 2 * DAY, now - 2 * DAY + HALF]
    await take(world({ from, to, step: 300, agents: 5, first: 10 }, well))
    await remote.push()
    // 3 agents said 0, 5 say 1: the median is 1 now.
    const [series] = await ranged(
      prometheus.url,
      `last_over_time(${selector('peyk_reachability_ratio', 12455)}[5m])`,
      from + 599,
      to,
      300,
    )
    expect(series!.values!.every(([, value]) => value === '1')).toBe(true)
    await compare(from, to, 12455)
    expect(facts.of<{ revision: number }>('pushed').get(String(from))).toEqual({ revision: 1 })
  })

  test('after a restart the next revision follows, not the first again', async () => {
    remote = remoteOf()
    const from = now - 2 * DAY
    await take(world({ from, to: from + 300, step: 300, agents: 12, first: 40 }, blocked))
    await remote.push()
    expect(facts.of<{ revision: number }>('pushed').get(String(from))).toEqual({ revision: 2 })
    await compare(from, from + 300, 12455)
  })

  test('older than the window: counted, and nothing else suffers', async () => {
    const before = counted.get('sent')!
    await take(world({ from: now - 9 * DAY, to: now - 9 * DAY + 300, step: 300, agents: 3 }, well))
    await take(world({ from: now - DAY, to: now - DAY + 300, step: 300, agents: 3 }, well))
    await remote.push()
    expect(counted.get('too_old')).toBeGreaterThan(0)
    expect(counted.get('sent')).toBeGreaterThan(before)
    await compare(now - DAY, now - DAY + 300, 33771)
  })

  test('a window set longer than Prometheus’: what it refuses is left out, the rest arrives', async () => {
    remote = remoteOf(30 * DAY)
    await take(world({ from: now - 10 * DAY, to: now - 10 * DAY + 300, step: 300, agents: 3 }, well))
    await take(world({ from: now - 3 * DAY, to: now - 3 * DAY + 300, step: 300, agents: 3 }, well))
    await remote.push()
    expect(counted.get('refused')).toBeGreaterThan(0)
    await compare(now - 3 * DAY, now - 3 * DAY + 300, 12455)
    remote = remoteOf()
  })

  test('away: the push fails, is counted, uses no revision up, and comes through when it is back', async () => {
    const from = now - 4 * DAY
    await take(world({ from, to: from + 300, step: 300, agents: 3 }, blocked))
    receiver.answer = 503
    for (let attempt = 0; attempt < 3; attempt++) await expect(remote.push()).rejects.toThrow('503')
    expect(counted.get('failed')).toBeGreaterThan(0)
    receiver.answer = 'forward'
    await remote.push()
    expect(facts.of<{ revision: number }>('pushed').get(String(from))).toEqual({ revision: 0 })
    await compare(from, from + 300, 12455)
  })

  test('nothing touched is nothing sent', async () => {
    const before = receiver.requests
    await remote.push()
    expect(receiver.requests).toBe(before)
  })

  test('history through OpenMetrics and promtool stands at its own time', async () => {
    await using history = await scratch('history')
    const [from, to] = [now - 60 * DAY, now - 60 * DAY + HALF]
    await take(world({ from, to, step: 300, agents: 3 }, blocked))
    let text = ''
    for await (const line of openMetricsText(store, { from, to, country: 'KE' })) text += line
    const file = join(history.path, 'openmetrics')
    await writeFile(file, text)
    run(promtoolPath!, ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, join(history.path, 'data')])
    await using old = await startPrometheus(history.path)
    const { points } = await seriesAnswer(
      store,
      { ...place, asn: 12455, from, to, level: 300, step: '5m' },
      () => undefined,
    )
    const [series] = await ranged(old.url, selector('peyk_reachability_ratio', 12455), from + 300, to, 300)
    expect(series!.values!.map(([, value]) => Number(value))).toEqual(points.map(({ reachability }) => reachability))
    expect(text).not.toContain('country="IR"')
    expect(text.endsWith('# EOF\n')).toBe(true)
  })
})
