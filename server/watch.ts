import { setImmediate } from 'node:timers/promises'
import { CONTROL } from '../measurement/catalogue.ts'
import { RULE_VERSION } from '../measurement/judge/outcome.ts'
import { DETECTOR_BIN_SECONDS } from '../measurement/windows.ts'
import { copy } from './analysis/copy.ts'
import { type Episode, noState, type State, step } from './analysis/detector.ts'
import {
  type Alive,
  type Cut,
  type Isolation,
  noIsolation,
  passIsolation,
  stepIsolation,
} from './analysis/isolation.ts'
import { countriesHeard, othersHeard } from './heard.ts'
import { packed, unpacked } from './store/packed.ts'
import type { Store } from './store/store.ts'
import type { Touched } from './touched.ts'
import { apart, type Block, binsOfDay, daysOf, pairTrials, rowsByNetwork } from './trials.ts'

/** What the detector knows of one network before `at`: a function of the trials before it and of nothing else. */
type Known = { at: number; series: Map<string, State>; line: Isolation }

/** What was found so far on one network; series are `app feature`, those without trouble are left out. */
export type Seen = {
  series: ReadonlyMap<string, readonly Episode[]>
  cuts: readonly Cut[]
}

const DAY_SECONDS = 86_400
const WEEK_SECONDS = 7 * DAY_SECONDS
/** Bins this old are rarely touched again: states are kept as of then, and the newest bins stepped anew each time. */
const SETTLED_SECONDS = 2 * DETECTOR_BIN_SECONDS
/** A state of every day is kept for as long as rows usually come late (14 days), then one a week. */
const DAILY_SECONDS = 16 * DAY_SECONDS
/** The epoch began on a Thursday: days from it to the first Monday. */
const MONDAY = 4 * DAY_SECONDS

/** Trials of some networks, by network and day. */
type Read = Awaited<ReturnType<typeof daysOf>>

const binOf = (at: number): number => Math.floor(at / DETECTOR_BIN_SECONDS) * DETECTOR_BIN_SECONDS

const isKept = (at: number, now: number): boolean =>
  at % DAY_SECONDS === 0 && (at > now - DAILY_SECONDS || (at - MONDAY) % WEEK_SECONDS === 0)

/**
 * Detection kept up with the rows. A late row takes the network back to the newest state before it (in memory, else of
 * the store, else none) and forward again over the rows that are there now: the answer is that of a full rebuild.
 */
export class Watch {
  readonly #store: Store
  /** By `country asn`: the newest settled state. It is memory for speed; the store's states serve a restart. */
  readonly #settled = new Map<string, Known>()
  /** By country and network: what was seen last, and in which bin it was looked at. */
  readonly #seen = new Map<string, Map<number, Seen & { looked: number }>>()
  /** Countries that were heard before the start. */
  #before: string[] | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** Rows changed in these windows; to be told before they are looked at. */
  async pair(touched: Touched): Promise<void> {
    await pairTrials(this.#store, touched)
  }

  /** Countries with networks that were not looked at in this bin: they may have fallen silent. */
  async due(now: number): Promise<string[]> {
    this.#before ??= await countriesHeard(this.#store, now)
    const unseen = this.#before.filter(country => !this.#seen.has(country))
    const seen = [...this.#seen].filter(([, networks]) => this.#overdue(networks, now).length > 0)
    return [...unseen, ...seen.map(([country]) => country)]
  }

  /**
   * What there is on all networks of a country, those brought up to date whose rows changed, from `changed` on (Unix
   * seconds, by network).
   */
  async see(country: string, changed: ReadonlyMap<number, number>, now: number): Promise<ReadonlyMap<number, Seen>> {
    const known = this.#seen.get(country)
    const rest = known ? this.#overdue(known, now) : await this.#networks(country)
    const seen = known ?? new Map()
    const from = new Map([...rest.map((asn): [number, number] => [asn, now]), ...changed])
    from.delete(0)
    // Networks that go back far are read apart, so that the others are read from the last bins only.
    const starts = await this.#starts(country, from, now)
    const near = Map.groupBy(starts, ([, { at }]) => (at > now - 3 * 3_600 ? -1 : Math.floor(at / DAY_SECONDS)))
    const groups: Map<number, Known>[] = []
    for (const group of near.values()) {
      const from = Math.min(...group.map(([, { at }]) => at))
      const counts = await rowsByNetwork(this.#store, { country, asns: group.map(([asn]) => asn), from })
      groups.push(...apart(group, counts))
    }
    const alive = await othersHeard(
      this.#store,
      Math.min(now, ...starts.values().map(({ at }) => at)),
      binOf(now) - SETTLED_SECONDS,
    )
    // While one group is stepped through, the engine reads the next.
    let next = groups[0] && this.#read(country, groups[0], now)
    let keeping: Promise<void> | undefined
    for (const [i, group] of groups.entries()) {
      const read = await next!
      const after = groups[i + 1]
      next = after && this.#read(country, after, now)
      // Should the step fail, nobody waits for what is read meanwhile.
      next?.catch(() => undefined)
      // A query begins in a later turn of the loop only.
      await setImmediate()
      const kept: object[] = []
      for (const [asn, known] of group) {
        const present = this.#advance({ country, asn }, known, read.get(asn) ?? new Map(), alive, now, kept)
        seen.set(asn, { ...present, looked: binOf(now) })
      }
      await keeping
      keeping = this.#store.insert('detector_states', kept)
      keeping.catch(() => undefined)
    }
    await keeping
    this.#seen.set(country, seen)
    return seen
  }

  /** The ln ratio of target to control that is usual of an agent, as of the newest settled state of its network. */
  usual(country: string, asn: number, series: string, agent: string): number | undefined {
    const mover = this.#settled.get(`${country} ${asn}`)?.series.get(series)?.shift.agents.get(agent)
    return mover?.usual.centre ?? undefined
  }

  #overdue(networks: ReadonlyMap<number, { looked: number }>, now: number): number[] {
    return [...networks].filter(([, { looked }]) => looked < binOf(now)).map(([asn]) => asn)
  }

  async #networks(country: string): Promise<number[]> {
    const rows = await this.#store.query<{ asn: number }>(
      'SELECT DISTINCT asn FROM agent_trials WHERE country = {country:String}',
      { country },
    )
    return rows.map(({ asn }) => asn)
  }

