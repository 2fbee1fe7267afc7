import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { loadEvents } from '../events/load.ts'
import type { Reachability, Series } from '../measurement/answers.ts'
import { findTarget } from '../measurement/catalogue.ts'
import { startAgent } from '../probes/agent/agent.ts'
import { signCatalogue } from '../probes/agent/catalogue.ts'
import { readConfig as readAgentConfig } from '../probes/agent/config.ts'
import { makeKey, openIdentity, publicHalf } from '../probes/agent/identity.ts'
import { measure } from '../probes/all.ts'
import { readConfig } from '../server/config.ts'
import { buildPageIfStale, pageFolder } from '../server/page/build.ts'
import { runServer } from '../server/run.ts'
import { dataCentre } from './servers/mtproto.ts'

/**
 * The walk of DESIGN §4 in one process: target -> probe -> spool -> report -> server -> store -> rollup -> verdict ->
 * /metrics -> /v1/series -> page. Real sockets, nothing of ours replaced.
 */

const listen = async (server: { listen(port: number, host: string): unknown; close(): unknown }, host: string) => {
  server.listen(0, host)
  await once(server as never, 'listening')
  onTestFinished(() => void server.close())
  return ((server as never as { address(): AddressInfo }).address() as AddressInfo).port
}

/** A target of the catalogue, pointed at a peer of ours. An address of its own for each, since one is asked once a minute. */
const at = async (id: string, host: string, talk: (socket: Socket) => void) => ({
  ...findTarget(id)!.target,
  host,
  port: await listen(createServer(talk), host),
  address: 'loopback' as const,
  timeout: 2,
})

test('a measurement walks from a target to the page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-walk-'))
  const release = makeKey()
  const control = createHttp((_, response) => response.writeHead(204).end())
  const catalogue = await signCatalogue(
    {
      version: 1,
      issued: Date.now() / 1000 - 60,
      expires: Date.now() / 1000 + 3_600,
      apps: [
        {
          id: 'telegram',
          name: { en: 'Telegram' },
          home: null,
          status: 'measured',
          targets: [
            await at('telegram.dc1.v4.443.mtproto', '127.0.91.1', dataCentre()),
            await at('telegram.dc2.v4.443.mtproto', '127.0.91.2', dataCentre()),
            await at('telegram.dc3.v4.443.mtproto', '127.0.91.3', dataCentre({ nonce: Buffer.alloc(16) })),
          ],
        },
        {
          id: 'control',
          name: { en: 'Controls' },
          home: null,
          status: 'measured',
          targets: [
            {
              ...findTarget('control.portal.gstatic')!.target,
              host: '127.0.91.4',
              port: await listen(control, '127.0.91.4'),
              address: 'loopback',
            },
          ],
        },
      ] as Parameters<typeof signCatalogue>[0]['apps'],
    },
    release,
  )
  await buildPageIfStale()
  const { thumbprint } = await openIdentity(join(folder, 'agent'))
  const settings = { PEYK_DATA: folder, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent' }
  const server = await runServer(readConfig(settings), {
    events: loadEvents(),
    catalogue: () => ({ bytes: Buffer.from(catalogue), version: 1 }),
    operators: [thumbprint],
    page: pageFolder,
    version: 'walk',
  })
  onTestFinished(() => server.close())
  const environment = { ...settings, PEYK_SERVER: server.url, PEYK_VANTAGE: 'KE:33771', PEYK_LOOPBACK: 'yes' }
  const read = readAgentConfig(environment, publicHalf(release))
  // Without the spread over rounds that spares a real line.
  const config = { ...read, metrics: null, profile: { ...read.profile, round: 0 } }
  const agent = await startAgent({ config, measure, reportSeconds: 0.2, log: () => {} })
  onTestFinished(() => agent.stop())

  const get = async (path: string) => await (await fetch(new URL(path, server.url))).json()
  await vi.waitFor(
    async () => {
      const { points } = (await get('/v1/series?app=telegram&country=KE&asn=33771')) as Series
      expect(points.findLast(({ attempts }) => attempts > 0)).toMatchObject({ attempts: 3, verdict: 'partial' })
    },
    { timeout: 60_000, interval: 500 },
  )
  const { points } = (await get('/v1/series?app=telegram&country=KE&asn=33771')) as Series
  expect(points.findLast(({ attempts }) => attempts > 0)).toMatchObject({
    reachability: 0.6667,
    agents: 1,
    failures: { mtproto_bad_nonce: 1 },
    layer: 'protocol',
    state: 'unconfirmed',
  })
  // Seconds come from the runs that this machine did not spoil by being busy.
  const rows = await (await fetch(`${server.url}/v1/measurements?app=telegram`)).text()
  const calm = rows
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { marks: string[]; operations: string[]; failures: string[] })
    .filter(({ marks }) => !marks.includes('loop_stalled'))
  for (const operation of ['connect', 'protocol_handshake'] as const) {
    const timed = calm.some(({ operations, failures }) => operations.some((of, i) => of === operation && !failures[i]))
    expect((points.findLast(({ attempts }) => attempts > 0)?.latency[operation] ?? 0) > 0).toBe(timed)
  }
  const { places } = (await get('/v1/reachability?country=KE')) as Reachability
  expect(places.map(({ app, asn, verdict }) => [app, asn, verdict])).toContainEqual(['telegram', 33771, 'partial'])

  const metrics = await (await fetch(server.metricsUrl)).text()
  expect(metrics).toContain('peyk_measurements_total{app="telegram",kind="mtproto",country="KE",outcome="answered"} 2')
  expect(metrics).toContain('peyk_verdict{app="telegram",feature="text",country="KE",asn="33771",verdict="partial"} 1')

  const page = await (await fetch(server.url)).text()
  const script = /src="([^"]+\.js)"/.exec(page)?.[1]
  expect((await fetch(new URL(script!, server.url))).status).toBe(200)
})
