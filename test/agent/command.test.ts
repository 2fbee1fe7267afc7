import { spawn } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { compactVerify, EmbeddedJWK } from 'jose'
import { expect, onTestFinished, test, vi } from 'vitest'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import { spoolCommand } from '../../probes/agent/command.ts'
import { agreed, consentText } from '../../probes/agent/consent.ts'
import { makeKey, openIdentity } from '../../probes/agent/identity.ts'
import { wipe } from '../../probes/agent/wipe.ts'
import { Collector } from '../servers/collector.ts'
import { appendBatch, appOf, folder, spoolAt, tcpTarget } from './samples.ts'

const release = makeKey()
const root = join(import.meta.dirname, '../..')

/** A collector with a catalogue of one app's target and a control, on addresses of their own. */
const collecting = async () => {
  const collector = await Collector.start()
  const peer = createServer(() => {})
  await new Promise<void>(done => peer.listen(0, '127.0.90.1', done))
  onTestFinished(() => void peer.close())
  const { port } = peer.address() as { port: number }
  const apps = [
    appOf('telegram', [tcpTarget('telegram.fine', { host: '127.0.90.1', port })]),
    appOf('control', [tcpTarget('control.abroad', { host: '127.0.90.2', control: 'foreign' })]),
  ]
  const document = { version: 1, issued: 1_700_000_000, expires: 2_000_000_000, apps }
  collector.catalogue = { bytes: await signCatalogue(document, release), version: 1 }
  return { collector, port }
}

