import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failed } from '../../probes/net/classify.ts'
import { parseVersions } from '../../probes/quic.ts'
import { binding, judgeBinding } from '../../probes/stun.ts'
import { run } from '../probe-contract.ts'
import { debianPeer, installed } from '../servers/debian.ts'
import { udpPeer } from '../servers/dns.ts'
import { loopbackTarget } from '../servers/target.ts'

/** Version Negotiation (RFC 8999 §6) to a packet: its ids swapped, then versions. */
const negotiation = (packet: Buffer, versions: number[], flaw?: 'ids' | 'version'): Buffer => {
  const destination = packet.subarray(6, 6 + packet[5]!)
  const at = 6 + destination.length
  const source = packet.subarray(at + 1, at + 1 + packet[at]!)
  const ids = flaw === 'ids' ? [destination, source] : [source, destination]
  const list = Buffer.alloc(versions.length * 4)
  for (const [index, version] of versions.entries()) list.writeUInt32BE(version, index * 4)
  const head = Buffer.from(flaw === 'version' ? 'c000000001' : 'aa00000000', 'hex')
  return Buffer.concat([head, ...ids.flatMap(id => [Buffer.of(id.length), id]), list])
}

test('quic: versions come back: answered, the datagram padded as servers demand', async () => {
  const seen: Buffer[] = []
  await using peer = await udpPeer((packet, send) => {
    seen.push(packet)
    send(negotiation(packet, [0x1a2a3a4a, 1, 0x6b3343cf]))
  })
  const { failure, steps, sent, origin_proof } = await run(loopbackTarget('quic', peer.port, {}))
  expect(failure).toBeNull()
  expect(steps).toHaveLength(1)
  expect(steps[0]).toMatchObject({ operation: 'datagram', count: 3 })
  expect({ sent, origin_proof }).toEqual({ sent: 1200, origin_proof: 'none' })
  expect(seen[0]!.readUInt32BE(1) & 0x0f0f0f0f).toBe(0x0a0a0a0a)
  expect(seen[0]![0]! & 0xc0).toBe(0xc0)
})

test.each<[string, number[], 'ids' | 'version' | undefined, string]>([
  ['no version of ours', [0xff00001d], undefined, 'quic_incompatible_version'],
  ['other connection ids', [1], 'ids', 'quic_malformed'],
  ['a packet that negotiates nothing', [1], 'version', 'quic_malformed'],
])('quic: %s', async (_, versions, flaw, failure) => {
  await using peer = await udpPeer((packet, send) => send(negotiation(packet, versions, flaw)))
  expect((await run(loopbackTarget('quic', peer.port, {}, { timeout: 5 }))).failure).toBe(failure)
})

test('quic: a lost packet is sent again, and is not time on the network', async () => {
  let packets = 0
  await using peer = await udpPeer((packet, send) => {
    if (++packets > 1) send(negotiation(packet, [1]))
  })
  const { failure, steps } = await run(loopbackTarget('quic', peer.port, {}, { timeout: 5 }))
  expect(failure).toBeNull()
  expect(steps[0]!.duration).toBeLessThan(0.5)
  expect(steps[0]!.sent).toBe(2400)
})

/** Binding success with XOR-MAPPED-ADDRESS, here the canary, and SOFTWARE of odd length. */
const success = (request: Buffer, type = 0x0101): Buffer => {
  const attributes = Buffer.from('002000080001dead' + 'ea12d50b' + '80220003' + '61626300', 'hex')
  const head = Buffer.from(request)
  head.writeUInt16BE(type)
  head.writeUInt16BE(attributes.length, 2)
  return Buffer.concat([head, attributes])
}

