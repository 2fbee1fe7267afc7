import { allTargets, CONTROL } from '../measurement/catalogue.ts'
import type { Stored } from '../measurement/measurement.ts'
import type { Request } from '../measurement/report.ts'
import type { Target } from '../measurement/target.ts'
import type { Meter } from './exporter.ts'
import { currentDegradations } from './findings.ts'
import type { Store } from './store/store.ts'
import { type Asked, askedSince } from './tests.ts'

/**
 * Confirmation requests: a finding that is open and not confirmed asks agents of its networks to measure its targets
 * anew. Agents are asked in the receipt of their reports and decide themselves, within consent, budget and spacing.
 *
 * Who is asked follows from the store alone, so that no agent can call for another's requests: alarms are the
 * detector's, and only agents known on the alarm's own network for a day are told of it.
 */

/** Where an agent is, by the newest of the rows it just delivered. */
export type Whereabouts = { agent: string; country: string; asn: number }

/** Where the agent is now, if what it delivered says so; those whose rows count for nothing are nowhere. */
export const whereabouts = (rows: readonly Stored[], now: number): Whereabouts | null => {
  let newest: Stored | null = null
  for (const row of rows) {
    const counts = row.trust !== 'quarantined' && row.role !== 'control' && !row.marks.includes('time_uncertain')
    const fresh = row.asn !== 0 && now - row.at - row.offset < FRESH_SECONDS
    if (counts && fresh && (newest === null || row.at + row.offset > newest.at + newest.offset)) newest = row
  }
  return newest && { agent: newest.agent, country: newest.country, asn: newest.asn }
}

/** Answers wanted of an alarm, and in which time; then others are asked while it stays open (reference detection.md §5.4). */
const WANTED = 5
const WANTED_SECONDS = 6 * 3_600
/** Requests one agent gets in a day, whatever is alarmed (reference detection.md §5.1, T3). */
const MOST_A_DAY = 3
/** Targets of one request; each of another address, since an address is asked once a minute. */
const MOST_TARGETS = 12
/** A request is worthless after this: agents at home report four times an hour, and measure within minutes. */
const LASTS_SECONDS = 1_800
/** An agent is asked of a network where it was heard so lately, and so long ago: nobody joins to learn of an alarm. */
const HEARD_SECONDS = 3 * 3_600
const KNOWN_SECONDS = 86_400
/** Rows older than this at arrival do not tell where their agent is now. */
const FRESH_SECONDS = 3_600
const DAY_SECONDS = 86_400
const REFRESH_MS = 60_000

type Series = { app: string; feature: string; country: string; asn: number }
type Alarmed = Series & { slow: boolean }
type Alarm = Series & {
  /** Agents that may be asked, with how often they were of this alarm within a day. */
  agents: Map<string, number>
  /** Targets by their share of failures on this network lately, worst first, one per address. */
  targets: readonly string[]
  /** Requests of the last hours that were answered, or may still be. */
  hopeful: number
}

export type ConfirmationParts = {
  store: Store
  meter: Meter
  /** Unix seconds. */
  now: () => number
  failed?: (error: Error) => void
}

const keyOf = ({ app, feature, country, asn }: Series): string => `${app} ${feature} ${country} ${asn}`
const networkOf = ({ country, asn }: { country: string; asn: number }): string => `${country} ${asn}`

