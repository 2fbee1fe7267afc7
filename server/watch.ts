import { deserialize, serialize } from 'node:v8'
import { CONTROL } from '../measurement/catalogue.ts'
import { RULE_VERSION } from '../measurement/judge/outcome.ts'
import { DETECTOR_BIN_SECONDS } from '../measurement/windows.ts'
import { type Episode, noState, type State, step } from './analysis/detector.ts'
import { type Cut, type Isolation, noIsolation, stepIsolation } from './analysis/isolation.ts'
import { usualOf } from './analysis/shift.ts'
import type { Store } from './store/store.ts'
import { apart, rowsByNetwork, type Trials, trialsOf } from './trials.ts'

/** What the detector knows of one network before `at`: a function of the trials before it and of nothing else. */
type Known = { at: number; series: Map<string, State>; line: Isolation }

/** What was found so far on one network; series are `app feature`. */
export type Seen = {
  series: ReadonlyMap<string, readonly Episode[]>
  cuts: readonly Cut[]
  /** By series and agent, the ln ratio of target to control that is usual. */
  usual: ReadonlyMap<string, ReadonlyMap<string, number>>
}

const DAY_SECONDS = 86_400
const WEEK_SECONDS = 7 * DAY_SECONDS
/** Bins this old are rarely touched again: states are kept as of then, and the newest bins stepped anew each time. */
const SETTLED_SECONDS = 2 * DETECTOR_BIN_SECONDS
/** A state of every day is kept for as long as rows usually come late (14 days), then one a week. */
const DAILY_SECONDS = 16 * DAY_SECONDS
/** The epoch began on a Thursday: days from it to the first Monday. */
const MONDAY = 4 * DAY_SECONDS

/** Rows of some networks, and whether others than a network were heard in a bin. */
type Read = { trials: readonly Trials[]; alive: (asn: number, at: number) => boolean }

const binOf = (at: number): number => Math.floor(at / DETECTOR_BIN_SECONDS) * DETECTOR_BIN_SECONDS

const isKept = (at: number, now: number): boolean =>
  at % DAY_SECONDS === 0 && (at > now - DAILY_SECONDS || (at - MONDAY) % WEEK_SECONDS === 0)

/**
 * Detection kept up with the rows. A late row takes the network back to the newest state before it (in memory, else of
 * the store, else none) and forward again over the rows that are there now: the answer is that of a full rebuild.
 */
