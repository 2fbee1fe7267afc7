import type { Stored } from '../measurement/measurement.ts'
import type { Report } from '../measurement/report.ts'
import type { Meter } from './exporter.ts'
import { hmac } from './secrets.ts'
import { sqlTime } from './store/rows.ts'
import type { Store } from './store/store.ts'

/**
 * What agents measured beside what arrived here. Agents number their measurements, so what is missing can be counted:
 * every delivery is kept as spans of numbers by the day they were measured, and the union of all spans is what arrived,
 * however often, in whatever order and at whichever collector.
 */

/** Agents whose last counts are remembered for the counters on /metrics. */
const MOST_REMEMBERED = 200_000

type Counts = Report['ledger']
type Span = { day: string; first: number; last: number }

export class Ledger {
  readonly #key: Buffer
  readonly #meter: Meter
  readonly #last = new Map<string, Counts>()

  constructor(key: Buffer, meter: Meter) {
    this.#key = key
    this.#meter = meter
  }

  /** Rows of `deliveries` for these measurements of one agent. */
  deliveries(thumbprint: string, { measured, dropped }: Counts, rows: readonly Stored[]): object[] {
    const [{ arrived } = { arrived: 0 }] = rows
    const agent = hmac(this.#key, thumbprint).toString('base64url').slice(0, 22)
    return spansOf(rows).map(({ day, first, last }) => ({
      ...{ agent, day, arrived: sqlTime(arrived), first, last },
      // An agent that counts less than it sent is wrong about it.
      measured: Math.max(measured, last),
      dropped: Math.min(dropped, Number.MAX_SAFE_INTEGER),
    }))
  }

  /** Count on /metrics what this report adds; nothing of an agent's past before this process knew it. */
  count(thumbprint: string, said: Counts | null, delivered: number): void {
    // A spool carried by hand says nothing of what its agent has measured since.
    const now = said ?? this.#last.get(thumbprint) ?? { measured: 0, dropped: 0 }
    const before = this.#last.get(thumbprint) ?? now
    const add = (entry: 'measured' | 'delivered' | 'dropped', by: number) => {
      if (by > 0) this.#meter.count('peyk_ledger_measurements_total', { entry }, by)
    }
    add('measured', now.measured - before.measured)
    add('dropped', now.dropped - before.dropped)
    add('delivered', delivered)
    if (said) this.#last.set(thumbprint, now)
    if (this.#last.size > MOST_REMEMBERED) this.#last.delete(this.#last.keys().next().value!)
  }
}

/** Runs of consecutive numbers measured on one day. */
const spansOf = (rows: readonly Stored[]): Span[] => {
  const spans: Span[] = []
  for (const { sequence, at, offset } of rows.toSorted((a, b) => a.sequence - b.sequence)) {
    const day = sqlTime(at + offset).slice(0, 10)
    const span = spans.at(-1)
    if (span && span.day === day && sequence <= span.last + 1) span.last = sequence
    else spans.push({ day, first: sequence, last: sequence })
  }
  return spans
}

/** One agent's day, or (summed) a day of all agents. Counts of measurements. */
export type LedgerDay = { day: string; measured: number; delivered: number; missing: number }

/**
 * Per agent and day of measuring: `measured` from the first number of the day to the first of the next day on which it
 * measured (on its newest day: to what it last said), `delivered` of these, and what is `missing`: lost, or not here yet.
 */
const PER_AGENT = `
  SELECT agent, day, next - lowest AS measured, delivered, greatest(0, next - lowest - delivered) AS missing
  FROM (
    SELECT agent, day, lowest, delivered,
      leadInFrame(lowest, 1, newest + 1) OVER (PARTITION BY agent ORDER BY day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS next
    FROM (
      SELECT agent, toString(day) AS day, toInt64(min(first)) AS lowest,
        toInt64(intervalLengthSum(first, last + 1)) AS delivered, toInt64(max(max(measured)) OVER (PARTITION BY agent)) AS newest
      FROM deliveries GROUP BY agent, day
    )
  )
  WHERE day >= {from:String} AND day < {to:String}`

/** Days [from, to) as YYYY-MM-DD, of each agent by a name that is its own here only; for the operator. */
export const ledgerOfAgents = (store: Store, from: string, to: string): Promise<(LedgerDay & { agent: string })[]> =>
  store.query(`SELECT * FROM (${PER_AGENT}) ORDER BY day, agent LIMIT 100000`, { from, to })

/** Days [from, to) of all agents together. */
export const ledgerOfDays = (store: Store, from: string, to: string): Promise<(LedgerDay & { agents: number })[]> =>
  store.query(
    `SELECT day, count() AS agents, sum(measured) AS measured, sum(delivered) AS delivered, sum(missing) AS missing
     FROM (${PER_AGENT}) GROUP BY day ORDER BY day`,
    { from, to },
  )