export class Confirmations {
  readonly #parts: ConfirmationParts
  /** By network. */
  #alarms = new Map<string, Alarm[]>()
  /** By agent: requests within a day. */
  #today = new Map<string, number>()
  /** Requests whose end nobody has counted yet. */
  #waiting = new Map<string, Asked>()
  #working: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: ConfirmationParts) {
    this.#parts = parts
  }

  start(): void {
    void this.refresh()
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
  }

  /** Take up what is alarmed now; never rejects: without the store nobody is asked anything. */
  refresh(): Promise<void> {
    this.#working = this.#working.then(() => this.#read()).catch(error => this.#fail(error as Error))
    return this.#working
  }

  #fail(error: Error): void {
    this.#parts.meter.count('peyk_store_failures_total', { operation: 'confirm' })
    this.#parts.failed?.(error)
  }

  /** What this agent is asked now: told only when it is durable, so that the answer will be known as one. */
  async ask(where: Whereabouts): Promise<Request[]> {
    const { store, meter, now } = this.#parts
    const asked = Math.floor(now())
    const expires = asked + LASTS_SECONDS
    const rows: object[] = []
    const targets = new Set<string>()
    for (const alarm of this.#alarms.get(networkOf(where)) ?? []) {
      if (!this.#isNext(alarm, where.agent)) continue
      const { app, feature, country, asn } = alarm
      this.#count({ app, feature, country, asn, agent: where.agent, asked, expires, answered: 0 }, alarm)
      rows.push({ app, feature, country, asn, agent: where.agent, targets: alarm.targets, asked, expires })
      for (const target of alarm.targets) targets.add(target)
    }
    if (rows.length === 0) return []
    try {
      await store.insert('confirmation_requests', rows)
    } catch (error) {
      this.#fail(error as Error)
      return []
    }
    meter.count('peyk_confirmation_requests_total', { outcome: 'sent' }, rows.length)
    return [...targets].map(target => ({ target, expires }))
  }

  /** Round-robin: nobody twice before everybody once, nobody beyond its day, and no more than are wanted. */
  #isNext({ agents, hopeful, targets }: Alarm, agent: string): boolean {
    const times = agents.get(agent)
    if (times === undefined || targets.length === 0 || hopeful >= WANTED) return false
    return times <= Math.min(...agents.values()) && (this.#today.get(agent) ?? 0) < MOST_A_DAY
  }

  #count(asked: Asked, alarm: Alarm): void {
    alarm.agents.set(asked.agent, (alarm.agents.get(asked.agent) ?? 0) + 1)
    alarm.hopeful++
    this.#today.set(asked.agent, (this.#today.get(asked.agent) ?? 0) + 1)
    this.#waiting.set(`${keyOf(asked)} ${asked.agent} ${asked.asked}`, asked)
  }

  async #read(): Promise<void> {
    const { store, now } = this.#parts
    const at = Math.floor(now())
    const open = (await currentDegradations(store, { open: true })).filter(
      ({ app, state, verdict }) => app !== CONTROL && (state === 'unconfirmed' || verdict === 'slow'),
    )
    const series = open.flatMap(({ app, feature, country, networks, verdict }) =>
      networks.map((asn): Alarmed => ({ app, feature, country, asn, slow: verdict === 'slow' })),
    )
    const asked = series.length + this.#waiting.size > 0 ? await askedSince(store, at - DAY_SECONDS) : []
    this.#settle(asked, at)
    this.#today = new Map()
    for (const { agent } of asked) this.#today.set(agent, (this.#today.get(agent) ?? 0) + 1)
    const known = await knownAgents(store, series, at)
    const failing = await failingTargets(store, series, at)
    const alarms = series.map(one => alarmOf(one, asked, known.get(networkOf(one)) ?? [], failing, at))
    this.#alarms = Map.groupBy(alarms, networkOf)
  }

  /** Count how requests ended. */
  #settle(asked: readonly Asked[], at: number): void {
    for (const one of asked) {
      const key = `${keyOf(one)} ${one.agent} ${one.asked}`
      if (!this.#waiting.has(key)) continue
      // Its answer may lie in a report that is yet to come.
      const over = one.expires + LASTS_SECONDS < at
      if (one.answered === 0 && !over) continue
      this.#waiting.delete(key)
      const outcome = one.answered > 0 ? 'answered' : 'expired'
      this.#parts.meter.count('peyk_confirmation_requests_total', { outcome })
    }
  }
}

