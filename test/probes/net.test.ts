import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { mayConnect } from '../../probes/net/address.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { dataCentre } from '../servers/mtproto.ts'
import { loopbackTarget } from '../servers/target.ts'
import { closedPort, hostile, tcpPeer, tlsPeer } from '../servers/tcp.ts'
import { webSocketPeer } from '../servers/websocket.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })

describe('addresses', () => {
  test.each([
    '149.154.167.51',
    '8.8.8.8',
    '192.0.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '223.255.255.255',
    '2001:67c:4e8:f002::a',
    '2a0a:f280:203:a:5000::100',
  ])('%s is public', address => expect(mayConnect(address, 'public')).toBe(true))

  test.each([
    ...['0.0.0.0', '10.10.34.36', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
    ...['192.0.0.170', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.7', '203.0.113.77'],
    ...['224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:8.8.8.8', '::ffff:127.0.0.1', '::8.8.8.8', '64:ff9b::8.8.8.8', '64:ff9b:1::1', '100::1'],
    ...[
      '2001::1',
      '2001:db8::1',
      '2002:7f00:1::1',
      '3fff::1',
      '5f00::1',
      'fc00::1',
      'fd12::1',
      'fe80::1',
      'fe80::1%lo',
    ],
    ...['fec0::1', 'ff02::1', 'd0::11', '2001:10::1', '2001:20::1', 'app.example', '', '1.2.3', '0x7f.1', '127.1'],
  ])('%s is not public', address => expect(mayConnect(address, 'public')).toBe(false))

  test.each([
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', false],
    ['10.0.0.1', false],
    ['8.8.8.8', false],
  ])('%s is loopback: %s', (address, is) => expect(mayConnect(address, 'loopback')).toBe(is))
})

/** A proxy by its published protocol: HTTP CONNECT, or SOCKS5 without login. */
const proxyPeer = (asked: string[], refuse = false) =>
  tcpPeer(socket => {
    const carry = (port: number, reply: Uint8Array | string): void => {
      const far = connect(port, '127.0.0.1', () => {
        socket.write(reply)
        socket.pipe(far).pipe(socket)
      })
      far.on('error', () => socket.destroy())
      socket.on('close', () => far.destroy())
    }
    socket.once('data', head => (head[0] === 5 ? socks(socket) : http(head)))
    const http = (head: Buffer): void => {
      const [, place = ''] = /^CONNECT (\S+)/.exec(head.toString()) ?? []
      asked.push(place)
      if (refuse) socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      else carry(Number(place.split(':').at(-1)), 'HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n')
    }
    const socks = (client: Socket): void => {
      client.write(Buffer.of(5, 0))
      client.once('data', ask => {
        const name =
          ask[3] === 3 ? ask.toString('latin1', 5, 5 + ask[4]!) : [...ask.subarray(4, ask.length - 2)].join('.')
        asked.push(`${name}:${ask.readUInt16BE(ask.length - 2)}`)
        if (refuse) client.end(Buffer.of(5, 2, 0, 1, 0, 0, 0, 0, 0, 0))
        else carry(ask.readUInt16BE(ask.length - 2), Buffer.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 80))
      })
    }
  })

describe.each(['http', 'socks5'])('through a proxy: %s', scheme => {
  const telegram = (port: number, host = '127.0.0.1') =>
    loopbackTarget('mtproto', port, { transport: 'obfuscated2', dc: 2, keys: ['d09d1d85de64fd85'] }, { host })

  test('the protocol answers through it; a name goes to the proxy unresolved', async () => {
    const asked: string[] = []
    await using peer = await tcpPeer(dataCentre())
    await using proxy = await proxyPeer(asked)
    const url = new URL(`${scheme}://127.0.0.1:${proxy.port}`)
    for (const host of ['127.0.0.1', 'app.example']) {
      const { failure, steps, connected } = await run(telegram(peer.port, host), { proxy: url })
      expect({ failure, connected }).toEqual({ failure: null, connected: null })
      expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'protocol_handshake'])
    }
    expect(asked).toEqual([`127.0.0.1:${peer.port}`, `app.example:${peer.port}`])
  })

  test('TLS, HTTP and a WebSocket go through it as well', async () => {
    await using peer = await webSocketPeer(leaf, socket => socket.send('{"op":10,"d":{"heartbeat_interval":1}}'))
    await using proxy = await proxyPeer([])
    const options = { proxy: new URL(`${scheme}://127.0.0.1:${proxy.port}`) }
    const ask = { path: '/', headers: {}, roots: 'public' as const }
    const socket = {
      ...ask,
      scheme: 'wss' as const,
      protocol: null,
      expect: { status: [101], words: 'discord-hello' as const },
    }
    expect(
      (await run(loopbackTarget('websocket', peer.port, socket, { host: 'localhost' }), options)).failure,
    ).toBeNull()
    await using web = await tlsPeer({ key: leaf.keyPem, cert: leaf.pem }, stream => {
      stream.once('data', () => stream.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
    })
    const page = { ...ask, scheme: 'https' as const, method: 'GET' as const, expect: { status: [200] } }
    expect((await run(loopbackTarget('http', web.port, page, { host: 'localhost' }), options)).failure).toBeNull()
    const clear = { ...socket, scheme: 'ws' as const }
    await using silent = await tcpPeer(hostile.garbage)
    expect((await run(loopbackTarget('websocket', silent.port, clear), options)).failure).toBe('http_request_failed')
  })

  test('what the proxy does not do is the agent’s trouble, and no attempt', async () => {
    await using refusing = await proxyPeer([], true)
    const closed = await closedPort()
    for (const port of [refusing.port, closed]) {
      expect((await run(telegram(1), { proxy: new URL(`${scheme}://127.0.0.1:${port}`) })).failure).toBe('proxy_failed')
    }
    await using garbage = await tcpPeer(hostile.garbage)
    expect((await run(telegram(1), { proxy: new URL(`${scheme}://127.0.0.1:${garbage.port}`) })).failure).toBe(
      'proxy_failed',
    )
    await using peer = await tcpPeer(hostile.close)
    expect((await run(telegram(1), { proxy: new URL(`${scheme}://127.0.0.1:${peer.port}`) })).failure).toBe(
      'proxy_failed',
    )
  })

  test('a datagram cannot go through it', async () => {
    const resolver = { transport: 'udp', address: '127.0.0.1', port: 53 } as const
    const target = loopbackTarget('dns', 443, { type: 'A', resolver }, { host: 'app.example' })
    expect((await run(target, { proxy: new URL(`${scheme}://127.0.0.1:1`) })).failure).toBe('proxy_failed')
  })
})

