import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Config, readConfig } from '../../server/config.ts'
import { openMetricsText } from '../../server/openmetrics.ts'
import { labelsOf } from '../../server/origin.ts'
import { openStore, runServer } from '../../server/run.ts'
import { toRow } from '../../server/store/rows.ts'
import { CATALOGUE } from './live.ts'
import { world } from './world.ts'

const folder = (): Config =>
  readConfig({
    PEYK_DATA: mkdtempSync(join(tmpdir(), 'peyk-origin-')),
    ...{ PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent', PEYK_MIN_AGENTS: '1' },
  })

const now = Date.parse('2018-04-26T12:00:00Z') / 1_000
const rows = () => [...world({ from: now - 600, to: now, step: 300, agents: 2 }, () => null)]

test('simulated data is labelled in every series, and no other server opens its folder', async () => {
  const config = folder()
  const marked = await openStore(config, 'simulated')
  await marked.store.insert(
    'measurements_raw',
    rows().map(row => toRow({ ...row, origin: 'simulated' })),
  )
  await marked.close()
  const parts = {
    events: [],
    catalogue: () => CATALOGUE,
    version: 'test',
    origin: 'simulated',
    now: () => now,
  } as const
  const server = await runServer(config, parts)
  const { store } = server.shared
  await expect
    .poll(async () => (await store.query('SELECT 1 FROM rollups WHERE level = 86400 LIMIT 1', {})).length, {
      timeout: 60_000,
    })
    .toBe(1)
  const metrics = await (await fetch(server.metricsUrl)).text()
  const series = metrics.split('\n').filter(line => line.startsWith('peyk_'))
  expect(series.filter(line => !line.includes('origin="simulated"'))).toEqual([])
  expect(series.some(line => line.startsWith('peyk_verdict{'))).toBe(true)
  let text = ''
  for await (const line of openMetricsText(store, { from: now - 600, to: now }, labelsOf('simulated'))) text += line
  const samples = text.split('\n').filter(line => line && !line.startsWith('#'))
  expect(samples.length).toBeGreaterThan(10)
  expect(samples.filter(line => !line.includes('origin="simulated"'))).toEqual([])
  const { sources } = (await (await fetch(`${server.url}/v1/reachability`)).json()) as { sources: object[] }
  expect(sources).toEqual([expect.objectContaining({ origin: 'simulated' })])
  await server.close()
  await expect(openStore(config)).rejects.toThrow('PEYK_DATA holds simulated data')
  const again = await openStore(config, null)
  expect(again.origin).toBe('simulated')
  await again.close()
})

test('a folder with measurements takes no simulated ones', async () => {
  const config = folder()
  const { store, origin, close } = await openStore(config)
  expect(origin).toBe('agent')
  await store.insert('measurements_raw', rows().slice(0, 1).map(toRow))
  await close()
  await expect(openStore(config, 'simulated')).rejects.toThrow('PEYK_DATA holds measurements')
})
