import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { Failed } from '../net/classify.ts'
import { bodyOf, message, type ResPq, readerOf, string, uint32 } from './mtproto.ts'

/**
 * The second step of MTProto's key exchange (core.telegram.org/mtproto/auth_key): a secret is sent under the app's RSA
 * key, and the answer is encrypted with it. Whoever answers owns the private key. Nothing is sent after it, so that no
 * key comes into being.
 */

const REQ_DH_PARAMS = 0xd712e4be
const P_Q_INNER_DATA_DC = 0xa9f55f95
const SERVER_DH_PARAMS_OK = 0xd0e8075c
const SERVER_DH_INNER_DATA = 0xb5890dba

const EXPONENT = Buffer.from('010001', 'hex')

/** Fingerprint of an RSA key of exponent 65537: the last 64 bits of SHA-1 over modulus and exponent, as a number in hex. */
export const fingerprintOf = (modulus: Buffer): string =>
  sha1(string(modulus), string(EXPONENT)).subarray(12).reverse().toString('hex')

/** `req_DH_params` to a resPQ, the secret in it, and the key it is for. */
export const beginExchange = async (
  answer: ResPq,
  modulus: Buffer,
  dc: number,
  now: number,
): Promise<{ question: Buffer; newNonce: Buffer; fingerprint: string }> => {
  const { nonce, serverNonce, pq } = answer
  const fingerprint = fingerprintOf(modulus)
  if (!answer.fingerprints.includes(fingerprint)) throw new Failed('mtproto_unknown_fingerprint')
  const newNonce = randomBytes(32)
  const factors = (await factorize(BigInt(`0x${pq.toString('hex')}`))).map(factor => string(bigEndian(factor)))
  const inner = Buffer.concat([
    uint32(P_Q_INNER_DATA_DC),
    string(pq),
    ...factors,
    nonce,
    serverNonce,
    newNonce,
    uint32(dc >>> 0),
  ])
  const key = Buffer.from(fingerprint, 'hex').reverse()
  const encrypted = string(rsaPad(inner, modulus))
  const body = Buffer.concat([uint32(REQ_DH_PARAMS), nonce, serverNonce, ...factors, key, encrypted])
  return { question: message(body, now), newNonce, fingerprint }
}

/** Judge `server_DH_params_ok`: that its inner part is ours proves that our secret was read. Throws the failure. */
export const judgeExchange = (packet: Buffer, { nonce, serverNonce }: ResPq, newNonce: Buffer): void => {
  const read = bodyOf(packet, SERVER_DH_PARAMS_OK)
  if (!read.bytes(16).equals(nonce) || !read.bytes(16).equals(serverNonce)) throw new Failed('mtproto_bad_nonce')
  const encrypted = read.string()
  if (encrypted.length < 64 || encrypted.length % 16 !== 0) throw new Failed('mtproto_malformed')
  const { key, iv } = temporaryKey(newNonce, serverNonce)
  const clear = ige(encrypted, key, iv, 'decrypt')
  // SHA-1 of the answer, the answer, and up to 15 bytes of padding.
  if (!innerOf(clear.subarray(20), nonce, serverNonce).equals(clear.subarray(0, 20))) throw new Failed('mtproto_forged')
}

/** SHA-1 of the inner data, which must be the answer to these nonces. */
const innerOf = (clear: Buffer, nonce: Buffer, serverNonce: Buffer): Buffer => {
  const inner = readerOf(clear)
  try {
    const ours =
      inner.uint32() === SERVER_DH_INNER_DATA && inner.bytes(16).equals(nonce) && inner.bytes(16).equals(serverNonce)
    if (!ours) throw new Failed('mtproto_forged')
    inner.uint32()
    inner.string()
    inner.string()
    inner.uint32()
  } catch {
    // Decrypted with the right key it is well formed.
    throw new Failed('mtproto_forged')
  }
  return sha1(clear.subarray(0, inner.at()))
}

