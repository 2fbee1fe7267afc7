import { encode } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAnswer } from '../../probes/dns.ts'
import { Failed } from '../../probes/net/classify.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { dnsAnswer, type UdpPeer, udpPeer } from '../servers/dns.ts'
import { loopbackTarget } from '../servers/target.ts'
import { hostile, type Peer, tcpPeer, tlsPeer } from '../servers/tcp.ts'

const root = certificate('Test root', { ca: true })
trust(root)

const asking = (peer: { port: number }, transport: 'udp' | 'tcp' | 'doh' = 'udp', more = {}) =>
  loopbackTarget(
    'dns',
    443,
    { type: 'A', resolver: { transport, address: '127.0.0.1', port: peer.port, name: 'resolver.test' } },
    { host: 'app.example', ...more },
  )

const answering = (addresses: string[], more: { rcode?: number; id?: number } = {}): Promise<UdpPeer> =>
  udpPeer((query, send) => send(dnsAnswer(query, addresses, more)))

const framed = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes])

/** The same over TCP, which has no second answer to wait for. */
const answeringTcp = (addresses: string[], more: { rcode?: number } = {}) =>
  tcpPeer(socket => socket.on('data', query => socket.write(framed(dnsAnswer(query.subarray(2), addresses, more)))))

test('a healthy answer over UDP: answered, its hash the same in any order, time of the first answer only', async () => {
  await using one = await answering(['127.0.0.2', '127.0.0.3'])
  await using other = await answering(['127.0.0.3', '127.0.0.2'])
  const [a, b] = [await run(asking(one)), await run(asking(other))]
  expect(a).toMatchObject({ failure: null, connected: '127.0.0.1' })
  expect(a.steps).toHaveLength(1)
  expect(a.steps[0]).toMatchObject({ operation: 'resolve', code: 0, count: 2 })
  expect(a.steps[0]!.sent).toBeGreaterThan(20)
  expect(a.steps[0]!.duration).toBeLessThan(0.2)
  expect(a.steps[0]!.hash).toBe(b.steps[0]!.hash)
})

test.each([
  [2, 'dns_servfail_error'],
  [3, 'dns_nxdomain_error'],
  [5, 'dns_refused_error'],
  [4, 'dns_server_misbehaving'],
])('response code %i: %s', async (rcode, failure) => {
  await using peer = await answeringTcp([], { rcode })
  const { steps } = await run(asking(peer, 'tcp'))
  expect(steps[1]).toMatchObject({ failure, code: rcode })
})

test('an answer without an address: dns_no_answer', async () => {
  await using peer = await answeringTcp([])
  expect((await run(asking(peer, 'tcp'))).failure).toBe('dns_no_answer')
})

test('two different answers to one query: dns_injected, both counted', async () => {
  await using peer = await udpPeer((query, send) => {
    send(dnsAnswer(query, ['127.0.0.9']))
    setTimeout(() => send(dnsAnswer(query, ['127.0.0.2'])), 150)
  })
  const { steps } = await run(asking(peer))
  expect(steps[0]).toMatchObject({ failure: 'dns_injected', count: 2 })
})

test('the same datagram twice is the network’s doubling, not injection', async () => {
  await using peer = await udpPeer((query, send) => {
    send(dnsAnswer(query, ['127.0.0.2']))
    send(dnsAnswer(query, ['127.0.0.2']))
  })
  expect((await run(asking(peer))).failure).toBeNull()
})

test('only answers with another id: dns_reply_with_wrong_query_id; with the true one among them, answered', async () => {
  await using wrong = await udpPeer((query, send) =>
    send(dnsAnswer(query, ['127.0.0.9'], { id: (query.readUInt16BE() + 1) & 0xffff })),
  )
  expect((await run(asking(wrong))).failure).toBe('dns_reply_with_wrong_query_id')
  await using both = await udpPeer((query, send) => {
    send(dnsAnswer(query, ['127.0.0.9'], { id: (query.readUInt16BE() + 1) & 0xffff }))
    send(dnsAnswer(query, ['127.0.0.2']))
  })
  expect((await run(asking(both))).failure).toBeNull()
})

