import { createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { Failed } from '../net/classify.ts'
import { agree, type KeyPair, keyPair } from './x25519.ts'

/** `Noise_XX_25519_AESGCM_SHA256` padded with zeros to 32 bytes, which makes it the first hash unhashed (Noise §5.2). */
const NAME = Buffer.concat([Buffer.from('Noise_XX_25519_AESGCM_SHA256'), Buffer.alloc(4)])

const TAG = 16

/**
 * The initiator's side of Noise XX as far as a probe goes: our ephemeral out, the responder's message read. Nothing is
 * sent after it, so that no session begins (noiseprotocol.org/noise.html, revision 34).
 */
export class NoiseXX {
  private readonly ours: KeyPair
  private hash: Buffer
  private salt: Buffer = NAME
  private key: Buffer = NAME
  private counter = 0

  constructor(prologue: Buffer, ours: KeyPair = keyPair()) {
    this.ours = ours
    this.hash = NAME
    this.mixHash(prologue)
    this.mixHash(ours.bytes)
  }

  get ephemeral(): Buffer {
    return this.ours.bytes
  }

  /** `e, ee, s, es` and the payload. Throws `noise_decrypt_failed` where the answer was not made for our key. */
  read(ephemeral: Buffer, encryptedKey: Buffer, encryptedPayload: Buffer): { key: Buffer; payload: Buffer } {
    this.mixHash(ephemeral)
    this.mixKey(ephemeral)
    const key = this.decrypt(encryptedKey)
    this.mixKey(key)
    return { key, payload: this.decrypt(encryptedPayload) }
  }

  private mixHash(bytes: Buffer): void {
    this.hash = createHash('sha256').update(this.hash).update(bytes).digest()
  }

  private mixKey(theirs: Buffer): void {
    const derived = Buffer.from(hkdfSync('sha256', agree(this.ours, theirs, 'noise_decrypt_failed'), this.salt, '', 64))
    this.salt = derived.subarray(0, 32)
    this.key = derived.subarray(32)
    this.counter = 0
  }

  private decrypt(bytes: Buffer): Buffer {
    const nonce = Buffer.alloc(12)
    nonce.writeUInt32BE(this.counter++, 8)
    const cipher = createDecipheriv('aes-256-gcm', this.key, nonce)
    cipher.setAAD(this.hash)
    cipher.setAuthTag(bytes.subarray(-TAG))
    this.mixHash(bytes)
    const clear = cipher.update(bytes.subarray(0, -TAG))
    try {
      cipher.final()
    } catch {
      throw new Failed('noise_decrypt_failed')
    }
    return clear
  }
}
