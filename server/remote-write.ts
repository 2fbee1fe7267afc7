import protobuf from 'protobufjs'
import { compress } from 'snappyjs'
import { request } from 'undici'
import type { metrics } from '../measurement/metrics.ts'
import { ROLLUP_SECONDS } from '../measurement/windows.ts'
import type { Meter } from './exporter.ts'
import type { Facts, Shelf } from './facts.ts'
import { type RollupSample, touchedSamples } from './samples.ts'
import type { Store } from './store/store.ts'
import { type Touched, touch } from './touched.ts'

/**
 * Rollups to Prometheus at their own time, by remote write 1.0 (Mimir, Thanos and VictoriaMetrics take the same).
 * Prometheus keeps the first value it got for a time and says nothing, so revision r of a window is written r seconds
 * after the window's end, and boards read the last sample of a span. Which revision a window has is the only state.
 */
export const MOST_REVISIONS = ROLLUP_SECONDS

/** https://prometheus.io/docs/specs/prw/remote_write_spec/, "Protocol"; only what we fill. */
const { root } = protobuf.parse(`syntax = "proto3"; package prometheus;
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }`)
const WriteRequest = root.lookupType('prometheus.WriteRequest')

/** `at` in milliseconds. */
export type Timed = { name: string; labels: Readonly<Record<string, string>>; value: number; at: number }

const seriesOf = (samples: readonly Timed[]): [string, Timed[]][] => [
  ...Map.groupBy(samples, ({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()])),
]

/** Body of a request: series with sorted labels, each series' samples in order of time. */
export const encode = (samples: readonly Timed[]): Uint8Array => {
  const timeseries = seriesOf(samples).map(([, own]) => ({
    labels: Object.entries({ ...own[0]!.labels, __name__: own[0]!.name })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    samples: own.toSorted((a, b) => a.at - b.at).map(({ value, at }) => ({ value, timestamp: at })),
  }))
  return compress(WriteRequest.encode(WriteRequest.create({ timeseries })).finish())
}

export type RemoteWriteParts = {
  /** PEYK_REMOTE_WRITE_URL; user and password in it become basic authentication. */
  url: URL
  /** Seconds back that the receiver takes late samples for (its out_of_order_time_window). */
  window: number
  store: Store
  facts: Facts
  meter: Meter
  /** Unix seconds. */
  now: () => number
  /** Borne by every series beside its own. */
  labels?: Readonly<Record<string, string>>
  /** Told why a push failed; it is tried again. */
  failed?: (error: Error) => void
}

type Outcome = (typeof metrics)['peyk_remote_write_samples_total']['values']['outcome'][number]

/** Samples of one request, some 100 kB. */
const MOST_IN_REQUEST = 5_000
/** Distance from the receiver's bound: its newest time may be ahead of ours, and a request takes its time. */
const MARGIN_SECONDS = 3_600
/** A window is pushed when it has ended and its first rows are settled, so that revision 0 is mostly the last. */
const SETTLE_SECONDS = 60
const EVERY_MS = 10_000

/** The receiver will never take these, however often they come. */
class Refused extends Error {}
/** It certainly took nothing, and may later. */
class NotStored extends Error {}

export class RemoteWrite {
  readonly #parts: RemoteWriteParts
  readonly #pushed: Shelf<{ revision: number }>
  /** Revisions claimed and certainly not stored by the receiver, so free to use again. */
  readonly #unused = new Map<number, number>()
  #touched: Touched = new Map()
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> = Promise.resolve()

  constructor(parts: RemoteWriteParts) {
    this.#parts = parts
    this.#pushed = parts.facts.of('pushed')
  }

  start(): void {
    this.#timer = setInterval(
      () => void this.push().catch(error => this.#parts.failed?.(error as Error)),
      EVERY_MS,
    ).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working.catch(() => undefined)
  }

