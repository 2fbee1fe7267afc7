import { rename, writeFile } from 'node:fs/promises'
import type { Clock } from './clock.ts'
import { FILE_MODE, readJson } from './files.ts'

type Spent = { at: number; bytes: number }
type Kept = { spent: Spent[]; wall: number; mono: number; boot: string }

const DAY = 86_400

const isKept = (value: unknown): value is Kept => {
  const { spent, wall, mono, boot } = (value ?? {}) as Partial<Kept>
  const numbers = [wall, mono, ...(Array.isArray(spent) ? spent.flatMap(({ at, bytes }) => [at, bytes]) : [Number.NaN])]
  return numbers.every(Number.isFinite) && typeof boot === 'string'
}

/**
 * Bytes for few and large tests, which come in bursts: what was granted in the last 24 hours is remembered one by one, so
 * that a whole test may run at once and no 24 hours see more than `perDay`. (`budget.ts` is for the many small ones.)
 */
export class Allowance {
  readonly perDay: number
  private readonly mono: () => number
  private spent: Spent[]

  constructor(perDay: number, mono: () => number, spent: readonly Spent[] = []) {
    this.perDay = perDay
    this.mono = mono
    this.spent = [...spent]
  }

  left(): number {
    const since = this.mono() - DAY
    this.spent = this.spent.filter(({ at }) => at > since)
    return this.spent.reduce((left, { bytes }) => left - bytes, this.perDay)
  }

  /** Grants the bytes and charges them, or charges nothing. */
  take(bytes: number): boolean {
    if (this.left() < bytes) return false
    this.spent.push({ at: this.mono(), bytes })
    return true
  }

  /** Corrects the last grant by what the test cost: bytes back, or a debt. */
  settle(granted: number, used: number): void {
    const last = this.spent.at(-1)
    if (last) last.bytes += used - granted
    else this.spent.push({ at: this.mono(), bytes: used })
  }

  /** What the last 24 hours saw. */
  remembered(): Spent[] {
    this.left()
    return this.spent.map(({ at, bytes }) => ({ at, bytes }))
  }

  /** Keeps it over a restart. */
  async save(): Promise<void> {}
}

/** The allowance kept in `file`; without it, or with a damaged one, the day is untouched. Time away counts as in `openBudget`. */
export const openAllowance = async (file: string, perDay: number, clock: Clock, boot: string): Promise<Allowance> => {
  const kept = await readJson(file, isKept)
  const away = kept ? (kept.boot === boot ? clock.mono() - kept.mono : clock.wall() - kept.wall) : 0
  const moved = kept ? clock.mono() - Math.max(0, away) - kept.mono : 0
  const spent = kept?.spent.map(({ at, bytes }) => ({ at: at + moved, bytes })) ?? []
  const allowance = new Allowance(perDay, clock.mono, spent)
  allowance.save = async () => {
    const now: Kept = { spent: allowance.remembered(), wall: clock.wall(), mono: clock.mono(), boot }
    await writeFile(`${file}.new`, JSON.stringify(now), { mode: FILE_MODE })
      .then(() => rename(`${file}.new`, file))
      .catch(() => {})
  }
  return allowance
}
