import { execFileSync, spawn } from 'node:child_process'
import { existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { signCatalogue } from '../probes/agent/catalogue.ts'
import { makeKey } from '../probes/agent/identity.ts'
import { appOf, tcpTarget } from './agent/samples.ts'
import { Collector } from './servers/collector.ts'
import { installed } from './servers/debian.ts'
import { stunPeer } from './servers/stun.ts'

/** The single executable of this machine, run in an empty folder with nothing of this project around it. */

const root = join(import.meta.dirname, '..')
const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node')
const here = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) && existsSync(node)
const release = makeKey()

let work = ''
let program = ''

const buildInto = (name: string): string => {
  // The Node that goes into it makes it, whichever runs the tests.
  const script = `import(${JSON.stringify(join(root, 'package/build.ts'))}).then(({ build }) => build(${JSON.stringify({
    ...{ folder: join(work, name), platforms: [`linux-${process.arch}`], releaseKey: release.x },
  })}))`
  execFileSync(node, ['-e', script], { stdio: 'ignore' })
  return join(work, name, readdirSync(join(work, name)).find(file => file.startsWith('peyk-'))!)
}

beforeAll(() => {
  if (!here) return
  work = mkdtempSync(join(tmpdir(), 'peyk-package-'))
  program = buildInto('one')
}, 120_000)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const run = (settings: Record<string, string>, ...args: string[]) => {
  const folder = mkdtempSync(join(work, 'empty-'))
  linkSync(program, join(folder, 'peyk'))
  const child = spawn(join(folder, 'peyk'), args, { cwd: folder, env: settings, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const code = new Promise<number | null>(done => child.on('exit', done))
  return { child, code, folder, out: text(child.stdout), err: text(child.stderr) }
}

/** A collector whose catalogue has one app on the loopback, two STUN servers that see the agent in Kenya, and a control. */
const lab = async () => {
  const collector = await Collector.start()
  const finders = await Promise.all(
    [1, 2, 3].map(async at => {
      const peer = await stunPeer(() => '41.90.64.77', 'xor', `127.0.83.${at}`)
      onTestFinished(() => peer[Symbol.asyncDispose]())
      const { ask: _, ...target } = tcpTarget(`control.stun.${at}`, { host: `127.0.83.${at}`, port: peer.port })
      return { ...target, kind: 'stun' as const, decides: 'no' as const, ask: { train: 0 } }
    }),
  )
  const apps = [
    appOf('telegram', [tcpTarget('telegram.closed', { host: '127.0.84.1' })]),
    appOf('control', [tcpTarget('control.abroad', { host: '127.0.84.2', control: 'foreign' }), ...finders]),
  ]
  const document = { version: 1, issued: 1_700_000_000, expires: 2_000_000_000, apps }
  collector.catalogue = { bytes: await signCatalogue(document, release), version: 1 }
  const settings = {
    ...{ PEYK_SERVER: collector.url.href, PEYK_LOOPBACK: 'yes', PEYK_BATTERY: 'yes', PEYK_METRICS_PORT: '0' },
  }
  return { collector, settings }
}

describe.skipIf(!here)('the single executable', () => {
  test('two builds are the same, byte for byte', () => {
    const again = buildInto('two')
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
    expect(await out).toMatch(/^connects to 127\.0\.83\.\d port \d+ \(stun, to find out where this is\)$/m)
    expect(readdirSync(folder)).toEqual(['peyk'])
  })

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
