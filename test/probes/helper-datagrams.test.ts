import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { legOf } from '../../measurement/judge/leg.ts'
import { compare, isSuspicious } from '../../measurement/judge/throttle.ts'
import { measure } from '../../probes/all.ts'
import { isAgents, Tokens } from '../../probes/helper/datagrams.ts'
import { startHelper } from '../../probes/helper/helper.ts'
import {
  datagramHead,
  knownBytes,
  opening,
  PACKET_OVERHEAD,
  readStreamAsk,
  streamPacket,
  writeStreamAsk,
} from '../../probes/wire/helper.ts'
import { type DatagramRules, datagramsTo } from '../lab/datagrams.ts'
import { run } from '../probe-contract.ts'
import { udpPeer } from '../servers/dns.ts'
import { asking, helperAt, spoken } from '../servers/helper.ts'

test.each(['call', 'random'] as const)(
  'datagrams that look like %s: echoes, then a stream against a token',
  async shape => {
    const port = await helperAt()
    const { steps, failure } = await run(asking(port, { over: 'udp', shape }, { bytes: 65_536 }))
    expect(failure).toBeNull()
    expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'protocol_handshake', 'datagram', 'transfer'])
    expect(steps[2]).toMatchObject({ count: 50, sent: 50 * 160, received: 50 * 160 })
    expect(steps[3]!.count).toBe(132)
    expect(steps[3]!.reached!.slice(0, 2).every(at => at !== null)).toBe(true)
  },
)

/** A port that leads to a helper over TCP, and has its UDP to give. */
const doorTo = async (port: number): Promise<number> => {
  const door = createServer(client => client.pipe(connect(port, '127.0.0.1').on('error', () => {})).pipe(client))
  door.listen(0, '127.0.0.1')
  onTestFinished(() => void door.close())
  await once(door, 'listening')
  return (door.address() as AddressInfo).port
}

/** A helper whose datagrams go by way of a relay. */
const behind = async (rules: DatagramRules) => {
  const port = await helperAt()
  const relay = await datagramsTo(port, rules, 1, await doorTo(port))
  onTestFinished(() => relay[Symbol.asyncDispose]())
  return relay.port
}

const legOver = async (port: number, shape: 'call' | 'random') => {
  const { steps } = await measure(asking(port, { over: 'udp', shape }, { bytes: 65_536 }), { loopback: true })
  const pair = { id: '0'.repeat(16), leg: 'app', round: 1, test: 'shape', differs: 'protocol', first: true } as const
  return { step: steps.at(-1)!, leg: legOf({ kind: 'transfer', steps, pair })! }
}

const isCall = (datagram: Buffer): boolean => datagram.subarray(16, 28).equals(Buffer.alloc(12, 0xff))

test('datagrams that a line loses are lost and not late, and a censor’s of calls are throttling', {
  retry: 2,
}, async () => {
  const censored = await behind({ lost: { down: 0.3 }, when: isCall })
  const [few, call, random, far] = await Promise.all([
    behind({ lost: { down: 0.03 } }).then(port => legOver(port, 'random')),
    legOver(censored, 'call'),
    legOver(censored, 'random'),
    behind({ delay: 1.5 }).then(port => legOver(port, 'call')),
  ])
  // Its question was sent again before the first packet came, and the second came back as an echo amid the stream.
  expect(far.step).toMatchObject({ failure: null, count: 132 })
  expect(far.step.received).toBeGreaterThan(132 * 500)
  expect(far.leg.lost).toEqual({ hits: 0, tries: 132 })
  for (const { step, leg } of [few, call, random]) {
    expect(leg).toMatchObject({ end: 'whole', got: step.count! * 500, span: 1.32, trips: [] })
    expect(leg.lost).toEqual({ hits: 132 - step.count!, tries: 132 })
    // It ends with the last that came: the second it waits on is no silence.
    expect(leg.gap).toBeLessThan(1)
    expect(step.series!.length).toBeLessThanOrEqual(Math.ceil(step.duration * 10))
  }
  expect(few.leg.lost!.hits).toBeGreaterThan(0)
  const [lossy, held] = [
    { app: few.leg, control: few.leg },
    { app: call.leg, control: random.leg },
  ]
  expect([lossy, held].map(isSuspicious)).toEqual([false, true])
  expect(compare([lossy]).answer).toBe('same')
  expect(compare([held, held, held])).toMatchObject({ answer: 'throttled', mechanism: null })
})

