import { rename, writeFile } from 'node:fs/promises'
import type { Step } from '../../measurement/step.ts'
import type { Clock } from './clock.ts'
import { FILE_MODE, readJson } from './files.ts'

/**
 * Bytes this agent may use, as counted on the wire. Its laws:
 * - In any 24 hours no more than `perDay` is granted: the bucket holds a twelfth of it, and the rest flows in evenly.
 * - What is spent beyond what was granted (a test that cost more than expected, an upload) is a debt, paid first.
 * - It survives restarts.
 */
export interface Budget {
  readonly perDay: number
  /** Grants the bytes and charges them, or says no and charges nothing. Ask before each test. */
  take(bytes: number): boolean
  /** Corrects a grant when the test is over. */
  settle(granted: number, used: number): void
  /** Charges what cannot be refused: reports and the catalogue. */
  charge(bytes: number): void
  /** Bytes that can be granted now; negative while in debt. */
  left(): number
  /** Keeps it over a restart, and when the agent last measured (`mono`), which is `lastActive` afterwards within the same boot. */
  save(active: number | null): Promise<void>
  readonly lastActive: number | null
}

/** What the headers of IP, TCP and UDP and retransmissions add (reference detection.md §5.1). */
export const OVERHEAD = 1.08
/** Opening and closing a TCP connection: seven packets without payload, of up to 60 bytes. */
const CONNECTION_BYTES = 420
/** The headers of a question and its answer that fill no packets, and of what acknowledges them. */
export const EXCHANGE_BYTES = 100

/** Bytes on the wire of a run, from the bytes on its sockets. */
export const wireBytes = (run: { steps: readonly Step[]; sent: number; received: number }): number => {
  const connections = run.steps.filter(({ operation }) => operation === 'connect').length
  const exchanges = run.steps.length - connections
  return Math.ceil((run.sent + run.received) * OVERHEAD + connections * CONNECTION_BYTES + exchanges * EXCHANGE_BYTES)
}

const DAY = 86_400
const BURST = 1 / 12

export class Bucket implements Budget {
  readonly perDay: number
  lastActive: number | null = null
  private readonly mono: () => number
  private tokens: number
  private at: number

  constructor(perDay: number, mono: () => number, tokens = perDay * BURST) {
    this.perDay = perDay
    this.mono = mono
    this.tokens = Math.min(tokens, perDay * BURST)
    this.at = mono()
  }

  left(): number {
    const now = this.mono()
    const rate = (this.perDay * (1 - BURST)) / DAY
    this.tokens = Math.min(this.perDay * BURST, this.tokens + Math.max(0, now - this.at) * rate)
    this.at = now
    return this.tokens
  }

  take(bytes: number): boolean {
    if (this.left() < bytes) return false
    this.tokens -= bytes
    return true
  }

  settle(granted: number, used: number): void {
    this.tokens = Math.min(this.perDay * BURST, this.left() + granted - used)
  }

  charge(bytes: number): void {
    this.tokens = this.left() - bytes
  }

  async save(_active: number | null): Promise<void> {}
}

type Kept = { tokens: number; wall: number; mono: number; boot: string; active: number | null }

const isKept = (value: unknown): value is Kept => {
  const kept = value as Partial<Kept> | null
  return [kept?.tokens, kept?.wall, kept?.mono].every(Number.isFinite) && typeof kept?.boot === 'string'
}

/**
 * The bucket kept in `file`. Time that passed while nothing ran flows in: by the clock that never jumps within one
 * boot, else by the wall clock. Without the file, or with a damaged one, the bucket starts full: a twelfth of a day.
 */
export const openBudget = async (file: string, perDay: number, clock: Clock, boot: string): Promise<Budget> => {
  const kept = await readJson(file, isKept)
  const away = kept ? (kept.boot === boot ? clock.mono() - kept.mono : clock.wall() - kept.wall) : 0
  const flowed = (Math.max(0, away) * perDay * (1 - BURST)) / DAY
  const bucket = new Bucket(perDay, clock.mono, kept ? kept.tokens + flowed : undefined)
  bucket.lastActive = kept?.boot === boot ? kept.active : null
  bucket.save = async active => {
    const now: Kept = { tokens: Math.round(bucket.left()), wall: clock.wall(), mono: clock.mono(), boot, active }
    // Renamed whole but not synced: what a power loss takes is a minute's worth at most, and flash lives longer.
    await writeFile(`${file}.new`, JSON.stringify(now), { mode: FILE_MODE })
      .then(() => rename(`${file}.new`, file))
      .catch(() => {})
  }
  return bucket
}
