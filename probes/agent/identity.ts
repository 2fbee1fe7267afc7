import { createHash, createHmac, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint'
import { CompactSign } from 'jose/jws/compact/sign'
import { privateFolder, readIfThere, writeDurably } from './files.ts'

/** Public half of an Ed25519 key (RFC 8037). */
export type PublicKey = { kty: 'OKP'; crv: 'Ed25519'; x: string }
export type PrivateKey = PublicKey & { d: string }

export type Identity = {
  publicKey: PublicKey
  /** RFC 7638. */
  thumbprint: string
  /**
   * Proof that the holder of the key sends this body now: compact JWS over method, path, SHA-256 of the bytes as sent,
   * and the server's nonce. Stands in `Authorization: Peyk <proof>`.
   */
  prove(method: string, path: string, body: Uint8Array, nonce: string): Promise<string>
  /** A compact JWS of a type of its own over a payload, with the public key in its header. */
  sign(type: string, payload: object): Promise<string>
  /** A pseudorandom function of the key, for names that must not be linkable without it. */
  keyed(text: string): Buffer
}

const base64url = /^[A-Za-z0-9_-]{43}$/

export const isPublicKey = (value: unknown): value is PublicKey => {
  const key = value as Partial<PublicKey> | null
  return key?.kty === 'OKP' && key.crv === 'Ed25519' && base64url.test(key.x ?? '')
}

const isPrivateKey = (value: unknown): value is PrivateKey =>
  isPublicKey(value) && base64url.test((value as Partial<PrivateKey>).d ?? '')

export const publicHalf = ({ kty, crv, x }: PublicKey): PublicKey => ({ kty, crv, x })

export const makeKey = (): PrivateKey =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as PrivateKey

export const keyObject = (key: PrivateKey): KeyObject => createPrivateKey({ key, format: 'jwk' })

/** Reads a private key kept as a JWK; `null` where the file does not exist. A damaged one stops: it is never replaced unasked. */
export const readPrivateKey = async (file: string): Promise<PrivateKey | null> => {
  const bytes = await readIfThere(file)
  if (!bytes) return null
  let key: unknown
  try {
    key = JSON.parse(bytes.toString('utf8'))
  } catch {}
  if (!isPrivateKey(key))
    throw new Error(`${file} holds no Ed25519 key (JWK): restore it, or delete it to get a new one.`)
  return key
}

/** The private key of a file, made at first use. */
export const ownKey = async (file: string): Promise<PrivateKey> => {
  const found = await readPrivateKey(file)
  if (found) return found
  const key = makeKey()
  await writeDurably(file, JSON.stringify(key))
  return key
}

/** The identity kept in `folder`/key.json, made at first use. */
export const openIdentity = async (folder: string): Promise<Identity> => {
  const key = await ownKey(join(await privateFolder(folder), 'key.json'))
  const signer = keyObject(key)
  const publicKey = publicHalf(key)
  const secret = Buffer.from(key.d, 'base64url')
  const sign = (typ: string, payload: object): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'EdDSA', typ, jwk: publicKey })
      .sign(signer)
  return {
    publicKey,
    thumbprint: await calculateJwkThumbprint(publicKey),
    prove: (method, path, body, nonce) =>
      sign('peyk-proof', { method, path, sha256: createHash('sha256').update(body).digest('hex'), nonce }),
    sign,
    keyed: text => createHmac('sha256', secret).update(text).digest(),
  }
}
