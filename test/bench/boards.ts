/**
 * How long the queries of each board take together, on 30 days of 100 places x 7 apps in a real Prometheus. Filled by remote
 * write in our own encoding. PEYK_BENCH_DAYS and PEYK_BENCH_PLACES make it smaller.
 */
import { boards } from '../../dashboards/boards/boards.ts'
import type { Panel } from '../../dashboards/panel.ts'
import { settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'
import { verdicts } from '../../measurement/verdict.ts'
import { encode, type Timed } from '../../server/remote-write.ts'
import { answered, resolved, type View } from '../dashboards/grafana.ts'
import { scratch, startPrometheus } from '../servers/prometheus.ts'
import type { Bench } from './bench.ts'

const DAYS = Number(process.env['PEYK_BENCH_DAYS'] ?? 30)
const PLACES = Number(process.env['PEYK_BENCH_PLACES'] ?? 100)
const apps = ['telegram', 'whatsapp', 'signal', 'messenger', 'threema', 'wire', 'element']
const countries = ['IR', 'KE', 'RU', 'TR', 'CN', 'PK', 'ET', 'VE', 'MM', 'UG']
const operations = ['connect', 'tls_handshake', 'protocol_handshake']

const places = Array.from({ length: PLACES }, (_, index) => ({
  country: countries[index % countries.length]!,
  asn: String(Math.floor(index / countries.length)),
}))

function* window(at: number): Generator<Timed> {
  for (const { country, asn } of places) {
    for (const app of apps) {
      const place = { app, feature: 'text', country, asn }
      const wave = (Math.sin(at / 40_000 + Number(asn)) + 1) / 2
      const one = (name: string, value: number, more = {}) => ({
        name,
        labels: { ...place, ...more },
        value,
        at: at * 1000,
      })
      yield one('peyk_reachability_ratio', wave)
      yield one('peyk_reachability_agents', 12)
      yield one('peyk_verdict_rank', Math.floor(wave * (verdicts.length - 1)))
      for (const operation of operations) yield one('peyk_latency_seconds', 0.05 + wave / 10, { operation })
    }
    for (const control of ['domestic', 'foreign'])
      yield { name: 'peyk_control_reachability_ratio', labels: { control, country, asn }, value: 1, at: at * 1000 }
  }
}

const push = async (url: string, samples: readonly Timed[]) => {
  const headers = {
    'content-encoding': 'snappy',
    'content-type': 'application/x-protobuf',
    'x-prometheus-remote-write-version': '0.1.0',
  }
  const answer = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body: encode(samples) as BodyInit })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
}

/** Seconds of CPU that Prometheus has used: on a busy machine the fairer figure. */
const cpuOf = async (url: string) => {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)![1])
}

export const bench: Bench = async figure => {
  await using folder = await scratch('bench-boards')
  await using prometheus = await startPrometheus(
    folder.path,
    'storage:\n  tsdb:\n    out_of_order_time_window: 40d\n',
    ['--web.enable-remote-write-receiver'],
  )
  const to = Math.floor(Date.now() / 300_000) * 300
  const from = to - DAYS * 86_400
  const began = performance.now()
  let samples = 0
  for (let at = from; at <= to; at += 7_200) {
    const batch: Timed[] = []
    for (let plus = 0; plus < 7_200 && at + plus <= to; plus += 300) batch.push(...window(at + plus))
    samples += batch.length
    await push(prometheus.url, batch)
  }
  figure({
    figure: 'filled',
    samples,
    days: DAYS,
    series: PLACES * apps.length,
    seconds: Math.round((performance.now() - began) / 1000),
  })
  const events = loadEvents()
  const view: View = { from, to }
  const wishes: Record<string, string> = { app: 'telegram', country: 'IR', feature: 'text', asn: '0' }
  for (const board of boards({ ...settingsFrom({}), events })) {
    const single = board.templating.list.filter(({ type, multi, name }) => type === 'query' && !multi && name in wishes)
    const own =
      board.uid === 'peyk-event'
        ? { feature: 'text' }
        : Object.fromEntries(single.map(({ name }) => [name, wishes[name]!]))
    const cpu = await cpuOf(prometheus.url)
    const start = performance.now()
    const values = await resolved(prometheus.url, board, view, own)
    const variables = performance.now() - start
    let slowest = 0
    let slow = ''
    let panels = 0
    let queries = 0
    for (const panel of board.panels as Panel[])
      for (const target of panel.targets ?? []) {
        const before = performance.now()
        await answered(prometheus.url, target, values, view, panel.interval === '5m' ? 300 : 60)
        const took = performance.now() - before
        panels += took
        queries++
        if (took > slowest) [slowest, slow] = [took, panel.title]
      }
    const before = performance.now()
    for (const { target, enable } of board.annotations.list)
      if (target && enable) {
        await answered(prometheus.url, target, values, view)
        queries++
      }
    const annotations = performance.now() - before
    const round = (milliseconds: number) => Math.round(milliseconds)
    figure({
      figure: board.uid,
      queries,
      milliseconds: round(variables + panels + annotations),
      cpu_milliseconds: round(1000 * ((await cpuOf(prometheus.url)) - cpu)),
      ...{
        variables: round(variables),
        panels: round(panels),
        annotations: round(annotations),
        slowest: round(slowest),
        slow,
      },
    })
  }
}