const alarmOf = (
  series: Alarmed,
  asked: readonly Asked[],
  known: readonly string[],
  failing: ReadonlyMap<string, number>,
  at: number,
): Alarm => {
  const own = asked.filter(of => keyOf(of) === keyOf(series))
  const agents = new Map(known.map(agent => [agent, own.filter(of => of.agent === agent).length]))
  const hopeful = own.filter(
    of => of.asked > at - WANTED_SECONDS && (of.answered > 0 || of.expires + LASTS_SECONDS > at),
  ).length
  return { ...series, agents, hopeful, targets: targetsOf(series, failing) }
}

/** Of a slow series the app's transfers, then the series' deciding targets, those that fail most first; one per address. */
const targetsOf = (series: Alarmed, failing: ReadonlyMap<string, number>): string[] => {
  const { app, feature, country, slow } = series
  const asked = allTargets().filter(({ app: of, target }) => of === app && isAsked(target, country))
  const own = asked.filter(({ target }) => target.feature === feature && target.decides === 'yes')
  const share = ({ target }: (typeof own)[number]): number => failing.get(`${keyOf(series)} ${target.id}`) ?? 0
  const chosen = new Map<string, string>()
  for (const { target } of slow ? asked : []) if (target.pairs) chosen.set(target.host, target.id)
  for (const one of own.toSorted((a, b) => share(b) - share(a))) {
    if (!chosen.has(one.target.host)) chosen.set(one.target.host, one.target.id)
  }
  return [...chosen.values()].slice(0, MOST_TARGETS)
}

const isAsked = (target: Target, country: string): boolean =>
  !target.experimental &&
  target.risk === 'ordinary' &&
  (target.countries === undefined || target.countries.includes(country)) &&
  (target.roles === undefined || target.roles.includes('vantage'))

/** Agents of the alarmed networks that may be asked, by network, in order. */
const knownAgents = async (store: Store, series: readonly Series[], at: number): Promise<Map<string, string[]>> => {
  if (series.length === 0) return new Map()
  const rows = await store.query<{ country: string; asn: number; agent: string }>(
    `SELECT country, asn, agent FROM agent_windows
     WHERE at >= fromUnixTimestamp({from:UInt32}) AND origin != 'ooni' AND role != 'control'
       AND (country, asn) IN (SELECT t.1, t.2 FROM (SELECT arrayJoin(arrayZip({countries:Array(String)}, {asns:Array(UInt32)})) AS t))
     GROUP BY country, asn, agent
     HAVING max(at) >= fromUnixTimestamp({heard:UInt32}) AND min(at) <= fromUnixTimestamp({known:UInt32})
     ORDER BY agent`,
    { ...placesOf(series), from: at - 4 * DAY_SECONDS, heard: at - HEARD_SECONDS, known: at - KNOWN_SECONDS },
  )
  return new Map([...Map.groupBy(rows, networkOf)].map(([network, of]) => [network, of.map(({ agent }) => agent)]))
}

const placesOf = (series: readonly Series[]) => ({
  countries: series.map(({ country }) => country),
  asns: series.map(({ asn }) => asn),
})

/** Share of failures lately, by series and target. */
const failingTargets = async (store: Store, series: readonly Series[], at: number): Promise<Map<string, number>> => {
  if (series.length === 0) return new Map()
  const rows = await store.query<Series & { target: string; share: number }>(
    `SELECT app, feature, country, asn, target, 1 - sum(answered) / sum(attempts) AS share FROM agent_windows FINAL
     WHERE at >= fromUnixTimestamp({from:UInt32}) AND attempts > 0
       AND (country, asn) IN (SELECT t.1, t.2 FROM (SELECT arrayJoin(arrayZip({countries:Array(String)}, {asns:Array(UInt32)})) AS t))
     GROUP BY app, feature, country, asn, target`,
    { ...placesOf(series), from: at - HEARD_SECONDS },
  )
  return new Map(rows.map(row => [`${keyOf(row)} ${row.target}`, row.share]))
}
