import { expect, test } from 'vitest'
import type { Step } from '../../measurement/step.ts'
import type { TargetOf } from '../../measurement/target.ts'
import { measure } from '../../probes/all.ts'
import { Trace } from '../../probes/net/trace.ts'
import { timed } from '../../probes/net/transfer.ts'
import type { Run } from '../../probes/probe.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { objectPeer } from '../servers/object.ts'
import { loopbackTarget } from '../servers/target.ts'

const root = certificate('Test root', { ca: true })
trust(root)

/** Paces are only held while the machine has time for them. */
const REAL_TIME = { timeout: 20_000, retry: 2 }

type Of = Partial<TargetOf<'transfer'>['ask']['of']>

const asking = (port: number, bytes: number, of: Of = {}, more: { trains?: number; timeout?: number } = {}) => {
  const { trains = 0, timeout = 20 } = more
  const object = { scheme: 'http', path: '/file', roots: 'public', edge: false, ...of } as const
  return loopbackTarget('transfer', port, { bytes, trains, of: object }, { timeout, decides: 'no' })
}

test('a range of an object: head and body are steps, and the timeline tells the pace', REAL_TIME, async () => {
  await using peer = await objectPeer({ rate: 131_072 })
  const { steps, failure } = await run(asking(peer.port, 131_072))
  expect(failure).toBeNull()
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'http_round_trip', 'transfer'])
  const { reached = [], gap, series = [], received } = steps[2]!
  expect(received).toBeGreaterThan(131_000)
  expect(received).toBeLessThan(131_500)
  // 16, 64 and 96 KiB at 128 KiB a second.
  for (const [at, seconds] of [0.125, 0.5, 0.75].entries()) {
    expect(reached[at]).toBeGreaterThan(seconds - 0.1)
    expect(reached[at]).toBeLessThan(seconds + 0.6)
  }
  expect(reached.slice(3)).toEqual([null, null])
  expect(gap).toBeLessThan(0.6)
  expect(series.length).toBeGreaterThanOrEqual(8)
  expect(series).toEqual([...series].sort((a, b) => a - b))
})

test(
  'small requests beside it, on a connection of its own to the same address: before it, and while it runs',
  REAL_TIME,
  async () => {
    await using peer = await objectPeer({ rate: 50_000, delay: () => 20 })
    const { ask, ...target } = asking(peer.port, 131_072)
    const { steps, failure } = await run({ ...target, ask: { ...ask, beside: true } })
    expect(failure).toBeNull()
    expect(steps.map(({ operation }) => operation)).toEqual([
      ...['connect', 'connect', 'http_round_trip', 'transfer', 'http_round_trip'],
    ])
    const { series = [] } = steps.at(-1)!
    expect(series.length).toBeGreaterThanOrEqual(3)
    expect(Math.min(...series)).toBeGreaterThanOrEqual(0.02)
    expect(peer.connections).toBe(2)
  },
)

test('requests beside it that are refused say nothing of the transfer', REAL_TIME, async () => {
  await using peer = await objectPeer()
  let asked = 0
  peer.wishes.delay = () => {
    peer.wishes.status = asked++ === 0 ? 503 : 206
    return 0
  }
  const { ask, ...target } = asking(peer.port, 65_536)
  const { steps, failure } = await run({ ...target, ask: { ...ask, beside: true } })
  expect(failure).toBeNull()
  expect(steps.at(-1)).toMatchObject({ operation: 'http_round_trip', failure: null, series: [] })
})

test('over TLS the socket is timed, not the records, which come late on a slow line', REAL_TIME, async () => {
  const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })
  await using peer = await objectPeer({ rate: 65_536, tls: { key: leaf.keyPem, cert: leaf.pem } })
  const target = { ...asking(peer.port, 65_536, { scheme: 'https' }), host: 'localhost' }
  const { steps, failure, origin_proof } = await run(target)
  expect({ failure, origin_proof }).toEqual({ failure: null, origin_proof: 'certificate' })
  // A record of 16 KiB takes 0.25 s, and its bytes are seen on the way.
  expect(steps.at(-1)!.reached![1]).toBeGreaterThan(0.8)
  expect(steps.at(-1)!.gap).toBeLessThan(0.6)
  // Another name than the host's: what the address does under it, whoever's certificate comes.
  const other = await run({ ...target, ask: { ...target.ask, of: { ...target.ask.of, sni: 'example.com' } } })
  expect(other).toMatchObject({ failure: null, origin_proof: 'none' })
})