test('a helper that streams datagrams faster than was asked for is found out, and makes no leg', async () => {
  const talk: Parameters<typeof udpPeer>[0] = (message, send) => {
    const ask = readStreamAsk(message)
    if (!ask) return send(message)
    const known = knownBytes(message.subarray(0, 16))
    for (let n = 0; n < ask.packets; n++) send(streamPacket(message, n, known(ask.size - PACKET_OVERHEAD)))
  }
  await using hasty = await udpPeer(talk, '127.0.0.1', await doorTo(await helperAt()))
  const { failure, steps } = await measure(asking(hasty.port, { over: 'udp' }, { bytes: 65_536 }), { loopback: true })
  expect(failure).toBe('transfer_too_fast')
  const pair = {
    id: '0'.repeat(16),
    leg: 'control',
    round: 1,
    test: 'shape',
    differs: 'protocol',
    first: true,
  } as const
  expect(legOf({ kind: 'transfer', steps, pair })).toBeNull()
})

/** What one datagram brings back, in bytes, within the milliseconds. */
const bytesFor = async (port: number, datagram: Buffer, milliseconds = 300): Promise<number> => {
  const socket = createSocket('udp4')
  let bytes = 0
  socket.on('message', message => {
    bytes += message.length
  })
  socket.send(datagram, port, '127.0.0.1')
  await new Promise(resolve => setTimeout(resolve, milliseconds))
  socket.close()
  return bytes
}

test('a stream that is refused leaves its token good until there are bytes for it', async () => {
  // Four seconds' worth at once, of which the first question takes nearly all.
  const port = await helperAt({ rate: 1_000 })
  const seed = Buffer.alloc(16)
  const asks = [{ command: 'down', seed, count: 3_500 } as const, { command: 'token', seed, count: 0 } as const]
  const token = (await spoken(port, opening('random', 0), 3_518, ...asks)).subarray(-16)
  const ask = writeStreamAsk(token, 'call', { packets: 20, size: 100, perSecond: 200 })
  expect(await bytesFor(port, ask, 100)).toBe(0)
  await expect.poll(() => bytesFor(port, ask), { timeout: 60_000 }).toBe(2_000)
})

test('never more datagram bytes out than in, without a token that came by TCP to the same address', async () => {
  const port = await helperAt()
  const ask = { packets: 100, size: 1_000, perSecond: 200 }
  const forged = writeStreamAsk(Buffer.alloc(16, 1), 'random', ask)
  expect(await bytesFor(port, forged)).toBe(forged.length)
  expect(await bytesFor(port, datagramHead(Buffer.alloc(16), 'call'))).toBe(28)
  expect(await bytesFor(port, Buffer.alloc(1_400))).toBe(0)
  const tokens = new Tokens()
  const token = tokens.issue('192.0.2.1')
  expect(tokens.isGood(token, '192.0.2.2')).toBe(false)
  expect(tokens.isGood(token, '192.0.2.1')).toBe(true)
  tokens.use(token)
  expect(tokens.isGood(token, '192.0.2.1')).toBe(false)
})

test('a datagram from a port where a service or a helper answers is not echoed, so that none goes to and fro', async () => {
  const helper = await startHelper({ host: '127.0.0.1', ports: [0, 0], rate: 1e9, quota: 1e9 })
  onTestFinished(() => helper.close())
  const [port, other] = helper.ports as [number, number]
  // As from a second helper, which has the same ports.
  const socket = createSocket('udp4').bind(other, '127.0.0.2')
  onTestFinished(() => void socket.close())
  await once(socket, 'listening')
  const echo = once(socket, 'message').then(() => 'echoed')
  socket.send(Buffer.alloc(100), port, '127.0.0.1')
  expect(await Promise.race([echo, sleep(300, 'nothing')])).toBe('nothing')
  expect(await bytesFor(port, Buffer.alloc(100))).toBe(100)
  expect([7, 53, 1_023, other, 1_024, 30_000].filter(from => isAgents(from, [port, other]))).toEqual([1_024, 30_000])
})

test('whatever a datagram asks for, a stream is bounded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 400 }), bytes => {
      const ask = readStreamAsk(Buffer.from(bytes))
      if (!ask) return
      expect(ask.packets * ask.size).toBeLessThanOrEqual(512 * 1024)
      expect(ask.perSecond).toBeGreaterThan(0)
      expect(ask.perSecond).toBeLessThanOrEqual(200)
    }),
  )
  fc.assert(
    fc.property(fc.nat(3_000), fc.nat(1_500), fc.nat(400), (packets, size, perSecond) => {
      const ask = { packets, size, perSecond }
      const read = readStreamAsk(writeStreamAsk(Buffer.alloc(16), 'call', ask))
      if (read) expect(read).toEqual(ask)
      expect(read === null || packets * size <= 512 * 1024).toBe(true)
    }),
  )
})
