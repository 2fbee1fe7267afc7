import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { batchOf, TestAgent } from './agent.ts'
import { startPart } from './part.ts'

/** The disk under the record: full, and wanted by two. */

const SIZE = 96 * 2 ** 20

/** A file system of its own at `path`, or why there is none. */
const mountSmall = (path: string): string | null => {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', path])
  return status === 0 ? null : `needs root to mount a small file system: ${error?.message ?? String(stderr).trim()}`
}

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'peyk-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a full disk acknowledges nothing, and loses nothing once there is room', { timeout: 120_000 }, async context => {
  const path = folder()
  const trouble = mountSmall(path)
  if (trouble) return context.skip(trouble)
  onTestFinished(() => void spawnSync('umount', ['-l', path]))
  const data = join(path, 'data')
  mkdirSync(data)
  const server = await startPart({ PEYK_DATA: data, PEYK_LOG: 'silent' })
  onTestFinished(() => server.stop())
  const { code } = await server.admin('POST', '/v1/admin/invites', { role: 'vantage' })
  const agent = await TestAgent.make(server.url)
  await agent.enrol(String(code))
  const report = () => agent.report([batchOf(Array.from({ length: 200 }, () => agent.measure()))])
  expect((await agent.send(report())).receipt.receipts).toMatchObject([{ outcome: 'stored' }])

  const filler = join(path, 'somebody-elses')
  const { bavail, bsize } = statfsSync(path)
  writeFileSync(filler, Buffer.alloc(bavail * bsize))
  const waiting = report()
  const full = await agent.send(waiting)
  expect(full.body).toMatchObject({ status: 503, type: 'urn:peyk:problem:busy' })
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  rmSync(filler)
  expect((await agent.send(waiting)).receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  const { days } = (await (await fetch(`${server.url}/v1/ledger`)).json()) as { days: object[] }
  expect(days).toMatchObject([{ measured: 400, delivered: 400, missing: 0 }])
})

test('a second server on the same folder does not start, and says why', async () => {
  const data = folder()
  const server = await startPart({ PEYK_DATA: data })
  onTestFinished(() => server.stop())
  const second = spawnSync(process.execPath, [join(import.meta.dirname, '../../peyk.ts'), 'server'], {
    env: { ...process.env, PEYK_DATA: data, PEYK_PORT: '0', PEYK_METRICS_PORT: '0' },
    encoding: 'utf8',
  })
  expect(second.status).toBe(3)
  expect(second.stderr).toMatch(/The data folder .* is in use by process \d+ \(http:.*\): stop it, or choose another/)
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
})
