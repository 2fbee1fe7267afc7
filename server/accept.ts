import { createHash } from 'node:crypto'
import { Compile } from 'typebox/compile'
import { outcome, RULE_VERSION } from '../measurement/judge/outcome.ts'
import type { Measurement, Stored } from '../measurement/measurement.ts'
import { type Batch, type BatchReceipt, type Receipt, Report, type Request } from '../measurement/report.ts'
import type { Agent, Agents } from './agents.ts'
import { openBatch, Refusal } from './batch.ts'
import type { Commit } from './commit.ts'
import { type Whereabouts, whereabouts } from './confirmations.ts'
import type { Meter } from './exporter.ts'
import { readBody } from './fault.ts'
import type { Identity } from './identity.ts'
import { Ledger } from './ledger.ts'
import type { Locate } from './locate/locate.ts'
import { Prefixes } from './locate/prefixes.ts'
import type { AgentOrigin } from './origin.ts'
import { type Placed, place } from './place.ts'
import { hmac, type Secrets } from './secrets.ts'
import { toRow } from './store/rows.ts'
import { type Touched, touchedBy } from './touched.ts'

/** Older than this at arrival, a measurement is late: the live counters leave it out, nothing corroborates it. */
const FRESH_SECONDS = 3_600
/** Batches remembered as stored, so that one sent again after a lost receipt costs nothing. */
const MOST_REMEMBERED = 50_000

/** ISO 3166 user-assigned code, used where no country is known. */
const NOWHERE = 'ZZ'

export type AcceptParts = {
  agents: Agents
  commit: Commit
  locate: Locate
  secrets: Secrets
  /** Whose rows these become. */
  origin: AgentOrigin
  meter: Meter
  now: () => number
  /** Seconds measurements are kept, or null for good. */
  retention: number | null
  catalogueVersion: () => number
  /** The lines of a sealed batch; throws a Refusal. */
  unseal: (jwe: string) => Promise<string>
  /** Told of the windows that durable rows fell into. */
  touched: (touched: Touched) => void
  /** Targets this agent is asked to measure now, where it is; never rejects. */
  requests: (where: Whereabouts) => Promise<Request[]>
}

/** Who sends, as rows say it. The address it came from is gone by here. */
type Origin = { thumbprint: string; agent: Agent; seen_country: string; seen_asn: number; prefix_token: number }

/** A report, or what was carried by hand: `sent` and `ledger` are then null, since no clock says when it left. */
type Delivered = { sent: Report['sent'] | null; ledger: Report['ledger'] | null; batches: readonly Batch[] }

type Opened = { batch: Batch; digest: string; outcome: 'known' | Stored[] | Refusal }

const validReport = Compile(Report)

/**
 * Takes reports in: from the bytes of a body that was proven to be its agent's, to a receipt for every batch. `stored`
 * is said when the rows are durable; a batch with a fault is refused whole, the others are stored.
 */
export class Accept {
  readonly #parts: AcceptParts
  readonly #pseudonymKey: Buffer
  readonly #prefixes: Prefixes
  readonly #ledger: Ledger
  readonly #remembered = new Set<string>()

  constructor(parts: AcceptParts) {
    this.#parts = parts
    this.#pseudonymKey = parts.secrets.derive('agent pseudonym')
    this.#prefixes = new Prefixes(parts.now)
    this.#ledger = new Ledger(parts.secrets.derive('ledger'), parts.meter)
  }

  /**
   * `body` is JSON, unpacked; `address` is the connection's and goes no further than this call. `room` is told of the
   * bytes that sealed batches unpack to, and throws where there is none.
   */
  async report(
    identity: Identity & { agent: Agent },
    body: Buffer,
    address: string,
    room: (bytes: number) => void,
  ): Promise<Receipt> {
    const { locate, now } = this.#parts
    const report = readBody(validReport, body)
    const origin: Origin = {
      thumbprint: identity.thumbprint,
      agent: identity.agent,
      seen_country: locate.country(address),
      seen_asn: locate.asn(address),
      prefix_token: this.#prefixes.token(address),
    }
    const { receipts, rows } = await this.#take(report, origin, room)
    const where = whereabouts(rows, now())
    return {
      receipts,
      catalogue: this.#parts.catalogueVersion(),
      now: now(),
      requests: where === null ? [] : await this.#parts.requests(where),
    }
  }

