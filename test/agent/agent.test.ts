import { fork } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { get } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { compactDecrypt, importJWK, type JWK } from 'jose'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Measurement } from '../../measurement/measurement.ts'
import { type AgentOptions, type RunningAgent, startAgent } from '../../probes/agent/agent.ts'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import type { AgentConfig } from '../../probes/agent/config.ts'
import { makeKey, openIdentity, publicHalf } from '../../probes/agent/identity.ts'
import { signOperator } from '../../probes/agent/operator.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { measure } from '../../probes/all.ts'
import { Collector } from '../servers/collector.ts'
import { objectPeer } from '../servers/object.ts'
import { loopbackTarget } from '../servers/target.ts'
import { appOf, contents, folder, spoolAt, tcpTarget } from './samples.ts'

const release = makeKey()
/** Stands in no data, log or answer of ours: the address of an app's server in these tests. */
const CANARY = '127.0.77.'

/** A TCP peer on an address of its own, because one address is asked once a minute. */
const peerAt = async (address: string, talk: (socket: Socket) => void = () => {}): Promise<number> => {
  const server = createServer(talk)
  await new Promise<void>(resolve => server.listen(0, address, resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

const signed = (version: number, targets: Parameters<typeof appOf>[1], controls: Parameters<typeof appOf>[1]) =>
  signCatalogue(
    {
      version,
      issued: 1_700_000_000,
      expires: 2_000_000_000,
      apps: [appOf('telegram', targets), appOf('control', controls)],
    },
    release,
  )

const start = async (server: URL, more: Partial<AgentConfig> = {}, options: Partial<AgentOptions> = {}) => {
  const path = join(await folder(), 'agent')
  const lines: string[] = []
  const config: AgentConfig = {
    folder: path,
    servers: [server],
    releaseKey: publicHalf(release),
    operatorKey: null,
    routes: ['direct'],
    code: null,
    profile: profiles.home,
    vantage: { country: 'KE', asn: 33_771 },
    networks: null,
    apps: null,
    unusual: false,
    loopback: true,
    quiet: null,
    battery: true,
    metrics: { host: '127.0.0.1', port: 0 },
    spool: { maxBytes: 1e7, maxAge: 1e6 },
    ...more,
  }
  const agent = await startAgent({ config, measure, log: line => lines.push(line), reportSeconds: 0.1, ...options })
  onTestFinished(() => agent.stop())
  return { agent, lines, config }
}

const page = (agent: RunningAgent, path: string, headers = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: agent.metricsPort!, path, headers }, async response => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve(text)
    }).on('error', reject)
  })

const textOf = async (path: string): Promise<string> => {
  const names = await readdir(path, { recursive: true, withFileTypes: true })
  const files = names.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return (await Promise.all(files.map(file => readFile(file, 'latin1')))).join('\n')
}

const controls = async () => [
  tcpTarget('control.abroad', { control: 'foreign', host: '127.0.78.1', port: await peerAt('127.0.78.1') }),
  tcpTarget('control.home', {
    control: 'domestic',
    countries: ['KE'],
    host: '127.0.78.2',
    port: await peerAt('127.0.78.2'),
  }),
]

