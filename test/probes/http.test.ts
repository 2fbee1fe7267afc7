import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgeAnswer } from '../../probes/http.ts'
import { Failed } from '../../probes/net/classify.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'

const root = certificate('Test root', { ca: true })
trust(root)

type Expect = { status?: number[]; header?: string; body?: string; json?: string }

const asking = (
  port: number,
  expected: Expect = {},
  more: { method?: 'GET' | 'HEAD' | 'POST'; timeout?: number } = {},
) => {
  const { method = 'GET', ...rest } = more
  return loopbackTarget(
    'http',
    port,
    { scheme: 'http', method, path: '/x', headers: {}, roots: 'public', expect: { status: [], ...expected } },
    rest,
  )
}

/** A peer answering every request with these bytes, without closing. */
const saying = (answer: string | Buffer) => tcpPeer(socket => socket.on('data', () => socket.write(answer)))

const page = (status: string, headers: string, body: string): string =>
  `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

test('an expected answer: answered, with its status and bytes', async () => {
  await using peer = await saying(page('404 Not Found', 'X-Signal-Timestamp: 1\r\n', '{"code":404}'))
  const { steps, failure, origin_proof } = await run(
    asking(peer.port, { status: [404], header: 'x-signal-timestamp', body: 'code', json: 'code' }),
  )
  expect(failure).toBeNull()
  expect(origin_proof).toBe('none')
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'http_round_trip'])
  expect(steps[1]).toMatchObject({ code: 404, received: 81 })
})

test('over TLS the certificate proves the origin, and fails before anything is asked', async () => {
  const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })
  await using peer = await tlsPeer({ key: leaf.keyPem, cert: leaf.pem }, socket => {
    socket.on('data', () => socket.write(page('200 OK', '', 'ok')))
  })
  const target = asking(peer.port, { status: [200] })
  const https = { ...target, ask: { ...target.ask, scheme: 'https' as const } }
  const good = await run({ ...https, host: 'localhost' })
  expect(good).toMatchObject({ failure: null, origin_proof: 'certificate' })
  expect(good.steps.map(({ operation }) => operation)).toEqual([
    'resolve',
    'connect',
    'tls_handshake',
    'http_round_trip',
  ])
  expect((await run(https)).failure).toBe('ssl_invalid_hostname')
})

test.each<[string, string, Expect, string]>([
  ['a status the app does not give', page('403 Forbidden', '', ''), { status: [200] }, 'http_unexpected_status_code'],
  ['no header of the app', page('200 OK', '', ''), { header: 'x-signal-timestamp' }, 'http_answer_unexpected'],
  [
    'another text',
    page('200 OK', '', 'Log in to the hotel'),
    { body: 'Microsoft Connect Test' },
    'http_answer_unexpected',
  ],
  ['no JSON', page('200 OK', '', '<html>'), { json: 'ok' }, 'json_parse_error'],
  ['JSON that is no object', page('200 OK', '', 'null'), { json: 'ok' }, 'http_answer_unexpected'],
  ['JSON without the key', page('200 OK', '', '{"toString":1}'), { json: 'ok' }, 'http_answer_unexpected'],
  [
    'JSON cut off by our limit',
    page('200 OK', '', `{"ok":"${'x'.repeat(300_000)}"}`),
    { json: 'ok' },
    'http_too_large',
  ],
  [
    'the national block page',
    page('403 Forbidden', '', '<html><body><iframe src="http://10.10.34.35?type=Invalid&policy=MainPolicy"></iframe>'),
    { status: [403] },
    'http_blockpage',
  ],
  ['a redirect to the block page', page('301 Moved', 'Location: http://10.10.34.34\r\n', ''), {}, 'http_blockpage'],
  [
    'a redirect to a bare address',
    page('302 Found', 'Location: http://203.0.113.77/login\r\n', ''),
    {},
    'http_unexpected_redirect_url',
  ],
  [
    'a redirect to no host',
    page('302 Found', 'Location: http://:80:x/\r\n', ''),
    {},
    'http_invalid_redirect_location_host',
  ],
  ['a redirect to a name', page('302 Found', 'Location: //t.example/\r\n', ''), {}, ''],
  ['another protocol', '220 mail.example ESMTP 203.0.113.77\r\n', {}, 'http_request_failed'],
  ['a broken head', 'HTTP/1.1 200 OK\r\n\u0001 203.0.113.77\r\n\r\n', {}, 'http_request_failed'],
])('%s', async (_, answer, expected, failure) => {
  await using peer = await saying(answer)
  const { steps } = await run(asking(peer.port, expected))
  expect(steps[1]).toMatchObject({ operation: 'http_round_trip', failure: failure || null })
  if (failure === 'http_blockpage') expect(steps[1]!.mark).toMatch(/^ir-/)
})

test('a body that ends early: eof_error, with the status that came', async () => {
  await using peer = await tcpPeer(socket =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf')),
  )
  expect((await run(asking(peer.port))).steps[1]).toMatchObject({ failure: 'eof_error', code: 200 })
})

test('a body of 1 GB: what is needed is read, the rest is not', async () => {
  await using peer = await tcpPeer(socket => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n')
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'x'))) {}
      }
      socket.on('drain', more)
      more()
    })
  })
  const plain = await run(asking(peer.port))
  expect(plain.failure).toBeNull()
  expect(plain.received).toBeLessThan(1_000_000)
  const wanted = await run(asking(peer.port, { body: 'needle' }))
  expect(wanted.failure).toBe('http_too_large')
  expect(wanted.received).toBeLessThan(2_000_000)
})

test('one byte now and then: the time limit holds; the duration of the head stands', async () => {
  await using peer = await tcpPeer(socket => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 200)
      socket.on('close', () => clearInterval(timer))
    })
  })
  const { steps } = await run(asking(peer.port, {}, { timeout: 0.7 }))
  expect(steps[1]).toMatchObject({ failure: 'generic_timeout_error', code: 200 })
})

test('endless headers: http_too_large, bounded', async () => {
  await using peer = await tcpPeer(socket => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const more = (): void => {
        while (!socket.destroyed && socket.write(`X-More: ${'y'.repeat(1000)}\r\n`)) {}
      }
      socket.on('drain', more)
      more()
    })
  })
  const { failure, received } = await run(asking(peer.port))
  expect(failure).toBe('http_too_large')
  expect(received).toBeLessThan(500_000)
})

test('POST without a body and HEAD are answered', async () => {
  await using peer = await tcpPeer(socket => {
    socket.once('data', bytes => {
      expect(bytes.toString()).toMatch(/^(POST|HEAD) \/x HTTP\/1\.1\r\n/)
      socket.write('HTTP/1.1 501 Not Implemented\r\nContent-Length: 7\r\n\r\n')
      if (bytes.toString().startsWith('POST')) socket.write('no POST')
    })
  })
  for (const method of ['POST', 'HEAD'] as const) {
    expect((await run(asking(peer.port, {}, { method }))).steps[1]).toMatchObject({ failure: null, code: 501 })
  }
})

test('any answer: a failure or none, no other throw', () => {
  const headers = fc.dictionary(
    fc.constantFrom('location', 'x-a'),
    fc.oneof(fc.string(), fc.webUrl(), fc.constant('http://[::1')),
  )
  const answer = fc.record({
    status: fc.integer({ min: 100, max: 599 }),
    headers,
    body: fc.oneof(
      fc.uint8Array().map(bytes => Buffer.from(bytes)),
      fc.json().map(json => Buffer.from(json)),
    ),
    cut: fc.boolean(),
  })
  fc.assert(
    fc.property(answer, given => {
      try {
        judgeAnswer(given, 'app.example', { status: [], header: 'x-a', body: 'a', json: 'ok' })
      } catch (error) {
        if (!(error instanceof Failed)) throw error
      }
    }),
    { numRuns: 1000 },
  )
})
