import { constants, createHash, generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto'
import { message, string, uint32 } from '../../probes/wire/mtproto.ts'
import { fingerprintOf, ige, temporaryKey } from '../../probes/wire/mtproto-exchange.ts'

/** What the data centre gets wrong in the key exchange. */
export type Flaw = 'guess' | 'nonce' | 'fail' | 'error' | 'short'

/** Telegram's published prime (mtproto/samples-auth_key), and a generator's power that nobody knows the exponent of. */
const PRIME = Buffer.from(
  'c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c37' +
    '20fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4' +
    'a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4' +
    'e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b',
  'hex',
)

/** A data centre's RSA key and its side of the exchange's second step (core.telegram.org/mtproto/auth_key, step 5). */
export const exchangeKey = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const modulus = Buffer.from(privateKey.export({ format: 'jwk' }).n!, 'base64url')
  const answer = (request: Buffer, flaw?: Flaw): Buffer => {
    const nonce = request.subarray(24, 40)
    const serverNonce = request.subarray(40, 56)
    // Two TL strings of four bytes, the key's fingerprint, then a TL string of 256 bytes.
    const sealed = request.subarray(56 + 16 + 8 + 4, 56 + 16 + 8 + 4 + 256)
    const newNonce =
      flaw === 'guess'
        ? randomBytes(32)
        : secretOf(privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, sealed))
    const inner = Buffer.concat([
      uint32(0xb5890dba),
      ...[flaw === 'nonce' ? randomBytes(16) : nonce, serverNonce],
      uint32(3),
      ...[string(PRIME), string(Buffer.concat([Buffer.of(0x12), randomBytes(255)]))],
      uint32(Math.floor(Date.now() / 1000)),
    ])
    const hashed = Buffer.concat([createHash('sha1').update(inner).digest(), inner])
    const padded = Buffer.concat([hashed, randomBytes((16 - (hashed.length % 16)) % 16)])
    const { key, iv } = temporaryKey(newNonce, serverNonce)
    const body = flaw === 'short' ? randomBytes(16) : ige(padded, key, iv, 'encrypt')
    const type = uint32(flaw === 'fail' ? 0x79cb045d : 0xd0e8075c)
    return message(Buffer.concat([type, nonce, serverNonce, string(body)]), Date.now())
  }
  return { modulus, fingerprint: fingerprintOf(modulus), answer }
}

/** RSA_PAD undone: the one-time key from under the hash, the data reversed, its hash held against it. */
const secretOf = (block: Buffer): Buffer => {
  const sealed = block.subarray(32)
  const mask = createHash('sha256').update(sealed).digest()
  const key = Buffer.from(block.subarray(0, 32).map((byte, at) => byte ^ mask[at]!))
  const clear = ige(sealed, key, Buffer.alloc(32), 'decrypt')
  const padded = Buffer.from(clear.subarray(0, 192)).reverse()
  const hash = createHash('sha256').update(key).update(padded).digest()
  if (!hash.equals(clear.subarray(192))) throw new Error('RSA_PAD: the hash does not fit.')
  // p_q_inner_data(_dc): type, pq as 12 bytes, p and q as 8 each, two nonces, the secret.
  return padded.subarray(4 + 12 + 8 + 8 + 32, 4 + 12 + 8 + 8 + 64)
}
