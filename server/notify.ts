import { request } from 'undici'
import type { Degradation } from '../measurement/answers.ts'
import type { Verdict } from '../measurement/verdict.ts'
import type { Meter } from './exporter.ts'
import type { Facts, Shelf } from './facts.ts'
import type { Change } from './findings.ts'
import { byVerdict, incidentOf, type Told, toldAfter } from './told.ts'

/**
 * For those without Prometheus: a webhook and an Alertmanager are told when a degradation opens, worsens or closes. Quiet
 * by default (no address, no word), and of confirmed degradations only. At least once: what is to be said is durable
 * before it is sent, is sent until it was taken, and carries a key by which a receiver can drop a second arrival.
 */
export type NotifierParts = {
  webhook: URL | null
  /** Base of its API: `/api/v2/alerts` is added. */
  alertmanager: URL | null
  facts: Facts
  meter: Meter
  /** Degradations that are open now. */
  open: () => Promise<readonly Degradation[]>
  /** The same without networks that are not public. */
  onlyPublic: (degradations: readonly Degradation[]) => Promise<readonly Degradation[]>
  now: () => number
  failed?: (channel: string, error: Error) => void
}

const EVERY_MS = 60_000
/** An alert that is not repeated ends by itself; Prometheus uses four times its own interval too. */
const ALERT_LASTS_SECONDS = 4 * 60
const PATIENCE_MS = 10_000

/** The alert that Prometheus' rules would raise (dashboards/alerts.ts; a test compares them). */
export const alertNames: Partial<Record<Verdict, { alertname: string; severity: 'critical' | 'warning' | 'info' }>> = {
  blocked: { alertname: 'MessengerBlocked', severity: 'critical' },
  partial: { alertname: 'MessengerPartlyBlocked', severity: 'warning' },
  throttled: { alertname: 'MessengerThrottled', severity: 'critical' },
  slow: { alertname: 'MessengerSlow', severity: 'warning' },
  domestic_only: { alertname: 'DomesticOnly', severity: 'critical' },
  network_down: { alertname: 'NetworkSilent', severity: 'critical' },
  app_down: { alertname: 'AppDown', severity: 'info' },
}

export class Notifier {
  readonly #parts: NotifierParts
  readonly #told: Shelf<Told>
  /** Alerts of the last round, to end those that are gone. */
  #raised = new Map<string, Degradation>()
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> = Promise.resolve()

  constructor(parts: NotifierParts) {
    this.#parts = parts
    this.#told = parts.facts.of('incidents')
  }

