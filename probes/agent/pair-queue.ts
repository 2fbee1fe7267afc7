import type { App } from '../../measurement/app.ts'
import { pairBytes } from '../../measurement/judge/leg.ts'
import type { Pair } from '../../measurement/measurement.ts'
import type { TargetOf } from '../../measurement/target.ts'
import { type Consent, mayAsk, type Offer, type Place } from './may-ask.ts'
import type { Profile } from './profiles.ts'

export type Transfer = { app: App; target: TargetOf<'transfer'> }

/** A transfer that is compared with controls, and when. Times are `mono` seconds. */
export type Entry = Transfer & {
  shapeAt: number
  confirmAt: number
  /** Until when a server's request stands. */
  requested: number
  /** Controls are taken in turn. */
  turn: number
  /** When it was confirmed in the last 24 hours. */
  confirmed: number[]
}

/** A test to begin. */
export type Due = { entry: Entry; control: Transfer; differs: Pair['differs']; test: 'shape' | 'screen' }

const DAY = 86_400
/** Confirmations of one transfer in 24 hours (reference detection.md §5.1). */
const MOST_CONFIRMATIONS = 3
/** Of the bytes for confirmations, what goes to pairs that only look: the rest is for those that look bad. */
const SCREENS = 0.2
/** Starts vary by ±20 %, as those of rounds do. */
const JITTER = 0.2
/** Seconds until it is looked again whether something is due, at most. */
const LOOK_AGAIN = 600
/** What a leg costs besides its bytes: a handshake, a head, a connection; and each train of small requests. */
const LEG_BYTES = 12_000
const TRAIN_BYTES = 32_000
/** A second connection beside an app's transfer, and its few requests. */
const BESIDE_BYTES = 10_000
const OVERHEAD = 1.1

/** Bytes on the wire of a whole pair, at most as a healthy line needs them. */
export const costOf = (test: Pair['test'], trains: number): number =>
  2 * Math.ceil(pairBytes[test] * OVERHEAD + LEG_BYTES + trains * TRAIN_BYTES) + (test === 'confirm' ? BESIDE_BYTES : 0)

/** Which transfer is due for which test: `pairs.ts` makes it. */
export class PairQueue {
  private readonly pace: Profile['pairs']
  private readonly consent: Consent
  private readonly random: () => number
  private entries = new Map<string, Entry>()
  private controls = new Map<string, Transfer>()
  private forbidden: Offer['forbidden'] = {}

  constructor(pace: Profile['pairs'], consent: Consent, random: () => number) {
    this.pace = pace
    this.consent = consent
    this.random = random
  }

  /** Takes a catalogue; what is known of transfers that stay is kept. */
  adopt({ apps, forbidden }: Offer, now: number): void {
    const before = this.entries
    const known = apps
      .filter(({ status }) => status === 'measured')
      .flatMap(app => app.targets.flatMap(target => (target.kind === 'transfer' ? [{ app, target }] : [])))
    const { shape, confirm } = this.pace
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
  }

  /** True where one of them is a transfer with pairs. */
  request(ids: readonly string[], expires: number): boolean {
    const wanted = ids.map(id => this.entries.get(id)).filter(entry => entry !== undefined)
    for (const entry of wanted) entry.requested = expires
    return wanted.length > 0
  }

  mayAsk(of: Transfer, place: Place): boolean {
    return mayAsk(of, place, this.consent, this.forbidden)
  }

  /** Trains of small requests are what no phone sends: they need consent of their own. */
  trains({ target }: Transfer): number {
    return this.consent.unusual ? target.ask.trains : 0
  }

  /** Notes a confirmation, or says that there were enough of this transfer. */
  mayConfirm(entry: Entry, now: number): boolean {
    entry.confirmed = entry.confirmed.filter(at => at > now - DAY)
    if (entry.confirmed.length >= MOST_CONFIRMATIONS) return false
    entry.confirmed.push(now)
    return true
  }

  /** The test to begin now: what a server asked for, then the longest overdue; else when to ask again. */
  due(now: number, place: Place): Due | number {
    const eligible = [...this.entries.values()].filter(entry => this.mayAsk(entry, place))
    const at = ({ requested, shapeAt, confirmAt }: Entry) => (requested > now ? -1 : Math.min(shapeAt, confirmAt))
    for (const entry of eligible.filter(one => at(one) <= now).sort((a, b) => at(a) - at(b))) {
      const due = this.begin(entry, now, place, eligible.length)
      if (due) return due
    }
    return Math.min(now + LOOK_AGAIN, ...eligible.map(at).filter(next => next > now))
  }

  private begin(entry: Entry, now: number, place: Place, among: number): Due | null {
    const partners = entry.target.pairs!.flatMap(({ with: id, differs }) => {
      const control = this.controls.get(id)
      return control && this.mayAsk(control, place) ? [{ control, differs }] : []
    })
    const partner = partners[entry.turn++ % partners.length]
    const confirms = entry.requested > now || entry.confirmAt <= now
    this.push(entry, confirms, now, among)
    if (!partner || (confirms && !this.mayConfirm(entry, now))) return null
    return { entry, ...partner, test: confirms ? 'screen' : 'shape' }
  }

  /** When this transfer is next due: at the profile's pace, or as much slower as the day's bytes ask for. */
  private push(entry: Entry, confirms: boolean, now: number, among: number): void {
    const { shape, confirm } = this.pace
    const later = ({ every, bytes }: Profile['pairs']['shape'], cost: number): number => {
      if (every === null) return Number.POSITIVE_INFINITY
      return now + Math.max(every, (among * cost * DAY) / bytes) * (1 - JITTER + 2 * JITTER * this.random())
    }
    entry.requested = 0
    if (!confirms) entry.shapeAt = later(shape, costOf('shape', this.trains(entry)))
    else entry.confirmAt = later({ ...confirm, bytes: confirm.bytes * SCREENS }, costOf('screen', 0))
  }
}
