import type { App } from '../../measurement/app.ts'
import type { Pair } from '../../measurement/measurement.ts'
import type { ProbeKind } from '../../measurement/step.ts'
import type { Target, TargetOf } from '../../measurement/target.ts'
import type { Budget } from './budget.ts'
import { type Consent, mayAsk, NEUTRAL, type Offer, type Place } from './may-ask.ts'
import type { Profile } from './profiles.ts'
import { LEAST_SPACING, Spacing } from './spacing.ts'

/** A measurement to make now; `granted` bytes of the budget are charged for it already. `pair`: it is a leg of that one. */
export type Planned = { app: string; target: Target; granted: number; pair?: Pair }
export type Round = { runs: readonly Planned[]; skipped: number }

/** Verdicts look back an hour: no round waits longer (`measurement/windows.ts`). */
const LONGEST_ROUND = 3_600
/** Shares of the budget: the controls, what is measured in full, everything else; the rest is for reports and surprises. */
const SHARE = { controls: 0.25, full: 0.62, sparse: 0.06 }
/** Seconds after which it is decided anew which apps are measured in full: costs are known better by then. */
const REFIT = 6 * 3_600
/** Starts vary by ±20 %, so that agents do not beat in phase and the pattern does not show (PASTA). */
const JITTER = 0.2
/** Bytes on the wire of a first measurement, until one was seen: what each kind needs on a healthy path. */
const FIRST_COST: Record<ProbeKind, number> = {
  dns: 700,
  tcp: 700,
  tls: 7_500,
  http: 12_000,
  websocket: 9_000,
  quic: 3_000,
  stun: 500,
  mtproto: 2_000,
  noise: 2_000,
  xmpp: 9_000,
  mqtt: 8_500,
  threema: 1_500,
  loco: 9_000,
  store: 25_000,
  transfer: 0, // Pairs have bytes of their own (`pairs.ts`).
}
/** Seconds a slot of the round is taken for when nothing answers. */
const SLOT = 25
const DAY = 86_400

type Entry = { app: App; target: Target; due: number; cost: number; requested: number; skippedAt: number }

export type ScheduleOptions = {
  profile: Profile
  budget: Budget
  consent: Consent
  /** When this agent was last at work in this boot (seconds, `mono`): every address counts as asked then. */
  lastActive?: number
  random?: () => number
}

/**
 * What to measure when. Time is the agent's `mono` seconds, passed in. Its laws:
 * - Each address is asked by one measurement at a time, and not again before the larger of 60 s and the spacing of
 *   both targets has passed since the last one ended; the same for an address known to stand behind two names (60 s).
 * - Every round that measures an app measures a foreign and a domestic neutral control too, where the catalogue has
 *   one for this country, in the families of the round.
 * - Nothing is planned that the budget did not grant. What decides a verdict is measured in full for as many apps as fit
 *   it (those of this country first, then in the catalogue's order), everything else sparsely.
 * - A server can ask for a target earlier, never more often than spacing and budget allow.
 * Each run of a round is begun (`begins`) and ended (`ended`), and the round is over, before the next is planned.
 */
export class Schedule {
  private readonly options: ScheduleOptions
  private readonly random: () => number
  private entries = new Map<string, Entry>()
  private forbidden: Offer['forbidden'] = {}
  private spacingIn: NonNullable<Offer['spacing']> = {}
  /** Shared with whoever else measures here. */
  readonly spacing: Spacing
  private next: number
  private full: ReadonlySet<string> = new Set()
  private refitAt = Number.NEGATIVE_INFINITY
  private lastPlan = Number.NEGATIVE_INFINITY
  private lastStart = Number.NEGATIVE_INFINITY

  constructor(options: ScheduleOptions, now: number) {
    this.options = options
    this.random = options.random ?? Math.random
    this.spacing = new Spacing(options.lastActive ?? Number.NEGATIVE_INFINITY)
    this.next = now
  }

  /** Takes a catalogue; what is known of targets that stay is kept. New ones are spread: what decides over two rounds. */
  adopt(offer: Offer, now: number): void {
    const before = this.entries
    const seen = new Set<string>()
    this.forbidden = offer.forbidden
    this.spacingIn = offer.spacing ?? {}
    this.entries = new Map()
    for (const app of offer.apps.filter(({ status }) => status === 'measured')) {
      for (const target of app.targets.filter(({ kind }) => kind !== 'transfer')) {
        const old = before.get(target.id)
        // Of what decides, one of each app and feature comes at once: the first picture is early.
        const group = decides(target) && target.family === 'v4' ? `${app.id} ${target.feature}` : null
        const pace = decides(target) ? 2 * this.options.profile.round : this.options.profile.other
        const spread = group && !seen.has(group) ? 0 : this.random() * pace
        if (group) seen.add(group)
        this.entries.set(target.id, {
          app,
          target,
          due: old?.due ?? now + spread,
          cost: old?.cost ?? FIRST_COST[target.kind],
          requested: old?.requested ?? 0,
          skippedAt: old?.skippedAt ?? 0,
        })
      }
    }
    this.refitAt = now
    this.next = Math.min(this.next, Math.max(now, this.lastStart + LEAST_SPACING))
  }

