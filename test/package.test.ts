import { execFile, execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { signCatalogue } from '../probes/agent/catalogue.ts'
import { makeKey } from '../probes/agent/identity.ts'
import { signOperator } from '../probes/agent/operator.ts'
import { appOf, tcpTarget } from './agent/samples.ts'
import { Collector } from './servers/collector.ts'
import { installed } from './servers/debian.ts'
import { stunPeer } from './servers/stun.ts'
import { closedPort } from './servers/tcp.ts'

/** The single executable of this machine, run in an empty folder with nothing of this project around it. */

const root = join(import.meta.dirname, '..')
const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node')
const here = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) && existsSync(node)
const release = makeKey()

let work = ''
let program = ''

const buildInto = async (name: string): Promise<string> => {
  // The Node that goes into it makes it, whichever runs the tests.
  const script = `import(${JSON.stringify(join(root, 'package/build.ts'))}).then(({ build }) => build(${JSON.stringify({
    ...{ folder: join(work, name), platforms: [`linux-${process.arch}`], releaseKey: release.x },
  })}))`
  await promisify(execFile)(node, ['-e', script])
  return join(work, name, readdirSync(join(work, name)).find(file => file.startsWith('peyk-'))!)
}

beforeAll(async () => {
  if (!here) return
  work = mkdtempSync(join(tmpdir(), 'peyk-package-'))
  program = await buildInto('one')
  if (watched) life = live()
  life?.catch(() => {}) // The last test tells.
}, 120_000)
afterAll(() => {
  for (const end of ends.reverse()) end()
  rmSync(work, { recursive: true, force: true })
})

const emptyFolder = (): string => {
  const folder = mkdtempSync(join(work, 'empty-'))
  linkSync(program, join(folder, 'peyk'))
  return folder
}