test('known forged addresses: dns_bogon_error with their mark; SafeSearch is marked and no block', async () => {
  const judged = async (type: 'A' | 'AAAA', address: string) => {
    await using peer = await answeringTcp([address])
    const resolver = { transport: 'tcp', address: '127.0.0.1', port: peer.port } as const
    const target = loopbackTarget('dns', 443, { type, resolver }, { host: 'app.example' })
    return (await run(target)).steps[1]
  }
  expect(await judged('A', '10.10.34.35')).toMatchObject({ failure: 'dns_bogon_error', mark: 'ir-10.10.34' })
  expect(await judged('AAAA', '2001:4188:2:600:10:10:34:36')).toMatchObject({
    failure: 'dns_bogon_error',
    mark: 'ir-2001-4188',
  })
  expect(await judged('A', '216.239.38.120')).toMatchObject({ mark: 'safesearch' })
  expect(await judged('A', '203.0.113.77')).toMatchObject({ failure: 'dns_bogon_error' })
})

test('a healthy answer over TCP, and a truncated one', async () => {
  await using peer = await answeringTcp(['127.0.0.2'])
  const { steps, failure } = await run(asking(peer, 'tcp'))
  expect(failure).toBeNull()
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'resolve'])
  await using torn = await tcpPeer(socket => {
    socket.on('data', query => socket.end(framed(dnsAnswer(query.subarray(2), ['127.0.0.2'])).subarray(0, 20)))
  })
  expect((await run(asking(torn, 'tcp'))).failure).toBe('eof_error')
})

