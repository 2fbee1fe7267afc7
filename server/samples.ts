import { CONTROL } from '../measurement/catalogue.ts'
import type { LabelsOf, MetricName, metrics } from '../measurement/metrics.ts'
import { type Verdict, verdicts } from '../measurement/verdict.ts'
import { ROLLUP_SECONDS } from '../measurement/windows.ts'
import { publicSince } from './analysis/anonymity.ts'
import { spans } from './store/schema.ts'
import type { Params, Store } from './store/store.ts'
import { chunksOf, TOUCHED, type Touched } from './touched.ts'

/** Public 5-minute rollups as samples of Prometheus: for remote write, for export, and for /metrics where neither is. */

type RollupMetric = { [N in MetricName]: (typeof metrics)[N]['on'] extends 'rollup' ? N : never }[MetricName]

/** One value of one series; `start` is the window's, Unix seconds. The sample's own time is the window's end and later. */
export type RollupSample = {
  name: RollupMetric
  labels: Readonly<Record<string, string>>
  value: number
  start: number
  /** Agents behind it: who stays where /metrics is full. */
  agents: number
}

type Row = {
  app: string
  feature: string
  country: string
  asn: number
  start: number
  agents: number
  reachability: number | null
  seconds: Record<string, number>
  /** By flow (`app`, `control`), by `ratio/…` what they differ in, and `held`, the rate of a policer or shaper. */
  goodput: Record<string, number>
  verdict: Verdict
}

type ControlRow = {
  country: string
  asn: number
  start: number
  agents: number
  domestic: number | null
  foreign: number | null
}

/** Keeps names and labels to the table's, as the compiler sees them. */
const sample = <N extends RollupMetric>(
  name: N,
  labels: Record<LabelsOf<N>, string>,
  value: number,
  { start, agents }: { start: number; agents: number },
): RollupSample => ({ name, labels, value, start, agents })

const samplesOfRow = (row: Row): RollupSample[] => {
  const place = { app: row.app, feature: row.feature, country: row.country, asn: String(row.asn) }
  return [
    ...(row.reachability === null ? [] : [sample('peyk_reachability_ratio', place, row.reachability, row)]),
    ...(row.agents === 0 ? [] : [sample('peyk_reachability_agents', place, row.agents, row)]),
    ...Object.entries(row.seconds).map(([operation, value]) =>
      sample('peyk_latency_seconds', { ...place, operation }, value, row),
    ),
    ...Object.entries(row.goodput).map(([key, value]) => flowSample(place, key, value, row)),
    sample('peyk_verdict_rank', place, verdicts.indexOf(row.verdict), row),
  ].filter(({ value }) => Number.isFinite(value))
}

type Where = Record<'app' | 'feature' | 'country' | 'asn', string>

const flowSample = (place: Where, key: string, value: number, row: Pick<Row, 'start' | 'agents'>): RollupSample => {
  const [what = '', pair] = key.split('/')
  if (pair) return sample('peyk_throughput_ratio', { ...place, pair }, value, row)
  if (what === 'held') return sample('peyk_policer_rate_bytes_per_second', place, value, row)
  return sample('peyk_goodput_bytes_per_second', { ...place, flow: what }, value, row)
}

const samplesOfControl = (row: ControlRow): RollupSample[] =>
  (['domestic', 'foreign'] as const).flatMap(control => {
    const value = row[control]
    const labels = { control, country: row.country, asn: String(row.asn) }
    return value === null ? [] : [sample('peyk_control_reachability_ratio', labels, value, row)]
  })

/** What is asked for of [from, to), as further conditions on rollups and on agent_windows with the parameters of both. */
type Wanted = { rollups: string; windows: string; params: Params }

const rollupsSql = (
  where: string,
) => `SELECT app, feature, country, asn, toUnixTimestamp(at) AS start, agents, reachability, seconds, goodput, verdict
  FROM rollups FINAL PREWHERE ${spans(ROLLUP_SECONDS, '{from:UInt32}', '{to:UInt32}')} AND app != {control:String} AND ${where}
  WHERE ${publicSince('{from:UInt32}')}`

/** Median over agents of answered to attempted controls, per network and over the country (network 0). */
const controlsSql = (
  where: string,
) => `SELECT country, asn, toUnixTimestamp(at) AS start, agents, domestic, foreign FROM (
  SELECT country, network AS asn, at, count() AS agents,
    if(countIf(d_tried > 0) = 0, NULL, medianIf(d_got / d_tried, d_tried > 0)) AS domestic,
    if(countIf(f_tried > 0) = 0, NULL, medianIf(f_got / f_tried, f_tried > 0)) AS foreign
  FROM (SELECT country, asn AS own, agent, at, any(control_tried) AS f_tried, any(control_answered) AS f_got,
      any(domestic_tried) AS d_tried, any(domestic_answered) AS d_got
    FROM agent_windows FINAL PREWHERE at >= fromUnixTimestamp({from:UInt32}) AND at < fromUnixTimestamp({to:UInt32}) AND ${where}
    WHERE control_tried + domestic_tried > 0 AND role != 'control'
    GROUP BY country, own, agent, at)
  ARRAY JOIN if(own = 0, [toUInt32(0)], [own, toUInt32(0)]) AS network
  GROUP BY country, network, at) WHERE ${publicSince('{from:UInt32}')}`

