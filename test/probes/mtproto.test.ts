import { createDecipheriv } from 'node:crypto'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failed } from '../../probes/net/classify.ts'
import { obfuscation, parseResPq, requestPq } from '../../probes/wire/mtproto.ts'
import { factorize, fingerprintOf, ige, judgeExchange, temporaryKey } from '../../probes/wire/mtproto-exchange.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { type Answers, dataCentre, resPq, serve } from '../servers/mtproto.ts'
import { exchangeKey, type Flaw } from '../servers/mtproto-exchange.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'
import { webSocketPeer } from '../servers/websocket.ts'

const KEY = 'd09d1d85de64fd85'
/** tdlib/td:td/telegram/net/PublicRsaKeySharedMain.cpp. */
const productionModulus =
  'e8bb3305c0b52c6cf2afdf7637313489e63e05268e5badb601af417786472e5f93b85438968e20e6729a301c0afc121bf7151f83' +
  '4436f7fda680847a66bf64accec78ee21c0b316f0edafe2f41908da7bd1f4a5107638eeb67040ace472a14f90d9f7c2b7def9968' +
  '8ba3073adb5750bb02964902a359fe745d8170e36876d4fd8a5d41b2a76cbff9a13267eb9580b2d06d10357448d20d9da2191cb5' +
  'd8c93982961cdfdeda629e37f1fb09a0722027696032fe61ed663db7a37f6f263d370f69db53a0dc0a1748bdaaff6209d5645485' +
  'e6e001d1953255757e4b8e42813347b11da6ab500fd0ace7e6dfa3736199ccaf9397ed0745a427dcfa6cd67bcb1acff3'
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

const exchanging = async (flaw?: Flaw | 'other key' | 'silent', pq?: Buffer) => {
  const key = exchangeKey()
  const asked = flaw === 'other key' ? exchangeKey() : key
  await using peer = await tcpPeer(
    dataCentre({
      keys: [asked.fingerprint],
      ...(pq ? { pq } : {}),
      ...(flaw === 'silent'
        ? {}
        : {
            exchange: (request: Buffer) =>
              flaw === 'error'
                ? Buffer.from('6cfeffff', 'hex')
                : key.answer(request, flaw === 'other key' ? 'guess' : flaw),
          }),
    }),
  )
  const ask = { transport: 'obfuscated2' as const, dc: 2, keys: [], exchange: asked.modulus.toString('hex') }
  return await run(loopbackTarget('mtproto', peer.port, ask, { timeout: 1 }))
}

test('the second step of the key exchange proves the origin by the app’s key', async () => {
  const { failure, origin_proof, steps } = await exchanging()
  expect({ failure, origin_proof }).toEqual({ failure: null, origin_proof: 'key' })
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'protocol_handshake', 'protocol_handshake'])
})

test.each<[Flaw | 'other key' | 'silent', string]>([
  ['guess', 'mtproto_forged'],
  ['other key', 'mtproto_forged'],
  ['nonce', 'mtproto_forged'],
  ['short', 'mtproto_malformed'],
  ['fail', 'mtproto_malformed'],
  ['error', 'mtproto_exchange_refused'],
  ['silent', 'generic_timeout_error'],
])('a key exchange with the flaw “%s”: %s', async (flaw, failure) => {
  const { steps, origin_proof } = await exchanging(flaw)
  expect(steps[2]).toMatchObject({ operation: 'protocol_handshake', failure })
  expect(origin_proof).toBe('none')
})

test('a number without two factors is a lie, found in bounded time', async () => {
  // The largest prime below 2^63.
  expect((await exchanging(undefined, Buffer.from('7fffffffffffffe7', 'hex'))).failure).toMatch(
    /^(mtproto_malformed|generic_timeout_error)$/,
  )
  expect((await exchanging(undefined, Buffer.alloc(8))).failure).toBe('mtproto_malformed')
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

// The same documentation, steps 5 and 6: keys of the answer and the answer itself.
const sampleServerNonce = hex('A5CF4D33F4A11EA877BA4AA573907330')
const sampleNewNonce = hex('311C85DB234AA2640AFC4A76A735CF5B1F0FD68BD17FA181E1229AD867CC024D')

test('the published sample’s numbers: factors, temporary key, decrypted answer', async () => {
  expect(await factorize(0x17ed48941a08f981n)).toEqual([0x494c553bn, 0x53911073n])
  const { key, iv } = temporaryKey(sampleNewNonce, sampleServerNonce)
  expect(key.toString('hex')).toBe('f011280887c7bb01df0fc4e17830e0b91fbb8be4b2267cb985ae25f33b527253')
  expect(iv.toString('hex')).toBe('3212d579ee35452ed23e0d0c92841aa7d31b2e9bdef2151e80d15860311c85db')
  const clear = ige(
    hex('28A92FE20173B347A8BB324B5FAB2667C9A8BBCE6468D5B509A4CBDDC186240AC912CF7006AF8926DE606A2E74C0493C'),
    key,
    iv,
    'decrypt',
  )
  // 20 bytes of hash, then server_DH_inner_data with both nonces.
  expect(clear.subarray(20).toString('hex').toUpperCase()).toBe(
    'BA0D89B53E0549828CCA27E966B301A48FECE2FCA5CF4D33F4A11EA8',
  )
  expect(ige(clear, key, iv, 'encrypt').subarray(0, 16).toString('hex')).toBe('28a92fe20173b347a8bb324b5fab2667')
})

test('the fingerprint of Telegram’s production key is the one clients pin', () => {
  expect(fingerprintOf(hex(productionModulus))).toBe(KEY)
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

test('any answer to the exchange: a failure, no other throw', () => {
  const nonces = { nonce: sampleNonce, serverNonce: sampleServerNonce, pq: Buffer.alloc(8), fingerprints: [] }
  const head = Buffer.concat([Buffer.alloc(16), hex('5c020000 5c07e8d0'), sampleNonce, sampleServerNonce])
  const bytes = fc.uint8Array({ maxLength: 700 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        bytes.map(tail => Buffer.concat([head, tail])),
      ),
      packet => {
        expect(() => judgeExchange(packet, nonces, sampleNewNonce)).toThrow(Failed)
      },
    ),
    { numRuns: 1000 },
  )
})