test('slow to the end of its time is no failure; frozen is, and both keep what came', async () => {
  await using slow = await objectPeer({ rate: 10_000 })
  await using frozen = await objectPeer({ freeze: 20_000 })
  const runs = [slow, frozen].map(({ port }) => measure(asking(port, 262_144), { loopback: true }))
  const [slowRun, frozenRun] = (await Promise.all(runs)) as [Run, Run]
  const held = slowRun.steps.at(-1)!
  expect(held).toMatchObject({ operation: 'transfer', failure: null })
  expect(held.duration).toBeCloseTo(8, 0)
  expect(held.received).toBeGreaterThan(70_000)
  expect(held.received).toBeLessThan(90_000)
  const stopped = frozenRun.steps.at(-1)!
  expect(stopped).toMatchObject({ operation: 'transfer', failure: 'generic_timeout_error', received: 20_000 })
  expect(stopped.reached!.map(at => at !== null)).toEqual([true, false, false, false, false])
  expect(stopped.gap).toBeGreaterThan(7)
})

test.each([
  ['a range that is refused', { status: 200 }, 'http_round_trip', 'transfer_range_refused'],
  ['an object that is smaller', { status: 416 }, 'http_round_trip', 'transfer_object_changed'],
  ['an object cut to its end', { size: 20_000 }, 'http_round_trip', 'transfer_object_changed'],
  ['another size than is known', { size: 300_000 }, 'http_round_trip', 'transfer_object_changed'],
  ['compression', { headers: { 'content-encoding': 'gzip' } }, 'http_round_trip', 'transfer_compressed'],
  ['an old answer', { headers: { age: '7' } }, 'http_round_trip', 'transfer_cached'],
  ['a cache that hit', { headers: { 'x-cache': 'HIT from proxy' } }, 'http_round_trip', 'transfer_cached'],
  ['a proxy on the way', { headers: { via: '1.1 proxy' } }, 'http_round_trip', 'transfer_cached'],
  ['another answer', { status: 404 }, 'http_round_trip', 'http_unexpected_status_code'],
  ['an early close', { close: 30_000 }, 'transfer', 'eof_error'],
  ['a reset', { reset: 30_000, rate: 300_000 }, 'transfer', 'connection_reset'],
] as const)('%s is a failure with its own name, never a slow transfer', async (_, wishes, operation, failure) => {
  await using peer = await objectPeer({ size: 2 ** 20, ...wishes })
  expect((await run(asking(peer.port, 65_536, { size: 2 ** 20 }))).steps.at(-1)).toMatchObject({ operation, failure })
})

test('bytes that come in less than the line’s own round trip did not come from its end', async () => {
  const trip = { start: 0, duration: 0.3, sent: 0, received: 0, failure: null }
  const came = async (bytes: number, trips: number[]): Promise<Step> => {
    const trace = new Trace(asking(1, 131_072), {})
    trace.steps.push(...trips.map(duration => ({ ...trip, operation: 'connect' as const, duration })))
    let got = 0
    const meter = () => ({ sent: 0, received: got })
    await trace.step('transfer', meter, note => {
      const work = async () => {
        await new Promise(resolve => setTimeout(resolve, 30))
        got = bytes
      }
      return timed(trace, note, () => got, work())
    })
    await trace.close()
    return trace.steps.at(-1)!
  }
  expect((await came(131_072, [0.3, 0.4])).failure).toBe('transfer_too_fast')
  // A window can hold so many, and a machine that was busy once makes one trip seem long.
  expect((await came(65_536, [0.3, 0.4])).failure).toBeNull()
  expect((await came(131_072, [0.3, 0.01])).failure).toBeNull()
})

test('what a CDN says of its own caches is no proxy', async () => {
  await using peer = await objectPeer({ headers: { age: '7', 'x-cache': 'HIT', via: '1.1 varnish' } })
  expect((await run(asking(peer.port, 65_536, { edge: true }))).failure).toBeNull()
})

test('trains of small requests, each on a connection of its own: stalls show', REAL_TIME, async () => {
  let asked = 0
  await using peer = await objectPeer({ delay: () => (asked++ % 5 === 4 ? 250 : 0) })
  const { steps, failure } = await run(asking(peer.port, 16_384, {}, { trains: 2 }))
  expect(failure).toBeNull()
  const trains = steps.filter(({ operation, series }) => operation === 'http_round_trip' && series)
  expect(trains.map(({ count, code }) => [count, code])).toEqual([
    [25, 206],
    [25, 206],
  ])
  expect(peer.connections).toBe(3)
  expect(trains[0]!.series!.filter(trip => trip > 0.2)).toHaveLength(5)
})