  /** Rollups of these windows changed. */
  touch(touched: Touched): void {
    for (const [network, windows] of touched) {
      const [country = '', asn = ''] = network.split(' ')
      for (const at of windows) touch(this.#touched, country, Number(asn), at)
    }
  }

  /** Push what was touched and has ended; rejects where the receiver is away, and what was touched stays so. */
  push(): Promise<void> {
    this.#working = this.#working.catch(() => undefined).then(() => this.#push())
    return this.#working
  }

  async #push(): Promise<void> {
    const { store, facts, now, window, labels } = this.#parts
    const { ready, late } = this.#takeEnded(now(), now() - window + MARGIN_SECONDS)
    this.#count('too_old', late)
    if (ready.size === 0) return
    let samples: RollupSample[] = []
    try {
      samples = await touchedSamples(store, ready)
      const revisions = new Map(
        [...new Set(samples.map(({ start }) => start))].map(start => [start, this.#next(start)]),
      )
      // Claimed before it is sent: after a crash nobody knows whether it arrived, so it is not used again.
      if (revisions.size > 0)
        await facts.put(...[...revisions].map(([start, revision]) => this.#pushed.entry(String(start), { revision })))
      const timed = samples.filter(({ start }) => revisions.get(start)! < MOST_REVISIONS)
      this.#count('exhausted', samples.length - timed.length)
      await this.#send(
        timed.map(of => timedOf({ ...of, labels: { ...of.labels, ...labels } }, revisions.get(of.start)!)),
        revisions,
      )
    } catch (error) {
      this.touch(ready)
      this.#count('failed', samples.length)
      throw error
    }
  }

  #next(start: number): number {
    return this.#unused.get(start) ?? (this.#pushed.get(String(start))?.revision ?? -1) + 1
  }

  /** Takes windows that have ended out of what is touched; those before `oldest` are only counted. */
  #takeEnded(now: number, oldest: number): { ready: Touched; late: number } {
    const ready: Touched = new Map()
    const waiting: Touched = new Map()
    let late = 0
    for (const [network, windows] of this.#touched) {
      const [country = '', asn = ''] = network.split(' ')
      for (const at of windows) {
        const end = at + ROLLUP_SECONDS
        if (end <= oldest) late++
        else touch(end + SETTLE_SECONDS <= now ? ready : waiting, country, Number(asn), at)
      }
    }
    this.#touched = waiting
    return { ready, late }
  }

  #count(outcome: Outcome, by: number): void {
    if (by > 0) this.#parts.meter.count('peyk_remote_write_samples_total', { outcome }, by)
  }

  async #send(samples: readonly Timed[], revisions: ReadonlyMap<number, number>): Promise<void> {
    let sent = 0
    try {
      for (; sent < samples.length; sent += MOST_IN_REQUEST)
        await this.#sendPart(samples.slice(sent, sent + MOST_IN_REQUEST))
      for (const start of revisions.keys()) this.#unused.delete(start)
    } catch (error) {
      // A receiver that is away for hours must not use revisions up.
      if (error instanceof NotStored && sent === 0)
        for (const [start, revision] of revisions) this.#unused.set(start, revision)
      throw error
    }
  }

  /** A request that is refused as a whole is halved until only what is at fault is left out. */
  async #sendPart(samples: readonly Timed[]): Promise<void> {
    try {
      await this.#post(encode(samples))
      this.#count('sent', samples.length)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      if (samples.length === 1) {
        this.#count('refused', 1)
        return
      }
      const half = Math.ceil(samples.length / 2)
      await this.#sendPart(samples.slice(0, half))
      await this.#sendPart(samples.slice(half))
    }
  }

  async #post(body: Uint8Array): Promise<void> {
    const { url } = this.#parts
    const bare = new URL(url)
    bare.username = bare.password = ''
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    const answer = await request(bare, {
      method: 'POST',
      body,
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
        'user-agent': 'peyk',
        ...(url.username ? { authorization: `Basic ${Buffer.from(login).toString('base64')}` } : {}),
      },
    }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ECONNREFUSED' ? new NotStored('nobody listens there') : error
    })
    const text = (await answer.body.text()).slice(0, 200)
    if (answer.statusCode < 300) return
    // Prometheus before 2.43 answers 500 where it means 400 (its issue 13334).
    const never = /too old|out of bounds|too far in (the )?future/i.test(text)
    const wrong = answer.statusCode === 400 || answer.statusCode === 422
    const message = `the receiver answered ${answer.statusCode}: ${text}`
    throw never || wrong ? new Refused(message) : new NotStored(message)
  }
}

const timedOf = ({ name, labels, value, start }: RollupSample, revision: number): Timed => ({
  ...{ name, labels, value },
  at: (start + ROLLUP_SECONDS + revision) * 1000,
})
