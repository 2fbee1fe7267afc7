import { randomBytes } from 'node:crypto'
import type { PolicyEvent } from '../events/event.ts'
import { verdicts } from '../measurement/verdict.ts'
import { ROLLUP_SECONDS, VERDICT_LOOKBACK_SECONDS } from '../measurement/windows.ts'
import { flagNetworks } from './analysis/anonymity.ts'
import { judgeTouched } from './analysis/verdicts.ts'
import { Arrivals } from './arrivals.ts'
import type { Facts } from './facts.ts'
import { type Change, detect, look } from './findings.ts'
import { agentPairs } from './pairs.ts'
import { agentWindows, rollups } from './rollup.ts'
import { Spans } from './spans.ts'
import type { Store } from './store/store.ts'
import { type Touched, touch, touchAll } from './touched.ts'
import { Watch } from './watch.ts'

export type AnalystParts = {
  store: Store
  facts: Facts
  events: readonly PolicyEvent[]
  networkName: (asn: number) => string | undefined
  /** PEYK_MIN_AGENTS. */
  leastAgents: number
  /** Other processes store rows too: the store is asked for them, and nobody needs to tell. */
  follow?: boolean
  /** Unix seconds. */
  now: () => number
  /** Told of every change of a degradation, after it is durable. */
  changed?: (changes: readonly Change[]) => void | Promise<void>
  /** Told of a failure of the store; the work is tried again. */
  failed?: (error: Error) => void
  /** Told after each settling: the windows whose rollups were made anew, and seconds it took. */
  settled?: (judged: Touched, seconds: number) => void
}

/** Rows come in bursts: so long to gather what one settling can do. */
const GATHER_MS = 2_000
const RETRY_MS = 15_000
/** How often the store is asked for rows of other processes. */
const FOLLOW_MS = 5_000
/** How far back rows are looked for that a killed process stored and did not settle: more than clocks of two analysts differ. */
const OVERLAP_SECONDS = 600

/**
 * Turns raw rows into public answers: agent windows, verdicts, the anonymity flag, rollups, degradations; for the touched
 * windows only. Idempotent, so a killed or a second analyst does no harm: where it stopped stands in the store.
 */
export class Analyst {
  readonly #parts: AnalystParts
  readonly #watch: Watch
  #touched: Touched = new Map()
  #recent = new Map<string, number>()
  #working: Promise<void> = Promise.resolve()
  readonly #spans: Spans
  /** When what was judged last began to be (Unix seconds): rows that arrived before are in the windows. */
  #judged = 0
  #timer: NodeJS.Timeout | undefined
  #tick: NodeJS.Timeout | undefined
  readonly #arrivals: Arrivals | null
  #following: NodeJS.Timeout | undefined
  #asking: Promise<void> = Promise.resolve()
  #stopped = false
  /** Seconds since the oldest touched window began to wait; 0 when none does. */
  #waiting = 0

  constructor(parts: AnalystParts) {
    this.#parts = parts
    this.#watch = new Watch(parts.store)
    this.#spans = new Spans(parts.store, () => this.#schedule(0))
    this.#arrivals = parts.follow ? new Arrivals(parts.store) : null
  }

  /** Take up what was stored and not settled, and begin to judge on time. */
  async start(): Promise<void> {
    const { store, facts } = this.#parts
    const since = facts.of<{ arrived: number }>('analyst').get('settled')?.arrived ?? 0
    const rows = await store.query<{ country: string; asn: number; start: number }>(
      `SELECT DISTINCT country, asn, toUnixTimestamp(toStartOfInterval(placed, INTERVAL ${ROLLUP_SECONDS} SECOND)) AS start
       FROM measurements WHERE arrived >= fromUnixTimestamp(greatest(0, {since:Int64} - ${OVERLAP_SECONDS})) AND trust != 'quarantined'`,
      { since: Math.floor(since) },
    )
    for (const { country, asn, start } of rows) this.#add(country, asn, start)
    this.#schedule(0)
    this.#tickAtNextWindow()
    if (this.#arrivals) this.#followLater()
  }

  #followLater(): void {
    this.#following = setTimeout(() => {
      this.#asking = this.#follow()
        .catch(error => this.#parts.failed?.(error as Error))
        .then(() => {
          if (!this.#stopped) this.#followLater()
        })
    }, FOLLOW_MS).unref()
  }

