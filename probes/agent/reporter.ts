import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Value } from 'typebox/value'
import { type Batch, MAX_REPORT_BYTES, Receipt, type Report } from '../../measurement/report.ts'
import type { Catalogue } from './catalogue.ts'
import type { Keeper } from './document.ts'
import type { Role } from './may-ask.ts'
import type { Operator } from './operator.ts'
import { Refresh } from './refresh.ts'
import { scrub } from './scrub.ts'
import { Declined, jsonOf, Session, type SessionOptions } from './session.ts'
import type { Spool } from './spool.ts'
import { type Trouble, Unanswered } from './transport.ts'

/** What came of one attempt to deliver (label of peyk_agent_reports_total). */
export type DeliveryOutcome = 'stored' | 'refused' | 'redirected' | 'rejected' | 'busy' | Trouble

export type ReporterOptions = SessionOptions & {
  spool: Spool
  keeper: Keeper<Catalogue>
  /** The operator's document, where one is asked for. */
  operator: Keeper<Operator> | null
  boot: string
  /** Seconds between reports, and the first and longest wait after trouble. */
  interval: number
  backoff: { first: number; most: number }
  charge(bytes: number): void
  onCatalogue(catalogue: Catalogue): void
  onOperator(): void
  onRequests(targets: readonly string[], expires: number): void
  onOutcome(outcome: DeliveryOutcome): void
}

/** A report begins small and grows while the line carries it; batch bytes before compression. */
const SIZE = { least: 32_768, first: 2 ** 18, most: MAX_REPORT_BYTES / 2 }
const MAX_BATCHES = 100
/** Seconds between two looks at the operator's document. */
const OPERATOR_EVERY = 86_400
const compress = promisify(gzip)

const REPORT_HEADERS = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
/** Sizes of reports come in steps of this many bytes: zeros after the end of the gzip stream, which readers pass over. */
const REPORT_STEP = 2_048

/** The bytes of a report as they are sent. */
const packReport = async (report: Report): Promise<Buffer> => {
  const packed = await compress(JSON.stringify(report))
  const body = Buffer.alloc(Math.ceil(packed.length / REPORT_STEP) * REPORT_STEP)
  packed.copy(body)
  return body
}

/**
 * Carries batches to the server, and what the server says back. Trouble of any kind is counted, said in `status` and
 * tried again later; nothing is thrown. A batch leaves the spool only by a receipt: `stored` forgets it, `refused` sets
 * it aside. A report the server cannot take at all is tried batch by batch, and what fails alone is passed over.
 */
export class Reporter {
  private readonly options: ReporterOptions
  private size = SIZE.first
  private most = MAX_BATCHES
  private readonly passedOver = new Set<string>()
  private failures = 0
  private waitAfter = 0
  private readonly session: Session
  private readonly catalogue: Refresh<Catalogue>
  private readonly operator: Refresh<Operator> | null
  private wake: (() => void) | null = null
  private delivered = 0
  private reports = 0
  private trouble: string | null = null
  private refusal: string | null = null
  private clockOff: number | null = null

  constructor(options: ReporterOptions) {
    this.options = options
    this.session = new Session(options)
    const { way, clock, keeper, operator, onCatalogue, onOperator, log } = options
    const onRefused = (reason: string) => {
      if (reason !== this.refusal) log(`not taken: ${reason}`)
      this.refusal = reason
    }
    const common = { way, clock, onRefused }
    const names = { name: 'catalogue', path: '/v1/catalogue' }
    this.catalogue = new Refresh({ ...common, ...names, keeper, every: null, onNew: onCatalogue })
    this.operator =
      operator &&
      new Refresh({
        ...common,
        ...{
          name: 'operator’s document',
          path: '/v1/operator',
          keeper: operator,
          every: OPERATOR_EVERY,
          onNew: onOperator,
        },
      })
  }

  role(): Role {
    return this.session.role ?? 'vantage'
  }

  /** `trouble`: why nothing is delivered now. `refusal`: what was refused last. `clockOff`: seconds this clock is ahead of the server's. */
  status() {
    return {
      enrolled: this.session.role,
      reports: this.reports,
      delivered: this.delivered,
      trouble: this.trouble,
      refusal: this.refusal,
      clockOff: this.clockOff,
    }
  }

  /** Something waits in the spool: the first delivery of a start does not wait for its turn. */
  nudge(): void {
    if (this.reports === 0 && !this.failures) this.wake?.()
  }

  /** The machine is on another network: trouble of the old one says nothing of it. */
  retry(): void {
    if (this.failures) this.wake?.()
  }