test('stun: a binding, then a train with its losses', async () => {
  let requests = 0
  await using peer = await udpPeer((request, send) => {
    requests++
    if (requests % 4 !== 0) setTimeout(() => send(success(request)), 5)
  })
  const { failure, steps } = await run(loopbackTarget('stun', peer.port, { train: 12 }, { timeout: 5 }))
  expect(failure).toBeNull()
  expect(steps.map(({ operation, count }) => [operation, count])).toEqual([
    ['datagram', undefined],
    ['datagram', 9],
  ])
  const { series = [], sent } = steps[1]!
  expect(series.filter(trip => trip === -1)).toHaveLength(3)
  expect(series.filter(trip => trip !== -1).every(trip => trip >= 0.004 && trip < 1)).toBe(true)
  expect(sent).toBe(240)
})

test.each<[string, (request: Buffer) => Buffer, string]>([
  [
    'another transaction',
    request => success(Buffer.concat([request.subarray(0, 8), randomBytes(12)])),
    'stun_malformed',
  ],
  ['no address', request => success(request).subarray(0, 20).fill(0, 2, 4), 'stun_malformed'],
  ['a length that is none', request => success(request).subarray(0, 33), 'stun_malformed'],
  ['our own request', request => request, 'stun_malformed'],
])('stun: %s: %s', async (_, answer, failure) => {
  await using peer = await udpPeer((request, send) => send(answer(request)))
  expect((await run(loopbackTarget('stun', peer.port, { train: 0 }, { timeout: 5 }))).failure).toBe(failure)
})

test('stun: an error answer is refused, with its code', async () => {
  await using peer = await udpPeer((request, send) => {
    const head = Buffer.from(request)
    head.writeUInt16BE(0x0111)
    head.writeUInt16BE(8, 2)
    send(Buffer.concat([head, Buffer.from('0009000400000414', 'hex')]))
  })
  expect((await run(loopbackTarget('stun', peer.port, { train: 0 }))).steps[0]).toMatchObject({
    failure: 'stun_refused',
    code: 420,
  })
})

test.skipIf(!installed('turnserver'))('stun: coturn answers (skipped without the package coturn)', async () => {
  await using peer = await debianPeer({
    program: 'turnserver',
    args: ({ folder, port }) => [
      ...['-n', '--listening-ip', '127.0.0.1', '--listening-port', `${port}`, '--no-tls', '--no-dtls', '--no-cli'],
      ...[
        '--pidfile',
        `${folder}/pid`,
        '--userdb',
        `${folder}/db`,
        '--log-file',
        'stdout',
        '--stun-only',
        '--allow-loopback-peers',
      ],
    ],
  })
  // It listens for UDP a moment after TCP.
  const bound = () => run(loopbackTarget('stun', peer.port, { train: 0 }))
  await expect.poll(async () => (await bound()).failure, { timeout: 60_000 }).toBeNull()
  const { failure, steps } = await run(loopbackTarget('stun', peer.port, { train: 10 }, { timeout: 5 }))
  expect(failure).toBeNull()
  expect(steps[1]).toMatchObject({ count: 10 })
})

test('the request of RFC 8489, byte for byte', () => {
  expect(binding(Buffer.alloc(12, 7)).toString('hex')).toBe(`000100002112a442${'07'.repeat(12)}`)
})

test('any datagram: a failure, no other throw', () => {
  const bytes = fc.uint8Array({ maxLength: 100 }).map(array => Buffer.from(array))
  const id = Buffer.alloc(12, 7)
  const nearly = fc
    .tuple(fc.nat(40), bytes)
    .map(([length, tail]) => Buffer.concat([success(binding(id)).subarray(0, length), tail]))
  const ids = [Buffer.alloc(8, 1), Buffer.alloc(8, 2)] as const
  fc.assert(
    fc.property(fc.oneof(bytes, nearly), datagram => {
      for (const judge of [() => judgeBinding(datagram, id), () => parseVersions(datagram, ...ids)]) {
        try {
          judge()
        } catch (error) {
          if (!(error instanceof Failed)) throw error
        }
      }
    }),
    { numRuns: 2000 },
  )
})