  start(): void {
    if (!this.#parts.webhook && !this.#parts.alertmanager) return
    void this.tell()
    this.#timer = setInterval(() => void this.tell(), EVERY_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
  }

  /** Degradations changed. Resolves when what is to be said of it is durable, not when it was said. */
  async changed(changes: readonly Change[]): Promise<void> {
    if (!this.#parts.webhook) return
    const named = await this.#parts.onlyPublic(changes.map(({ degradation }) => degradation))
    const told = new Map(this.#told.all())
    const news = new Set<string>()
    const all = named.map((degradation, index) => ({ change: changes[index]!.change, degradation }))
    // The worst first: what is told as blocked need not be told as worse than slow.
    for (const change of all.toSorted(byVerdict)) {
      const incident = incidentOf(change.degradation, told)
      const after = toldAfter(change, told.get(incident))
      if (!after) continue
      told.set(incident, after)
      news.add(incident)
    }
    const entries = [...news].map(incident => this.#told.entry(incident, told.get(incident)!))
    if (entries.length > 0) await this.#parts.facts.put(...entries)
  }

  /** Say what waits; never rejects, what could not be said waits on. */
  tell(): Promise<void> {
    this.#working = this.#working.then(async () => {
      if (this.#parts.webhook) await this.#attempt('webhook', () => this.#tellWebhook(this.#parts.webhook!))
      if (this.#parts.alertmanager) await this.#attempt('alertmanager', () => this.#raise(this.#parts.alertmanager!))
    })
    return this.#working
  }

  async #attempt(channel: 'webhook' | 'alertmanager', say: () => Promise<number>): Promise<void> {
    const { meter, failed } = this.#parts
    try {
      const said = await say()
      if (said > 0) meter.count('peyk_notifications_total', { channel, outcome: 'sent' }, said)
    } catch (error) {
      meter.count('peyk_notifications_total', { channel, outcome: 'failed' })
      failed?.(channel, error as Error)
    }
  }

  async #tellWebhook(url: URL): Promise<number> {
    let said = 0
    for (const [incident, told] of this.#told.all()) {
      for (const one of told.waiting) {
        await post(url, one, { 'idempotency-key': one.key })
        said++
        const newest = this.#told.get(incident) ?? told
        const waiting = newest.waiting.filter(({ key }) => key !== one.key)
        await this.#parts.facts.put(this.#told.entry(incident, { ...newest, waiting }))
      }
    }
    return said
  }

  /** Every open degradation anew, as Prometheus does it: an Alertmanager that restarts forgets its alerts. */
  async #raise(url: URL): Promise<number> {
    const { open, onlyPublic, now } = this.#parts
    const confirmed = (await onlyPublic(await open())).filter(({ state, end }) => state === 'confirmed' && end === null)
    const raised = new Map(confirmed.map(of => [JSON.stringify(labelsOf(of)), of]))
    const lasting = [...raised.values()].map(of => alertOf(of, now() + ALERT_LASTS_SECONDS))
    const over = [...this.#raised].filter(([key]) => !raised.has(key)).map(([, of]) => alertOf(of, now()))
    const alerts = [...lasting, ...over].filter(alert => alert !== null)
    if (alerts.length > 0) {
      const path = new URL(`${url.pathname.replace(/\/$/, '')}/api/v2/alerts`, url)
      await post(path, alerts, {})
    }
    this.#raised = raised
    return alerts.length
  }
}

/** Labels as Prometheus' rules give them, so that routes, groups and inhibitions are the same. */
const labelsOf = ({
  id,
  incident,
  app,
  feature,
  country,
  verdict,
  layer,
  networks,
}: Degradation): Record<string, string> | null => {
  const of = feature === 'voice-call' ? calls(verdict) : alertNames[verdict]
  if (!of) return null
  const scope = networks.length >= 2 || verdict === 'domestic_only' ? 'country' : 'network'
  return {
    ...of,
    about: 'messengers',
    app,
    feature,
    country,
    verdict,
    layer: layer ?? 'none',
    scope,
    incident: incident ?? id,
  }
}

const calls = (verdict: Verdict) =>
  (['slow', 'throttled', 'partial', 'blocked'] as Verdict[]).includes(verdict)
    ? ({ alertname: 'CallsPathDegraded', severity: 'warning' } as const)
    : alertNames[verdict]

const alertOf = (of: Degradation, until: number) => {
  const labels = labelsOf(of)
  if (!labels) return null
  const annotations = {
    summary: of.sentence.en,
    summary_fa: of.sentence.fa,
    description: `${of.app} (${of.feature}) in ${of.country}: ${of.verdict} on ${of.networks.length} network(s), at the layer ${of.layer ?? 'none'}.`,
    networks: of.networks
      .slice(0, 10)
      .map(asn => `AS${asn}`)
      .join(', '),
    since: of.onset,
    agents: String(of.agents),
    control: of.control,
    events: of.events.map(({ id }) => id).join(', '),
  }
  const iso = (at: number) => new Date(at * 1000).toISOString()
  return { labels, annotations, startsAt: of.onset, endsAt: iso(until) }
}

const post = async (url: URL, body: object, headers: Record<string, string>): Promise<void> => {
  const answer = await request(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'user-agent': 'peyk', ...headers },
    headersTimeout: PATIENCE_MS,
    bodyTimeout: PATIENCE_MS,
  })
  await answer.body.dump()
  if (answer.statusCode >= 300) throw new Error(`the receiver answered ${answer.statusCode}`)
}
