import { randomBytes } from 'node:crypto'
import type { App } from '../../measurement/app.ts'
import { isWorthMore, legOf, pairBytes, pairRounds, tripsOf } from '../../measurement/judge/leg.ts'
import type { Leg } from '../../measurement/judge/throttle.ts'
import type { Measurement, Pair } from '../../measurement/measurement.ts'
import type { TargetOf } from '../../measurement/target.ts'
import type { Allowance } from './allowance.ts'
import { type Consent, mayAsk, type Offer, type Place } from './may-ask.ts'
import type { Profile } from './profiles.ts'
import type { Planned } from './schedule.ts'
import type { Spacing } from './spacing.ts'

type Transfer = TargetOf<'transfer'>
type Known = { app: App; target: Transfer }
type Side = Pair['leg']

/** A transfer that is tested against controls, and when. Times are `mono` seconds. */
type Entry = Known & { shapeAt: number; confirmAt: number; requested: number; turn: number; confirmed: number[] }

/** A test that runs: one pair after the other, leg after leg. */
type Running = {
  entry: Entry
  control: Known
  pair: Omit<Pair, 'leg' | 'first'>
  order: readonly Side[]
  /** When its first leg was granted; null before. */
  since: number | null
  granted: number
  legs: Partial<Record<Side, { leg: Leg | null; trips: number[] }>>
}

export type PairPlan = { run: (Planned & { pair: Pair }) | null; skipped: boolean }

const DAY = 86_400
/** Confirmations of one transfer in 24 hours (reference detection.md §5.1). */
const MOST_CONFIRMATIONS = 3
/** Of the bytes for confirmations, what goes to pairs that only look: the rest is for those that look bad. */
const SCREENS = 0.2
/** Legs of one pair start within this many seconds of each other, or the pair is given up: a line changes. */
const TOGETHER = 900
/** Starts vary by ±20 %, as those of rounds do. */
const JITTER = 0.2
/** What a leg costs besides its bytes: a handshake, a head, a connection; and each train of small requests. */
const LEG_BYTES = 12_000
const TRAIN_BYTES = 32_000
const OVERHEAD = 1.1

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
 * Which paired transfers to make when. Its laws:
 * - One leg at a time, and both legs of a pair, of equal size, close in time, in an order of chance; but where both go to
 *   one address, the innocuous one goes first, since a name that is filtered can taint an address for a while (§1.5).
 * - A pair begins only when its bytes are granted, both legs at once. Confirmations take nothing of what shape tests have.
 * - Addresses keep their spacing, which is the schedule's law too.
 * - One 128 KiB pair looks whether three of 256 KiB are worth their bytes. A shape test that looks bad, or a server that
 *   asks, makes that come early, three times a day at most for each transfer.
 * Each leg that is planned ends (`ended`) before the next is planned.
 */
export class Pairs {
  private readonly options: PairsOptions
  private readonly random: () => number
  private entries = new Map<string, Entry>()
  private controls = new Map<string, Known>()
  private forbidden: Offer['forbidden'] = {}
  private running: Running | null = null
  private wait = Number.NEGATIVE_INFINITY

  constructor(options: PairsOptions) {
    this.options = options
    this.random = options.random ?? Math.random
  }

  /** Takes a catalogue; what is known of transfers that stay is kept, and a test whose targets changed is given up. */
  adopt({ apps, forbidden }: Offer, now: number): void {
    const before = this.entries
    const known = apps
      .filter(({ status }) => status === 'measured')
      .flatMap(app => app.targets.flatMap(target => (target.kind === 'transfer' ? [{ app, target }] : [])))
    const { shape, confirm } = this.options.pace
    const soon = ({ every }: { every: number | null }) =>
      every === null ? Number.POSITIVE_INFINITY : now + this.random() * every
    this.forbidden = forbidden
    this.controls = new Map(known.map(one => [one.target.id, one]))
    this.entries = new Map(
      known
        .filter(({ target }) => target.pairs?.length)
        .map(one => {
          const fresh = { shapeAt: soon(shape), confirmAt: soon(confirm), requested: 0, turn: 0, confirmed: [] }
          return [one.target.id, { ...fresh, ...before.get(one.target.id), ...one }]
        }),
    )
    this.running = null
    this.wait = Number.NEGATIVE_INFINITY
  }

  /** The server would like these confirmed before `expires`; ids that are no paired transfers are nothing. */
  request(ids: readonly string[], expires: number): void {
    for (const id of ids) {
      const entry = this.entries.get(id)
      if (entry) entry.requested = expires
      if (entry) this.wait = Number.NEGATIVE_INFINITY
    }
  }

  /** When to plan the next leg. */
  next(): number {
    return this.wait
  }

  /** The leg to make now, if it is time for one. `skipped`: one would have been made, had there been bytes. */
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