/** Key and vector the answer is encrypted with, of the secret and the server's nonce. */
export const temporaryKey = (newNonce: Buffer, serverNonce: Buffer): { key: Buffer; iv: Buffer } => {
  const both = sha1(serverNonce, newNonce)
  return {
    key: Buffer.concat([sha1(newNonce, serverNonce), both.subarray(0, 12)]),
    iv: Buffer.concat([both.subarray(12), sha1(newNonce, newNonce), newNonce.subarray(0, 4)]),
  }
}

/** RSA_PAD (auth_key, step 4.1): at most 144 bytes under a one-time key, that key under a hash, all under RSA. */
const rsaPad = (inner: Buffer, modulus: Buffer): Buffer => {
  const padded = Buffer.concat([inner, randomBytes(192 - inner.length)])
  for (;;) {
    const key = randomBytes(32)
    const hashed = Buffer.concat([Buffer.from(padded).reverse(), sha256(key, padded)])
    const sealed = ige(hashed, key, Buffer.alloc(32), 'encrypt')
    const mask = sha256(sealed)
    const block = Buffer.concat([key.map((byte, at) => byte ^ mask[at]!), sealed])
    // RSA takes numbers below the modulus only.
    if (block.compare(modulus) < 0) return rsa(block, modulus)
  }
}

const rsa = (block: Buffer, modulus: Buffer): Buffer => {
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: EXPONENT.toString('base64url') }
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  return publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block)
}

/** AES-256 in infinite garble extension, which OpenSSL no longer offers: m ⊕ last c, cipher, ⊕ last m. */
export const ige = (bytes: Buffer, key: Buffer, iv: Buffer, way: 'encrypt' | 'decrypt'): Buffer => {
  const cipher =
    way === 'encrypt' ? createCipheriv('aes-256-ecb', key, null) : createDecipheriv('aes-256-ecb', key, null)
  cipher.setAutoPadding(false)
  let [before, after] =
    way === 'encrypt' ? [iv.subarray(0, 16), iv.subarray(16)] : [iv.subarray(16), iv.subarray(0, 16)]
  const blocks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const block = bytes.subarray(at, at + 16)
    const result = xor(cipher.update(xor(block, before)), after)
    blocks.push(result)
    before = result
    after = block
  }
  return Buffer.concat(blocks)
}

const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, at) => byte ^ b[at]!))

const sha1 = (...parts: Buffer[]): Buffer => createHash('sha1').update(Buffer.concat(parts)).digest()
const sha256 = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

const bigEndian = (number: bigint): Buffer => {
  const hex = number.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
}

/** Milliseconds of arithmetic after which other probes have their turn, and steps after which a number is given up. */
const TURN = 5
const MAX_STEPS = 2 ** 18

/**
 * The two prime factors of a number of up to 64 bits, smaller first, by Pollard's rho. Real ones take some ten thousand
 * steps; a number that has no two factors is the peer's lie.
 */
export const factorize = async (number: bigint): Promise<[bigint, bigint]> => {
  if (number % 2n === 0n) throw new Failed('mtproto_malformed')
  let turn = performance.now()
  for (let constant = 1n; constant < 4n; constant++) {
    let slow = 2n
    let fast = 2n
    for (let step = 0; step < MAX_STEPS; step++) {
      slow = (slow * slow + constant) % number
      fast = (fast * fast + constant) % number
      fast = (fast * fast + constant) % number
      const divisor = gcd(slow > fast ? slow - fast : fast - slow, number)
      if (divisor === number) break
      if (divisor > 1n) return divisor < number / divisor ? [divisor, number / divisor] : [number / divisor, divisor]
      if (performance.now() - turn > TURN) {
        await setImmediate()
        turn = performance.now()
      }
    }
  }
  throw new Failed('mtproto_malformed')
}

const gcd = (a: bigint, b: bigint): bigint => {
  while (b > 0n) [a, b] = [b, a % b]
  return a
}