  async #follow(): Promise<void> {
    const touched = await this.#arrivals?.touched(this.#parts.now())
    if (touched && touched.size > 0) this.#gather(touched, 0)
  }

  /** With every window, as soon as it begins: until then the present shows the one before. */
  #tickAtNextWindow(): void {
    const { now } = this.#parts
    const wait = ROLLUP_SECONDS - (now() % ROLLUP_SECONDS)
    this.#tick = setTimeout(() => {
      this.#judgePresent(now())
      this.#tickAtNextWindow()
    }, wait * 1000).unref()
  }

  /** Rows became durable: their windows are to be settled, after so many milliseconds at the latest. */
  touch(touched: Touched, within: number = GATHER_MS): void {
    if (!this.#arrivals) this.#gather(touched, within)
  }

  #gather(touched: Touched, within: number): void {
    for (const [network, windows] of touched) {
      const [country = '', asn = ''] = network.split(' ')
      for (const at of windows) this.#add(country, Number(asn), at)
    }
    this.#schedule(within)
  }

  /** Seconds the oldest unsettled row has waited; 0 when all is settled. */
  lag(): number {
    return this.#waiting === 0 ? 0 : Math.max(0, this.#parts.now() - this.#waiting)
  }

  /** Resolves when everything touched so far is settled; rejects when the store fails. */
  async idle(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#working
    await this.#follow()
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#spans.hurry()
    await this.#settle()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#tick)
    this.#stopped = true
    clearTimeout(this.#following)
    await this.#asking
    clearTimeout(this.#timer)
    await this.#working
    this.#spans.stop()
  }

  #add(country: string, asn: number, at: number): void {
    if (this.#waiting === 0) this.#waiting = this.#parts.now()
    touch(this.#touched, country, asn, at)
    const network = `${country} ${asn}`
    this.#recent.set(network, Math.max(this.#recent.get(network) ?? 0, at))
  }

  #schedule(after: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#working = this.#working
        .then(() => this.#settle())
        .catch(error => {
          this.#parts.failed?.(error as Error)
          this.#schedule(RETRY_MS)
        })
    }, after)
  }

  /** Time passes where nothing arrives: what was measured within the look-back is judged for the present window too. */
  #judgePresent(now: number): void {
    for (const [network, at] of this.#recent) {
      const [country = '', asn = ''] = network.split(' ')
      if (at < now - VERDICT_LOOKBACK_SECONDS) this.#recent.delete(network)
      else this.#add(country, Number(asn), at)
    }
    if (this.#touched.size > 0) this.#schedule(0)
  }

  /** One of the store, made by its first analyst. */
  async #salt(): Promise<string> {
    const { facts } = this.#parts
    const shelf = facts.of<{ salt: string }>('finding')
    if (!shelf.get('salt')) await facts.refresh()
    if (!shelf.get('salt')) await facts.put(shelf.entry('salt', { salt: randomBytes(32).toString('base64url') }))
    return shelf.get('salt')!.salt
  }

  async #settle(): Promise<void> {
    if (this.#touched.size > 0) await this.#settleWindows()
    if (!(await this.#spans.settle())) return
    // Only now: a process killed before makes hours and days anew from the rows.
    const { facts } = this.#parts
    await facts.put(facts.of<{ arrived: number }>('analyst').entry('settled', { arrived: this.#judged }))
  }

  async #settleWindows(): Promise<void> {
    const { store, events, networkName, leastAgents, now, changed, settled } = this.#parts
    const touched = this.#touched
    const began = now()
    // Whole seconds: the store's times are.
    const at = Math.floor(began)
    this.#touched = new Map()
    try {
      await agentWindows(store, touched)
      // Before the verdicts, which read from it what is usual: after a restart it knows nothing yet.
      const sights = await look(this.#watch, touched, at)
      const paired = await agentPairs(store, touched)
      const judged = await judgeTouched(store, touched, at, { usual: (...of) => this.#watch.usual(...of), paired })
      await flagNetworks(store, touched, leastAgents)
      await rollups(store, judged, verdicts, [ROLLUP_SECONDS])
      this.#spans.add(judged)
      const changes = await detect(sights, store, { events, networkName, now: at, salt: await this.#salt() })
      this.#judged = began
      if (this.#touched.size === 0) this.#waiting = 0
      settled?.(judged, now() - began)
      if (changes.length > 0) await changed?.(changes)
    } catch (error) {
      // What could not be settled is touched still.
      touchAll(this.#touched, touched)
      throw error
    }
  }
}