  /** Batches of one agent's exported spool, carried here by hand: who carries them says nothing of where it is. */
  async carried(thumbprint: string, agent: Agent, batches: readonly Batch[]): Promise<BatchReceipt[]> {
    const origin: Origin = { thumbprint, agent, seen_country: NOWHERE, seen_asn: 0, prefix_token: 0 }
    return (await this.#take({ sent: null, ledger: null, batches }, origin, () => undefined)).receipts
  }

  /** Opens, stores, receipts; the one way in. */
  async #take(
    report: Delivered,
    origin: Origin,
    room: (bytes: number) => void,
  ): Promise<{ receipts: BatchReceipt[]; rows: readonly Stored[] }> {
    const { commit, meter, now } = this.#parts
    const { thumbprint } = origin
    const arrived = now()
    const opened: Opened[] = []
    const networks = new Set<string>()
    // One after the other: what is unsealed of one report does not all stand in memory as text.
    for (const batch of report.batches)
      opened.push(await this.#open(batch, report.sent, origin, arrived, networks, room))
    const rows = opened.flatMap(({ outcome }) => (Array.isArray(outcome) ? outcome : []))
    await commit.add({
      measurements_raw: rows.map(row => toRow(row) as { at: string }),
      deliveries: this.#ledger.deliveries(thumbprint, report.ledger ?? { measured: 0, dropped: 0 }, rows),
    })
    this.#ledger.count(thumbprint, report.ledger, rows.length)
    for (const { outcome, digest } of opened) {
      if (Array.isArray(outcome)) this.#remember(digest)
      meter.count('peyk_batches_total', {
        outcome: outcome instanceof Refusal ? 'refused' : outcome === 'known' ? 'known' : 'stored',
      })
    }
    this.#count(rows)
    const touched = touchedBy(rows)
    if (touched.size) this.#parts.touched(touched)
    const receipts = opened.map(
      ({ batch: { id }, outcome }): BatchReceipt =>
        outcome instanceof Refusal ? { id, outcome: 'refused', reason: outcome.message } : { id, outcome: 'stored' },
    )
    return { receipts, rows }
  }

  async #open(
    batch: Batch,
    sent: Report['sent'] | null,
    origin: Origin,
    arrived: number,
    networks: Set<string>,
    room: (bytes: number) => void,
  ): Promise<Opened> {
    // Of the bytes too: an agent that reuses an id for other measurements must not lose them.
    const digest = createHash('sha256')
      .update(`${origin.thumbprint} ${batch.id} `)
      .update(batch.bytes)
      .digest('base64url')
    if (this.#remembered.has(digest)) return { batch, digest, outcome: 'known' }
    try {
      const pseudonyms = new Map<number, string>()
      const pseudonym = (asn: number): string => {
        const known =
          pseudonyms.get(asn) ??
          hmac(this.#pseudonymKey, `${origin.thumbprint} ${asn}`).toString('base64url').slice(0, 22)
        pseudonyms.set(asn, known)
        return known
      }
      const text = batch.encoding === 'jwe' ? await this.#parts.unseal(batch.bytes) : batch.bytes
      if (batch.encoding === 'jwe') room(text.length)
      const found = openBatch(batch, text, networks, found => place(found, sent, arrived, this.#parts.retention))
      return {
        batch,
        digest,
        outcome: found.map(({ found, placed }) => this.#stored(found, placed, origin, arrived, pseudonym(found.asn))),
      }
    } catch (error) {
      if (error instanceof Refusal) return { batch, digest, outcome: error }
      throw error
    }
  }

  #stored(found: Measurement, placed: Placed, origin: Origin, arrived: number, agent: string): Stored {
    const { seen_country, seen_asn, prefix_token } = origin
    return {
      ...found,
      origin: this.#parts.origin,
      agent,
      role: origin.agent.role,
      seen_country,
      seen_asn,
      trust: this.#trust(found, found.at + placed.offset, origin, arrived),
      arrived,
      offset: placed.offset,
      marks: placed.marks,
      source: { report: '', licence: '' },
      prefix_token,
      rule: RULE_VERSION,
    }
  }

  /** The connection tells where an agent is only of what it measured just now, and only where it went out directly. */
  #trust(found: Measurement, at: number, origin: Origin, arrived: number): Stored['trust'] {
    if (this.#parts.agents.quarantined(origin.agent)) return 'quarantined'
    if (origin.agent.role === 'operator') return 'operator'
    const seenThere = found.asn !== 0 && found.asn === origin.seen_asn && found.country === origin.seen_country
    return seenThere && found.route === 'direct' && arrived - at < FRESH_SECONDS ? 'corroborated' : 'claimed'
  }

  #remember(digest: string): void {
    this.#remembered.add(digest)
    if (this.#remembered.size > MOST_REMEMBERED) this.#remembered.delete(this.#remembered.values().next().value!)
  }

  #count(rows: readonly Stored[]): void {
    const { meter } = this.#parts
    for (const row of rows) {
      const { app, kind, country } = row
      if (row.arrived - row.at - row.offset > FRESH_SECONDS) {
        meter.count('peyk_late_total', { app })
        continue
      }
      const { answered, counts } = outcome(kind, row.steps)
      meter.count('peyk_measurements_total', {
        app,
        kind,
        country,
        outcome: answered ? 'answered' : counts ? 'failed' : 'void',
      })
      if (row.failure !== null)
        meter.count('peyk_failures_total', { app, kind, failure: row.failure.split(' ', 1)[0]! })
      if (row.marks.includes('loop_stalled')) continue
      for (const { operation, duration, failure } of row.steps) {
        if (failure === null) meter.observe('peyk_step_duration_seconds', { app, operation }, duration)
      }
    }
  }
}
