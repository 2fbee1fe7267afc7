import { createPublicKey, verify } from 'node:crypto'

/** The field of Curve25519. */
const P = 2n ** 255n - 19n

/**
 * Verify an XEdDSA signature (signal.org/docs/specifications/xeddsa) made with an X25519 key, as libsignal does: the key
 * becomes its Edwards point, whose sign the signature carries in its last bit; then it is Ed25519.
 */
export const verifyXeddsa = (key: Buffer, message: Buffer, signature: Buffer): boolean => {
  if (key.length !== 32 || signature.length !== 64) return false
  const u = fromLittleEndian(key) & (2n ** 255n - 1n)
  if (u >= P || u === P - 1n) return false
  // y = (u − 1) / (u + 1), RFC 7748 §4.1.
  const y = ((u - 1n + P) * power(u + 1n, P - 2n)) % P
  const point = toLittleEndian(y)
  const sign = signature[63]! & 0x80
  point[31]! |= sign
  const plain = Buffer.from(signature)
  plain[63]! &= 0x7f
  try {
    const publicKey = createPublicKey({ key: Buffer.concat([prefix, point]), type: 'spki', format: 'der' })
    return verify(null, message, publicKey, plain)
  } catch {
    return false
  }
}

/** An Ed25519 key in DER (RFC 8410). */
const prefix = Buffer.from('302a300506032b6570032100', 'hex')

const fromLittleEndian = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
const toLittleEndian = (number: bigint): Buffer => Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse()

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let square = base % P; exponent > 0n; exponent >>= 1n, square = (square * square) % P) {
    if (exponent & 1n) result = (result * square) % P
  }
  return result
}