  /** The server would like to know these before `expires`; ids that are not in the catalogue are nothing. */
  request(ids: readonly string[], expires: number, now: number): void {
    const wanted = ids.map(id => this.entries.get(id)).filter(entry => entry !== undefined)
    for (const entry of wanted) entry.requested = expires
    if (wanted.length) this.next = Math.min(this.next, Math.max(now, this.lastPlan + LEAST_SPACING))
  }

  /** When to plan the next round. */
  nextRound(): number {
    return this.next
  }

  plan(now: number, place: Place): Round {
    this.lastPlan = now
    this.spacing.forget(now)
    this.spacing.filtered = this.spacingIn[place.country] ?? 0
    const eligible = [...this.entries.values()].filter(entry => this.eligible(entry, place))
    if (now >= this.refitAt) this.refit(eligible, place, now)
    const paces = this.paces(eligible)
    const { round } = paces
    // What is asked for and has not rested yet is not put off by a whole round.
    const resting = eligible.filter(({ requested }) => requested > now).map(({ target }) => this.spacing.freeAt(target))
    this.next = Math.min(now + round * this.jitter(), ...resting.filter(at => at > now))
    const due = this.due(eligible, now)
    const controls = due.length ? this.controls(eligible, due, now) : []
    if (controls === 'wait') {
      this.next = now + 5
      return { runs: [], skipped: 0 }
    }
    const most = Math.max(1, Math.floor((this.options.profile.concurrency * round) / SLOT))
    const { runs, skipped } = this.charge(controls, due, most)
    if (runs.length) this.lastStart = now
    for (const { target } of runs) {
      const entry = this.entries.get(target.id)!
      entry.due = now + Math.max(this.isFull(entry) ? paces.full : paces.sparse, target.spacing) * this.jitter()
      entry.requested = 0
    }
    return { runs: this.shuffled(runs), skipped }
  }

  /**
   * Whether a planned run may begin now. False where its address turned out, since the plan was made, to be one that
   * was just asked under another name: the run is put back and its grant returned.
   */
  begins({ target, granted }: Planned, now: number): boolean {
    if (this.spacing.free(target, now)) return true
    this.options.budget.settle(granted, 0)
    const entry = this.entries.get(target.id)
    if (entry) entry.due = now
    return false
  }

  /**
   * A run that began is over, or was given up (`bytes` 0). `connected` is the address that answered, as far as one did; it is
   * remembered in memory only, to keep two names of one address apart.
   */
  ended({ target, granted }: Planned, now: number, connected: string | null, bytes: number): void {
    this.options.budget.settle(granted, bytes)
    this.spacing.ended(target, now, connected)
    const entry = this.entries.get(target.id)
    if (entry && bytes > 0) entry.cost = Math.ceil(Math.max(bytes, 0.7 * entry.cost + 0.3 * bytes))
  }

  /** Neutral STUN servers that may be asked where this machine is, of different names, in no order. */
  finders(count: number, place: Place, now: number): TargetOf<'stun'>[] {
    const taken = new Set<string>()
    return this.shuffled([...this.entries.values()])
      .filter(entry => entry.app.id === NEUTRAL && this.eligible(entry, place) && this.spacing.free(entry.target, now))
      .flatMap(({ target }) => (target.kind === 'stun' && !target.experimental ? [target] : []))
      .filter(target => this.spacing.claim(target, taken))
      .slice(0, count)
  }

  /** A STUN server was asked where this machine is. */
  found(target: Target, now: number, connected: string | null): void {
    this.spacing.ended({ ...target, spacing: LEAST_SPACING }, now, connected)
  }

  private jitter(): number {
    return 1 - JITTER + 2 * JITTER * this.random()
  }

