import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Target } from '../../measurement/target.ts'
import { measure } from '../../probes/all.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { dnsAnswer, udpPeer } from '../servers/dns.ts'
import { dataCentre } from '../servers/mtproto.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'
import { datagramsTo, forger } from './datagrams.ts'
import type { Opening } from './opening.ts'
import { type Rules, relayTo } from './relay.ts'

/** That the middleboxes do what they say, seen through the real probes: a lab is worth no more than its censors. */

const root = certificate('Lab root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost', 'app.test'] })
const identity = { key: leaf.keyPem, cert: leaf.pem }

const run = (target: Target) => measure(target, { loopback: true })

const hasSni =
  (name: string) =>
  ({ sni }: Opening): boolean =>
    sni === name

const tlsTarget = (port: number, sni = 'app.test', timeout = 1): Target =>
  loopbackTarget('tls', port, { sni, alpn: [], roots: 'public', verify: true }, { timeout })
const mtproto = (port: number, timeout = 1): Target =>
  loopbackTarget('mtproto', port, { transport: 'obfuscated2', dc: 2, keys: [] }, { timeout })

const throughTls = async (rules: Rules, sni?: string) => {
  await using peer = await tlsPeer(identity)
  await using relay = await relayTo(peer.port, rules)
  return { ...(await run(tlsTarget(relay.port, sni))), struck: relay.struck() }
}

