import { randomBytes } from 'node:crypto'
import { hsalsa, secretbox } from '@noble/ciphers/salsa.js'
import { Failed } from './net/classify.ts'
import type { Probe } from './probe.ts'
import { agree, type KeyPair, keyPair } from './wire/x25519.ts'

/**
 * Threema's client hello: our temporary key and a cookie out, and back a box that only a chat server's key can make, with
 * our cookie in it. Proves the server without an account. Facts and sources: reference endpoints.md §5 (libthreema csp).
 */
export const threema: Probe<'threema'> = async ({ ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  const proven = await net.speak('protocol_handshake', stream, async wire => {
    const ours = keyPair()
    const cookie = randomBytes(16)
    wire.write(Buffer.concat([ours.bytes, cookie]))
    judgeHello(await wire.read(80), ours, cookie, ask.keys)
    return true
  })
  if (proven) net.prove('key')
}

/** Server hello: its cookie (16), then a NaCl box (64) of its temporary key (32) and our cookie (16). Throws the failure. */
export const judgeHello = (hello: Buffer, ours: KeyPair, cookie: Buffer, keys: readonly string[]): void => {
  if (hello.length !== 80) throw new Failed('threema_malformed')
  // The nonce is the server's cookie and its sequence number, which begins at one.
  const nonce = Buffer.concat([hello.subarray(0, 16), Buffer.from('0100000000000000', 'hex')])
  const clear = keys
    .map(key => openBox(hello.subarray(16), nonce, Buffer.from(key, 'hex'), ours))
    .find(box => box !== null)
  if (!clear) throw new Failed('threema_unknown_key')
  if (!clear.subarray(32).equals(cookie)) throw new Failed('threema_bad_cookie')
}

/** NaCl's `crypto_box_open`. Null where the box was not made with that key. */
const openBox = (box: Buffer, nonce: Buffer, key: Buffer, ours: KeyPair): Buffer | null => {
  try {
    return Buffer.from(secretbox(boxKey(ours, key), nonce).open(box))
  } catch (error) {
    if (error instanceof Failed) throw error
    return null
  }
}

/** The key two pairs share in a NaCl box: HSalsa20 of the X25519 secret under a nonce of zeros. */
export const boxKey = (ours: KeyPair, theirs: Buffer): Uint8Array => {
  const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer)
  const key = new Uint32Array(8)
  hsalsa(
    words(Buffer.from('expand 32-byte k')),
    words(agree(ours, theirs, 'threema_unknown_key')),
    new Uint32Array(4),
    key,
  )
  return new Uint8Array(key.buffer)
}