const run = (settings: Record<string, string>, ...args: string[]) => {
  const folder = emptyFolder()
  const child = spawn(join(folder, 'peyk'), args, { cwd: folder, env: settings, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const code = new Promise<number | null>(done => child.on('exit', done))
  return { child, code, folder, out: text(child.stdout), err: text(child.stderr) }
}

/** A collector whose catalogue has one app on the loopback, two STUN servers that see the agent in Kenya, and a control. */
const lab = async (net = '127.0.83', ending: (end: () => void) => void = onTestFinished) => {
  const collector = await Collector.start(ending)
  const finders = await Promise.all(
    [1, 2, 3].map(async at => {
      const peer = await stunPeer(() => '41.90.64.77', 'xor', `${net}.${at}`)
      ending(() => void peer[Symbol.asyncDispose]())
      const { ask: _, ...target } = tcpTarget(`control.stun.${at}`, { host: `${net}.${at}`, port: peer.port })
      return { ...target, kind: 'stun' as const, decides: 'no' as const, ask: { train: 0 } }
    }),
  )
  const apps = [
    appOf('telegram', [tcpTarget('telegram.closed', { host: `${net}.11` })]),
    appOf('control', [tcpTarget('control.abroad', { host: `${net}.12`, control: 'foreign' }), ...finders]),
  ]
  const document = { version: 1, issued: 1_700_000_000, expires: 2_000_000_000, apps }
  collector.catalogue = { bytes: await signCatalogue(document, release), version: 1 }
  const settings = {
    ...{ PEYK_SERVER: collector.url.href, PEYK_LOOPBACK: 'yes', PEYK_BATTERY: 'yes', PEYK_METRICS_PORT: '0' },
  }
  return { collector, settings }
}

const watched = here && process.getuid?.() === 0 && installed('tcpdump')
const ends: (() => void)[] = []
let life: ReturnType<typeof live> | null = null

/** What a dry run told: to whom it connects, and the requests to the server with their sizes. */
const toldBy = (said: string) => {
  const requests = [
    ...said.matchAll(/^(?:would connect|connects) to (\S+) port (\d+): \S+ (\S+)\n.* (\d+) bytes, .* (\d+) bytes /gm),
  ]
  const others = [...said.matchAll(/^connects to (\S+) port (\d+) \(/gm)]
  return {
    whom: new Set([...requests, ...others].map(([, host, port]) => `${host}.${port}`)),
    requests: requests.map(([, , , path, head, body]) => ({ path, bytes: Number(head) + Number(body) })),
  }
}

/** The same of packets: who was spoken to, and the sizes of what went to the server between two of its answers. */
const seenIn = (file: string, server: string) => {
  const lines = execFileSync('tcpdump', ['-nnr', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const packets = [...lines.matchAll(/ IP (\S+) > (\S+): (UDP|Flags \[(\S+)\]).* length (\d+)/g)]
  const begun = packets.filter(
    ([, , to, what, flags]) => flags === 'S' || (what === 'UDP' && !to!.startsWith('127.0.0.1.')),
  )
  const sizes = [0]
  for (const [, from, to, , , length] of packets) {
    if (to === server) sizes.push(sizes.pop()! + Number(length))
    else if (from === server && Number(length) && sizes.at(-1)) sizes.push(0)
  }
  return { whom: new Set(begun.map(([, , to]) => to)), sizes }
}

/** The life of an agent in a fresh folder, up to where its second round may come: no address is asked twice within a minute. */
const live = async () => {
  const { collector, settings } = await lab('127.0.85', end => ends.push(end))
  const operator = makeKey()
  const { x = '' } = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
  collector.operator = await signOperator(
    {
      ...{ version: 1, issued: 1_700_000_000, expires: 2_000_000_000, servers: [collector.url.href] },
      sealing: [{ kid: 'one', kty: 'OKP', crv: 'X25519', x }],
    },
    operator,
  )
  const folder = emptyFolder()
  const env = { ...settings, PEYK_OPERATOR_KEY: operator.x, PEYK_METRICS_PORT: String(await closedPort()) }
  const peyk = async (...args: string[]) =>
    (await promisify(execFile)(join(folder, 'peyk'), args, { cwd: folder, env })).stdout
  const told = toldBy(await peyk('agent', '--dry-run'))

  const capture = join(folder, 'lo.pcap')
  const filter = `net 127.0.85.0/24 or tcp port ${collector.url.port}`
  const tcpdump = spawn('tcpdump', ['-i', 'lo', '-Z', 'root', '-U', '-w', capture, filter], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  ends.push(() => tcpdump.kill('SIGKILL'))
  await once(tcpdump.stderr, 'data')
  for (let at = 0; at < 1_000; at++)
    collector.misbehave.push({ path: '/v1/reports', how: (_, response) => response.writeHead(503).end() })
  // On a terminal, so that its owner is asked.
  const agent = spawn('script', ['-qefc', './peyk agent', '/dev/null'], {
    cwd: folder,
    env: { ...env, PATH: process.env['PATH'] },
  })
  ends.push(() => agent.kill('SIGKILL'))
  let shown = ''
  agent.stdout.on('data', chunk => {
    if (!shown.includes('[y/N]') && (shown += chunk).includes('[y/N]')) agent.stdin.write('y\n')
  })
  await vi.waitFor(() => expect(collector.heard.map(({ path }) => path)).toContain('/v1/reports'), { timeout: 60_000 })
  const seen = await vi.waitFor(() => {
    const now = seenIn(capture, `127.0.0.1.${collector.url.port}`)
    expect(now.sizes.length).toBeGreaterThan(told.requests.length)
    return now
  })
  const status = JSON.parse(await peyk('agent', 'status', '--json'))
  const kept = readdirSync(join(folder, 'data'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  collector.requests.push({ target: 'telegram.closed', expires: Date.now() / 1000 + 600 })
  collector.misbehave.splice(0)
  return { collector, folder, peyk, told, seen, status, kept: kept.join('\n'), shown, gone: once(agent, 'exit') }
}

describe.skipIf(!here)('the single executable', () => {
  test('two builds are the same, byte for byte', async () => {
    const again = await buildInto('two')
    expect(readFileSync(program).equals(readFileSync(again))).toBe(true)
    const sums = readFileSync(join(work, 'one/SHA256SUMS'), 'utf8')
    expect(sums).toMatch(/^[0-9a-f]{64} {2}peyk-\d+\.\d+\.\d+-linux-\w+\n$/)
    if (installed('sha256sum'))
      execFileSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: join(work, 'two'), stdio: 'ignore' })
  })

  test('holds no path of the machine that built it', () => {
    const bytes = readFileSync(program)
    for (const path of [root, work]) expect(bytes.includes(path)).toBe(false)
  })

  test.each([
    '--help',
    'agent --help',
    'agents --help',
    'spool --help',
    'catalogue --help',
    'server --help',
    'import --help',
    'baseline --help',
  ])('peyk %s says how it is used', async words => {
    const { code, out, err } = run({}, ...words.split(' '))
    expect(await code).toBe(0)
    expect((await out) + (await err)).toMatch(words === '--help' ? /peyk agent/ : /Exit codes: 0 /)
  })

  test('an agent of it measures from where it is seen, delivers, and ends when told to', async () => {
    const { collector, settings } = await lab()
    const { child, code, err, folder } = run(settings, 'agent', '--yes')
    await vi.waitFor(() => expect(collector.measurements()).toHaveLength(2), { timeout: 60_000 })
    expect(collector.measurements()[0]).toMatchObject({ country: 'KE', failure: 'connection_refused' })
    child.kill('SIGTERM')
    expect(await code).toBe(0)
    expect(await err).toContain('Who could see')
    expect(readdirSync(folder).sort()).toEqual(['data', 'peyk'])
    expect(statSync(join(folder, 'data/agent')).mode & 0o777).toBe(0o700)
  })

  test('a dry run works too, and leaves nothing', async () => {
    const { settings } = await lab()
    const { code, out, folder } = run(settings, 'agent', '--dry-run')
    expect(await code).toBe(0)
    expect(await out).toMatch(
      /^connects to 127\.0\.83\.\d port \d+ \(stun, to find out where this is\): 127\.0\.83\.\d answered/m,
    )
    expect(readdirSync(folder)).toEqual(['peyk'])
  })

  test.skipIf(!watched)(
    'asked, it agrees; sends what its dry run told, as packets show; keeps nothing that speaks; goes on; is wiped',
    { timeout: 150_000 },
    async () => {
      const { collector, folder, peyk, told, seen, status, kept, shown, gone } = await life!
      expect(shown).toContain('Who could see')
      expect(told.requests.map(({ path }) => path)).toEqual(
        ['operator', 'catalogue', 'nonce', 'agents', 'nonce', 'reports'].map(name => `/v1/${name}`),
      )
      expect(seen.sizes.slice(0, 6)).toEqual(told.requests.map(({ bytes }) => bytes))
      expect(seen.whom).toEqual(told.whom)
      expect(seen.whom.size).toBe(6) // Two targets, three STUN servers, the server.
      expect(status).toMatchObject({ rounds: 1, last: { measured: 2 }, spool: { measurements: 2, batches: 1 } })
      expect(status).toMatchObject({ vantage: { country: 'KE', known: 'found' }, delivery: { reports: 0 } })
      expect(kept.length).toBeGreaterThan(1_000)
      for (const word of ['telegram', 'control.', 'connection_', 'failure', '"KE"', 'country', '127.0.85', '41.90'])
        expect(kept).not.toContain(word)
      await vi.waitFor(() => expect(collector.stored.size).toBe(2), { timeout: 120_000, interval: 200 })
      expect(JSON.parse(await peyk('agent', 'status', '--json'))).toMatchObject({
        rounds: 2,
        spool: { measurements: 0 },
      })
      expect(await peyk('agent', 'panic')).toBe('Deleted.\n')
      await gone
      expect(readdirSync(join(folder, 'data'))).toEqual([])
    },
  )

  test('a server of it wants a ClickHouse server, and says so', async () => {
    const { code, err } = run({}, 'server')
    expect(await code).toBe(2)
    expect(await err).toMatch(/^PEYK_CLICKHOUSE_URL must be set/)
  })
})

test.skipIf(!installed('systemd-analyze'))('systemd takes the unit, and finds it well shut in', () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-unit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const unit = readFileSync(join(root, 'package/peyk-agent.service'), 'utf8')
  const file = join(folder, 'peyk-agent.service')
  // The program is not installed here.
  writeFileSync(file, unit.replace('/usr/local/bin/peyk agent', '/bin/true'))
  expect(execFileSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })).toBe('')
  const said = execFileSync('systemd-analyze', ['security', '--offline=yes', file], { encoding: 'utf8' })
  expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1])).toBeLessThan(2)
})