test('a round goes from the catalogue to the collector, controls with it, and no address is left anywhere', async () => {
  const collector = await Collector.start()
  const targets = [
    tcpTarget('telegram.fine', { host: `${CANARY}1`, port: await peerAt(`${CANARY}1`), spacing: 180 }),
    tcpTarget('telegram.closed', { host: `${CANARY}2`, feature: 'web' }),
    tcpTarget('telegram.media', { host: `${CANARY}3`, feature: 'media' }),
  ]
  collector.catalogue = { bytes: await signed(3, targets, await controls()), version: 3 }
  const { agent, lines, config } = await start(collector.url)
  await vi.waitFor(() => expect(collector.measurements()).toHaveLength(5), { timeout: 60_000 })
  const rows = collector.measurements()
  expect(rows.map(({ sequence }) => sequence).sort()).toEqual([1, 2, 3, 4, 5])
  expect(Object.fromEntries(rows.map(({ target, failure }) => [target, failure]))).toEqual({
    'telegram.fine': null,
    'telegram.closed': 'connection_refused',
    'telegram.media': 'connection_refused',
    'control.abroad': null,
    'control.home': null,
  })
  for (const { country, asn, catalogue, software } of rows) {
    expect({ country, asn, catalogue }).toEqual({ country: 'KE', asn: 33_771, catalogue: 3 })
    expect(software).toMatch(/^peyk\/\d/)
  }
  await vi.waitFor(() => expect(agent.status()).toMatchObject({ delivery: { delivered: 5 } }), { timeout: 60_000 })
  const words = await page(agent, '/', { accept: 'text/html,*/*' })
  expect(words).toMatch(/^This line +works$/m)
  expect(words).toMatch(/^It is in +KE, network AS33771 \(set\)$/m)
  expect(words).toMatch(/^Delivered +5 measurements since it started$/m)
  expect(words).toContain('۵ سنجش رسیده')
  const metrics = await page(agent, '/metrics')
  expect(metrics).toContain('# TYPE peyk_agent_measurements_total counter')
  expect(metrics).toContain('peyk_agent_measurements_total{app="telegram",outcome="answered"} 1')
  expect(metrics).toContain('peyk_agent_measurements_total{app="telegram",outcome="failed"} 2')
  expect(metrics).toMatch(/^peyk_agent_budget_bytes \d+$/m)
  const status = JSON.parse(await page(agent, '/')) as { line: string; ledger: object; delivery: object }
  expect(status).toMatchObject({ line: 'up', ledger: { measured: 5, dropped: 0 }, delivery: { delivered: 5 } })
  expect(await page(agent, '/metrics', { host: 'rebound.test' })).toBe('')
  await agent.stop()
  const everything = [await textOf(config.folder), lines.join('\n'), metrics, JSON.stringify(status)].join('\n')
  expect(everything).not.toContain(CANARY)
  expect(collector.heard.map(({ body, path }) => (path === '/v1/reports' ? '' : body.toString())).join()).not.toContain(
    CANARY,
  )
  expect(JSON.stringify(collector.measurements())).not.toContain(CANARY)
  for (const entry of await readdir(config.folder, { recursive: true, withFileTypes: true })) {
    const { mode } = await stat(join(entry.parentPath, entry.name))
    expect(mode & 0o777, entry.name).toBe(entry.isDirectory() ? 0o700 : 0o600)
  }
})

test('with an operator’s key nothing is measured before there is something to seal to, and the disk tells nothing', async () => {
  const collector = await Collector.start()
  const operator = makeKey()
  const secret = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' }) as JWK
  collector.open = async jwe => {
    const { plaintext } = await compactDecrypt(jwe, await importJWK(secret, 'ECDH-ES'))
    return gunzipSync(plaintext).toString()
  }
  const port = await peerAt(`${CANARY}50`)
  const targets = [tcpTarget('telegram.fine', { host: `${CANARY}50`, port })]
  collector.catalogue = { bytes: await signed(1, targets, await controls()), version: 1 }
  const { agent, config } = await start(collector.url, { operatorKey: publicHalf(operator) })
  await vi.waitFor(() => expect(collector.heard.some(({ path }) => path === '/v1/catalogue')).toBe(true), {
    timeout: 60_000,
  })
  expect(agent.status()).toMatchObject({ rounds: 0, spool: { measurements: 0 } })
  await agent.stop()
  collector.operator = await signOperator(
    {
      ...{ version: 1, issued: 1_700_000_000, expires: 2_000_000_000, servers: [collector.url.href] },
      sealing: [{ kid: 'k1', kty: 'OKP', crv: 'X25519', x: secret.x! }],
    },
    operator,
  )
  collector.closedTo.add((await openIdentity(config.folder)).thumbprint) // It measures, and cannot deliver yet.
  const again = await startAgent({
    config,
    measure,
    log: () => {},
    reportSeconds: 0.1,
    backoff: { first: 0.1, most: 0.1 },
  })
  onTestFinished(() => again.stop())
  await vi.waitFor(() => expect(again.status()).toMatchObject({ spool: { measurements: 3 } }), { timeout: 60_000 })
  const disk = await textOf(join(config.folder, 'spool'))
  for (const word of ['telegram', 'control', '"KE"', '33771', '"tcp"', 'connection']) expect(disk).not.toContain(word)
  collector.closedTo.clear()
  await vi.waitFor(async () => expect(await collector.opened()).toHaveLength(3), { timeout: 60_000 })
  expect((await collector.opened()).map(({ target }) => target).sort()).toEqual([
    'control.abroad',
    'control.home',
    'telegram.fine',
  ])
})

