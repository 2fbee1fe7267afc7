import { randomBytes } from 'node:crypto'
import { hmac } from '../secrets.ts'
import { prefixOf } from './address.ts'

/** Tokens for the one-vote-per-prefix rules: same network same token, for a week, and no way back: the key is never written. */
export class Prefixes {
  readonly #now: () => number
  #week = -1
  #key: Buffer = Buffer.alloc(0)

  constructor(now: () => number) {
    this.#now = now
  }

  token(address: string): number {
    const week = Math.floor(this.#now() / (7 * 86_400))
    if (week !== this.#week) {
      this.#week = week
      this.#key = randomBytes(32)
    }
    return hmac(this.#key, prefixOf(address)).readUInt32BE()
  }
}
