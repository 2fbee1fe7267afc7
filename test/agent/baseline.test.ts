import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { apps } from '../../measurement/catalogue.ts'
import { failure, isKnownFailure } from '../../measurement/failure.ts'
import { baseline, baselineCommand, type Line } from '../../probes/agent/baseline.ts'
import { measure } from '../../probes/all.ts'
import { loopbackTarget } from '../servers/target.ts'
import { closedPort, tcpPeer } from '../servers/tcp.ts'
import { appOf, tcpTarget } from './samples.ts'

const told = async (list: Parameters<typeof appOf>[1][], ...args: string[]) => {
  process.env['PEYK_LOOPBACK'] = 'yes'
  let text = ''
  const code = await baselineCommand(args, {
    apps: list.map((targets, at) => appOf(at ? `app${at}` : 'control', targets)),
    measure,
    say: said => {
      text += said
    },
  })
  return { code, text }
}

test('a table for people, JSON for programs, and an exit code that tells', async () => {
  await using peer = await tcpPeer(() => {})
  const fine = tcpTarget('control.fine', { port: peer.port })
  const dead = tcpTarget('app1.dead', { port: await closedPort() })
  expect(await told([[fine], [{ ...fine, id: 'app1.fine' }]])).toMatchObject({ code: 0 })
  const { code, text } = await told([[fine], [dead]])
  expect(code).toBe(1)
  expect(text).toMatch(/ok\s+control\.fine\s+connect \d+ ms\s+as expected/)
  expect(text).toMatch(/no\s+app1\.dead\s+connect \d+ ms ✗\s+connection_refused: The connection was refused\./)
  expect(text).toMatch(/control: 1 of 1 as expected\napp1: 0 of 1 as expected/)
  expect(await told([[fine], [{ ...dead, decides: 'no' }]])).toMatchObject({ code: 0 })
  expect(await told([[dead]])).toMatchObject({ code: 3 })
  const json = JSON.parse((await told([[fine], [dead]], '--json')).text) as Line[]
  expect(json.map(({ target, expected }) => [target, expected])).toEqual([
    ['control.fine', true],
    ['app1.dead', false],
  ])
  expect(await told([[fine]], 'nonsense')).toMatchObject({ code: 2, text: '' })
  expect(await told([[fine]], '--frob')).toMatchObject({ code: 2 })
})

test('one app alone brings the controls with it; countries, risk and family are kept to', async () => {
  await using peer = await tcpPeer(() => {})
  const target = (id: string, more = {}) => tcpTarget(id, { port: peer.port, ...more })
  const list = [
    appOf('control', [target('control.a'), target('control.ir', { countries: ['IR'] })]),
    appOf('one', [target('one.a'), target('one.unusual', { risk: 'unusual' })]),
    appOf('two', [target('two.a')]),
  ]
  const asked = async (only: string[], country?: string) =>
    (await baseline({ apps: list, measure, only, loopback: true, ...(country ? { country } : {}) })).map(
      one => one.target,
    )
  expect(await asked(['one'])).toEqual(['control.a', 'one.a'])
  expect(await asked([], 'IR')).toEqual(['control.a', 'control.ir', 'one.a', 'two.a'])
})

test('an address is asked by one probe at a time, several addresses together', async () => {
  const now = new Map<string, number>()
  let most = 0
  const ports = await Promise.all(
    ['127.0.81.1', '127.0.81.2', '127.0.81.3'].map(async host => {
      const server = createServer(socket => {
        now.set(host, (now.get(host) ?? 0) + 1)
        expect(now.get(host)).toBe(1)
        most = Math.max(
          most,
          [...now.values()].reduce((sum, n) => sum + n, 0),
        )
        socket.on('data', () =>
          setTimeout(() => {
            now.set(host, now.get(host)! - 1)
            socket.resetAndDestroy()
          }, 50),
        )
        socket.on('error', () => {})
      })
      await new Promise<void>(resolve => server.listen(0, host, resolve))
      onTestFinished(() => void server.close())
      return { host, port: (server.address() as { port: number }).port }
    }),
  )
  const targets = ports.flatMap(({ host, port }, at) =>
    [0, 1, 2].map(n => ({
      ...tcpTarget(`t.${at}.${n}`, { host, port }),
      kind: 'tls' as const,
      ask: { sni: null, alpn: [], roots: 'public' as const, verify: false },
    })),
  )
  const lines = await baseline({ apps: [appOf('t', targets)], measure, only: [], loopback: true })
  expect(lines.map(({ failure: name }) => name)).toEqual(Array(9).fill('connection_reset'))
  expect(most).toBeGreaterThan(1)
})

test('without any network every target fails with the right failure, and nothing is thrown', context => {
  if (spawnSync('unshare', ['-n', 'true']).status !== 0) return context.skip('needs root for a network namespace')
  const root = join(import.meta.dirname, '../..')
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-n', process.execPath, join(root, 'peyk.ts'), 'baseline', '--json'],
    {
      encoding: 'utf8',
      env: { ...process.env, PEYK_LOOPBACK: 'no', PEYK_VANTAGE: 'KE:33771' },
      maxBuffer: 2 ** 26,
    },
  )
  expect(stderr).toContain('this line is down')
  expect(status).toBe(3)
  const lines = JSON.parse(stdout) as Line[]
  const wanted = apps
    .flatMap(app => app.targets)
    .filter(
      ({ risk, family, countries }) =>
        risk === 'ordinary' && family === 'v4' && (!countries || countries.includes('KE')),
    )
  expect(lines).toHaveLength(wanted.length)
  for (const { target, failure: name } of lines) {
    expect(isKnownFailure(name ?? ''), `${target}: ${name}`).toBe(true)
    // No route is this machine's own trouble; a name cannot be resolved without one either.
    expect(['agent', 'resolver'], `${target}: ${name}`).toContain(failure(name!).blame)
  }
})

test('a store that answers is left alone for a while before it is asked again', async () => {
  const times: number[] = []
  await using peer = await tcpPeer(socket => {
    times.push(performance.now())
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n{"resultCount":0,"results":[]')
  })
  const asks = ['TR', 'IR'].map(country =>
    loopbackTarget(
      'store',
      peer.port,
      { store: 'apple', app: '1', country },
      { id: `store.${country}`, host: 'localhost' },
    ),
  )
  const lines = await baseline({ apps: [appOf('control', asks)], measure, only: [], loopback: true, storeSeconds: 0.3 })
  expect(lines.length).toBe(2)
  expect(times[1]! - times[0]!).toBeGreaterThan(290)
})
