import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../server/config.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { CATALOGUE } from './live.ts'

let server: Server
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
  const page = join(folder, 'page')
  mkdirSync(page)
  writeFileSync(join(page, 'index.html'), '<!doctype html>')
  const env = { PEYK_DATA: folder, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent' }
  server = await runServer(readConfig(env), { events: [], catalogue: () => CATALOGUE, version: '0.1.0', page })
})
afterAll(() => server.close())

test('every route and the right it needs: whoever adds one says here who may ask it', () => {
  const lines = server.routes
    .filter(({ method }) => method !== 'HEAD')
    .map(({ method, url, right }) => `${right} ${method} ${url}`)
  expect(lines.toSorted()).toEqual([
    'admin GET /v1/admin/agents',
    'admin GET /v1/admin/ledger',
    'admin GET /v1/admin/outliers',
    'admin GET /v1/admin/store',
    'admin GET /v1/admin/store/:table/:partition',
    'admin PATCH /v1/admin/agents/:thumbprint',
    'admin POST /v1/admin/invites',
    'admin POST /v1/admin/measurements',
    'admin POST /v1/admin/settle',
    'admin POST /v1/admin/spool',
    'admin PUT /v1/admin/agents/:thumbprint',
    'agent POST /v1/reports',
    'anyone GET /',
    'anyone GET /finding/:id',
    'anyone GET /healthz',
    'anyone GET /index.html',
    'anyone GET /openapi.json',
    'anyone GET /readyz',
    'anyone GET /v1/catalogue',
    'anyone GET /v1/degradations',
    'anyone GET /v1/degradations/:id',
    'anyone GET /v1/degradations/:id/bundle.zip',
    'anyone GET /v1/degradations/:id/chart.svg',
    'anyone GET /v1/events',
    'anyone GET /v1/events/:id/effect',
    'anyone GET /v1/ledger',
    'anyone GET /v1/measurements',
    'anyone GET /v1/measurements/days',
    'anyone GET /v1/nonce',
    'anyone GET /v1/operator',
    'anyone GET /v1/reachability',
    'anyone GET /v1/series',
    'key POST /v1/agents',
  ])
})

test('what only reads gives no way in: every route that changes something needs a key or the token', () => {
  for (const { method, url, right } of server.routes) {
    if (method !== 'GET' && method !== 'HEAD') expect(right, url).not.toBe('anyone')
    if (url.startsWith('/v1/admin')) expect(right, url).toBe('admin')
  }
})

test('openapi.json is OpenAPI, as a public validator reads it', async () => {
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Record<string, unknown>
  expect(await new Validator().validate(document)).toMatchObject({ valid: true })
})

test('openapi.json names every route of the API', async () => {
  const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: object }
  const described = server.routes.map(({ url }) => url).filter(url => url.startsWith('/v1/'))
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(described.map(url => url.replace(/:(\w+)/g, '{$1}'))))
})
