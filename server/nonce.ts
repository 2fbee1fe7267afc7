import { randomBytes, timingSafeEqual } from 'node:crypto'
import { Problem } from './problem.ts'
import { hmac } from './secrets.ts'

/** Seconds a nonce may be used: long enough for a slow line, short enough that what must be remembered stays small. */
const NONCE_SECONDS = 300
/** Most used nonces remembered at a time, about 100 MB; beyond it reports wait (503) rather than be open to replay. */
const MOST_USED = 1_000_000

const RANDOM = 12
const MAC = 16

/**
 * Nonces prove that a request is fresh without trusting the agent's clock: expiry (4 bytes), random bytes, and an HMAC
 * over both. Every collector with the same secret can tell them; each process remembers those it saw used. One used
 * twice at two collectors lets a report in twice, which batches and measurement ids make harmless.
 */
export class Nonces {
  readonly #key: Buffer
  readonly #now: () => number
  /** Used ones, in two generations: the older is dropped whole when all in it have expired. */
  #used = new Set<string>()
  #usedBefore = new Set<string>()
  #turned = 0

  constructor(key: Buffer, now: () => number) {
    this.#key = key
    this.#now = now
    this.#turned = now()
  }

  issue(): { nonce: string; expires: number } {
    const expires = Math.floor(this.#now()) + NONCE_SECONDS
    const head = Buffer.alloc(4)
    head.writeUInt32BE(expires)
    const body = Buffer.concat([head, randomBytes(RANDOM)])
    return { nonce: Buffer.concat([body, this.#mac(body)]).toString('base64url'), expires }
  }

  /** Use a nonce up, or throw why it cannot be used. */
  spend(nonce: string): void {
    const bytes = Buffer.from(nonce, 'base64url')
    const body = bytes.subarray(0, 4 + RANDOM)
    const mac = bytes.subarray(4 + RANDOM)
    if (mac.length !== MAC || !timingSafeEqual(mac, this.#mac(body)) || bytes.toString('base64url') !== nonce) {
      throw new Problem('bad-nonce', 'Ask GET /v1/nonce for one: this one is not ours.', { field: 'nonce' })
    }
    if (body.readUInt32BE() < this.#now()) {
      throw new Problem('bad-nonce', 'It has expired: ask GET /v1/nonce for another.', { field: 'nonce' })
    }
    this.#turn()
    if (this.#used.has(nonce) || this.#usedBefore.has(nonce)) {
      throw new Problem('bad-nonce', 'It was used before: ask GET /v1/nonce for another.', { field: 'nonce' })
    }
    if (this.#used.size + this.#usedBefore.size >= MOST_USED) {
      throw new Problem('busy', 'Too many reports in the last minutes.', { retryAfter: NONCE_SECONDS })
    }
    this.#used.add(nonce)
  }

  #mac(body: Buffer): Buffer {
    return hmac(this.#key, body).subarray(0, MAC)
  }

  #turn(): void {
    if (this.#now() - this.#turned <= NONCE_SECONDS) return
    this.#turned = this.#now()
    this.#usedBefore = this.#used
    this.#used = new Set()
  }
}