const peyk = (data: string, server: URL, ...args: string[]) => {
  const child = spawn(process.execPath, [join(root, 'peyk.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...{ PEYK_DATA: data, PEYK_SERVER: server.href, PEYK_RELEASE_KEY: release.x, PEYK_METRICS_PORT: '0' },
      ...{ PEYK_LOOPBACK: 'yes', PEYK_BATTERY: 'yes', PEYK_VANTAGE: 'KE:33771' },
    },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const code = new Promise<number | null>(done => child.on('exit', done))
  return { child, code, out: text(child.stdout), err: text(child.stderr) }
}

test('a dry run tells every connection and the whole report, and sends none of it', async () => {
  const { collector, port } = await collecting()
  const data = await folder()
  const { code, out, err } = peyk(data, collector.url, 'agent', '--dry-run')
  expect(await err).toBe('')
  expect(await code).toBe(0)
  const said = await out
  const server = `127.0.0.1 port ${collector.url.port}`
  expect(said).toContain(`\nconnects to 127.0.90.1 port ${port} (tcp, telegram.fine): 127.0.90.1 answered, about `)
  expect(said).toContain('\nconnects to 127.0.90.2 port 9 (tcp, control.abroad): nothing answered, about ')
  const requests = [...said.matchAll(/^((?:would )?connects? to .*: (?:GET|POST) .*)$/gm)].map(([, line]) => line)
  expect(requests).toEqual([
    `connects to ${server}: GET /v1/catalogue`,
    ...['GET /v1/nonce', 'POST /v1/agents', 'GET /v1/nonce', 'POST /v1/reports'].map(
      what => `would connect to ${server}: ${what}`,
    ),
  ])
  expect(said).toMatch(/and this body, 2048 bytes as sent:/)
  expect(said).toMatch(/^\{"id":.*"target":"telegram\.fine".*\}$/m)
  expect(collector.heard.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v1/catalogue'])
  expect(await readdir(data)).toEqual([])
})

test('an agent on its own: it shows what it does, works, and ends cleanly when told to', async () => {
  const { collector } = await collecting()
  const data = await folder()
  const { child, code, err } = peyk(data, collector.url, 'agent')
  await vi.waitFor(() => expect(collector.measurements()).toHaveLength(2), { timeout: 60_000 })
  child.kill('SIGTERM')
  expect(await code).toBe(0)
  expect(await err).toContain('Who could see')
  expect(await err).toContain('پیک اندازه می‌گیرد')
  const key = await readFile(join(data, 'agent/key.json'), 'utf8')
  expect(await peyk(data, collector.url, 'agent', 'rotate').code).toBe(0)
  expect(await readdir(join(data, 'agent'))).toEqual(['catalogue.jose'])
  await openIdentity(join(data, 'agent'))
  expect(await readFile(join(data, 'agent/key.json'), 'utf8')).not.toBe(key)
})

test('panic ends the agent that runs and leaves nothing', async () => {
  const { collector } = await collecting()
  const data = await folder()
  const running = peyk(data, collector.url, 'agent', '--yes')
  await vi.waitFor(() => expect(collector.enrolments).toHaveLength(1), { timeout: 60_000 })
  expect(await peyk(data, collector.url, 'agent', 'panic').code).toBe(0)
  expect(await running.code).toBeNull()
  expect(await readdir(data)).toEqual([])
  await wipe(join(data, 'agent'), 'all') // Nothing there: nothing to do.
})

test('wrong usage and wrong settings exit with 2 and say what to do', async () => {
  const url = new URL('http://127.0.0.1:9/')
  const data = await folder()
  expect(await peyk(data, url, 'agent', 'frob').code).toBe(2)
  expect(await peyk(data, url, 'agent', '--frob').code).toBe(2)
  const wrong = peyk(data, new URL('ftp://a.test/'), 'agent')
  expect(await wrong.code).toBe(2)
  expect(await wrong.err).toMatch(/^PEYK_SERVER must be an https:\/\/ URL/)
})

const asking = async (
  answers: string[],
  more: { unusual?: boolean; yes?: boolean; tty?: boolean } = {},
  at?: string,
) => {
  const { unusual = false, yes = false, tty = true } = more
  const input = Object.assign(new PassThrough(), { isTTY: tty })
  const said: string[] = []
  const say = (line: string) => {
    said.push(line)
    if (line.includes('[y/N]')) setImmediate(() => input.write(`${answers.shift()}\n`))
  }
  const path = at ?? (await folder())
  return { agreed: await agreed({ folder: path, unusual, yes, input, say }), said, path }
}

test('people are asked once, unusual probes on a line of their own; who says no is not measured from', async () => {
  const first = await asking(['y'])
  expect(first.agreed).toBe(true)
  expect(first.said[0]).toContain(consentText.fa)
  expect((await asking([], {}, first.path)).said).toEqual([])
  expect((await asking(['y', 'n'], { unusual: true }, first.path)).agreed).toBe(false)
  expect((await asking(['y', 'yes'], { unusual: true }, first.path)).agreed).toBe(true)
  expect((await asking([], { unusual: true }, first.path)).said).toEqual([])
  expect((await asking([''])).agreed).toBe(false)
  expect((await asking(['بله'])).agreed).toBe(true)
})

test('where nobody can be asked: the text is shown; unusual probes need --yes', async () => {
  const silent = await asking([], { tty: false })
  expect(silent.agreed).toBe(true)
  expect(silent.said).toHaveLength(1)
  await expect(stat(join(silent.path, 'consent.json'))).rejects.toThrow('ENOENT')
  expect((await asking([], { tty: false, unusual: true })).agreed).toBe(false)
  expect((await asking([], { tty: false, unusual: true, yes: true })).agreed).toBe(true)
})

test('a spool is exported while an agent works on it: every batch signed by its key, the same each time', async () => {
  const data = await folder()
  vi.stubEnv('PEYK_DATA', data)
  onTestFinished(() => void vi.unstubAllEnvs())
  const { thumbprint, publicKey } = await openIdentity(join(data, 'agent'))
  const spool = await spoolAt(join(data, 'agent/spool'))
  await appendBatch(spool, 3)
  await appendBatch(spool, 2)
  const waiting = await spool.peek(10, 1e6)
  const file = join(await folder(), 'carried')
  expect(await spoolCommand(['export', file])).toBe(0)
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  const opened = await Promise.all(lines.map(line => compactVerify(line, EmbeddedJWK)))
  expect(opened.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()))).toEqual(
    waiting.map(batch => ({ batch })),
  )
  expect(opened[0]!.protectedHeader).toMatchObject({ typ: 'peyk-spool', jwk: publicKey })
  expect(thumbprint).toHaveLength(43)
  await spool.acknowledge(waiting[0]!.id)
  expect(await spoolCommand(['export', file])).toBe(0)
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(1)
  expect(await spoolCommand(['status'])).toBe(0)
  expect(await spoolCommand(['frob'])).toBe(2)
  await spool.close()
})