  /** Delivers until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.session.remember()
    while (!signal.aborted) {
      const more = await this.attempt(signal)
      this.options.charge(this.options.way.bytes())
      const { interval, backoff } = this.options
      const wait = this.failures
        ? Math.max(this.waitAfter, Math.min(backoff.most, backoff.first * 2 ** (this.failures - 1)))
        : interval
      if (!more) await this.pause(wait * (0.75 + 0.5 * Math.random()), signal)
    }
  }

  private async pause(seconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const nap = new AbortController()
    const wake = () => nap.abort()
    this.wake = wake
    signal.addEventListener('abort', wake)
    await this.options.clock.sleep(seconds, nap.signal)
    signal.removeEventListener('abort', wake)
  }

  /** One attempt; true where more waits to be sent at once. */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    try {
      await this.operator?.now(signal)
      await this.catalogue.now(signal)
      const batches = await this.options.spool.peek(this.most, this.size, this.passedOver)
      await this.session.enrol(signal)
      if (batches.length) await this.deliver(batches, signal)
      this.failures = 0
      this.waitAfter = 0
      this.trouble = null
      return batches.length > 0 && (await this.options.spool.peek(1, 1, this.passedOver)).length > 0
    } catch (error) {
      if (signal.aborted) return false
      this.failed(error)
      return false
    }
  }

  private failed(error: unknown): void {
    const outcome = error instanceof Unanswered ? error.trouble : error instanceof Declined ? error.outcome : null
    if (!outcome) throw error // A bug, or a disk that cannot be read: not the network's.
    this.failures++
    this.waitAfter = error instanceof Declined ? error.after : 0
    this.size = Math.max(SIZE.least, this.size / 2)
    this.options.onOutcome(outcome)
    const said = scrub((error as Error).message)
    if (said !== this.trouble) this.options.log(`no delivery: ${said}; it goes on being tried`)
    this.trouble = said
  }

  private async deliver(batches: readonly Batch[], signal: AbortSignal): Promise<void> {
    const { clock, boot, spool } = this.options
    const sent = { wall: clock.wall(), mono: clock.mono(), boot }
    const body = await packReport({ sent, ledger: spool.ledger(), batches: [...batches] })
    const answer = await this.session.post('/v1/reports', body, REPORT_HEADERS, signal)
    if (answer.status < 200 || answer.status > 299) return this.undelivered(batches, new Declined(answer))
    const receipt = jsonOf(answer.body)
    if (!Value.Check(Receipt, receipt)) throw new Unanswered('malformed', 'a receipt came that is none')
    await this.receipted(batches, receipt)
  }

  private async receipted(batches: readonly Batch[], receipt: Receipt): Promise<void> {
    const { spool, clock } = this.options
    const sent = new Map(batches.map(batch => [batch.id, batch]))
    let refused = false
    for (const one of receipt.receipts) {
      const batch = sent.get(one.id)
      if (!batch) continue
      sent.delete(one.id)
      if (one.outcome === 'stored') {
        await spool.acknowledge(one.id)
        this.delivered += batch.last - batch.first + 1
      } else {
        refused = true
        this.refusal = scrub(one.reason)
        await spool.refuse(one.id, this.refusal)
        this.options.log(`${batch.last - batch.first + 1} measurements were refused and set aside: ${this.refusal}`)
      }
    }
    if (sent.size === batches.length) throw new Unanswered('malformed', 'a receipt names none of our batches')
    this.reports++
    this.options.onOutcome(refused ? 'refused' : 'stored')
    this.size = Math.min(SIZE.most, this.size * 2)
    this.most = MAX_BATCHES
    this.clockOff = Math.round(clock.wall() - receipt.now)
    this.catalogue.newest(receipt.catalogue)
    // Lifetimes, not times: this machine's clock may be wrong.
    for (const { target, expires } of receipt.requests) {
      if (expires > receipt.now)
        this.options.onRequests([target], clock.mono() + Math.min(expires - receipt.now, 86_400))
    }
  }

  /** The report as a whole was not taken. */
  private async undelivered(batches: readonly Batch[], declined: Declined): Promise<void> {
    // 401, 403: perhaps the server forgot us; it is asked again at the next attempt.
    if (declined.status === 401 || declined.status === 403) this.session.role = null
    else if ([400, 413, 415, 422].includes(declined.status)) {
      // Something in it cannot be taken. Nothing is thrown away for that: a proxy on the way can say 400 too.
      if (batches.length > 1) this.most = 1
      else if (batches[0]) this.passedOver.add(batches[0].id)
    }
    throw declined
  }
}
