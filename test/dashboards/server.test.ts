/**
 * The whole way: the real server over a small world, scraped by a real Prometheus and pushing rollups to it. Every board's
 * queries answer, and what they answer is what /v1 says of the same cells.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { boards } from '../../dashboards/boards/boards.ts'
import { presentRank, WHOLE } from '../../dashboards/figures.ts'
import type { Panel } from '../../dashboards/panel.ts'
import { settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'
import type { Degradations, Reachability, Series } from '../../measurement/answers.ts'
import { allTargets } from '../../measurement/catalogue.ts'
import { verdicts } from '../../measurement/verdict.ts'
import { readConfig } from '../../server/config.ts'
import { openStore, runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { toRow } from '../../server/store/rows.ts'
import { CATALOGUE } from '../server/live.ts'
import { networks, pairedTests, type Trouble, world } from '../server/world.ts'
import {
  freePort,
  instant,
  prometheusPath,
  promtoolPath,
  type Running,
  ranged,
  scratch,
  startPrometheus,
} from '../servers/prometheus.ts'
import { answered, resolved, type Values, type View } from './grafana.ts'

const missing = prometheusPath === null ? ' (skipped: prometheus is not installed)' : ''
const events = loadEvents()
const all = boards({ ...settingsFrom({}), events })

/** What no server exports as long as nothing of it was measured here: transfers, agents of the wire, alerts, others’ metrics. */
const elsewhere =
  /peyk_(confirmation|throughput|goodput|policer|agents_software|ledger|late|measurements_total|failures|step|reports|batches|report_bytes|accept|refused|store_|series_folded|asn_database|notifications|agent_|remote_write|windows|degradations_total)|alertmanager_|prometheus_|ALERTS/

const DOMESTIC = new Set(allTargets().flatMap(({ target }) => (target.control === 'domestic' ? [target.id] : [])))
const SLOW = { country: 'KE', asn: 33771 }
const IRAN = 44244
const DEAD = 37061
const DAY = 86_400
const UNFILTERED = [
  { country: 'DE', asn: 3320 },
  { country: 'FR', asn: 3215 },
]

const apps = ['telegram', 'whatsapp', 'signal', 'control']

/**
 * Telegram blocked on one network, two of its data centres on another, Signal down everywhere, in Iran nothing foreign
 * answers; one more network’s line is dead.
 */
const trouble: Trouble = ({ app, asn, target }) => {
  if (asn === IRAN) return DOMESTIC.has(target) ? null : 'generic_timeout_error'
  if (asn === DEAD) return 'generic_timeout_error'
  if (app === 'signal') return 'generic_timeout_error'
  if (app === 'telegram' && asn === 12455) return 'generic_timeout_error'
  if (app === 'telegram' && asn === 33771 && /\.dc[13]\./.test(target)) return 'connection_reset'
  return null
}

