import { createDecipheriv } from 'node:crypto'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { obfuscation, parseResPq, requestPq } from '../../probes/mtproto.ts'
import { Failed } from '../../probes/net/classify.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { type Answers, dataCentre, resPq, serve } from '../servers/mtproto.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'
import { webSocketPeer } from '../servers/websocket.ts'

const KEY = 'd09d1d85de64fd85'
const transports = ['obfuscated2', 'intermediate'] as const

const ask = async (answers: Answers, transport: (typeof transports)[number] = 'obfuscated2') => {
  await using peer = await tcpPeer(dataCentre(answers))
  return await run(loopbackTarget('mtproto', peer.port, { transport, dc: 2, keys: [KEY] }, { dc: '2', timeout: 1 }))
}

test.each(transports)('%s: resPQ with our nonce and a known key is an answer', async transport => {
  const { steps, failure, origin_proof, dc, sent, received } = await ask({ keys: ['0000000000000001', KEY] }, transport)
  expect(failure).toBeNull()
  expect({ origin_proof, dc }).toEqual({ origin_proof: 'protocol', dc: '2' })
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'protocol_handshake'])
  expect(steps[1]).toMatchObject({ mark: KEY })
  // 64 or 4 bytes to open, 4 of length, 40 of request; 4 of length and 20 + 56 + 8n back.
  expect({ sent, received }).toEqual({ sent: transport === 'obfuscated2' ? 108 : 48, received: 96 })
})

test('obfuscated2 with abridged packets, and where no key of the app is known, any key', async () => {
  await using peer = await tcpPeer(dataCentre({ keys: ['00000000000000ab'] }))
  const ask = { transport: 'obfuscated2' as const, envelope: 'abridged' as const, dc: 2, keys: [] }
  const { failure, steps } = await run(loopbackTarget('mtproto', peer.port, ask))
  expect(failure).toBeNull()
  expect(steps[1]).toMatchObject({ mark: '00000000000000ab', sent: 64 + 1 + 40 })
})

