import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { Series } from '../../measurement/answers.ts'
import { openEmbedded } from '../../server/store/chdb.ts'

/** `peyk import` as a person runs it: killed in the middle, again, and while a server holds the folder. */

const REPORTS = 400
const ENDPOINTS = ['149.154.175.50', '149.154.167.51', '149.154.175.100', '149.154.167.91', '149.154.171.5']
const folder = mkdtempSync(join(tmpdir(), 'peyk-import-'))
const file = join(folder, 'reports.jsonl')

writeFileSync(
  file,
  Array.from({ length: REPORTS }, (_, n) => {
    const start = new Date(Date.UTC(2024, 0, 1) + n * 1_800_000).toISOString().slice(0, 19).replace('T', ' ')
    return JSON.stringify({
      report_id: `20240101T000000Z_telegram_KE_33771_n1_${String(n).padStart(16, 'A')}`,
      test_name: 'telegram',
      test_version: '0.3.0',
      probe_cc: 'KE',
      probe_asn: `AS${33771 + (n % 3)}`,
      measurement_start_time: start,
      test_keys: {
        requests: ENDPOINTS.map(ip => ({ failure: null, request: { url: `http://${ip}/` }, response: { code: 501 } })),
      },
    })
  }).join('\n'),
)

const peyk = (command: string[], data: string, env: Record<string, string> = {}) =>
  spawn(process.execPath, [join(import.meta.dirname, '../../peyk.ts'), ...command], {
    env: { ...process.env, PEYK_DATA: data, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_AGENT: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
const running: ReturnType<typeof peyk>[] = []
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
})

const outputOf = async (child: ReturnType<typeof peyk>): Promise<{ code: number | null; text: string }> => {
  let text = ''
  child.stdout.on('data', chunk => (text += chunk))
  child.stderr.on('data', chunk => (text += chunk))
  const [code] = (await once(child, 'exit')) as [number | null]
  return { code, text }
}

test('killed at random points and begun again: each measurement once, none missing, all rolled up', {
  timeout: 240_000,
}, async () => {
  const data = join(folder, 'killed')
  for (const milliseconds of [700, 1_100, 1_600, 2_300]) {
    const child = peyk(['import', 'ooni', file], data)
    await sleep(milliseconds)
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  const { code, text } = await outputOf(peyk(['import', 'ooni', file], data))
  expect(text).toContain(`${REPORTS} reports, ${REPORTS * ENDPOINTS.length} measurements`)
  expect(code).toBe(0)
  const store = await openEmbedded(data)
  const [raw] = await store.query(
    'SELECT count() AS rows, uniqExact(id) AS ids, uniqExact(agent) AS reports FROM measurements',
  )
  expect(raw).toEqual({ rows: REPORTS * ENDPOINTS.length, ids: REPORTS * ENDPOINTS.length, reports: REPORTS })
  const days = await store.query<{ agents: number; answered: number }>(
    "SELECT sum(agents) AS agents, sum(answered) AS answered FROM rollups FINAL WHERE level = 86400 AND asn = 0 AND feature = 'text'",
  )
  expect(days).toEqual([{ agents: REPORTS, answered: REPORTS * ENDPOINTS.length }])
  await store.close()
})

test('a server that holds the folder does the work; a second server is refused, with what to do', async () => {
  const data = join(folder, 'served')
  const server = peyk(['start'], data)
  running.push(server)
  let said = ''
  server.stdout.on('data', chunk => (said += chunk))
  const url = await expect
    .poll(() => /API on (\S+),/.exec(said)?.[1], { timeout: 60_000 })
    .toBeTruthy()
    .then(() => /API on (\S+),/.exec(said)![1]!)

  const second = await outputOf(peyk(['server'], data))
  expect(second.code).toBe(3)
  expect(second.text).toContain(
    `is in use by process ${server.pid} (${url}): stop it, or choose another folder with PEYK_DATA`,
  )

  const { code, text } = await outputOf(peyk(['import', 'ooni', file], data))
  expect(text).toContain(`handing over to the server at ${url}`)
  expect(text).toContain(`${REPORTS} reports`)
  expect(code).toBe(0)
  const answer = await fetch(new URL('/v1/series?app=telegram&country=KE&from=2024-01-01&to=2024-01-12&step=1d', url))
  const { points } = (await answer.json()) as Series
  expect(points.reduce((sum, { agents }) => sum + agents, 0)).toBe(REPORTS)

  server.kill('SIGTERM')
  expect((await once(server, 'exit'))[0]).toBe(0)
})

test('a line that cannot be read is named and makes the exit code 1; wrong usage is 2', async () => {
  const broken = join(folder, 'broken.jsonl')
  writeFileSync(broken, '{\n')
  const { code, text } = await outputOf(peyk(['import', 'ooni', broken], join(folder, 'broken')))
  expect(text).toContain(`${broken}:1: `)
  expect(code).toBe(1)
  expect((await outputOf(peyk(['import'], join(folder, 'broken')))).code).toBe(2)
  const wrong = await outputOf(peyk(['import', 'ooni', broken], join(folder, 'broken'), { PEYK_MIN_AGENTS: 'three' }))
  expect(wrong.text).toContain('PEYK_MIN_AGENTS must be a whole number from 1 to 1000; it is "three".')
  expect(wrong.code).toBe(2)
})