describe('TCP', () => {
  test('nothing asked for, nothing done', async () => {
    expect(await throughTls({})).toMatchObject({ failure: null, struck: [] })
  })

  test.each([
    ['reset', 'connection_reset'],
    ['close', 'eof_error'],
    ['hang', 'generic_timeout_error'],
  ] as const)('%s by server name, and no other name', async (cut, failure) => {
    const rules = { flows: [{ when: hasSni('app.test'), cut }] }
    expect(await throughTls(rules)).toMatchObject({ failure, struck: [1] })
    expect(await throughTls(rules, 'localhost')).toMatchObject({ failure: null, struck: [] })
  })

  test('a SYN refused, then dropped, then let through: switched while running', async () => {
    await using peer = await tlsPeer(identity)
    await using relay = await relayTo(peer.port)
    const said: (string | null)[] = []
    for (const how of ['refuse', 'drop', undefined, 'drop', 'refuse', undefined] as const) {
      await relay.set(how ? { connect: how } : {})
      const { failure, steps } = await run(tlsTarget(relay.port))
      said.push(failure)
      if (how) expect(steps.at(-1)!.operation).toBe('connect')
    }
    const [refused, dropped] = ['connection_refused', 'generic_timeout_error']
    expect(said).toEqual([refused, dropped, null, dropped, refused, null])
  })

  test('a block page in place of the answer', async () => {
    const page =
      'HTTP/1.1 403 Forbidden\r\nContent-Length: 55\r\nConnection: close\r\n\r\n<iframe src="http://10.10.34.34?type=Invalid"></iframe>'
    await using peer = await tcpPeer(socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    await using relay = await relayTo(peer.port, {
      flows: [{ when: ({ host }) => host === '127.0.0.1', cut: { page } }],
    })
    const asked = { scheme: 'http', method: 'GET', path: '/', headers: {}, roots: 'public' } as const
    const { failure, steps } = await run(loopbackTarget('http', relay.port, { ...asked, expect: { status: [200] } }))
    expect([failure, steps.at(-1)?.mark]).toEqual(['http_blockpage', 'ir-iframe-10.10.34'])
  })

  test('a protocol filter with residual block: the odd one first, then everything, then nothing', async () => {
    await using dc = await tcpPeer(dataCentre())
    await using relay = await relayTo(dc.port, {
      flows: [{ when: ({ shape }) => shape === 'other', cut: 'hang', residual: 1.5 }],
    })
    expect((await run(mtproto(relay.port, 0.4))).failure).toBe('generic_timeout_error')
    expect((await run(tlsTarget(relay.port, 'app.test', 0.4))).failure).toBe('generic_timeout_error')
    expect(relay.struck()).toEqual([1])
    await relay.set({})
    expect((await run(mtproto(relay.port))).failure).toBeNull()
  })

  test('delay is added to every exchange once the connection stands', async () => {
    await using dc = await tcpPeer(dataCentre())
    await using relay = await relayTo(dc.port, { delay: 0.15 })
    const { steps } = await run(mtproto(relay.port))
    expect(steps.at(-1)!.duration).toBeGreaterThan(0.14)
    expect(steps.at(-1)!.duration).toBeLessThan(0.9)
  })

  /** Bytes by time, of a peer that sends as fast as it can. */
  const download = async (rules: Rules, bytes: number, seconds: number) => {
    await using peer = await tcpPeer(socket => void socket.once('data', () => socket.end(Buffer.alloc(bytes))))
    await using relay = await relayTo(peer.port, rules)
    const socket = connect(relay.port, '127.0.0.1')
    const began = performance.now()
    let got = 0
    let took = 0
    socket.on('data', more => {
      got += more.length
      took = (performance.now() - began) / 1_000
    })
    socket.write('go')
    const ended = await Promise.race([
      once(socket, 'end').then(() => true),
      new Promise<boolean>(resolve => setTimeout(() => resolve(false), seconds * 1_000)),
    ])
    socket.destroy()
    return { got, took, ended }
  }

  test('a rate after a burst: all comes, as slowly as said', async () => {
    const { got, took, ended } = await download({ flows: [{ rate: 64_000, burst: 16_000 }] }, 80_000, 3)
    expect([got, ended]).toEqual([80_000, true])
    expect(took).toBeGreaterThan(0.95)
    // Above the least there is only how busy the machine is.
    expect(took).toBeLessThan(2.5)
  })

  test('a freeze: so many bytes, and then silence', async () => {
    expect(await download({ flows: [{ freeze: 16_384 }] }, 80_000, 0.6)).toMatchObject({ got: 16_384, ended: false })
  })

  test('a megabyte passes whole', async () => {
    expect(await download({}, 1_000_000, 3)).toMatchObject({ got: 1_000_000, ended: true })
  })
})

describe('datagrams', () => {
  const dnsTarget = (port: number, type: 'A' | 'AAAA' = 'A'): Target =>
    loopbackTarget(
      'dns',
      443,
      { type, resolver: { transport: 'udp', address: '127.0.0.1', port } },
      { host: 'app.test', timeout: 0.6, family: type === 'A' ? 'v4' : 'v6' },
    )
  const resolver = (delay = 5) =>
    udpPeer((query, send) => {
      setTimeout(() => send(dnsAnswer(query, ['127.0.0.9'])), delay)
    })

  test('a forged answer, alone or before the true one', async () => {
    await using peer = await resolver()
    await using relay = await datagramsTo(peer.port)
    expect((await run(dnsTarget(relay.port))).failure).toBeNull()
    relay.set({ inject: { answer: forger('app.test', { addresses: ['10.10.34.34'] }) } })
    expect(await run(dnsTarget(relay.port))).toMatchObject({
      failure: 'dns_bogon_error',
      steps: [{ mark: 'ir-10.10.34' }],
    })
    relay.set({ inject: { answer: forger('app.test', { addresses: ['10.10.34.34'] }), late: true } })
    expect((await run(dnsTarget(relay.port))).failure).toBe('dns_injected')
    relay.set({ inject: { answer: forger('app.test', { rcode: 3 }) } })
    expect((await run(dnsTarget(relay.port))).failure).toBe('dns_nxdomain_error')
    relay.set({ inject: { answer: forger('other.test', { rcode: 3 }) } })
    expect((await run(dnsTarget(relay.port))).failure).toBeNull()
  })

  test('loss, delay and a policer', async () => {
    await using peer = await udpPeer((message, send) => send(message))
    await using relay = await datagramsTo(peer.port, {}, 7)
    const train = async (size: number, count: number): Promise<number> => {
      const socket = createSocket('udp4')
      let came = 0
      socket.on('message', () => came++)
      for (let i = 0; i < count; i++) socket.send(Buffer.alloc(size), relay.port, '127.0.0.1')
      await new Promise(resolve => setTimeout(resolve, 150))
      socket.close()
      return came
    }
    expect(await train(100, 100)).toBe(100)
    relay.set({ lost: { up: 0.3 } })
    const came = await train(100, 100)
    expect(came).toBeGreaterThan(50)
    expect(came).toBeLessThan(90)
    relay.set({ lost: { down: 1 } })
    expect(await train(100, 20)).toBe(0)
    relay.set({ rate: 1_000 })
    expect(await train(1_000, 20)).toBeLessThanOrEqual(9)
    relay.set({ delay: 0.4 })
    expect(await train(100, 20)).toBe(0)
  })
})