/** Windows of a chunk. A country as a whole (network 0) is touched by any of its networks, and made of all of them. */
const chunkWanted = (chunk: Params): Wanted => {
  const windows = 'country IN {countries:Array(String)} AND toUInt32(at) IN {starts:Array(UInt32)}'
  const rollups = `${windows} AND (asn = 0 OR (country, asn, toUInt32(at)) IN ${TOUCHED})`
  return { rollups, windows, params: { ...chunk, control: CONTROL } }
}

/** Samples of the touched windows. */
export async function touchedSamples(store: Store, touched: Touched): Promise<RollupSample[]> {
  const samples: RollupSample[] = []
  for (const chunk of chunksOf(touched)) {
    const { rollups, windows, params } = chunkWanted(chunk)
    const rows = await store.query<Row>(rollupsSql(rollups), params)
    const controls = await store.query<ControlRow>(controlsSql(windows), params)
    for (const row of rows) samples.push(...samplesOfRow(row))
    for (const row of controls) samples.push(...samplesOfControl(row))
  }
  return samples
}

/** How long a rollup is the present: three windows, since one is judged some minutes after its end. */
const PRESENT_SECONDS = 3 * ROLLUP_SECONDS

/** The newest value of every series, for /metrics of a server without remote write. */
export async function presentSamples(store: Store, now: number): Promise<RollupSample[]> {
  const at = Math.floor(now)
  const params: Params = { from: at - PRESENT_SECONDS - ROLLUP_SECONDS, to: at + ROLLUP_SECONDS, control: CONTROL }
  const newest = (sql: string, by: string) => `${sql} ORDER BY at DESC LIMIT 1 BY ${by}`
  const rows = await store.query<Row>(newest(rollupsSql('true'), 'app, feature, country, asn'), params)
  const controls = await store.query<ControlRow>(newest(controlsSql('true'), 'country, asn'), params)
  return [...rows.flatMap(samplesOfRow), ...controls.flatMap(samplesOfControl)]
}

export type Range = { from: number; to: number; country?: string | undefined; app?: string | undefined }

type Told = { name: RollupMetric; operation: string } & Omit<
  Row,
  'reachability' | 'seconds' | 'goodput' | 'verdict'
> & {
    value: number
  }

/** The label beside the place; what it holds is read as `operation`. */
const ownLabel: Partial<Record<RollupMetric, string>> = {
  peyk_throughput_ratio: 'pair',
  peyk_goodput_bytes_per_second: 'flow',
}

/** A row per sample, family by family and series by series, times ascending: the engine sorts. */
const toldSql = (
  where: string,
) => `SELECT sample.1 AS name, sample.2 AS operation, sample.3 AS value, app, feature, country, asn, start, agents
  FROM (SELECT *, arrayConcat(
      if(isNull(reachability), [], [('peyk_reachability_ratio', '', assumeNotNull(reachability))]),
      if(agents = 0, [], [('peyk_reachability_agents', '', toFloat64(agents))]),
      arrayMap(o -> ('peyk_latency_seconds', toString(o), seconds[o]), mapKeys(seconds)),
      arrayMap(k -> (multiIf(k = 'held', 'peyk_policer_rate_bytes_per_second', startsWith(k, 'ratio/'), 'peyk_throughput_ratio',
        'peyk_goodput_bytes_per_second'), if(k = 'held', '', replaceOne(toString(k), 'ratio/', '')), goodput[k]), mapKeys(goodput)),
      [('peyk_verdict_rank', '', toFloat64(indexOf({verdicts:Array(String)}, toString(verdict)) - 1))]) AS samples
    FROM (${rollupsSql(where)})) ARRAY JOIN samples AS sample
  WHERE isFinite(value) ORDER BY name, app, feature, country, asn, operation, start`

/** Every sample of a range as OpenMetrics wants them, read as they come. */
export async function* rangeSamples(
  store: Store,
  { from, to, country = '', app = '' }: Range,
): AsyncGenerator<RollupSample> {
  const params: Params = { from, to, country, app, verdicts, control: CONTROL }
  const windows = "({country:String} = '' OR country = {country:String})"
  const rollups = `${windows} AND ({app:String} = '' OR app = {app:String})`
  for await (const row of store.stream<Told>(toldSql(rollups), params)) {
    const { name, operation, value, start, agents } = row
    const place = { app: row.app, feature: row.feature, country: row.country, asn: String(row.asn) }
    const own = operation === '' ? {} : { [ownLabel[name] ?? 'operation']: operation }
    yield { name, labels: { ...place, ...own }, value, start, agents }
  }
  const controls: RollupSample[] = []
  for await (const row of store.stream<ControlRow>(`${controlsSql(windows)} ORDER BY country, asn, start`, params))
    controls.push(...samplesOfControl(row))
  yield* controls.filter(({ labels }) => labels['control'] === 'domestic')
  yield* controls.filter(({ labels }) => labels['control'] === 'foreign')
}