test('the address family is the target’s: IPv6 on IPv6', async () => {
  const server = createServer(dataCentre()).listen(0, '::1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const ask = { transport: 'obfuscated2' as const, dc: 2, keys: ['d09d1d85de64fd85'] }
  const { failure, connected } = await run(loopbackTarget('mtproto', port, ask, { host: '::1', family: 'v6' }))
  expect({ failure, connected }).toEqual({ failure: null, connected: '::1' })
  await new Promise(resolve => server.close(resolve))
})

test('an answer that waited behind our own work marks the run, which answered all the same', async () => {
  await using peer = await tcpPeer(hostile.hang)
  const target = loopbackTarget('tcp', peer.port, {})
  await expect.poll(async () => (await run(target)).stalled, { timeout: 10_000 }).toBe(false)
  const running = run(target)
  for (const until = performance.now() + 10; performance.now() < until; );
  expect(await running).toMatchObject({ failure: null, stalled: true })
})

test('a stall of the event loop marks the run in which it fell, and no other', async () => {
  await using peer = await tcpPeer(hostile.hang)
  const target = loopbackTarget(
    'tls',
    peer.port,
    { sni: null, alpn: [], roots: 'public', verify: false },
    { timeout: 0.4 },
  )
  // A busy machine may stall a run by itself: one of a few is undisturbed.
  const undisturbed = () => expect.poll(async () => (await run(target)).stalled, { timeout: 60_000 }).toBe(false)
  await undisturbed()
  setTimeout(() => {
    const until = performance.now() + 200
    while (performance.now() < until);
  }, 100)
  expect((await run(target)).stalled).toBe(true)
  await undisturbed()
})
