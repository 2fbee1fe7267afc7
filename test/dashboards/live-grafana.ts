/**
 * Asks a running Grafana whether it has the boards, and each panel's queries through Grafana itself. For machines with the
 * stack (.github/workflows/stack.yml): node test/dashboards/live-grafana.ts URL USER PASSWORD [FOLDER of screenshots]
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { boards } from '../../dashboards/boards/boards.ts'
import type { Panel } from '../../dashboards/panel.ts'
import { settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'

const [url = '', user = '', password = '', screenshots] = process.argv.slice(2)
const headers = {
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  'content-type': 'application/json',
}
const call = async <T>(path: string, body?: object): Promise<T> => {
  const init = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, init)
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 500)}`)
  return JSON.parse(text) as T
}

/** Values enough for Prometheus to parse a query; whether it finds anything is the harness’s question. */
const filled = (expr: string): string =>
  expr
    .replaceAll('$span', '7d')
    .replaceAll('$start', '1700000000')
    .replaceAll(/\$(app|feature|country|asn|event|facts)\b/g, '.*')

type Search = { uid: string }[]
type Answer = { results: Record<string, { status?: number; error?: string }> }

const all = boards({ ...settingsFrom({}), events: loadEvents() })

const check = async (): Promise<void> => {
  const health = await call<{ database: string }>('/api/health')
  if (health.database !== 'ok') throw new Error(`Grafana is not well: ${JSON.stringify(health)}`)
  const found = new Set((await call<Search>('/api/search?type=dash-db&limit=100')).map(({ uid }) => uid))
  let asked = 0
  for (const board of all) {
    if (!found.has(board.uid)) throw new Error(`Grafana has no board ${board.uid}`)
    const { dashboard } = await call<{ dashboard: { panels: object[] } }>(`/api/dashboards/uid/${board.uid}`)
    if (dashboard.panels.length !== board.panels.length) throw new Error(`${board.uid} lost panels`)
    const targets = (board.panels as Panel[]).flatMap(({ targets }) => targets ?? [])
    const layers = board.annotations.list.flatMap(({ target }) => (target ? [target] : []))
    for (const { expr, instant, range } of [...targets, ...layers]) {
      const query = {
        refId: 'A',
        datasource: { uid: 'peyk-prometheus' },
        expr: filled(expr),
        instant,
        range,
        intervalMs: 300_000,
        maxDataPoints: 100,
      }
      const { results } = await call<Answer>('/api/ds/query', { from: 'now-6h', to: 'now', queries: [query] })
      const error = results['A']?.error
      if (error) throw new Error(`${board.uid}: ${expr.slice(0, 200)}: ${error}`)
      asked++
    }
    console.log(`${board.uid}: ${board.panels.length} panels, ${targets.length} queries, ${layers.length} annotations`)
  }
  console.log(`${all.length} boards, ${asked} queries answered through Grafana`)
}

const picture = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch()
  const page = await browser.newPage({ viewport: { width: 1600, height: 2400 } })
  for (const { uid } of all) {
    await page.goto(`${url}/d/${uid}?kiosk`, { waitUntil: 'networkidle' })
    await page.screenshot({ path: join(folder, `${uid}.png`) })
  }
  await browser.close()
}

await (screenshots === undefined ? check() : picture(screenshots))
