import { expect, test } from 'vitest'
import { type Made, make, type Surroundings, uuidv7 } from '../../probes/agent/run.ts'
import type { Here } from '../../probes/agent/whereabouts.ts'
import { measure } from '../../probes/all.ts'
import { closedPort, tcpPeer } from '../servers/tcp.ts'
import { HandClock, tcpTarget } from './samples.ts'

const here: Here = { country: 'KE', asn: 33_771, access: 'wifi', line: 1, families: new Set(['v4']) }

const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  measure,
  clock: new HandClock(),
  boot: '0123456789abcdef',
  software: 'peyk/0.1.0',
  loopback: true,
  where: async () => here,
  locate: null,
  catalogue: { version: 7, issued: 1_780_000_000 },
  signal: new AbortController().signal,
  ...more,
})

const made = (port: number, more: Partial<Surroundings> = {}): Promise<Made> =>
  make({ app: 'telegram', target: tcpTarget('telegram.a', { port, dc: '2' }), granted: 0 }, around(more))

const measured = async (port: number, more: Partial<Surroundings> = {}) => {
  const one = await made(port, more)
  if (one.kind !== 'measured') throw new Error(JSON.stringify(one))
  return one
}

test('a run becomes a measurement with its envelope, and its cost on the wire', async () => {
  await using peer = await tcpPeer(() => {})
  const { measurement, connected, bytes } = await measured(peer.port)
  expect(measurement).toMatchObject({
    boot: '0123456789abcdef',
    mono: 1_000,
    at: 1_790_001_000,
    app: 'telegram',
    feature: 'text',
    target: 'telegram.a',
    kind: 'tcp',
    family: 'v4',
    route: 'direct',
    country: 'KE',
    asn: 33_771,
    failure: null,
    catalogue: 7,
    served: { asn: 0, country: 'ZZ' },
  })
  expect(measurement.marks).not.toContain('time_uncertain')
  // A busy machine may have kept the answer waiting: then nobody knows.
  const floor = measurement.marks.includes('loop_stalled') ? null : measurement.steps[0]!.duration
  expect(measurement.served.rtt_floor).toBe(floor)
  expect(measurement.steps.map(({ operation }) => operation)).toEqual(['connect'])
  expect(connected).toBe('127.0.0.1')
  expect(bytes).toBe(420)
  expect(JSON.stringify(measurement)).not.toContain('127.0.0.1')
})

test('network trouble is a measurement like any other', async () => {
  const { measurement } = await measured(await closedPort())
  expect(measurement.failure).toBe('connection_refused')
})

test('a clock that jumps, or stands before the catalogue was signed, is marked', async () => {
  await using peer = await tcpPeer(() => {})
  const jumping = new HandClock()
  const wall = jumping.wall
  let reads = 0
  Object.assign(jumping, { wall: () => wall() + (reads++ > 0 ? 3_600 : 0) })
  expect((await measured(peer.port, { clock: jumping })).measurement.marks).toContain('time_uncertain')
  const old = new HandClock()
  old.jumped = -100_000_000
  expect((await measured(peer.port, { clock: old })).measurement.marks).toContain('time_uncertain')
  const none = new HandClock() // A board without a clock starts in 1970.
  none.jumped = -1_790_000_000
  const { measurement } = await measured(peer.port, { clock: none })
  expect(measurement).toMatchObject({ at: 946_684_800, mono: 1_000 })
  expect(measurement.marks).toContain('time_uncertain')
})

test('a stalled event loop is marked, so that it is not taken for latency', async () => {
  await using peer = await tcpPeer(() => {})
  const stalling: Surroundings['measure'] = (...asked) => {
    const running = measure(...asked)
    for (const end = performance.now() + 200; performance.now() < end; ) {}
    return running
  }
  const { measurement } = await measured(peer.port, { measure: stalling })
  expect(measurement).toMatchObject({ marks: ['loop_stalled'], failure: null, served: { rtt_floor: null } })
})

test.each<[string, Partial<Here>]>([
  ['line', { line: 2 }],
  ['network', { asn: 36_926 }],
])('a change of %s during the run discards it, its cost still counts', async (_, change) => {
  await using peer = await tcpPeer(() => {})
  let asked = 0
  const where = async () => (asked++ ? { ...here, ...change } : here)
  expect(await made(peer.port, { where })).toEqual({
    kind: 'discarded',
    reason: 'network_changed',
    connected: '127.0.0.1',
    bytes: 420,
  })
})

test('whoever answered is looked up, and a tunnel is said', async () => {
  await using peer = await tcpPeer(() => {})
  const locate = { country: (address: string) => (address === '127.0.0.1' ? 'NL' : 'ZZ'), asn: () => 62_041 }
  const { measurement } = await measured(peer.port, { locate, where: async () => ({ ...here, access: 'vpn' }) })
  expect(measurement.served).toMatchObject({ country: 'NL', asn: 62_041 })
  expect(measurement).toMatchObject({ route: 'vpn', access: 'vpn' })
  const { measurement: unanswered } = await measured(await closedPort(), { locate })
  expect(unanswered.served).toMatchObject({ country: 'ZZ', asn: 0 })
})

test('an agent that is stopped discards what it was doing, at once', async () => {
  await using peer = await tcpPeer(() => {})
  const abort = new AbortController()
  const running = made(peer.port, { signal: abort.signal })
  abort.abort()
  expect(await running).toMatchObject({ kind: 'discarded', reason: 'stopped' })
})

test('a bug in a probe, or a field out of its bounds, is a fault and no measurement', async () => {
  const broken = async () => {
    throw new TypeError('x is not a function')
  }
  expect(await made(9, { measure: broken })).toMatchObject({
    kind: 'fault',
    fault: expect.stringContaining('TypeError'),
  })
  await using peer = await tcpPeer(() => {})
  expect(await made(peer.port, { software: 'no version' })).toMatchObject({
    kind: 'fault',
    fault: expect.stringMatching(/^tcp probe: field \/software: must match pattern/),
  })
})

test('ids are UUIDv7: they sort by time', () => {
  const ids = [1, 2, 1_790_000_000.5].map(uuidv7)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(ids.toSorted()).toEqual(ids)
  expect(Number.parseInt(ids[2]!.replace('-', '').slice(0, 12), 16)).toBe(1_790_000_000_500)
})
