import { afterEach, expect, test } from 'vitest'
import { apps } from '../../measurement/catalogue.ts'
import { failures } from '../../measurement/failure.ts'
import { metrics, SERIES_BUDGET } from '../../measurement/metrics.ts'
import { operations } from '../../measurement/step.ts'
import { verdicts } from '../../measurement/verdict.ts'
import { Exporter, type PresentState, type Sample } from '../../server/exporter.ts'
import { serveMetrics } from '../../server/scrape.ts'

let exporter: Exporter
afterEach(() => exporter?.close())

const countries = Array.from({ length: 50 }, (_, at) => `${String.fromCharCode(65 + (at % 26))}${at < 26 ? 'A' : 'B'}`)
const networks = Array.from({ length: 2_000 }, (_, at) => ({ asn: String(at + 1), country: countries[at % 50]! }))
const places = [
  ...countries.map(country => ({ asn: '0', country, agents: 0 })),
  ...networks.map((one, at) => ({ ...one, agents: at })),
]

/** Everything that the whole catalogue, 50 countries and 2,000 networks can say at once. */
const everything: PresentState = (() => {
  const verdict: Sample<'peyk_verdict'>[] = []
  const reachability: Sample<'peyk_reachability_ratio'>[] = []
  const latency: Sample<'peyk_latency_seconds'>[] = []
  for (const { country, asn, agents } of places) {
    for (const { id: app, targets } of apps) {
      for (const feature of new Set(targets.map(target => target.feature))) {
        verdict.push({ labels: { app, feature, country, asn, verdict: verdicts[1] }, value: 1, agents })
        reachability.push({ labels: { app, feature, country, asn }, value: 0.5, agents })
        latency.push({ labels: { app, feature, country, asn, operation: 'connect' }, value: 0.1, agents })
      }
    }
  }
  const all = {
    peyk_verdict: verdict,
    peyk_reachability_ratio: reachability,
    peyk_reachability_agents: reachability,
    peyk_latency_seconds: latency,
    peyk_agents_active: places.map(({ country, asn, agents }) => ({ labels: { country, asn }, value: 1, agents })),
  }
  return () => all
})()

const seriesOf = (text: string): string[] => text.split('\n').filter(line => line !== '' && !line.startsWith('#'))

/** Every app by the kinds that its targets have, everywhere, with every outcome and failure. Gives what was counted. */
const feedLive = (): { measurements: number; steps: number } => {
  const fed = { measurements: 0, steps: 0 }
  for (const { id: app, targets } of apps) {
    for (const kind of new Set(targets.map(target => target.kind))) {
      for (const country of countries) {
        for (const outcome of ['answered', 'failed', 'void'] as const) {
          exporter.count('peyk_measurements_total', { app, kind, country, outcome })
          fed.measurements++
        }
      }
      for (const failure of Object.keys(failures)) exporter.count('peyk_failures_total', { app, kind, failure })
    }
    for (const operation of operations) {
      exporter.observe('peyk_step_duration_seconds', { app, operation }, 0.3)
      fed.steps++
    }
  }
  return fed
}

test('the full catalogue, 50 countries and 2,000 networks stay within the budget; each family within its cap', async () => {
  exporter = new Exporter(everything)
  const fed = feedLive()
  const series = seriesOf(await exporter.render())
  expect(series.length).toBeLessThanOrEqual(SERIES_BUDGET)
  for (const [name, { cap }] of Object.entries(metrics)) {
    const own = series.filter(
      line => line.startsWith(`${name}{`) || line.startsWith(`${name}_`) || line.startsWith(`${name} `),
    )
    expect(own.length, name).toBeLessThanOrEqual(cap)
  }
  const sumOf = (prefix: string) =>
    series.filter(line => line.startsWith(prefix)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  // What is folded is not lost.
  expect(sumOf('peyk_measurements_total{')).toBe(fed.measurements)
  expect(sumOf('peyk_step_duration_seconds_count{')).toBe(fed.steps)
  const counted = series.filter(line => line.startsWith('peyk_measurements_total{'))
  expect(counted.some(line => line.includes('country="ZZ"'))).toBe(true)
})

test('countries stay, then networks with most agents; what is folded is counted', async () => {
  exporter = new Exporter(() => ({
    peyk_agents_active: places.map(({ country, asn, agents }) => ({ labels: { country, asn }, value: agents, agents })),
  }))
  const text = await exporter.render()
  const active = seriesOf(text).filter(line => line.startsWith('peyk_agents_active'))
  const sum = active.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  expect(sum).toBe(places.reduce((total, { agents }) => total + agents, 0))
  expect(active.some(line => line.includes('asn="2000"'))).toBe(true)
  expect(active.some(line => line.includes('asn="1"'))).toBe(false)
  expect(active.filter(line => line.includes('asn="0"')).length, 'a rest in every country').toBe(countries.length)
  expect(text).toMatch(/peyk_series_folded\{family="peyk_agents_active"\} 1[89]\d\d/)
})

test('present state that is gone is gone from the next scrape; counters stay', async () => {
  let open = true
  exporter = new Exporter(() => ({
    peyk_verdict: open
      ? [{ labels: { app: 'telegram', feature: 'text', country: 'KE', asn: '0', verdict: 'blocked' }, value: 1 }]
      : [],
  }))
  exporter.count('peyk_late_total', { app: 'telegram' }, 2)
  const page = await serveMetrics(exporter, '127.0.0.1', 0)
  const scrape = async () => await (await fetch(page.url)).text()
  expect(await scrape()).toContain(
    'peyk_verdict{app="telegram",feature="text",country="KE",asn="0",verdict="blocked"} 1',
  )
  open = false
  const after = await scrape()
  expect(after).not.toMatch(/^peyk_asn_database/m)
  expect(after).not.toContain('peyk_verdict{')
  expect(after).toContain('peyk_late_total{app="telegram"} 2')
  expect(after).toMatch(/peyk_event_loop_delay_seconds\{percentile="99"\} \d/)
  await page.close()
})

test('a full exposition renders quickly', async () => {
  exporter = new Exporter(everything)
  feedLive()
  await exporter.render()
  const took: number[] = []
  for (let round = 0; round < 7; round++) {
    const begun = process.cpuUsage()
    await exporter.render()
    took.push(process.cpuUsage(begun).user / 1000)
  }
  const median = took.sort((a, b) => a - b)[3]!
  console.log(`a full exposition: ${median.toFixed(0)} ms of processor`)
  // 150,000 samples a family, most of them folded: what a server would have to say if every app were measured in every
  // network. The goal is 50 ms; this guards against growth faster than the samples, on slower and busier machines too.
  expect(median).toBeLessThan(400)
})

test('a scrape whose state cannot be had fails, and says so, instead of looking as if all were well', async () => {
  exporter = new Exporter(() => Promise.reject(new Error('the store is away')))
  const said: string[] = []
  const page = await serveMetrics(exporter, '127.0.0.1', 0, error => said.push(error.message))
  expect((await fetch(page.url)).status).toBe(500)
  expect(said).toEqual(['the store is away'])
  await page.close()
})
