import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Failed } from '../net/classify.ts'

/** Raw 32-byte X25519 keys for node:crypto, which takes them in DER only (RFC 8410). */
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex')
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex')

export type KeyPair = { secret: KeyObject; bytes: Buffer }

export const keyPair = (): KeyPair => {
  const { privateKey, publicKey } = generateKeyPairSync('x25519')
  return { secret: privateKey, bytes: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32) }
}

export const secretFrom = (bytes: Buffer): KeyPair => {
  const secret = createPrivateKey({ key: Buffer.concat([privatePrefix, bytes]), type: 'pkcs8', format: 'der' })
  return { secret, bytes: createPublicKey(secret).export({ type: 'spki', format: 'der' }).subarray(-32) }
}

/** The shared secret. A key of low order, which makes it zero, is refused by OpenSSL: the peer's lie, not a bug. */
export const agree = (
  { secret }: KeyPair,
  theirs: Buffer,
  failure: 'noise_decrypt_failed' | 'threema_unknown_key',
): Buffer => {
  try {
    const publicKey = createPublicKey({ key: Buffer.concat([publicPrefix, theirs]), type: 'spki', format: 'der' })
    return diffieHellman({ privateKey: secret, publicKey })
  } catch {
    throw new Failed(failure)
  }
}