export class Watch {
  readonly #store: Store
  /** By `country asn`: the newest settled state, serialized. It is memory for speed; the store's states serve a restart. */
  readonly #settled = new Map<string, { at: number; state: Buffer }>()
  /** By country and network: what was seen last, and in which bin it was looked at. */
  readonly #seen = new Map<string, Map<number, Seen & { looked: number }>>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Countries with networks that were not looked at in this bin: they may have fallen silent. */
  due(now: number): string[] {
    return [...this.#seen].filter(([, networks]) => this.#overdue(networks, now).length > 0).map(([country]) => country)
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
    const kept: object[] = []
    // Networks that go back far are read apart, so that the others are read from the last bins only.
    const starts = await this.#starts(country, from, now)
    const near = Map.groupBy(starts, ([, { at }]) => (at > now - 3 * 3_600 ? -1 : Math.floor(at / DAY_SECONDS)))
    const groups: Map<number, Known>[] = []
    for (const group of near.values()) {
      const from = Math.min(...group.map(([, { at }]) => at))
      const counts = await rowsByNetwork(this.#store, { country, asns: group.map(([asn]) => asn), from })
      groups.push(...apart(group, counts))
    }
    // While one group is stepped through, the engine reads the next.
    let next = groups[0] && this.#read(country, groups[0], now)
    for (const [i, group] of groups.entries()) {
      const read = await next!
      const after = groups[i + 1]
      next = after && this.#read(country, after, now)
      // Should the step fail, nobody waits for what is read meanwhile.
      next?.catch(() => undefined)
      this.#advance(country, group, read, now, seen, kept)
    }
    if (kept.length > 0) await this.#store.insert('detector_states', kept)
    this.#seen.set(country, seen)
    return seen
  }

  /** What is usual of an agent's seconds, as of when its network was last looked at. */
  usual(country: string, asn: number, series: string, agent: string): number | undefined {
    return this.#seen.get(country)?.get(asn)?.usual.get(series)?.get(agent)
  }

  #overdue(networks: ReadonlyMap<number, { looked: number }>, now: number): number[] {
    return [...networks].filter(([, { looked }]) => looked < binOf(now)).map(([asn]) => asn)
  }

  async #networks(country: string): Promise<number[]> {
    const rows = await this.#store.query<{ asn: number }>(
      'SELECT DISTINCT asn FROM agent_windows WHERE country = {country:String} AND asn != 0',
      { country },
    )
    return rows.map(({ asn }) => asn)
  }

  async #starts(country: string, from: ReadonlyMap<number, number>, now: number): Promise<Map<number, Known>> {
    const starts = new Map<number, Known>()
    const cold = new Map<number, number>()
    for (const [asn, at] of from) {
      const settled = this.#settled.get(`${country} ${asn}`)
      if (settled && settled.at <= binOf(at)) starts.set(asn, deserialize(settled.state) as Known)
      else cold.set(asn, binOf(at))
    }
    for (const [asn, known] of await this.#stored(country, cold, now)) starts.set(asn, known)
    return starts
  }

  async #read(country: string, starts: ReadonlyMap<number, Known>, now: number): Promise<Read> {
    const since = Math.min(...[...starts.values()].map(({ at }) => at))
    const to = binOf(now) + DETECTOR_BIN_SECONDS
    const scope = { country, asns: [...starts.keys()], from: since, to, named: false }
    return { trials: await trialsOf(this.#store, scope), alive: await this.#alive(since, now) }
  }

  #advance(
    country: string,
    starts: ReadonlyMap<number, Known>,
    { trials, alive }: Read,
    now: number,
    seen: Map<number, Seen & { looked: number }>,
    kept: object[],
  ): void {
    for (const [asn, known] of starts) {
      const bins = byBin(trials, asn, known.at)
      const began = known.at
      let settled = false
      const settle = () => {
        const at = Math.max(known.at, binOf(now) - SETTLED_SECONDS)
        const network = `${country} ${asn}`
        settled = true
        // Where it began from this very state, that stands.
        if (began === at && this.#settled.get(network)?.at === at) return
        known.at = at
        this.#settled.set(network, { at, state: serialize(known) })
      }
      for (const [at, of] of bins) {
        if (!settled && at >= binOf(now) - SETTLED_SECONDS) settle()
        for (const day of daysBetween(known.at, Math.min(at, binOf(now) - SETTLED_SECONDS))) {
          if (!isKept(day, now)) continue
          known.at = day
          const state = serialize(known).toString('base64')
          kept.push({ country, asn, at: day, rule: RULE_VERSION, state, written: Date.now() })
        }
        take(known, at, of, at => alive(asn, at))
        if (!settled) known.at = at + DETECTOR_BIN_SECONDS
      }
      if (!settled) settle()
      // Nobody may have reported since.
      const quiet = binOf(now) - SETTLED_SECONDS
      if (known.line.at > 0 && known.line.at < quiet) stepIsolation(known.line, quiet, [], at => alive(asn, at))
      seen.set(asn, {
        series: new Map([...known.series].map(([key, { episodes }]) => [key, episodes])),
        cuts: known.line.cuts,
        usual: new Map([...known.series].map(([key, { shift }]) => [key, usualOf(shift)])),
        looked: binOf(now),
      })
    }
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
    for (const { asn, state } of rows) found.set(asn, deserialize(Buffer.from(state, 'base64')) as Known)
    return found
  }

  /** Whether agents of other networks were heard in a bin; if nobody was, it was the server that fell silent. */
  async #alive(from: number, now: number): Promise<(asn: number, at: number) => boolean> {
    const rows = await this.#store.query<{ bin: number; asns: number[] }>(
      `SELECT toUInt32(intDiv(toUInt32(at), ${DETECTOR_BIN_SECONDS}) * ${DETECTOR_BIN_SECONDS}) AS bin, groupUniqArray(2)(asn) AS asns
       FROM agent_windows WHERE at >= fromUnixTimestamp({from:UInt32}) AND at <= fromUnixTimestamp({to:UInt32})
         AND origin != 'ooni' GROUP BY bin`,
      { from, to: Math.floor(now) },
    )
    const heard = new Map(rows.map(({ bin, asns }) => [bin, asns]))
    return (asn, at) => at < binOf(now) - SETTLED_SECONDS && (heard.get(at) ?? []).some(other => other !== asn)
  }
}

function* daysBetween(from: number, to: number): Generator<number> {
  if (from === 0) return
  for (let day = Math.ceil(from / DAY_SECONDS) * DAY_SECONDS; day <= to; day += DAY_SECONDS) yield day
}

type Bin = Map<string, Trials['networks'] extends Map<number, infer S> ? S : never>

/** A network's trials by bin and series, in order of time. */
const byBin = (trials: readonly Trials[], asn: number, from: number): [number, Bin][] => {
  const bins = new Map<number, Bin>()
  for (const { app, feature, networks } of trials) {
    const key = `${app} ${feature}`
    for (const trial of networks.get(asn) ?? []) {
      if (trial.at < from) continue
      const bin = bins.get(trial.at) ?? bins.set(trial.at, new Map()).get(trial.at)!
      const of = bin.get(key)
      if (of) of.push(trial)
      else bin.set(key, [trial])
    }
  }
  return [...bins].sort(([a], [b]) => a - b)
}

const take = (known: Known, at: number, bin: Bin, alive: (at: number) => boolean): void => {
  for (const [key, trials] of bin) {
    if (key.startsWith(`${CONTROL} `)) stepIsolation(known.line, at, trials, alive)
    else {
      const state = known.series.get(key) ?? known.series.set(key, noState()).get(key)!
      step(state, at, trials)
    }
  }
}
