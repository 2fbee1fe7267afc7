import { isIPv6 } from 'node:net'

export type LimitsOptions = {
  /** Bytes a second the whole helper gives and takes. */
  rate: number
  /** Bytes of a day for one address (IPv4) or /64 (IPv6). */
  quota: number
  now?: () => number
}

type Bucket = { tokens: number; at: number; open: number }

/** An address may use so much of its day at once, and hold so many connections. */
const BURST = 1 / 4
const MOST_OPEN = 8
/** Seconds of the whole rate that may be granted at once. */
const GRANTED_AHEAD = 4
/** Addresses remembered at most: a new one is refused while so many are in use. */
const MOST_KNOWN = 100_000
/** Seconds between two looks for whom to forget, while it is full. */
const FORGET_SECONDS = 1
const DAY = 86_400

/**
 * Who may use how much of the helper. It refuses and never slows down: a slow helper would read as a throttled line.
 * Addresses stand in memory only, and are forgotten when their day is whole again.
 */
export class Limits {
  private readonly options: LimitsOptions
  private readonly now: () => number
  private readonly known = new Map<string, Bucket>()
  private whole: Bucket
  private forgotten = Number.NEGATIVE_INFINITY

  constructor(options: LimitsOptions) {
    this.options = options
    this.now = options.now ?? (() => performance.now() / 1000)
    this.whole = { tokens: options.rate * GRANTED_AHEAD, at: this.now(), open: 0 }
  }

  /** Grants the bytes to this address, or nothing. */
  take(address: string, bytes: number): boolean {
    const { rate, quota } = this.options
    const own = this.bucketOf(address)
    if (!own) return false
    fill(own, (quota * (1 - BURST)) / DAY, quota * BURST, this.now())
    fill(this.whole, rate, rate * GRANTED_AHEAD, this.now())
    if (own.tokens < bytes || this.whole.tokens < bytes) return false
    own.tokens -= bytes
    this.whole.tokens -= bytes
    return true
  }

  /** A connection of this address; what is returned ends it. Null where it has too many. */
  open(address: string): (() => void) | null {
    const own = this.bucketOf(address)
    if (!own || own.open >= MOST_OPEN) return null
    own.open++
    let open = true
    return () => {
      if (open) own.open--
      open = false
    }
  }

  /** How many addresses are remembered. */
  get remembered(): number {
    return this.known.size
  }

  private bucketOf(address: string): Bucket | null {
    const key = networkOf(address)
    const found = this.known.get(key)
    if (found) return found
    // Not for each of a flood of forged addresses: looking through all of them is work.
    if (this.known.size >= MOST_KNOWN && this.now() >= this.forgotten + FORGET_SECONDS) this.forget()
    if (this.known.size >= MOST_KNOWN) return null
    const fresh = { tokens: this.options.quota * BURST, at: this.now(), open: 0 }
    this.known.set(key, fresh)
    return fresh
  }

  /** Forgets who has used nothing that is not flowed in again. */
  forget(): void {
    const { quota } = this.options
    this.forgotten = this.now()
    for (const [key, own] of this.known) {
      fill(own, (quota * (1 - BURST)) / DAY, quota * BURST, this.now())
      if (own.open === 0 && own.tokens >= quota * BURST) this.known.delete(key)
    }
  }
}

const fill = (bucket: Bucket, rate: number, most: number, now: number): void => {
  bucket.tokens = Math.min(most, bucket.tokens + (now - bucket.at) * rate)
  bucket.at = now
}

/** IPv6 gives everybody a /64 at least. */
const networkOf = (address: string): string => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle = Array(Math.max(0, 8 - groups.length - rest.length)).fill('0')
  return [...groups, ...middle, ...rest].slice(0, 4).join(':')
}