describe.skipIf(missing !== '')(`boards fed by the real server${missing}`, () => {
  const closing: AsyncDisposable[] = []
  // A window is pushed a minute after its end.
  const to = Math.floor((Date.now() / 1000 - 90) / 300) * 300
  const from = to - 1_800
  let server: Server
  let prometheus: Running

  beforeAll(async () => {
    const folder = await scratch('board-server')
    closing.push(folder)
    const metricsPort = String(await freePort())
    const scrape = {
      job_name: 'peyk',
      scrape_interval: '2s',
      static_configs: [{ targets: [`127.0.0.1:${metricsPort}`] }],
    }
    prometheus = await startPrometheus(
      folder.path,
      stringify({ storage: { tsdb: { out_of_order_time_window: '7d' } }, scrape_configs: [scrape] }),
      ['--web.enable-remote-write-receiver'],
    )
    closing.push(prometheus)
    const config = readConfig({
      PEYK_DATA: join(folder.path, 'peyk'),
      PEYK_PORT: '0',
      PEYK_METRICS_PORT: metricsPort,
      PEYK_MIN_AGENTS: '1',
      PEYK_LOG: 'error',
      PEYK_REMOTE_WRITE_URL: `${prometheus.url}/api/v1/write`,
    })
    const { store, close } = await openStore(config)
    const now = { from, to, step: 300 }
    const works = apps.filter(app => app !== 'whatsapp')
    const rows = [
      ...world({ ...now, agents: 4, apps, on: networks.filter(({ asn }) => asn !== SLOW.asn) }, trouble),
      ...world({ ...now, agents: 4, apps: works, on: [SLOW] }, trouble),
      ...world({ ...now, agents: 4, apps, on: [{ country: 'KE', asn: DEAD }] }, trouble),
      // WhatsApp takes thrice as long as in the three days before.
      ...world({ ...now, agents: 4, apps: ['whatsapp'], on: [SLOW], slower: () => 3 }, trouble),
      ...world(
        { from: to - 3 * DAY, to: from, step: 900, agents: 4, apps: ['whatsapp', 'control'], on: [SLOW] },
        trouble,
      ),
      // Its media are held at 32 kB/s.
      ...pairedTests(SLOW, to - 1_500, 32_000),
      // One run of each target says too little of features that have one.
      ...world({ from: to - 300, to, step: 300, agents: 1, apps, on: [{ country: 'KE', asn: 36926 }] }, () => null),
      ...world({ ...now, agents: 1, apps, on: UNFILTERED, role: 'control' }, trouble),
    ]
    await store.insert('measurements_raw', rows.map(toRow))
    await close()
    server = await runServer(config, { events, catalogue: () => CATALOGUE, version: '0.1.0' })
    closing.push({ [Symbol.asyncDispose]: () => server.close() })
    // Settled, scraped, pushed.
    for (const end = Date.now() + 140_000; Date.now() < end; ) {
      const now = Date.now() / 1000
      const [state] = await instant(prometheus.url, 'count(peyk_verdict)', now)
      const [pushed] = await instant(prometheus.url, 'count(last_over_time(peyk_reachability_ratio[5m]))', to + 299)
      if (state && pushed) return
      await new Promise(resolve => setTimeout(resolve, 250))
    }
    throw new Error('Nothing was scraped or pushed in 140 s')
  }, 150_000)

  afterAll(async () => {
    for (const one of closing.toReversed()) await one[Symbol.asyncDispose]()
  })

  const get = async <T>(path: string) => (await (await fetch(`${server.url}${path}`)).json()) as T
  const iso = (at: number) => new Date(at * 1000).toISOString()

  test('the present: every verdict on the matrix is the one of the API', async () => {
    const { places } = await get<Reachability>(`/v1/reachability?at=${iso(to - 1)}`)
    const seen = new Set<string>()
    for (const { app, feature, country, asn, verdict } of places) {
      const query = presentRank(
        { app: app as never, feature: feature as never, country: country as never, asn: `${asn ?? 0}` as never },
        ['app'],
      )
      const [series] = await instant(prometheus.url, query.promql, Date.now() / 1000)
      expect(series && verdicts[Number(series.value![1])], `${app} ${feature} ${country} ${asn}`).toBe(verdict)
      seen.add(verdict)
    }
    expect([...seen].sort()).toEqual(verdicts.toSorted())
    console.log(`${places.length} cells agree: ${[...seen].join(', ')}`)
  })

  test('the past: every window of every public series is the one of the API', async () => {
    const { places } = await get<Reachability>(`/v1/reachability?at=${iso(to - 1)}`)
    let windows = 0
    for (const { app, feature, country, asn } of places) {
      const place = `app=${app}&feature=${feature}&country=${country}${asn === undefined ? '' : `&asn=${asn}`}`
      const { points } = await get<Series>(`/v1/series?${place}&from=${iso(from)}&to=${iso(to)}&step=5m`)
      const selector = `{app="${app}",feature="${feature}",country="${country}",asn="${asn ?? WHOLE}"}`
      const told = async (name: string) => {
        const [series] = await ranged(
          prometheus.url,
          `last_over_time(${name}${selector}[5m])`,
          from + 599,
          to + 299,
          300,
        )
        return new Map(series?.values?.map(([at, value]) => [at - 599, Number(value)]))
      }
      const [reached, ranks] = [await told('peyk_reachability_ratio'), await told('peyk_verdict_rank')]
      for (const { at, reachability, verdict } of points) {
        const time = Date.parse(at) / 1000
        if (reachability !== null) expect(reached.get(time)).toBeCloseTo(reachability, 3)
        expect(verdicts[ranks.get(time)!], `${place} ${at}`).toBe(verdict)
        windows++
      }
    }
    expect(windows).toBeGreaterThan(100)
    console.log(`${windows} windows agree`)
  })

  test.skipIf(promtoolPath === null)('promtool has nothing to say about /metrics', async () => {
    const text = await (await fetch(server.metricsUrl)).text()
    const { status, stdout, stderr } = spawnSync(promtoolPath!, ['check', 'metrics'], { input: text, encoding: 'utf8' })
    expect(stdout + stderr).toBe('')
    expect(status).toBe(0)
  })

  test('open degradations are those of the API', async () => {
    const { degradations } = await get<Degradations>('/v1/degradations')
    const open = degradations.filter(({ end }) => end === null)
    const series = await instant(prometheus.url, 'peyk_degraded', Date.now() / 1000)
    const key = (of: Record<string, unknown>) =>
      `${of['app']} ${of['feature']} ${of['country']} ${of['verdict']} ${of['layer'] ?? 'none'}`
    expect(new Set(series.map(({ metric }) => key(metric)))).toEqual(new Set(open.map(key)))
  })

  test.each(all.map(board => [board.uid, board] as const))('%s: every query answers', async (_, board) => {
    const wishes: Record<string, string> = { app: 'telegram', country: 'KE', feature: 'text', asn: '0' }
    const own = board.templating.list
      .filter(({ type, multi, name }) => type === 'query' && !multi && name in wishes)
      .map(({ name }) => name)
    const chosen =
      board.uid === 'peyk-event' ? { feature: 'text' } : Object.fromEntries(own.map(name => [name, wishes[name]!]))
    const values: Values = await resolved(
      prometheus.url,
      board,
      { from: from, to: Math.floor(Date.now() / 1000) },
      chosen,
    )
    const lines: string[] = []
    for (const panel of board.panels as Panel[])
      for (const target of panel.targets ?? []) {
        // Scraped for some seconds only: the step after them sees them.
        const live: View = { from, to: Math.floor(Date.now() / 1000) + 120 }
        const series = await answered(prometheus.url, target, values, live, panel.interval === '5m' ? 300 : 60)
        lines.push(`${board.uid} ${panel.id} ${panel.title}: ${series.length} series`)
        if (
          board.uid !== 'peyk-event' &&
          !elsewhere.test(target.expr) &&
          !target.expr.includes('offset 1d') &&
          !target.expr.includes('datacentre')
        )
          expect(series.length, `${panel.title}: ${target.expr}`).toBeGreaterThan(0)
      }
    if (process.env['PEYK_PRINT']) console.log(lines.join('\n'))
  })
})
