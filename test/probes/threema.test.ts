import { randomBytes } from 'node:crypto'
import { secretbox } from '@noble/ciphers/salsa.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Failed } from '../../probes/net/classify.ts'
import { boxKey, judgeHello } from '../../probes/threema.ts'
import { keyPair, secretFrom } from '../../probes/wire/x25519.ts'
import { run } from '../probe-contract.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer } from '../servers/tcp.ts'

const server = keyPair()
const keys = [keyPair().bytes.toString('hex'), server.bytes.toString('hex')]

type Flaws = { cookie?: boolean; key?: boolean; sequence?: number; short?: boolean }

/** The server's hello (libthreema csp): cookie, then a box of its temporary key and the client's cookie. */
const hello = (client: Buffer, { cookie, key, sequence = 1, short }: Flaws): Buffer => {
  const ours = randomBytes(16)
  const nonce = Buffer.concat([ours, Buffer.of(sequence, 0, 0, 0, 0, 0, 0, 0)])
  const shared = boxKey(key ? keyPair() : server, client.subarray(0, 32))
  const clear = Buffer.concat([keyPair().bytes, cookie ? randomBytes(16) : client.subarray(32, 48)])
  const answer = Buffer.concat([ours, secretbox(shared, nonce).seal(clear)])
  return short ? answer.subarray(0, 79) : answer
}

const ask = async (flaws: Flaws = {}) => {
  await using peer = await tcpPeer(socket => socket.once('data', client => socket.end(hello(client, flaws))))
  return await run(loopbackTarget('threema', peer.port, { keys }))
}

test('a box that only the server’s key makes, with our cookie: the key proves the origin', async () => {
  const { failure, origin_proof, sent, received } = await ask()
  expect(failure).toBeNull()
  expect({ origin_proof, sent, received }).toEqual({ origin_proof: 'key', sent: 48, received: 80 })
})

test.each<[string, Flaws, string]>([
  ['another key', { key: true }, 'threema_unknown_key'],
  ['another cookie', { cookie: true }, 'threema_bad_cookie'],
  ['another sequence number', { sequence: 2 }, 'threema_unknown_key'],
  ['one byte less', { short: true }, 'eof_error'],
])('%s: %s', async (_, flaws, failure) => {
  const { steps, origin_proof } = await ask(flaws)
  expect(steps[1]).toMatchObject({ operation: 'protocol_handshake', failure })
  expect(origin_proof).toBe('none')
})

// Bernstein, "Cryptography in NaCl" (2009), sections 2 to 5: Alice's secret and Bob's public key give the first key.
test('the key of a box is NaCl’s, by its published example', () => {
  const alice = secretFrom(Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex'))
  expect(alice.bytes.toString('hex')).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
  const bob = Buffer.from('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f', 'hex')
  const first = '1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389'
  expect(Buffer.from(boxKey(alice, bob)).toString('hex')).toBe(first)
})

test('any 80 bytes: threema_unknown_key; any others: threema_malformed', () => {
  const ours = keyPair()
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 120 }), bytes => {
      const failure = bytes.length === 80 ? 'threema_unknown_key' : 'threema_malformed'
      expect(() => judgeHello(Buffer.from(bytes), ours, Buffer.alloc(16), keys)).toThrow(new Failed(failure))
    }),
    { numRuns: 200 },
  )
})
