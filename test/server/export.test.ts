import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Series } from '../../measurement/answers.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { readConfig } from '../../server/config.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { publicColumns } from '../data-page.ts'
import { parquetRows } from '../parquet.ts'
import { CATALOGUE } from './live.ts'
import { world } from './world.ts'

/** What leaves: files of public rows in three formats, pages of them, answers that caches may keep. */

const START = 1_750_003_200 - (1_750_003_200 % 86_400)
const END = START + 86_400 + 6 * 3_600
/** Two agents measured here: too few to be named. */
const SMALL = 44_244

const rows: Stored[] = [
  ...world({ from: START, to: END, step: 7_200, agents: 4 }, ({ app, asn }) =>
    app === 'telegram' && asn === 12_455 ? 'generic_timeout_error' : null,
  ),
]
  .filter(({ asn, prefix_token }) => asn !== SMALL || prefix_token <= 2)
  .map((row, at) => (at % 50 === 0 ? { ...row, trust: 'quarantined' } : row))
const open = rows.filter(({ trust }) => trust !== 'quarantined')

let server: Server
const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
const hand = async (more: readonly Stored[]): Promise<void> => {
  const authorization = `Bearer ${readFileSync(join(folder, 'admin-token'), 'utf8').trim()}`
  const post = async (path: string, body: string, type: string) => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      body,
      headers: { authorization, 'content-type': type },
    })
    if (!response.ok) throw new Error(await response.text())
  }
  for (let at = 0; at < more.length; at += 5_000) {
    const lines = more.slice(at, at + 5_000).map(row => JSON.stringify(row))
    await post('/v1/admin/measurements', lines.join('\n'), 'application/x-ndjson')
  }
  await post('/v1/admin/settle', '{}', 'application/json')
}

beforeAll(async () => {
  const env = {
    PEYK_DATA: folder,
    PEYK_PORT: '0',
    PEYK_METRICS_PORT: '0',
    PEYK_LOG: 'silent',
    PEYK_ORIGINS: 'https://reader.example',
  }
  server = await runServer(readConfig(env), { events: [], catalogue: () => CATALOGUE, version: '0.1.0' })
  await hand(rows)
})
afterAll(() => server.close())

const iso = (at: number): string => new Date(at * 1000).toISOString().slice(0, 19).concat('Z')
const all = `from=${iso(START)}&to=${iso(END)}`
const get = async (query: string, headers: Record<string, string> = {}) =>
  await fetch(`${server.url}/v1/measurements?${query}`, { headers })

type Row = Record<string, unknown> & { seconds: number[]; asn: number; window: string }
const lines = (text: string): Row[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Row)
const sum = (found: readonly { seconds: unknown }[]): number =>
  found.reduce((total, { seconds }) => total + (seconds as number[]).reduce((a, b) => a + b, 0), 0)

