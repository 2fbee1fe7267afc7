import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDiscordHello, isKept, isProvisioning, keepalive } from '../../probes/websocket.ts'
import { decode, encode, first } from '../../probes/wire/protobuf.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'
import { webSocketPeer } from '../servers/websocket.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })

type Words = 'none' | 'discord-hello' | 'signal-keepalive' | 'signal-provisioning'

const asking = (port: number, words: Words = 'none', more: { status?: number[]; scheme?: 'ws' | 'wss' } = {}) => {
  const { status = [101], scheme = 'wss' } = more
  const ask = {
    scheme,
    path: '/v1/x',
    headers: { origin: 'https://app.test' },
    protocol: null,
    roots: 'public' as const,
    expect: { status, words },
  }
  return loopbackTarget('websocket', port, ask, { host: 'localhost', timeout: 1 })
}

test('a WebSocket opens at the path, under the headers, and nothing is said', async () => {
  const asked: unknown[] = []
  await using peer = await webSocketPeer(leaf, (_, { url, headers }) =>
    asked.push(url, headers['origin'], headers['sec-websocket-extensions']),
  )
  const { steps, failure, origin_proof } = await run(asking(peer.port))
  expect(failure).toBeNull()
  expect(origin_proof).toBe('certificate')
  expect(steps.map(({ operation }) => operation)).toEqual(['resolve', 'connect', 'tls_handshake', 'upgrade'])
  expect(steps[3]).toMatchObject({ code: 101 })
  expect(asked).toEqual(['/v1/x', 'https://app.test', undefined])
})

const signalAnswer = (id: number, status: number) =>
  encode([
    [1, 2],
    [
      3,
      encode([
        [1, id],
        [2, status],
        [3, Buffer.from('OK')],
      ]),
    ],
  ])
const provisioning = encode([
  [1, 1],
  [
    2,
    encode([
      [1, Buffer.from('PUT')],
      [2, Buffer.from('/v1/address')],
      [3, Buffer.from('x')],
      [4, 9],
    ]),
  ],
])

test('Signal’s keepalive: our id comes back with 200', async () => {
  await using peer = await webSocketPeer(leaf, socket => {
    socket.on('message', message => {
      const request = decode(first(decode(message as Buffer), 2) as Buffer)
      expect(String(first(request, 2))).toBe('/v1/keepalive')
      socket.send(signalAnswer(first(request, 4) as number, 200))
    })
  })
  const { failure, steps } = await run(asking(peer.port, 'signal-keepalive'))
  expect(failure).toBeNull()
  expect(steps.at(-1)).toMatchObject({ operation: 'protocol_handshake', failure: null })
})

test.each<[Words, string | Buffer, string | null]>([
  ['discord-hello', '{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}', null],
  ['discord-hello', '{"op":9,"d":false}', 'websocket_answer_unexpected'],
  ['discord-hello', 'null', 'websocket_answer_unexpected'],
  ['signal-provisioning', provisioning, null],
  ['signal-provisioning', signalAnswer(1, 200), 'websocket_answer_unexpected'],
  ['signal-keepalive', signalAnswer(0, 200), 'websocket_answer_unexpected'],
])('%s: the server speaks first', async (words, message, failure) => {
  await using peer = await webSocketPeer(leaf, socket => socket.send(message))
  expect((await run(asking(peer.port, words))).failure).toBe(failure)
})

test('a WebSocket that never speaks and never closes: the time limit; one that closes: eof_error', async () => {
  await using silent = await webSocketPeer(leaf, () => {})
  expect((await run(asking(silent.port, 'discord-hello'))).failure).toBe('generic_timeout_error')
  await using closing = await webSocketPeer(leaf, socket => socket.close())
  expect((await run(asking(closing.port, 'discord-hello'))).failure).toBe('eof_error')
})

test('a message of 1 MB and a flood of messages are cut off', async () => {
  await using large = await webSocketPeer(leaf, socket => socket.send(Buffer.alloc(1 << 20)))
  expect((await run(asking(large.port, 'discord-hello'))).failure).toBe('websocket_malformed')
  await using flood = await webSocketPeer(leaf, socket => {
    for (let i = 0; i < 10_000; i++) socket.send('{}')
  })
  const { failure, received } = await run(asking(flood.port, 'discord-hello'))
  expect(failure).toMatch(/^(websocket_answer_unexpected|eof_error)$/)
  expect(received).toBeLessThan(1_000_000)
})

const accepting = (request: string): string => {
  const key = /sec-websocket-key: (\S+)/i.exec(request)?.[1]
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

test.each<[string, (request: string) => string | Buffer, string]>([
  [
    'a 302',
    () => 'HTTP/1.1 302 Found\r\nLocation: https://t.example/\r\nContent-Length: 0\r\n\r\n',
    'http_unexpected_status_code',
  ],
  [
    '101 without the key’s answer',
    request => accepting(request).replace(/Accept: \S+/, 'Accept: 203.0.113.77'),
    'websocket_malformed',
  ],
  [
    'frames that are none',
    request => Buffer.concat([Buffer.from(accepting(request)), Buffer.alloc(64, 0xff)]),
    'websocket_malformed',
  ],
  ['another protocol', () => '220 mail.example ESMTP 203.0.113.77\r\n', 'http_request_failed'],
])('%s: %s', async (_, answer, failure) => {
  await using peer = await tcpPeer(socket => socket.once('data', bytes => socket.write(answer(bytes.toString()))))
  const { steps } = await run(asking(peer.port, 'discord-hello', { scheme: 'ws' }))
  expect(steps.at(-1)).toMatchObject({ failure })
})

test('a status the target calls healthy is an answer without words', async () => {
  await using peer = await tlsPeer({ key: leaf.keyPem, cert: leaf.pem }, socket => {
    socket.once('data', () => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'))
  })
  const { failure, steps } = await run(asking(peer.port, 'discord-hello', { status: [101, 403] }))
  expect(failure).toBeNull()
  expect(steps.at(-1)).toMatchObject({ operation: 'upgrade', code: 403 })
})

test('the keepalive’s bytes, field by field', () => {
  expect(keepalive(5).toString('hex')).toBe(
    `08011216${'0a03474554'}${`120d${Buffer.from('/v1/keepalive').toString('hex')}`}2005`,
  )
})

test('any message: yes or no, no throw', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        fc.json().map(json => Buffer.from(json)),
      ),
      message => {
        expect([isDiscordHello(message), isKept(message, 1), isProvisioning(message)]).toEqual([false, false, false])
      },
    ),
    { numRuns: 2000 },
  )
})