  /** The leg that was planned is over: what came of it, or null where it was not made. `bytes` on the wire. */
  ended(
    planned: Planned & { pair: Pair },
    now: number,
    made: Pick<Measurement, 'kind' | 'steps' | 'pair'> | null,
    took: Took,
  ): void {
    const { spacing } = this.options
    const allowance = this.allowanceOf(planned.pair.test)
    allowance.settle(planned.granted, took.bytes)
    spacing.ended(planned.target, now, took.connected)
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

  private planned({ entry, control, pair, order, granted }: Running, side: Side): Planned & { pair: Pair } {
    const { app, target } = side === 'app' ? entry : control
    const { consent } = this.options
    // Trains of small requests are what no phone sends.
    const trains = pair.test === 'shape' && consent.unusual ? target.ask.trains : 0
    const ask = { ...target.ask, bytes: pairBytes[pair.test], trains }
    const leg: Pair = { ...pair, leg: side, first: order[0] === side }
    return { app: app.id, target: { ...target, ask }, granted: granted / 2, pair: leg }
  }

  /** The next pair of the test, the next stage, or null: it is over. */
  private after(running: Running, now: number): Running | null {
    const { entry, pair, legs } = running
    if (!legs.app?.leg || !legs.control?.leg) return null
    const seen = { app: legs.app.leg, control: legs.control.leg }
    const again = (more: Partial<Pair>): Running => ({
      ...running,
      ...{ pair: { ...pair, ...more }, order: this.orderOf(pair.differs), since: null, legs: {} },
    })
    if (pair.test === 'confirm') return pair.round < pairRounds.confirm ? again({ round: pair.round + 1 }) : null
    if (!isWorthMore(pair.test, seen, { app: legs.app.trips, control: legs.control.trips })) return null
    if (pair.test === 'screen') return again({ test: 'confirm', round: 1 })
    if (!this.mayConfirm(entry, now)) return null
    entry.confirmed.push(now)
    return again({ test: 'screen', id: newId() })
  }

  private orderOf(differs: Pair['differs']): readonly Side[] {
    return differs !== 'place' || this.random() < 0.5 ? ['control', 'app'] : ['app', 'control']
  }

  private mayConfirm(entry: Entry, now: number): boolean {
    entry.confirmed = entry.confirmed.filter(at => at > now - DAY)
    return entry.confirmed.length < MOST_CONFIRMATIONS
  }

  /** The test that is due: what a server asked for, then a confirmation, then a shape test, the longest overdue first. */
  private begin(now: number, place: Place): Running | null {
    const eligible = [...this.entries.values()].filter(entry => this.mayAsk(entry, place))
    const wanted = eligible.filter(entry => entry.requested > now || Math.min(entry.shapeAt, entry.confirmAt) <= now)
    const urgent = (entry: Entry) => (entry.requested > now ? -1 : Math.min(entry.shapeAt, entry.confirmAt))
    for (const entry of wanted.sort((a, b) => urgent(a) - urgent(b))) {
      const running = this.start(entry, now, place, eligible.length)
      if (running) return running
    }
    const due = eligible.map(({ shapeAt, confirmAt }) => Math.min(shapeAt, confirmAt)).filter(at => at > now)
    this.wait = Math.min(now + 600, ...due)
    return null
  }

  private start(entry: Entry, now: number, place: Place, among: number): Running | null {
    const { target } = entry
    const partners = target.pairs!.filter(one => {
      const found = this.controls.get(one.with)
      return found && this.mayAsk(found, place)
    })
    const partner = partners[entry.turn++ % partners.length]
    const confirms = entry.requested > now || entry.confirmAt <= now
    this.push(entry, confirms, now, among)
    if (!partner || (confirms && !this.mayConfirm(entry, now))) return null
    if (confirms) entry.confirmed.push(now)
    const test = confirms ? ('screen' as const) : ('shape' as const)
    const pair = { id: newId(), round: 1, test, differs: partner.differs }
    const control = this.controls.get(partner.with)!
    return { entry, control, pair, order: this.orderOf(pair.differs), since: null, granted: 0, legs: {} }
  }

  /** When this transfer is next due: at the profile's pace, or as much slower as the day's bytes ask for. */
  private push(entry: Entry, confirms: boolean, now: number, among: number): void {
    const { shape, confirm } = this.options.pace
    const later = ({ every, bytes }: Profile['pairs']['shape'], cost: number): number => {
      if (every === null) return Number.POSITIVE_INFINITY
      return now + Math.max(every, (among * cost * DAY) / bytes) * (1 - JITTER + 2 * JITTER * this.random())
    }
    entry.requested = 0
    if (!confirms) entry.shapeAt = later(shape, costOf('shape', this.trains(entry.target)))
    else entry.confirmAt = later({ ...confirm, bytes: confirm.bytes * SCREENS }, costOf('screen', 0))
  }

  private trains({ ask }: Transfer): number {
    return this.options.consent.unusual ? ask.trains : 0
  }

  private grant(running: Running): boolean {
    const { test } = running.pair
    running.granted = costOf(test, test === 'shape' ? this.trains(running.entry.target) : 0)
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
    const own = spacing.freeAt(side === 'app' ? entry.target : control.target)
    const both = pair.differs === 'place' && Object.keys(legs).length === 0
    return both ? Math.max(spacing.freeAt(entry.target), spacing.freeAt(control.target)) : own
  }

  private allowed({ entry, control, since }: Running, place: Place, now: number): boolean {
    return this.mayAsk(entry, place) && this.mayAsk(control, place) && (since === null || now < since + TOGETHER)
  }

  private mayAsk(of: Known, place: Place): boolean {
    return mayAsk(of, place, this.options.consent, this.forbidden)
  }
}

type Took = { bytes: number; connected: string | null }

const newId = (): string => randomBytes(8).toString('hex')

/** Bytes on the wire of a whole pair. */
const costOf = (test: Pair['test'], trains: number): number =>
  2 * Math.ceil(pairBytes[test] * OVERHEAD + LEG_BYTES + trains * TRAIN_BYTES)
