import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as breath } from 'node:timers/promises'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type LabelsOf, type Metric, type MetricName, metrics } from '../measurement/metrics.ts'

type NameOf<T extends Metric['type']> = {
  [N in MetricName]: (typeof metrics)[N]['type'] extends T ? N : never
}[MetricName]
export type CounterName = NameOf<'counter'>
export type GaugeName = NameOf<'gauge'>
export type HistogramName = NameOf<'histogram'>
/** Text, or one of the table's values where it lists them: boards and alerts ask for these and no others. */
export type Labels<N extends MetricName> = {
  [L in LabelsOf<N>]: (typeof metrics)[N] extends { values: infer V }
    ? L extends keyof V
      ? V[L] extends readonly (infer Value)[]
        ? Value
        : string
      : string
    : string
}

/** One series of a present-state gauge; `agents` behind it decide who stays when its family is full. */
export type Sample<N extends GaugeName> = { labels: Labels<N>; value: number; agents?: number }

/** What other parts of the server say to the exporter. Names and labels are those of measurement/metrics.ts. */
export type Meter = {
  count<N extends CounterName>(name: N, labels: Labels<N>, by?: number): void
  observe<N extends HistogramName>(name: N, labels: Labels<N>, value: number): void
  set<N extends GaugeName>(name: N, labels: Labels<N>, value: number): void
}

/** Present state, asked for at every scrape: each gauge it names is rebuilt, so that what is gone is gone. */
export type PresentState = () =>
  | { [N in GaugeName]?: readonly Sample<N>[] }
  | Promise<{ [N in GaugeName]?: readonly Sample<N>[] }>

/** Shares of its cap that a live family gives to series of their own, to folded ones, and to what even these leave over. */
const SHARES = [0.85, 0.97, 1] as const
/** What a label becomes when its series is folded; other labels stay. */
const folded: Record<string, string> = {
  asn: '0',
  country: 'ZZ',
  failure: 'unknown_failure',
  version: 'other',
  reason: 'other',
}
/** Families whose country (asn 0) holds what was folded; in the others the country has a series of its own. */
const summed: ReadonlySet<string> = new Set<MetricName>(['peyk_agents_active', 'peyk_agents_software'])

/** Folded series told apart at most: the count is then a lower bound. */
const MOST_FOLDED = 10_000

/** `folded`: live series, told apart; `dropped`: how many of a present-state family found no room at the last scrape. */
type Family = { metric: Metric; seen: Set<string>; folded: Set<string>; dropped: number; perSeries: number }

const keyOf = (metric: Metric, labels: Record<string, string>): string =>
  metric.labels.map(name => labels[name]).join('\u0000')

/** A network is folded into its country; what has no network, country and all. */
const fold = (labels: Record<string, string>): Record<string, string> =>
  'asn' in labels
    ? { ...labels, asn: '0' }
    : Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, folded[name] ?? value]))

/** What is left over when folding does not suffice: all but how it went. */
const left: Record<string, string> = { app: 'other', kind: 'other' }
const leave = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(fold(labels)).map(([name, value]) => [name, left[name] ?? value]))

/** Every metric of the server, on a registry of its own; the only code that knows the client library. */
export class Exporter implements Meter {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter<string>>()
  readonly #gauges = new Map<string, Gauge<string>>()
  readonly #histograms = new Map<string, Histogram<string>>()
  readonly #families = new Map<string, Family>()
  readonly #loop = monitorEventLoopDelay({ resolution: 10 })
  readonly #state: PresentState

  /** `labels`: borne by every series beside its own. */
  constructor(state: PresentState = () => ({}), labels: Readonly<Record<string, string>> = {}) {
    this.#state = state
    this.#registry.setDefaultLabels(labels)
    for (const [name, metric] of Object.entries(metrics) as [string, Metric][]) {
      if (metric.on !== 'agent') this.#register(name, metric)
    }
    this.#loop.enable()
  }

  count<N extends CounterName>(name: N, labels: Labels<N>, by = 1): void {
    const kept = this.#admit(name, labels)
    if (kept) this.#counters.get(name)?.inc(kept, by)
  }

  observe<N extends HistogramName>(name: N, labels: Labels<N>, value: number): void {
    const kept = this.#admit(name, labels)
    if (kept) this.#histograms.get(name)?.observe(kept, value)
  }

  set<N extends GaugeName>(name: N, labels: Labels<N>, value: number): void {
    const kept = this.#admit(name, labels)
    if (kept) this.#gauges.get(name)?.set(kept, value)
  }

