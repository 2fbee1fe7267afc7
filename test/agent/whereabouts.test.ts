import { writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { TargetOf } from '../../measurement/target.ts'
import { startAgent } from '../../probes/agent/agent.ts'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import { makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { type Line, lineNow } from '../../probes/agent/vantage.ts'
import { Whereabouts } from '../../probes/agent/whereabouts.ts'
import { measure } from '../../probes/all.ts'
import { openLocate } from '../../server/locate/locate.ts'
import { Collector } from '../servers/collector.ts'
import { debianPeer, installed } from '../servers/debian.ts'
import { stunPeer } from '../servers/stun.ts'
import { loopbackTarget } from '../servers/target.ts'
import { appOf, folder, tcpTarget } from './samples.ts'

/** Public addresses of two networks of Kenya and one of Germany, none of which may be found anywhere afterwards. */
const KENYA = '41.90.64.77'
const KENYA_OTHER = '105.160.7.77'
const GERMANY = '2003:e7:77::77'

const databases = async () => {
  const path = await folder()
  writeFileSync(
    join(path, 'asn.csv'),
    '41.90.0.0,41.90.255.255,33771,A\n105.160.0.0,105.163.255.255,36926,B\n2003::,2003:ff:ffff::,3320,C\n',
  )
  return await openLocate(path, join(path, 'asn.csv'))
}

const home: Line = { name: 'home', router: null, access: 'wifi', families: new Set(['v4']) }
const signal = new AbortController().signal

const stun = (port: number): TargetOf<'stun'> => loopbackTarget('stun', port, { train: 0 }) as TargetOf<'stun'>

const whereabouts = async (line: () => Line = () => home) =>
  new Whereabouts({ fixed: null, locate: await databases(), loopback: true, line: async () => line() })

test('country and network are those of the address that STUN servers see', async () => {
  await using one = await stunPeer(() => KENYA)
  await using other = await stunPeer(() => '41.90.200.1')
  const where = await whereabouts()
  expect(await where.now()).toMatchObject({ country: 'ZZ', asn: 0, access: 'wifi' })
  const { asked, moved } = await where.find([stun(one.port), stun(other.port)], signal)
  expect(await where.now()).toMatchObject({ country: 'KE', asn: 33_771, access: 'wifi' })
  expect(where.known).toBe('found')
  expect(asked.map(({ bytes }) => bytes > 40 && bytes < 300)).toEqual([true, true])
  expect(JSON.stringify({ asked, moved, where })).not.toContain(KENYA)
})

test('an IPv6 address too, and that of a server that knows the first STUN only', async () => {
  await using v6 = await stunPeer(() => GERMANY)
  const where = await whereabouts()
  await where.find([stun(v6.port)], signal)
  expect(await where.now()).toMatchObject({ country: 'DE', asn: 3320 })
  await using old = await stunPeer(() => KENYA, 'plain')
  await where.find([stun(old.port)], signal)
  expect(await where.now()).toMatchObject({ country: 'KE', asn: 33_771 })
})

test('two different answers: unknown; private and malformed ones are none', async () => {
  await using one = await stunPeer(() => KENYA)
  await using other = await stunPeer(() => KENYA_OTHER)
  await using inside = await stunPeer(() => '10.1.2.3')
  await using broken = await stunPeer(() => KENYA, 'cut')
  const where = await whereabouts()
  await where.find([stun(one.port), stun(other.port)], signal)
  expect(await where.now()).toMatchObject({ country: 'ZZ', asn: 0 })
  expect(where.known).toBe('differs')
  await where.find([stun(one.port), stun(inside.port), stun(broken.port)], signal)
  expect(await where.now()).toMatchObject({ country: 'KE', asn: 33_771 })
}, 15_000)

test('in a shutdown nobody answers: what was found holds on the same network, and on no other', async () => {
  const peer = await stunPeer(() => KENYA)
  let line = home
  const where = await whereabouts(() => line)
  await where.find([stun(peer.port)], signal)
  await peer[Symbol.asyncDispose]()
  expect(await where.find([stun(peer.port)], signal)).toMatchObject({ moved: false })
  expect(await where.now()).toMatchObject({ country: 'KE', asn: 33_771 })
  expect(where.known).toBe('remembered')
  const before = await where.now()
  line = { ...home, name: 'elsewhere' }
  expect(await where.find([stun(peer.port)], signal)).toMatchObject({ moved: true })
  expect(await where.now()).toMatchObject({ country: 'ZZ', asn: 0 })
  expect((await where.now()).line).not.toBe(before.line)
}, 15_000)

test('another router at the same addresses is another network; a router nobody knows says nothing', async () => {
  await using peer = await stunPeer(() => KENYA)
  let line: Line = { ...home, router: 'a' }
  const where = await whereabouts(() => line)
  await where.find([stun(peer.port)], signal)
  line = { ...home, router: null }
  expect(await where.now()).toMatchObject({ country: 'KE' })
  line = { ...home, router: 'b' }
  expect(await where.now()).toMatchObject({ country: 'ZZ' })
})

test('what the owner set is asked of nobody', async () => {
  await using peer = await stunPeer(() => GERMANY)
  const fixed = { country: 'KE', asn: 33_771 }
  const where = new Whereabouts({ fixed, locate: await databases(), loopback: true, line: async () => home })
  expect(where.asks).toBe(false)
  await where.find([], signal)
  expect(await where.now()).toMatchObject(fixed)
  expect(peer.asked()).toBe(0)
})

test.skipIf(!installed('turnserver'))('a real server (coturn) is understood; the loopback is nowhere', async () => {
  await using peer = await debianPeer({
    program: 'turnserver',
    args: ({ port, folder: at }) => [
      ...['-n', '--listening-ip=127.0.0.1', `--listening-port=${port}`, '--no-tls', '--no-dtls', '--no-cli'],
      ...['--stun-only', `--pidfile=${at}/pid`, `--userdb=${at}/db`, '--log-file=stdout'],
    ],
  })
  const seen: string[] = []
  const locate = { country: (address: string) => String(seen.push(address)), asn: () => 1 }
  const where = new Whereabouts({ fixed: null, locate, loopback: true, line: async () => home })
  const { asked } = await where.find([stun(peer.port)], signal)
  expect(asked[0]!.connected).toBe('127.0.0.1')
  expect(seen).toEqual([])
  expect(where.known).toBe('unknown')
})

test('this machine’s own line has a name that stays', async () => {
  const [one, two] = await Promise.all([lineNow(), lineNow()])
  expect(one).toEqual(two)
  expect(one.name).toMatch(/^[0-9a-f]{64}$/)
})

test('where no STUN server answers the Peyk server’s word counts, on this network and until one does', async () => {
  await using peer = await stunPeer(() => GERMANY)
  let line = home
  const where = await whereabouts(() => line)
  for (const nowhere of ['10.1.2.3', '127.0.0.1', '192.0.2.1', 'peyk.example']) await where.told(nowhere)
  expect(where.known).toBe('unknown')
  await where.told(KENYA)
  expect(await where.now()).toMatchObject({ country: 'KE', asn: 33_771 })
  expect(await where.find([], signal)).toMatchObject({ moved: false })
  await where.told(KENYA_OTHER)
  expect(await where.now()).toMatchObject({ country: 'KE', asn: 36_926 })
  expect(where.known).toBe('told')
  expect(JSON.stringify(where)).not.toContain(KENYA_OTHER)
  await where.find([stun(peer.port)], signal)
  await where.told(KENYA)
  expect(await where.now()).toMatchObject({ country: 'DE' })
  line = { ...home, name: 'elsewhere' }
  expect(await where.now()).toMatchObject({ country: 'ZZ', asn: 0 })
})

/** An agent in a lab with STUN servers that see it at `address`; with `told` there are none, and the collector says so. */
const agentSeen = async (address: () => string, told: string | null = null) => {
  const release = makeKey()
  const collector = await Collector.start()
  collector.seen = told
  const servers = await Promise.all(
    (told ? [] : [1, 2, 3]).map(async at => ({
      host: `127.0.81.${at}`,
      peer: await stunPeer(address, 'xor', `127.0.81.${at}`),
    })),
  )
  for (const { peer } of servers) onTestFinished(() => peer[Symbol.asyncDispose]())
  const finders = servers.map(({ host, peer }, at) => ({
    ...stun(peer.port),
    id: `control.stun.${at}`,
    host,
    decides: 'no' as const,
  }))
  const dead = tcpTarget('telegram.a', { host: '127.0.82.1', spacing: 60 })
  const far = tcpTarget('telegram.ke', { host: '127.0.82.2', feature: 'media', countries: ['KE'] })
  const bytes = await signCatalogue(
    {
      ...{ version: 1, issued: 1_700_000_000, expires: 2_000_000_000 },
      apps: [appOf('telegram', [dead, far]), appOf('control', finders)],
    },
    release,
  )
  collector.catalogue = { bytes, version: 1 }
  const path = join(await folder(), 'agent')
  const lines: string[] = []
  const agent = await startAgent({
    config: {
      ...{ folder: path, servers: [collector.url], releaseKey: publicHalf(release), operatorKey: null },
      ...{ routes: ['direct'], code: null, profile: profiles.home, vantage: null, networks: null, apps: null },
      ...{ unusual: false, loopback: true, quiet: null, battery: true, spool: { maxBytes: 1e7, maxAge: 1e6 } },
      metrics: { host: '127.0.0.1', port: 0 },
    },
    ...{ measure, locate: await databases(), line: async () => home },
    ...{ log: line => lines.push(line), reportSeconds: 0.1 },
  })
  onTestFinished(() => agent.stop())
  return { agent, collector, path, lines }
}

/** Everything such an agent has written, logged, shown and sent, which holds its address in no form. */
const expectUntold = async ({ agent, collector, path, lines }: Awaited<ReturnType<typeof agentSeen>>) => {
  const page = await (await fetch(`http://127.0.0.1:${agent.metricsPort}/`)).text()
  await agent.stop()
  const rows = collector.measurements()
  const names = await readdir(path, { recursive: true, withFileTypes: true })
  const files = names.filter(one => one.isFile()).map(one => readFile(join(one.parentPath, one.name), 'latin1'))
  const told = [...(await Promise.all(files)), ...lines, page, JSON.stringify(rows)].join('\n')
  const hex = Buffer.from(KENYA.split('.').map(Number)).toString('hex')
  for (const form of [KENYA, hex, KENYA.slice(0, 8)]) expect(told).not.toContain(form)
}

test('an agent measures as from where it is seen, and the address is nowhere: not sent, not kept, not logged', async () => {
  const all = await agentSeen(() => KENYA)
  const { agent, collector } = all
  await vi.waitFor(() => expect(collector.measurements()).toHaveLength(2), { timeout: 60_000 })
  const rows = collector.measurements()
  expect(rows.map(({ target }) => target).sort()).toEqual(['telegram.a', 'telegram.ke'])
  for (const row of rows) expect(row).toMatchObject({ country: 'KE', asn: 33_771 })
  expect(agent.status()).toMatchObject({ vantage: { country: 'KE', asn: 33_771, known: 'found' } })
  await expectUntold(all)
})

test('an agent without STUN learns from the server where it is; that address is nowhere either', async () => {
  const all = await agentSeen(() => KENYA, KENYA)
  const told = () => expect(all.agent.status()).toMatchObject({ vantage: { known: 'told' } })
  await vi.waitFor(told, { timeout: 60_000 })
  await vi.waitFor(() => expect(all.collector.reports).not.toEqual([]), { timeout: 60_000 })
  await expectUntold(all)
})

test('seen elsewhere at the end of a round: what it measured is discarded, and counted', async () => {
  let looks = 0
  const { agent, collector } = await agentSeen(() => (looks++ < 2 ? KENYA : GERMANY))
  const metrics = async () => (await fetch(`http://127.0.0.1:${agent.metricsPort}/metrics`)).text()
  await vi.waitFor(
    async () => expect(await metrics()).toContain('peyk_agent_skipped_total{reason="network_changed"} 2'),
    { timeout: 60_000 },
  )
  expect(collector.measurements()).toEqual([])
  expect(agent.status()).toMatchObject({ vantage: { known: 'found' } })
})