  private shuffled<T>(items: readonly T[]): T[] {
    return items
      .map(item => ({ item, at: this.random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item)
  }

  private eligible({ app, target }: Entry, place: Place): boolean {
    return mayAsk({ app, target }, place, this.options.consent, this.forbidden)
  }

  private isFull({ app, target }: Entry): boolean {
    return decides(target) && this.full.has(app.id)
  }

  /** Chooses the apps measured in full: while they fit the budget at the profile's slowest pace, the first in any case. */
  private refit(eligible: readonly Entry[], { country }: Place, now: number): void {
    const { profile } = this.options
    this.refitAt = now + REFIT
    const apps = Map.groupBy(
      eligible.filter(({ target }) => decides(target) && !target.control),
      ({ app }) => app,
    )
    const allowed = (this.shares(eligible).forFull * profile.within) / DAY
    const chosen = new Set<string>()
    let used = 0
    for (const [app, entries] of [...apps].sort(
      ([a], [b]) => Number(b.home === country) - Number(a.home === country),
    )) {
      const cost = costOf(entries)
      if (chosen.size && used + cost > allowed) continue
      chosen.add(app.id)
      used += cost
    }
    this.full = chosen
    // What was sparse until now does not wait its old turn.
    for (const entry of eligible) {
      if (this.isFull(entry)) entry.due = Math.min(entry.due, now + profile.within * this.random())
    }
  }

  /** Seconds between rounds, and what is left for the day: what the controls leave of their share is for what is measured in full. */
  private shares(eligible: readonly Entry[]): { round: number; forFull: number } {
    const { profile, budget } = this.options
    const side = (control: Target['control']) => {
      const all = eligible.filter(({ target }) => target.control === control)
      return all.length ? costOf(all) / all.length : 0
    }
    const perRound = side('domestic') + side('foreign')
    const atBest = Math.max(profile.round, (perRound * DAY) / (SHARE.controls * budget.perDay))
    const round = Math.min(atBest, LONGEST_ROUND)
    return { round, forFull: (SHARE.controls + SHARE.full) * budget.perDay - (perRound * DAY) / round }
  }

  /** Paces that fit the budget: seconds between rounds, and between two measurements of one target. */
  private paces(eligible: readonly Entry[]): { round: number; full: number; sparse: number } {
    const { profile, budget } = this.options
    const { round, forFull } = this.shares(eligible)
    const targets = eligible.filter(({ target }) => !target.control)
    const fullCost = costOf(targets.filter(entry => this.isFull(entry)))
    const full = Math.max(profile.deciding, (fullCost * DAY) / forFull)
    // What they leave goes to the rest.
    const forSparse = forFull + SHARE.sparse * budget.perDay - (fullCost * DAY) / full
    const sparse = Math.max(profile.other, ((costOf(targets) - fullCost) * DAY) / forSparse)
    return { round, full, sparse }
  }

  /** What could be measured now: requested first, then what is measured in full, then the longest overdue; one per address. */
  private due(eligible: readonly Entry[], now: number): Entry[] {
    const wanted = ({ requested }: Entry) => requested > now
    const taken = new Set<string>()
    return eligible
      .filter(
        entry => !entry.target.control && (entry.due <= now || wanted(entry)) && this.spacing.free(entry.target, now),
      )
      .sort(
        (a, b) =>
          Number(wanted(b)) - Number(wanted(a)) || Number(this.isFull(b)) - Number(this.isFull(a)) || a.due - b.due,
      )
      .filter(({ target }) => this.spacing.claim(target, taken))
  }

  /** The neutral targets that go with these: for each side and family the one longest unused; `wait` where none is free yet. */
  private controls(eligible: readonly Entry[], due: readonly Entry[], now: number): Entry[] | 'wait' {
    const families = [...new Set(due.map(({ target }) => target.family))]
    const taken = new Set<string>()
    const chosen: Entry[] = []
    for (const side of ['foreign', 'domestic'] as const) {
      const all = eligible.filter(({ target }) => target.control === side)
      const shared = families.filter(family => all.some(({ target }) => target.family === family))
      for (const family of shared.length ? shared : all.slice(0, 1).map(({ target }) => target.family)) {
        const one = all
          .filter(({ target }) => target.family === family && this.spacing.free(target, now))
          .sort((a, b) => a.due - b.due)
          .find(({ target }) => this.spacing.claim(target, taken))
        if (!one) return 'wait'
        chosen.push(one)
      }
    }
    return chosen
  }

  /** Charges the controls, then each target while the budget grants; without the controls, or without any target, nothing. */
  private charge(controls: readonly Entry[], due: readonly Entry[], most: number): Round {
    const { budget } = this.options
    const taken = new Set<string>()
    for (const { target } of controls) this.spacing.claim(target, taken)
    const planned = ({ app, target, cost }: Entry): Planned => ({ app: app.id, target, granted: cost })
    const needed = controls.reduce((total, { cost }) => total + cost, 0)
    const granted = budget.take(needed)
    const runs: Planned[] = []
    let skipped = 0
    for (const entry of due) {
      if (runs.length >= most) break
      if (!this.spacing.claim(entry.target, taken)) continue
      if (granted && budget.take(entry.cost)) runs.push(planned(entry))
      else if (entry.skippedAt !== entry.due) {
        entry.skippedAt = entry.due // A target that waits for budget through many rounds is skipped once.
        skipped++
      }
    }
    if (granted && !runs.length) budget.settle(needed, 0)
    return { runs: runs.length ? [...controls.map(planned), ...runs] : [], skipped }
  }
}

const decides = (target: Target): boolean => target.decides === 'yes' && !target.experimental

const costOf = (entries: readonly Entry[]): number => entries.reduce((total, { cost }) => total + cost, 0)
