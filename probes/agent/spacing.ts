import { FILTER_SPACING, resolversOf, type Target } from '../../measurement/target.ts'

/** Seconds: no address is asked more often, whatever a catalogue or a server says. */
export const LEAST_SPACING = 60
/** Uses older than the largest spacing a catalogue may ask for are forgotten. */
const LARGEST_SPACING = 86_400

type Key = { key: string; spacing: number }
type Used = { end: number; spacing: number }

/** Who a target contacts, by the name or address it is written with. */
export const hostOf = (target: Target): string =>
  target.kind === 'dns' && target.ask.resolver !== 'system' ? target.ask.resolver.address : target.host

/**
 * When each address was last asked, in memory only. An address is known by the name a target is written with, and once
 * it answered also by itself: two names of one address are kept 60 s apart.
 */
export class Spacing {
  private readonly used = new Map<string, Used>()
  private readonly behind = new Map<string, string>()
  private readonly start: number
  /** Seconds that addresses a filter may react to rest at least, where this agent is. */
  filtered = 0

  /** Every address counts as asked at `start`: the last activity of an earlier process. */
  constructor(start: number) {
    this.start = start
  }

  /** Whether the larger of 60 s and both targets' spacing has passed since the last measurement there ended. */
  free(target: Target, now: number): boolean {
    return now >= this.freeAt(target)
  }

  /** When it will have passed. */
  freeAt(target: Target): number {
    const ends = this.keys(target).map(({ key, spacing }) => {
      const used = this.used.get(key) ?? { end: this.start, spacing: LEAST_SPACING }
      return used.end + Math.max(spacing, used.spacing)
    })
    return Math.max(...ends)
  }

  /** Claims the target's addresses within one round; false where one is taken. */
  claim(target: Target, taken: Set<string>): boolean {
    const keys = this.keys(target).map(({ key }) => key)
    if (keys.some(key => taken.has(key))) return false
    for (const key of keys) taken.add(key)
    return true
  }

  ended(target: Target, now: number, connected: string | null): void {
    const host = hostOf(target)
    this.use(host, now, this.restOf(target))
    for (const resolver of resolversOf(target)) if (resolver !== host) this.use(resolver, now, LEAST_SPACING)
    if (!connected || connected === host) return
    this.behind.set(host, connected)
    this.use(connected, now, LEAST_SPACING)
  }

  forget(now: number): void {
    for (const [key, { end }] of this.used) if (now > end + LARGEST_SPACING) this.used.delete(key)
    for (const [host, address] of this.behind) if (!this.used.has(address)) this.behind.delete(host)
  }

  private restOf({ spacing }: Target): number {
    return Math.max(LEAST_SPACING, spacing, spacing >= FILTER_SPACING ? this.filtered : 0)
  }

  private keys(target: Target): Key[] {
    const host = hostOf(target)
    const behind = this.behind.get(host)
    const others = [...resolversOf(target), ...(behind ? [behind] : [])].filter(key => key !== host)
    const own = { key: host, spacing: this.restOf(target) }
    return [own, ...others.map(key => ({ key, spacing: LEAST_SPACING }))]
  }

  /** An earlier use that asks for a longer rest stays in force. */
  private use(key: string, end: number, spacing: number): void {
    const before = this.used.get(key)
    const rest = before ? before.end + before.spacing - end : 0
    this.used.set(key, { end, spacing: Math.max(spacing, rest) })
  }
}