  async #starts(country: string, from: ReadonlyMap<number, number>, now: number): Promise<Map<number, Known>> {
    const starts = new Map<number, Known>()
    const cold = new Map<number, number>()
    for (const [asn, at] of from) {
      const settled = this.#settled.get(`${country} ${asn}`)
      if (settled && settled.at <= binOf(at)) starts.set(asn, settled)
      else cold.set(asn, binOf(at))
    }
    for (const [asn, known] of await this.#stored(country, cold, now)) starts.set(asn, known)
    return starts
  }

  #read(country: string, starts: ReadonlyMap<number, Known>, now: number): Promise<Read> {
    const from = Math.min(...starts.values().map(({ at }) => at))
    return daysOf(this.#store, { country, asns: [...starts.keys()], from, to: binOf(now) + DETECTOR_BIN_SECONDS })
  }

  /** Steps a network's state through its days: to the newest settled bin for good, from there to the present on a copy. */
  #advance(
    { country, asn }: { country: string; asn: number },
    known: Known,
    days: ReadonlyMap<number, readonly Block[]>,
    alive: (asn: number) => Alive,
    now: number,
    kept: object[],
  ): Seen {
    const network = `${country} ${asn}`
    const others = alive(asn)
    const quiet = binOf(now) - SETTLED_SECONDS
    const until = Math.max(known.at, quiet)
    // Should a step fail, nobody goes on from half of it.
    this.#settled.delete(network)
    for (const [start, blocks] of days) {
      for (const day of daysBetween(known.at, Math.min(start, until))) {
        if (!isKept(day, now)) continue
        pass(known, day, others)
        kept.push({ country, asn, at: day, rule: RULE_VERSION, state: packed(known), written: Date.now() })
      }
      if (start < until) take(known, blocks, until, others)
    }
    pass(known, until, others)
    this.#settled.set(network, known)
    const present = copy(known)
    for (const [start, blocks] of days) {
      if (start + DAY_SECONDS > until) take(present, blocks, Number.POSITIVE_INFINITY, others)
    }
    const series = [...present.series].map(([key, { episodes }]) => [key, episodes] as const)
    return { series: new Map(series.filter(([, episodes]) => episodes.length > 0)), cuts: present.line.cuts }
  }

  /** The newest state of the store that rows from then on do not touch; a fresh one where there is none. */
  async #stored(country: string, from: ReadonlyMap<number, number>, now: number): Promise<Map<number, Known>> {
    const found = new Map<number, Known>()
    for (const asn of from.keys()) found.set(asn, { at: 0, series: new Map(), line: noIsolation() })
    if (from.size === 0) return found
    const rows = await this.#store.query<{ asn: number; start: number; state: string }>(
      `SELECT asn, toUnixTimestamp(at) AS start, state FROM detector_states FINAL
       WHERE country = {country:String} AND rule = {rule:UInt32}
         AND (at > fromUnixTimestamp({daily:UInt32}) OR toDayOfWeek(at) = 1)
         AND at <= transform(asn, {asns:Array(UInt32)}, arrayMap(t -> fromUnixTimestamp(t), {starts:Array(UInt32)}), toDateTime(0))
       ORDER BY asn, at DESC LIMIT 1 BY asn`,
      {
        country,
        rule: RULE_VERSION,
        daily: Math.floor(now - DAILY_SECONDS),
        asns: [...from.keys()],
        starts: [...from.values()],
      },
    )
    for (const { asn, state } of rows) found.set(asn, unpacked<Known>(state))
    return found
  }
}

function* daysBetween(from: number, to: number): Generator<number> {
  if (from === 0) return
  for (let day = Math.ceil(from / DAY_SECONDS) * DAY_SECONDS; day <= to; day += DAY_SECONDS) yield day
}

/** Takes the trials of a day in bins from where the state stands up to `until`. */
const take = (known: Known, blocks: readonly Block[], until: number, alive: Alive): void => {
  const from = known.at
  for (const [key, bins] of binsOfDay(blocks)) {
    const state = key.startsWith(`${CONTROL} `) ? null : stateOf(known, key)
    for (const bin of bins) {
      const at = bin?.[0]?.at ?? -1
      if (at < from || at >= until) continue
      if (state) step(state, at, bin)
      else stepIsolation(known.line, at, bin, alive)
      known.at = Math.max(known.at, at + DETECTOR_BIN_SECONDS)
    }
  }
}

/** There is nothing more of the time before `until`. */
const pass = (known: Known, until: number, alive: Alive): void => {
  passIsolation(known.line, until, alive)
  known.at = until
}

const stateOf = ({ series }: Known, key: string): State => {
  const known = series.get(key)
  if (known) return known
  const state = noState()
  series.set(key, state)
  return state
}