test('stopped while probes hang, it ends within three seconds, keeps what was done, and starts again', async () => {
  const collector = await Collector.start()
  const hang = Array.from({ length: 6 }, (_, at) => `${CANARY}${10 + at}`)
  const targets = await Promise.all(
    hang.map(async host => ({
      ...tcpTarget(`telegram.${host}`, { host, port: await peerAt(host), timeout: 60, decides: 'yes' }),
      id: `telegram.hang${host.slice(-2)}`,
      kind: 'tls' as const,
      ask: { sni: null, alpn: [], roots: 'public' as const, verify: false },
    })),
  )
  collector.catalogue = { bytes: await signed(1, targets, await controls()), version: 1 }
  const { agent, config } = await start(collector.url)
  await vi.waitFor(async () => expect(await page(agent, '/metrics')).toContain('app="control",outcome="answered"'), {
    timeout: 60_000,
  })
  const begun = performance.now()
  await agent.stop()
  expect(performance.now() - begun).toBeLessThan(3_000)
  await agent.done
  const spool = await spoolAt(join(config.folder, 'spool'))
  const ids = new Set([...(await contents(spool)), ...collector.measurements()].map(({ id }) => id))
  expect(ids.size).toBe(spool.ledger().measured)
  expect(ids.size).toBeGreaterThan(0)
  await spool.close()
  const again = await startAgent({ config, measure, log: () => {} })
  await again.stop()
})

test('one folder has one agent', async () => {
  const collector = await Collector.start()
  const { agent, config } = await start(collector.url)
  await expect(startAgent({ config, measure })).rejects.toThrow(
    /Another agent works in .*: stop it, or choose another folder with PEYK_DATA/,
  )
  await agent.stop()
  await (await startAgent({ config: { ...config, metrics: null }, measure, log: () => {} })).stop()
})

test('a port that is taken is told by the setting’s name', async () => {
  const port = await peerAt('127.0.0.1')
  const starting = start(new URL('http://127.0.0.1:9/'), { metrics: { host: '127.0.0.1', port } })
  await expect(starting).rejects.toThrow(
    /^PEYK_METRICS_PORT: cannot listen on 127.0.0.1:\d+ \(EADDRINUSE\): choose another port/,
  )
})

test('where nothing answers it measures on, keeps it all, and says that the line is down', async () => {
  const dead = [
    tcpTarget('control.abroad', { control: 'foreign', host: '127.0.79.1' }),
    tcpTarget('control.home', { control: 'domestic', host: '127.0.79.2' }),
  ]
  const collector = await Collector.start()
  collector.catalogue = { bytes: await signed(1, [tcpTarget('telegram.a', { host: `${CANARY}30` })], dead), version: 1 }
  const { agent, lines } = await start(collector.url)
  await vi.waitFor(() => expect(lines).toContain('nothing answers, the controls neither: this line is down'), {
    timeout: 60_000,
  })
  expect(agent.status()).toMatchObject({ line: 'down', last: { measured: 3, answered: 0 } })
})

test('a bug in a probe silences its target, not the agent', async () => {
  const collector = await Collector.start()
  const targets = [
    tcpTarget('telegram.bug', { host: `${CANARY}40`, feature: 'media' }),
    tcpTarget('telegram.fine', { host: `${CANARY}41`, port: await peerAt(`${CANARY}41`) }),
  ]
  collector.catalogue = { bytes: await signed(1, targets, []), version: 1 }
  const buggy: AgentOptions['measure'] = (target, options) => {
    if (target.id === 'telegram.bug') throw new TypeError('at 192.0.2.1 of undefined')
    return measure(target, options)
  }
  const { agent, lines } = await start(collector.url, {}, { measure: buggy })
  await vi.waitFor(() => expect(collector.measurements().map(({ target }) => target)).toEqual(['telegram.fine']), {
    timeout: 60_000,
  })
  expect(lines.join('\n')).toMatch(/bug, please report; this target rests.*TypeError: at \[address\] of undefined/)
  expect(await page(agent, '/metrics')).toContain('peyk_agent_skipped_total{reason="fault"} 1')
})

