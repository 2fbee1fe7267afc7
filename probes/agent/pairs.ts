import { randomBytes } from 'node:crypto'
import { isWorthMore, legOf, pairBytes, tripsOf } from '../../measurement/judge/leg.ts'
import { goesOn, type Leg, type Pair as Seen } from '../../measurement/judge/throttle.ts'
import type { Measurement, Pair } from '../../measurement/measurement.ts'
import type { Allowance } from './allowance.ts'
import type { Consent, Offer, Place } from './may-ask.ts'
import { costOf, type Due, type Entry, PairQueue, type Transfer } from './pair-queue.ts'
import type { Profile } from './profiles.ts'
import type { Planned } from './schedule.ts'
import type { Spacing } from './spacing.ts'

type Side = Pair['leg']

/** A test that runs: one pair after the other, leg after leg. */
type Running = {
  entry: Entry
  control: Transfer
  pair: Omit<Pair, 'leg' | 'first'>
  order: readonly Side[]
  /** When its first leg was granted; null before. */
  since: number | null
  granted: number
  /** Pairs of this test that are over. */
  seen: readonly Seen[]
  legs: Partial<Record<Side, { leg: Leg | null; trips: number[] }>>
}

/** `skipped`: a leg would have been made, had there been bytes. */
export type PairPlan = { run: (Planned & { pair: Pair }) | null; skipped: boolean }

/** Legs of one pair start within this many seconds of each other, or the pair is given up: a line changes. */
const TOGETHER = 900

export type PairsOptions = {
  pace: Profile['pairs']
  /** Bytes of the day, by stage. */
  allowances: { shape: Allowance; confirm: Allowance }
  /** The schedule's: an address is known to both. */
  spacing: Spacing
  consent: Consent
  random?: () => number
}

/**
 * Which leg of which paired transfer to make when. Its laws:
 * - One leg at a time, and both legs of a pair, of equal size, close in time, in an order of chance; but where both go to
 *   one address, the innocuous one goes first, since a name that is filtered can taint an address for a while (§1.5).
 * - A pair begins only when its bytes are granted, both legs at once. Confirmations take nothing of what shape tests have.
 * - Addresses keep their spacing, which is the schedule's law too.
 * - A test is a pair of 160 KiB and two of 256 KiB, and ends with the first that stands against it. A shape test that looks
 *   bad, or a server that asks, makes one come early, three times a day at most for each transfer.
 * Each leg that is planned ends (`ended`) before the next is planned.
 */
export class Pairs {
  private readonly options: PairsOptions
  private readonly random: () => number
  private readonly queue: PairQueue
  private running: Running | null = null
  private wait = Number.NEGATIVE_INFINITY

  constructor(options: PairsOptions) {
    this.options = options
    this.random = options.random ?? Math.random
    this.queue = new PairQueue(options.pace, options.consent, this.random)
  }

  /** Takes a catalogue. A test that runs is given up: its targets may have changed. */
  adopt(offer: Offer, now: number): void {
    this.queue.adopt(offer, now)
    this.running = null
    this.wait = Number.NEGATIVE_INFINITY
  }

  /** The server would like these confirmed before `expires`; ids that are no paired transfers are nothing. */
  request(ids: readonly string[], expires: number): void {
    if (this.queue.request(ids, expires)) this.wait = Number.NEGATIVE_INFINITY
  }

  /** When to plan the next leg. */
  next(): number {
    return this.wait
  }

  /** The leg to make now, if it is time for one. */
  plan(now: number, place: Place): PairPlan {
    if (this.running && !this.allowed(this.running, place, now)) this.running = null
    this.running ??= this.begin(now, place)
    const { running } = this
    if (!running) return { run: null, skipped: false }
    const side = running.order[Object.keys(running.legs).length]!
    const free = this.freeAt(running, side)
    this.wait = free
    if (now < free) return { run: null, skipped: false }
    if (running.since === null) {
      if (!this.grant(running)) return { run: null, skipped: true }
      running.since = now
    }
    return { run: this.planned(running, side), skipped: false }
  }