describe('public rows', () => {
  test('are the same in JSONL, CSV and Parquet, as an independent reader reads it', async () => {
    const jsonl = lines(await (await get(all)).text())
    expect(jsonl.length).toBe(open.length)
    expect(sum(jsonl)).toBeCloseTo(
      open.reduce((total, { steps }) => total + steps.reduce((a, { duration }) => a + duration, 0), 0),
      6,
    )
    const csv = (await (await get(`${all}&format=csv`)).text()).trimEnd().split('\n')
    expect(csv[0]!.replaceAll('"', '').split(',')).toEqual(Object.keys(publicColumns))
    expect(csv.length).toBe(open.length + 1)
    expect(csv.filter(line => line.startsWith('"window"')).length).toBe(1)
    const parquet = await parquetRows(new Uint8Array(await (await get(`${all}&format=parquet`)).arrayBuffer()))
    expect(Object.keys(parquet[0]!)).toEqual(Object.keys(publicColumns))
    expect(parquet.length).toBe(open.length)
    expect(sum(parquet as Row[])).toBeCloseTo(sum(jsonl), 6)
    expect(parquet.map(row => JSON.stringify([row['window'], row['target'], row['failure']]))).toEqual(
      jsonl.map(row => JSON.stringify([row.window, row['target'], row['failure']])),
    )
  })

  test('name no network with too few agents, and nobody', async () => {
    const text = await (await get(all)).text()
    const found = lines(text)
    expect(new Set(found.map(({ asn }) => asn))).toEqual(new Set([0, 12_455, 33_771]))
    expect(found.filter(({ asn }) => asn === 0).length).toBe(open.filter(({ asn }) => asn === SMALL).length)
    // Ids and pseudonyms of the world are hexadecimal.
    expect(/[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{22}|0123456789abcdef/.test(text)).toBe(false)
    expect(found.every(({ window }) => /:[0-5][05]:00Z$/.test(window))).toBe(true)
    expect(await (await get(`${all}&asn=${SMALL}`)).text()).toBe('')
  })

  test('are a file with a name and a licence', async () => {
    const { headers } = await get(`${all}&app=telegram&country=KE&origin=agent&format=csv`)
    expect(headers.get('content-disposition')).toBe(
      `attachment; filename="peyk-telegram-KE-${iso(START).slice(0, 10)}-${iso(END).slice(0, 10)}.csv"`,
    )
    expect(headers.get('x-licence')).toBe('origin agent: CC BY 4.0')
    expect(headers.get('link')).toBe(
      '<https://creativecommons.org/licenses/by/4.0/>; rel="license"; title="origin agent"',
    )
    expect((await get(all)).headers.get('x-licence')).toContain('origin ooni: CC BY-NC-SA 4.0')
  })

  test('come in pages of whole windows that join without gaps and doubles, whatever arrives between', {
    timeout: 120_000,
  }, async () => {
    const whole = await (await get(all)).text()
    const pages: string[] = []
    let query: string | undefined = `${all}&limit=500`
    while (query !== undefined) {
      const response: Response = await get(query)
      pages.push(await response.text())
      query = /<\/v1\/measurements\?([^>]*)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
      // A row that comes late into what was read already.
      if (pages.length === 2) await hand([{ ...open[0]!, id: '01890000-0000-7000-8000-00000000aaaa' }])
    }
    expect(pages.length).toBeGreaterThan(5)
    expect(pages.join('')).toBe(whole)
    for (const page of pages) {
      const windows = new Set(lines(page).map(({ window }) => window))
      expect(lines(page).length <= 500 || windows.size === 1).toBe(true)
    }
  })

  test('whose range is too long for a Parquet file are refused with the reason', async () => {
    const response = await get('from=2025-01-01&to=2025-03-01&format=parquet')
    expect([response.status, await response.json()]).toMatchObject([400, { field: 'querystring/to' }])
  })
})

describe('answers', () => {
  const series = async (query: string, headers: Record<string, string> = {}) =>
    await fetch(`${server.url}/v1/series?app=telegram&country=KE&${query}`, { headers })

  test('may be kept, and are not sent again while they are the same', async () => {
    for (const path of [
      '/v1/reachability',
      '/v1/degradations',
      '/v1/events',
      '/v1/ledger',
      `/v1/series?app=telegram&country=KE&${all}`,
    ]) {
      const first = await fetch(`${server.url}${path}`)
      expect([path, first.status, first.headers.get('cache-control')]).toEqual([path, 200, 'public, max-age=15'])
      const again = await fetch(`${server.url}${path}`, { headers: { 'if-none-match': first.headers.get('etag')! } })
      expect([path, again.status, await again.text()]).toEqual([path, 304, ''])
    }
    const wrong = await fetch(`${server.url}/v1/series?app=telegram`)
    expect([wrong.status, wrong.headers.get('cache-control')]).toEqual([400, null])
  })

  test('change their tag with what they say', async () => {
    const before = (await series(all)).headers.get('etag')
    await hand([{ ...open[1]!, id: '01890000-0000-7000-8000-00000000bbbb', failure: 'connection_refused' }])
    expect((await series(all)).headers.get('etag')).not.toBe(before)
  })

  test('may be read by pages of the origins that are set, and by no others', async () => {
    const mine = await series(all, { origin: 'https://reader.example' })
    expect(mine.headers.get('access-control-allow-origin')).toBe('https://reader.example')
    expect(mine.headers.get('access-control-expose-headers')).toContain('link')
    expect(mine.headers.get('vary')).toContain('origin')
    const other = await series(all, { origin: 'https://other.example' })
    expect(other.headers.get('access-control-allow-origin')).toBe(null)
  })

  test.each([
    ['a week', 7 * 86_400, '1h', 300],
    ['six days', 6 * 86_400, '5m', 0],
    ['2,000 windows', 2_000 * 300, '5m', 0],
    ['2,000 windows that begin within one', 2_000 * 300, '1h', 100],
    ['80 days', 80 * 86_400, '1h', 0],
    ['a year', 365 * 86_400, '1d', 0],
  ])('have the finest step of which a line has at most 2,000 points: %s', async (_, length, step, later) => {
    const response = await series(`from=${iso(START + later)}&to=${iso(START + later + length)}`)
    const answer = (await response.json()) as Series
    expect(answer.step).toBe(step)
    expect(answer.points.length).toBeLessThanOrEqual(2_000)
  })

  test('with a step that would give more points are refused', async () => {
    const response = await series(`from=${iso(START)}&to=${iso(START + 30 * 86_400)}&step=5m`)
    expect([response.status, await response.json()]).toMatchObject([400, { field: 'querystring/step' }])
  })

  test.each([
    ['from=2023-06-31', 'querystring/from'],
    ['form=2023-06-30', 'querystring/form'],
  ])('of a day that does not exist, or by a word that is not known, are refused: %s', async (asked, field) => {
    const response = await series(asked)
    expect([response.status, await response.json()]).toMatchObject([400, { field }])
  })
})
