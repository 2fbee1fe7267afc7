import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Degradations } from '../../measurement/answers.ts'
import { findTarget } from '../../measurement/catalogue.ts'
import type { Target } from '../../measurement/target.ts'
import { startAgent } from '../../probes/agent/agent.ts'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import type { Clock } from '../../probes/agent/clock.ts'
import { readConfig as readAgentConfig } from '../../probes/agent/config.ts'
import { makeKey, openIdentity, publicHalf } from '../../probes/agent/identity.ts'
import { type Route, type Way, wayTo } from '../../probes/agent/transport.ts'
import { measure } from '../../probes/all.ts'
import { readConfig } from '../../server/config.ts'
import { runServer } from '../../server/run.ts'
import { dataCentre } from '../servers/mtproto.ts'
import { type Relay, relayTo } from './relay.ts'

/**
 * The whole way, and how long it takes: a censor is switched on between ten agents and an app; agents measure and report,
 * the server stores, judges and detects, and /metrics says so, confirmed. Everything is real but the clock, which agents
 * and server share, and which runs faster; what the machine itself needs counts as so much longer.
 */

const SPEED = 60
const AGENTS = 10
/** Seconds between an agent's reports: a quarter of an hour on a line with a price, less where there is none. */
const REPORT = 300
/** Known within three quarters of an hour is the purpose; a busy machine's own seconds, so much longer here, come on top. */
const MOST_SECONDS = 60 * 60

const began = performance.now()
/** Five minutes after a bin began, as it happens. */
const EPOCH = Math.ceil(Date.now() / 1000 / 900) * 900 + 300
const now = (): number => EPOCH + ((performance.now() - began) / 1000) * SPEED
const clock: Clock = {
  wall: now,
  mono: () => now() - EPOCH + 10_000,
  sleep: (seconds, signal) => wait((seconds * 1000) / SPEED, undefined, { signal }).catch(() => {}),
}

const listen = async (server: { listen(port: number, host: string): unknown; close(): unknown }, host: string) => {
  server.listen(0, host)
  await once(server as never, 'listening')
  onTestFinished(() => void server.close())
  return ((server as never as { address(): AddressInfo }).address() as AddressInfo).port
}

/** Three data centres, each behind a censor of its own address, and a control that nobody minds. */
const world = async () => {
  const relays: Relay[] = []
  const centre = async (dc: number): Promise<Target> => {
    const host = `127.0.92.${dc}`
    const relay = await relayTo(await listen(createServer(dataCentre()), '127.0.0.1'), {}, host)
    onTestFinished(() => relay[Symbol.asyncDispose]())
    relays.push(relay)
    const known = findTarget(`telegram.dc${dc}.v4.443.mtproto`)!.target
    return { ...known, host, port: relay.port, address: 'loopback', timeout: 2 }
  }
  const neutral = createHttp((_, response) => response.writeHead(204).end())
  const host = '127.0.92.9'
  const control: Target = {
    ...findTarget('control.portal.gstatic')!.target,
    ...{ host, port: await listen(neutral, host), address: 'loopback' },
  }
  const app = (id: string, targets: Target[]) => ({
    id,
    name: { en: id },
    home: null,
    status: 'measured' as const,
    targets,
  })
  const apps = [app('telegram', await Promise.all([1, 2, 3].map(centre))), app('control', [control])]
  return { relays, apps }
}

test('censor, agents, server, finding, metric', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-censor-'))
  const { relays, apps } = await world()
  const release = makeKey()
  const signed = { version: 1, issued: now() - 60, expires: now() + 86_400, apps }
  const catalogue = await signCatalogue(signed, release)
  const folders = Array.from({ length: AGENTS }, (_, i) => join(folder, `${i}`))
  const keys = await Promise.all(folders.map(async at => (await openIdentity(join(at, 'agent'))).thumbprint))
  const settings = { PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent', PEYK_PROXIES: '127.0.0.1' }
  const server = await runServer(readConfig({ ...settings, PEYK_DATA: join(folder, 'server') }), {
    ...{ events: [], version: 'walk', operators: keys, now, origin: 'simulated' },
    catalogue: () => ({ bytes: Buffer.from(catalogue), version: 1 }),
  })
  onTestFinished(() => server.close())
  for (const [index, data] of folders.entries()) {
    const environment = { PEYK_DATA: data, PEYK_SERVER: server.url, PEYK_VANTAGE: 'KE:33771', PEYK_LOOPBACK: 'yes' }
    const config = { ...readAgentConfig(environment, publicHalf(release)), metrics: null }
    // Each from a prefix of its own, as a proxy before the server tells.
    const prefix = { 'x-forwarded-for': `10.0.${index + 1}.7` }
    const from = (server: URL, route: Route): Way => {
      const direct = wayTo(server, route)
      return { ...direct, ask: (one, signal) => direct.ask({ ...one, headers: { ...one.headers, ...prefix } }, signal) }
    }
    const agent = await startAgent({ config, measure, clock, wayTo: from, reportSeconds: REPORT, log: () => {} })
    onTestFinished(() => agent.stop())
  }

  const metrics = async () => await (await fetch(server.metricsUrl)).text()
  const eventually = (look: () => Promise<void>, timeout: number) => vi.waitFor(look, { timeout, interval: 100 })
  await eventually(
    async () => expect(await metrics()).toMatch(/peyk_verdict{app="telegram",.*asn="33771",verdict="ok".*} 1/),
    60_000,
  )

  const censored = now()
  for (const relay of relays) await relay.set({ flows: [{ cut: 'reset' }] })
  const degraded =
    /peyk_degraded{app="telegram",feature="text",country="KE",verdict="blocked",layer="\w+",state="confirmed".*} 1/
  await eventually(async () => expect(await metrics()).toMatch(degraded), 100_000)
  const delay = now() - censored
  console.log(
    `censor to metric: ${Math.round(delay / 60)} minutes, ${(delay / SPEED).toFixed(1)} s at ${SPEED} times the speed`,
  )
  expect(delay).toBeLessThan(MOST_SECONDS)

  const url = `${server.url}/v1/degradations?app=telegram&country=KE`
  const { degradations } = (await (await fetch(url)).json()) as Degradations
  expect(degradations).toMatchObject([{ verdict: 'blocked', state: 'confirmed', networks: [33771], agents: AGENTS }])
  // Its onset is that of the censor, to a bin.
  expect(Math.abs(Date.parse(degradations[0]!.onset) / 1000 - censored)).toBeLessThanOrEqual(900)
})