  /** The leg that was planned is over: what came of it, or null where it was not made. */
  ended(
    planned: Planned & { pair: Pair },
    now: number,
    made: Pick<Measurement, 'kind' | 'steps' | 'pair'> | null,
    { bytes, connected }: { bytes: number; connected: string | null },
  ): void {
    const allowance = this.allowanceOf(planned.pair.test)
    allowance.settle(planned.granted, bytes)
    this.options.spacing.ended(planned.target, now, connected)
    const { running } = this
    this.wait = now
    if (!running) return
    running.legs[planned.pair.leg] = made ? { leg: legOf(made), trips: tripsOf(made) } : { leg: null, trips: [] }
    const { app, control } = running.legs
    // The other leg of a pair that is spoilt already would cost bytes and say nothing.
    const spoilt = app?.leg === null || control?.leg === null
    if (spoilt && !(app && control)) allowance.settle(planned.granted, 0)
    if (spoilt || (app && control)) this.running = this.after(running, now)
  }

  private begin(now: number, place: Place): Running | null {
    const due = this.queue.due(now, place)
    if (typeof due !== 'number') return this.start(due)
    this.wait = due
    return null
  }

  private start({ entry, control, differs, test }: Due): Running {
    const pair = { id: newId(), round: 1, test, differs }
    return { entry, control, pair, order: this.orderOf(differs), since: null, granted: 0, seen: [], legs: {} }
  }

  private planned({ entry, control, pair, order, granted }: Running, side: Side): Planned & { pair: Pair } {
    const { app, target } = side === 'app' ? entry : control
    const trains = pair.test === 'shape' ? this.queue.trains({ app, target }) : 0
    const beside = pair.test === 'confirm' && side === 'app'
    const ask = { ...target.ask, bytes: pairBytes[pair.test], trains, beside }
    const leg: Pair = { ...pair, leg: side, first: order[0] === side }
    return { app: app.id, target: { ...target, ask }, granted: granted / 2, pair: leg }
  }

  /** The next pair of the test, a test after a shape test, or null: it is over. */
  private after(running: Running, now: number): Running | null {
    const { entry, pair, legs } = running
    if (!legs.app?.leg || !legs.control?.leg) return null
    const pairNow = { app: legs.app.leg, control: legs.control.leg }
    const next = (more: Partial<Pair>, seen: readonly Seen[]): Running => ({
      ...running,
      ...{ pair: { ...pair, ...more }, order: this.orderOf(pair.differs), since: null, seen, legs: {} },
    })
    if (pair.test !== 'shape') {
      const seen = [...running.seen, pairNow]
      return goesOn(seen) ? next({ test: 'confirm', round: pair.round + 1 }, seen) : null
    }
    if (!isWorthMore(pairNow, { app: legs.app.trips, control: legs.control.trips })) return null
    // A name of its own: whoever judges the rounds of a test takes no shape test for one.
    return this.queue.mayConfirm(entry, now) ? next({ test: 'screen', id: newId() }, []) : null
  }

  private orderOf(differs: Pair['differs']): readonly Side[] {
    return differs !== 'place' || this.random() < 0.5 ? ['control', 'app'] : ['app', 'control']
  }

  private grant(running: Running): boolean {
    const { test } = running.pair
    running.granted = costOf(test, test === 'shape' ? this.queue.trains(running.entry) : 0)
    if (this.allowanceOf(test).take(running.granted)) return true
    this.running = null
    this.wait = Number.NEGATIVE_INFINITY
    return false
  }

  private allowanceOf(test: Pair['test']): Allowance {
    return this.options.allowances[test === 'shape' ? 'shape' : 'confirm']
  }

  /** When this leg can be made; the first of two addresses waits for both. */
  private freeAt({ entry, control, pair, legs }: Running, side: Side): number {
    const { spacing } = this.options
    const both = pair.differs === 'place' && Object.keys(legs).length === 0
    if (both) return Math.max(spacing.freeAt(entry.target), spacing.freeAt(control.target))
    return spacing.freeAt(side === 'app' ? entry.target : control.target)
  }

  private allowed({ entry, control, since }: Running, place: Place, now: number): boolean {
    const may = this.queue.mayAsk(entry, place) && this.queue.mayAsk(control, place)
    return may && (since === null || now < since + TOGETHER)
  }
}

const newId = (): string => randomBytes(8).toString('hex')