  /** The text of /metrics, present state as of now. */
  async render(): Promise<string> {
    for (const [name, samples] of Object.entries(await this.#state())) {
      this.#replace(name as GaugeName, (samples ?? []) as readonly Sample<GaugeName>[])
      await breath()
    }
    for (const percentile of ['50', '99', '100'] as const) {
      const nanoseconds = percentile === '100' ? this.#loop.max : this.#loop.percentile(Number(percentile))
      this.set('peyk_event_loop_delay_seconds', { percentile }, nanoseconds / 1e9)
    }
    this.#loop.reset()
    this.#gauges.get('peyk_series_folded')?.reset()
    for (const [family, { folded, dropped }] of this.#families) {
      if (folded.size + dropped) this.#gauges.get('peyk_series_folded')?.set({ family }, folded.size + dropped)
    }
    // Family by family, so that agents and readers wait for one of them at most.
    const families: string[] = []
    for (const { name } of this.#registry.getMetricsAsArray()) {
      families.push(await this.#registry.getSingleMetricAsString(name))
      await breath()
    }
    return `${families.join('\n\n')}\n`
  }

  close(): void {
    this.#loop.disable()
  }

  #register(name: string, metric: Metric): void {
    const shape = { name, help: metric.help, labelNames: [...metric.labels], registers: [this.#registry] }
    if (metric.type === 'counter') this.#counters.set(name, new Counter(shape))
    else if (metric.type === 'gauge') {
      const gauge = new Gauge(shape)
      // The library begins those without labels at 0; what nobody has said yet is absent.
      gauge.remove({})
      this.#gauges.set(name, gauge)
    } else this.#histograms.set(name, new Histogram({ ...shape, buckets: [...(metric.buckets ?? [])] }))
    // A histogram's series: its buckets, +Inf, sum and count.
    const perSeries = metric.type === 'histogram' ? (metric.buckets?.length ?? 0) + 3 : 1
    this.#families.set(name, { metric, seen: new Set(), folded: new Set(), dropped: 0, perSeries })
  }

  /** The labels under which a series may stand: its own, those it is folded into, or none where there is no room at all. */
  #admit(name: string, labels: Record<string, string>): Record<string, string> | null {
    const family = this.#families.get(name)!
    const { metric, seen, perSeries } = family
    const key = keyOf(metric, labels)
    if (seen.has(key)) return labels
    const room = Math.floor(metric.cap / perSeries)
    const foldable = metric.labels.some(label => label in folded || label in left)
    for (const [level, as] of [labels, fold(labels), leave(labels)].entries()) {
      const own = level === 0 ? key : keyOf(metric, as)
      if (level > 0 && own === key) continue
      if (!seen.has(own) && seen.size >= (foldable ? Math.ceil(room * SHARES[level]!) : room)) continue
      seen.add(own)
      if (level > 0 && family.folded.size < MOST_FOLDED) family.folded.add(key)
      return as
    }
    return null
  }

  /** Put a present-state family anew: countries first, then the networks with most agents; the rest is folded. */
  #replace(name: GaugeName, samples: readonly Sample<GaugeName>[]): void {
    const family = this.#families.get(name)
    const gauge = this.#gauges.get(name)
    if (!family || !gauge) return
    const { metric } = family
    gauge.reset()
    const full = samples.length > metric.cap
    // What is folded by summing needs a series per country to go to.
    const wider = new Set(full && summed.has(name) ? samples.map(({ labels }) => keyOf(metric, fold(labels))) : [])
    const stays = full ? most(samples, metric.cap - wider.size) : null
    for (let at = 0; at < samples.length; at++) {
      const { labels, value } = samples[at]!
      if (!stays || stays[at]) gauge.set(labels, value)
      else if (wider.size) gauge.inc(fold(labels), value)
    }
    family.dropped = full ? samples.length - (metric.cap - wider.size) : 0
  }
}

/** Which `room` of the samples stay: countries before networks, then by agents, then as they come. */
const most = (samples: readonly Sample<GaugeName>[], room: number): boolean[] => {
  // Plain loops: at 70,000 samples a family, iterators cost more than the rendering.
  const ranks = new Float64Array(samples.length)
  for (let at = 0; at < ranks.length; at++) {
    const { labels, agents = 0 } = samples[at]!
    ranks[at] = (labels as Record<string, string>)['asn'] === '0' ? 1e9 + agents : agents
  }
  const least = ranks.toSorted().at(-room) ?? Number.POSITIVE_INFINITY
  let above = 0
  for (const rank of ranks) if (rank > least) above++
  let level = room - above
  const stays = new Array<boolean>(ranks.length)
  for (let at = 0; at < ranks.length; at++) stays[at] = ranks[at]! > least || (ranks[at] === least && level-- > 0)
  return stays
}