/** A resolver over HTTPS that answers every name so. */
const answeringHttps = (addresses: string[]) => {
  const leaf = certificate('leaf', { issuer: root, hosts: ['resolver.test'] })
  return tlsPeer({ key: leaf.keyPem, cert: leaf.pem + root.pem }, socket => {
    let seen = Buffer.alloc(0)
    socket.on('data', bytes => {
      seen = Buffer.concat([seen, bytes])
      const body = seen.indexOf('\r\n\r\n') + 4
      if (body < 4 || seen.length < body + 12) return
      const answer = dnsAnswer(seen.subarray(body), addresses)
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: ${answer.length}\r\n\r\n`,
      )
      socket.write(answer)
    })
  })
}

test('a healthy answer over HTTPS at a pinned address, under the resolver’s own name', async () => {
  await using peer = await answeringHttps(['127.0.0.2'])
  const { steps, failure } = await run(asking(peer, 'doh'))
  expect(failure).toBeNull()
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'tls_handshake', 'http_round_trip', 'resolve'])
})

describe('the system’s answer (127.0.0.1) compared with that of a resolver over HTTPS', () => {
  const secure = (hosts: string[]) => {
    const leaf = certificate('leaf', { issuer: root, hosts })
    return { key: leaf.keyPem, cert: leaf.pem }
  }
  const comparing = (resolver: { port: number }, app: { port: number }, timeout = 6) => {
    const against = { address: '127.0.0.1', port: resolver.port, name: 'resolver.test', path: '/dns-query' }
    const ask = { type: 'A', resolver: 'system', against: { ...against, roots: 'public' } } as const
    return run(loopbackTarget('dns', app.port, ask, { host: 'localhost', timeout }))
  }
  const answered = { failure: null, origin_proof: 'none', connected: null }
  const other = { host: '127.0.0.2' }

  test('the same answer: answered, and nobody else is asked', async () => {
    await using resolver = await answeringHttps(['127.0.0.9', '127.0.0.1'])
    await using app = await tlsPeer(secure(['localhost']))
    const { steps, ...rest } = await comparing(resolver, app)
    expect(rest).toMatchObject(answered)
    expect(steps).toMatchObject([
      { operation: 'resolve', count: 1 },
      { operation: 'resolve', mark: 'same-answer', count: 2 },
    ])
    expect(app.connections()).toBe(0)
  })

  test('other servers of a CDN have the certificate too: answered, though no address is shared', async () => {
    await using resolver = await answeringHttps(['127.0.0.2'])
    await using near = await tlsPeer(secure(['localhost']))
    await using _far = await tlsPeer(secure(['localhost']), undefined, { ...other, port: near.port })
    const { steps, ...rest } = await comparing(resolver, near)
    expect(rest).toMatchObject(answered)
    expect(steps[1]).toMatchObject({ mark: 'certificate', failure: null })
  })

  test.each<[string, (at: { port?: number }) => Promise<Peer>]>([
    ['has another certificate', at => tlsPeer(secure(['blocked.test']), undefined, at)],
    ['is reset', at => tcpPeer(hostile.reset, at)],
    ['is silent', at => tcpPeer(hostile.hang, at)],
    ['is no TLS', at => tcpPeer(hostile.garbage, at)],
  ])('forged, the address it leads to %s: dns_inconsistent', async (_, forged) => {
    await using resolver = await answeringHttps(['127.0.0.2'])
    await using false_ = await forged({})
    await using _true = await tlsPeer(secure(['localhost']), undefined, { ...other, port: false_.port })
    const { steps, failure } = await comparing(resolver, false_)
    expect(failure).toBe('dns_inconsistent')
    expect(steps).toMatchObject([
      { operation: 'resolve', failure: null },
      { operation: 'resolve', failure: 'dns_inconsistent' },
    ])
  })

  test('the name itself is filtered, so that neither address speaks: undecided, and no failure', async () => {
    await using resolver = await answeringHttps(['127.0.0.2'])
    await using near = await tcpPeer(hostile.reset)
    await using _far = await tcpPeer(hostile.reset, { ...other, port: near.port })
    const { steps, ...rest } = await comparing(resolver, near)
    expect(rest).toMatchObject(answered)
    expect(steps[1]).toMatchObject({ mark: 'not-compared', failure: null })
  })

  test.each([...Object.entries(hostile)])(
    'the other resolver is filtered (%s): no failure of the app',
    async (_, talk) => {
      await using resolver = await tcpPeer(talk)
      await using app = await tcpPeer(hostile.hang)
      const { steps, ...rest } = await comparing(resolver, app, 2)
      expect(rest).toMatchObject(answered)
      expect(steps[1]).toMatchObject({ mark: 'not-compared', duration: 0 })
      expect(app.connections()).toBe(0)
    },
  )

  test('the other resolver itself gives a forged address: undecided', async () => {
    await using resolver = await answeringHttps(['10.10.34.36'])
    await using app = await tcpPeer(hostile.hang)
    expect((await comparing(resolver, app)).steps[1]).toMatchObject({ mark: 'not-compared', failure: null })
  })
})

test('the system resolver: localhost answers, a name that cannot exist does not', async () => {
  const system = (host: string) => loopbackTarget('dns', 443, { type: 'A', resolver: 'system' }, { host, timeout: 10 })
  expect(await run(system('localhost'))).toMatchObject({ failure: null, steps: [{ operation: 'resolve', count: 1 }] })
  expect((await run({ ...system('localhost'), address: 'public' })).failure).toBe('dns_bogon_error')
  expect((await run(system('does-not-exist.invalid'))).failure).toMatch(/^dns_(nxdomain_error|temporary_failure)$/)
})

test('an answer to another question is no answer', () => {
  const other = encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'other.example' }], answers: [] })
  expect(() => parseAnswer(other, 7, { type: 'A', name: 'app.example' })).toThrow(new Failed('dns_server_misbehaving'))
})

test('any bytes: a failure, no other throw, no hang', () => {
  const question = { type: 'A', name: 'app.example' } as const
  const good = encode({
    type: 'response',
    id: 1,
    questions: [question],
    answers: [{ type: 'A', name: question.name, data: '127.0.0.2' }],
  })
  const mangled = fc
    .tuple(fc.nat(good.length), fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }))
    .map(([length, changes]) => {
      const bytes = Buffer.from(good)
      for (const [at, value] of changes) bytes[at] = value
      return bytes.subarray(0, length)
    })
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map(bytes => Buffer.from(bytes)),
    mangled,
  )
  fc.assert(
    fc.property(anything, bytes => {
      try {
        parseAnswer(bytes, 1, question)
      } catch (error) {
        if (!(error instanceof Failed)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})