const root = certificate('Test root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })

test.each(['intermediate', 'abridged'] as const)('in a WebSocket, obfuscated, %s packets', async envelope => {
  await using peer = await webSocketPeer(leaf, (socket, { url, headers }) => {
    expect([url, headers['origin'], headers['sec-websocket-protocol']]).toEqual([
      '/apiws',
      'https://web.app.test',
      'binary',
    ])
    serve({
      onBytes: listener => socket.on('message', message => listener(message as Buffer)),
      write: bytes => socket.send(bytes),
      destroy: () => socket.close(),
    })
  })
  const ask = {
    transport: 'websocket',
    envelope,
    path: '/apiws',
    origin: 'https://web.app.test',
    dc: 2,
    keys: [KEY],
  } as const
  const { failure, steps, origin_proof } = await run(
    loopbackTarget('mtproto', peer.port, { ...ask, keys: [KEY] }, { host: 'localhost' }),
  )
  expect({ failure, origin_proof }).toEqual({ failure: null, origin_proof: 'protocol' })
  expect(steps.map(({ operation }) => operation)).toEqual([
    'resolve',
    'connect',
    'tls_handshake',
    'upgrade',
    'protocol_handshake',
  ])
})

/** The HTTP transport: the bare message is the body, the bare answer comes back. */
const overHttp = async (scheme: 'http' | 'https', answer: (body: Buffer) => [status: string, body: Buffer]) => {
  const talk = (socket: Socket): void => {
    let seen: Buffer = Buffer.alloc(0)
    socket.on('data', bytes => {
      seen = Buffer.concat([seen, bytes])
      const at = seen.indexOf('\r\n\r\n') + 4
      if (at < 4 || seen.length < at + 40) return
      expect(seen.toString('latin1')).toMatch(/^POST \/api HTTP\/1\.1\r\n/)
      const [status, body] = answer(seen.subarray(at))
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n`)
      socket.write(body)
    })
  }
  await using peer = await (scheme === 'http' ? tcpPeer(talk) : tlsPeer({ key: leaf.keyPem, cert: leaf.pem }, talk))
  return await run(
    loopbackTarget(
      'mtproto',
      peer.port,
      { transport: scheme, path: '/api', dc: 2, keys: [KEY] },
      { host: 'localhost' },
    ),
  )
}

test.each(['http', 'https'] as const)('as the body of a POST over %s', async scheme => {
  const { failure, steps, origin_proof } = await overHttp(scheme, body => ['200 OK', resPq(body, {})])
  expect({ failure, origin_proof }).toEqual({ failure: null, origin_proof: 'protocol' })
  expect(steps.at(-2)).toMatchObject({ operation: 'http_round_trip', code: 200 })
  expect(steps.at(-1)).toMatchObject({ operation: 'protocol_handshake', mark: KEY })
})

test('a POST answered by a web server is no answer of a data centre', async () => {
  expect((await overHttp('http', () => ['404 Not Found', Buffer.from('nginx')])).failure).toBe('mtproto_malformed')
  expect((await overHttp('http', () => ['200 OK', Buffer.from('<html>')])).failure).toBe('mtproto_malformed')
  expect((await overHttp('http', () => ['500 Oops', Buffer.alloc(0)])).failure).toBe('http_unexpected_status_code')
})

test('random padding after resPQ is allowed', async () => {
  expect((await ask({ padding: 104 })).failure).toBeNull()
})

test.each([-404, -429, -444])('transport error %i is an answer: only a data centre gives it', async error => {
  const { failure, steps, origin_proof } = await ask({ error })
  expect(failure).toBeNull()
  expect(steps[1]).toMatchObject({ code: error })
  expect(origin_proof).toBe('protocol')
})

test.each<[string, Answers, string]>([
  ['another nonce', { nonce: Buffer.alloc(16, 7) }, 'mtproto_bad_nonce'],
  ['a key the app does not have', { keys: ['b25898df208d2603'] }, 'mtproto_unknown_fingerprint'],
  ['an error no data centre gives', { error: -500 }, 'mtproto_malformed'],
  ['a length of nothing', { raw: Buffer.alloc(4) }, 'mtproto_malformed'],
  ['a length of 16 MB', { raw: Buffer.from('00000001', 'hex') }, 'mtproto_malformed'],
  ['a quick acknowledgement', { raw: Buffer.from('08000080', 'hex') }, 'mtproto_malformed'],
  ['another message', { raw: Buffer.concat([Buffer.from('28000000', 'hex'), Buffer.alloc(40)]) }, 'mtproto_malformed'],
  [
    'half an answer',
    { raw: Buffer.concat([Buffer.from('28000000', 'hex'), Buffer.alloc(9)]) },
    'generic_timeout_error',
  ],
])('%s: %s', async (_, answers, failure) => {
  const { steps, origin_proof } = await ask(answers)
  expect(steps[1]).toMatchObject({ operation: 'protocol_handshake', failure })
  expect(origin_proof).toBe('none')
})

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')

// Telegram's documentation, "Creating an authorization key: example" (mtproto/samples-auth_key), steps 1 and 2.
const sampleNonce = hex('3E 05 49 82 8C CA 27 E9 66 B3 01 A4 8F EC E2 FC')
const sampleAnswer = hex(`
  00 00 00 00 00 00 00 00 01 C8 83 1E C9 7A E5 51 40 00 00 00 63 24 16 05 3E 05 49 82 8C CA 27 E9
  66 B3 01 A4 8F EC E2 FC A5 CF 4D 33 F4 A1 1E A8 77 BA 4A A5 73 90 73 30 08 17 ED 48 94 1A 08 F9
  81 00 00 00 15 C4 B5 1C 01 00 00 00 21 6B E8 6C 02 2B B4 C3`)

test('the published sample answer is read', () => {
  const { nonce, fingerprints } = parseResPq(sampleAnswer)
  expect(nonce.equals(sampleNonce)).toBe(true)
  expect(fingerprints).toEqual(['c3b42b026ce86b21'])
})

test('the request has the published sample’s layout, with the constructor clients send today', () => {
  const now = Date.UTC(2012, 11, 3, 12, 34, 56, 789)
  const request = requestPq(sampleNonce, now)
  expect(request).toHaveLength(40)
  expect(request.subarray(0, 8).equals(Buffer.alloc(8))).toBe(true)
  expect(request.readUInt32LE(12)).toBe(Math.floor(now / 1000))
  expect(request.readUInt32LE(8) % 4).toBe(0)
  expect(
    request.subarray(16).equals(hex('14 00 00 00 F1 8E 7E BE 3E 05 49 82 8C CA 27 E9 66 B3 01 A4 8F EC E2 FC')),
  ).toBe(true)
})

test('the obfuscated header: original bytes to 56, tag and data centre under AES-CTR after', () => {
  const start = Buffer.from(Array.from({ length: 64 }, (_, at) => at + 1))
  const { header } = obfuscation(() => Buffer.from(start), Buffer.from('eeeeeeee', 'hex'), -2)
  expect(header.subarray(0, 56).equals(start.subarray(0, 56))).toBe(true)
  const stream = createDecipheriv('aes-256-ctr', header.subarray(8, 40), header.subarray(40, 56))
  const clear = stream.update(header)
  expect(clear.subarray(56, 60).toString('hex')).toBe('eeeeeeee')
  expect(clear.readInt16LE(60)).toBe(-2)
})

test('any bytes: resPQ or mtproto_malformed, no other throw', () => {
  const mangled = fc
    .tuple(
      fc.nat(sampleAnswer.length),
      fc.array(fc.tuple(fc.nat(sampleAnswer.length - 1), fc.nat(255)), { maxLength: 4 }),
    )
    .map(([length, changes]) => {
      const bytes = Buffer.from(sampleAnswer)
      for (const [at, value] of changes) bytes[at] = value
      return bytes.subarray(0, length)
    })
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
    mangled,
  )
  fc.assert(
    fc.property(anything, bytes => {
      try {
        expect(parseResPq(bytes).fingerprints.length).toBeGreaterThan(0)
      } catch (error) {
        if (!(error instanceof Failed) || error.failure !== 'mtproto_malformed') throw error
      }
    }),
    { numRuns: 2000 },
  )
})