/** Rounds; `npm run bench -- crash` asks for more. */
const KILLS = Number(process.env['PEYK_KILLS'] ?? 20)

test('killed at any moment, every measurement is stored once or still in the spool', {
  timeout: KILLS * 12_000,
}, async () => {
  const collector = await Collector.start()
  const hosts = Array.from({ length: 40 }, (_, at) => `${CANARY}${100 + at}`)
  const ports = await Promise.all(hosts.map(host => peerAt(host)))
  const targets = hosts.map((host, at) => tcpTarget(`telegram.t${at}`, { host, port: ports[at]! }))
  collector.catalogue = { bytes: await signed(1, targets, await controls()), version: 1 }
  const path = join(await folder(), 'agent')
  for (let round = 0; round < KILLS; round++) {
    const child = fork(join(import.meta.dirname, 'agent-child.ts'), [path, collector.url.href, publicHalf(release).x], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(path, '../compiled') }, // Many starts of the same code.
    })
    await once(child, 'message')
    // From its first word to the collector on: a busy machine needs seconds until then.
    const heard = collector.heard.length
    await vi.waitFor(() => expect(collector.heard.length).toBeGreaterThan(heard), { timeout: 60_000, interval: 5 })
    setTimeout(() => child.kill('SIGKILL'), 250 * Math.random())
    await once(child, 'exit')
  }
  const spool = await spoolAt(join(path, 'spool'))
  const stored = collector.measurements()
  const waiting = (await contents(spool)).filter(({ id }) => !stored.some(one => one.id === id))
  const { measured, dropped } = spool.ledger()
  expect(stored.length).toBeGreaterThan(KILLS / 4)
  const sequences = new Set([...stored, ...waiting].map(({ sequence }) => sequence))
  // Each number stands once; what is missing was torn while it was written, and is counted.
  expect(sequences.size).toBe(stored.length + waiting.length)
  expect(sequences.size + dropped).toBe(measured)
  await spool.close()
})

test('a paired transfer goes to the collector as two legs, which the schedule never makes', async () => {
  const collector = await Collector.start()
  await using near = await objectPeer({ host: '127.0.79.1' })
  await using far = await objectPeer({ host: '127.0.79.2' })
  const of = { scheme: 'http', path: '/', roots: 'public', edge: false } as const
  const file = (id: string, { port, wishes }: typeof near, more = {}) => {
    const { host = '' } = wishes
    return loopbackTarget('transfer', port, { bytes: 262_144, trains: 2, of }, { id, host, decides: 'no', ...more })
  }
  const app = file('telegram.file', near, { pairs: [{ with: 'control.file', differs: 'place' }] })
  const other = file('control.file', far, { spacing: 60 })
  collector.catalogue = { bytes: await signed(3, [app], [other, ...(await controls())]), version: 3 }
  const pairs = { shape: { every: 0, bytes: 1e6 }, confirm: { every: null, bytes: 1e6 } }
  const { agent } = await start(collector.url, { profile: { ...profiles.home, pairs }, unusual: true })
  await vi.waitFor(() => expect(collector.measurements()).toHaveLength(2), { timeout: 60_000 })
  const legs = collector.measurements() as unknown as Measurement[]
  expect(legs.map(({ target, kind, failure }) => [target, kind, failure]).sort()).toEqual([
    ['control.file', 'transfer', null],
    ['telegram.file', 'transfer', null],
  ])
  expect(new Set(legs.map(({ pair }) => pair!.id)).size).toBe(1)
  expect(legs.map(({ pair }) => pair!.first).sort()).toEqual([false, true])
  for (const { steps, pair } of legs) {
    expect(pair).toMatchObject({ round: 1, test: 'shape', differs: 'place' })
    expect(steps.filter(({ series, count }) => series && count === 25)).toHaveLength(2)
  }
  expect(agent.status()).toMatchObject({ rounds: 0 })
})
