import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { calculateSignature, generateKeyPair, NoiseSession, verifySignature } from 'whatsapp-rust-bridge'
import { Failed } from '../../probes/net/classify.ts'
import { parseServerHello, verifyChain } from '../../probes/noise.ts'
import { decode, encode } from '../../probes/wire/protobuf.ts'
import { verifyXeddsa } from '../../probes/wire/xeddsa.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer } from '../servers/tcp.ts'
import { webSocketPeer } from '../servers/websocket.ts'
import { type Flaws, whatsAppPeer } from '../servers/whatsapp.ts'

const certificateRoot = certificate('Test root', { ca: true })
trust(certificateRoot)

const ask = async (flaws: Flaws = {}) => {
  const whatsApp = whatsAppPeer(flaws)
  await using peer = await tcpPeer(whatsApp.talk)
  return await run(
    loopbackTarget('noise', peer.port, { transport: 'tcp', prologue: '57410603', root: whatsApp.root }, { timeout: 1 }),
  )
}

test('a chain that verifies proves the origin by key', async () => {
  const { failure, origin_proof, steps, sent } = await ask()
  expect(failure).toBeNull()
  expect(origin_proof).toBe('key')
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'protocol_handshake'])
  expect(sent).toBe(4 + 3 + 36)
})

test('the same inside a WebSocket', async () => {
  const whatsApp = whatsAppPeer()
  const leaf = certificate('leaf', { issuer: certificateRoot, hosts: ['localhost'] })
  await using peer = await webSocketPeer(leaf, (socket, { url, headers }) => {
    expect([url, headers['origin']]).toEqual(['/ws/chat', 'https://web.app.test'])
    const listeners: ((bytes: Buffer) => void)[] = []
    socket.on('message', message => {
      for (const listener of listeners) listener(message as Buffer)
    })
    whatsApp.talk({
      write: bytes => {
        socket.send(bytes as Buffer)
        return true
      },
      on: (_, listener) => listeners.push(listener),
    })
  })
  const target = loopbackTarget(
    'noise',
    peer.port,
    {
      transport: 'websocket',
      prologue: '57410603',
      root: whatsApp.root,
      path: '/ws/chat',
      origin: 'https://web.app.test',
    },
    { host: 'localhost' },
  )
  const { failure, steps } = await run(target)
  expect(failure).toBeNull()
  expect(steps.map(({ operation }) => operation)).toEqual([
    'resolve',
    'connect',
    'tls_handshake',
    'upgrade',
    'protocol_handshake',
  ])
})

test.each<[string, Flaws, string]>([
  ['a certificate out of date', { expired: true }, 'noise_cert_invalid'],
  ['a leaf for another key', { otherKey: true }, 'noise_cert_invalid'],
  ['a chain under another root', { otherRoot: true }, 'noise_cert_invalid'],
  ['a leaf of another issuer', { unlinked: true }, 'noise_cert_invalid'],
  ['a payload changed on the way', { garbled: true }, 'noise_decrypt_failed'],
  [
    'an answer made for another key',
    {
      raw: Buffer.from(`0000641a620a20${'09'.repeat(32)}1230${'00'.repeat(48)}1a0c${'00'.repeat(12)}`, 'hex'),
    },
    'noise_malformed',
  ],
  [
    'a key of low order',
    {
      raw: Buffer.from(`00006a1a680a20${'00'.repeat(32)}1230${'00'.repeat(48)}1a12${'00'.repeat(18)}`, 'hex'),
    },
    'noise_decrypt_failed',
  ],
  ['a frame of 16 MB', { raw: Buffer.from('ffffff', 'hex') }, 'noise_malformed'],
  ['an empty frame', { raw: Buffer.from('000000', 'hex') }, 'noise_malformed'],
])('%s: %s', async (_, flaws, failure) => {
  const { steps, origin_proof } = await ask(flaws)
  expect(steps[1]).toMatchObject({ operation: 'protocol_handshake', failure })
  expect(origin_proof).toBe('none')
})

test.each([true, false])('an independent client accepts the peer these tests stand on; garbled: %s', garbled => {
  const whatsApp = whatsAppPeer({ garbled })
  const { pubKey, privKey } = generateKeyPair()
  const ours = Buffer.from(pubKey).subarray(-32)
  const prologue = Buffer.from('57410603', 'hex')
  const session = new NoiseSession(ours, prologue)
  const { ephemeral, encryptedKey, encryptedPayload } = parseServerHello(whatsApp.answer(prologue, ours))
  // It decrypts key and certificate (the tags must fit its own transcript) and gives the chain back.
  const read = () =>
    decode(Buffer.from(session.processHandshakeInit(ephemeral, encryptedKey, encryptedPayload, privKey)))
  if (garbled) expect(read).toThrow()
  else expect([...read().keys()]).toEqual([1, 2])
  session.free()
})

test('XEdDSA: what the independent library signs verifies, and nothing else', () => {
  for (let round = 0; round < 40; round++) {
    const { pubKey, privKey } = generateKeyPair()
    const key = Buffer.from(pubKey).subarray(-32)
    const message = randomBytes(round)
    const signature = Buffer.from(calculateSignature(privKey, message))
    expect(verifyXeddsa(key, message, signature)).toBe(true)
    const at = round % 64
    const changed = Buffer.from(signature)
    changed[at]! ^= 1 << (round % 8)
    expect(verifyXeddsa(key, message, changed)).toBe(false)
    expect(verifyXeddsa(key, Buffer.concat([message, Buffer.of(0)]), signature)).toBe(false)
    expect(verifySignature(pubKey, message, signature)).toBe(true)
  }
  expect(verifyXeddsa(Buffer.alloc(32), Buffer.of(), Buffer.alloc(64))).toBe(false)
})

test('any bytes: noise_malformed, or a chain that does not verify', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(bytes, frame => {
      expect(() => parseServerHello(frame)).toThrow(Failed)
      expect(verifyChain(frame, Buffer.alloc(32), Buffer.alloc(32, 9), 0)).toBe(false)
      const nested = encode([
        [
          1,
          encode([
            [1, frame],
            [2, Buffer.alloc(64)],
          ]),
        ],
        [
          2,
          encode([
            [1, frame],
            [2, Buffer.alloc(64)],
          ]),
        ],
      ])
      expect(verifyChain(nested, Buffer.alloc(32), Buffer.alloc(32, 9), 0)).toBe(false)
    }),
    { numRuns: 1000 },
  )
})
