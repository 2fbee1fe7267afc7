import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startAgent } from '../../probes/agent/agent.ts'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import type { Clock } from '../../probes/agent/clock.ts'
import { makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { measure } from '../../probes/all.ts'
import { Collector } from '../servers/collector.ts'
import { appOf, folder, tcpTarget } from './samples.ts'

const DAY = 86_400

/** A clock that stands while somebody works and runs while somebody waits. */
const idleClock = (): Clock => {
  let now = 1_000
  return {
    mono: () => now,
    wall: () => 1_790_000_000 + now,
    sleep: async (seconds, signal) => {
      if (!signal.aborted) now += seconds
      await setImmediate()
    },
  }
}

test('a server that is away for seven days gets all of them when it is back, once', async () => {
  const release = makeKey()
  const collector = await Collector.start()
  const apps = [
    appOf('telegram', [tcpTarget('telegram.a', { host: '127.0.93.1' })]),
    appOf('control', [tcpTarget('control.abroad', { host: '127.0.93.2', control: 'foreign' })]),
  ]
  const document = { version: 1, issued: 1_700_000_000, expires: 2_000_000_000, apps }
  collector.catalogue = { bytes: await signCatalogue(document, release), version: 1 }
  const clock = idleClock()
  const agent = await startAgent({
    config: {
      ...{ folder: join(await folder(), 'agent'), servers: [collector.url], releaseKey: publicHalf(release) },
      ...{ operatorKey: null, routes: ['direct'], code: null, vantage: { country: 'KE', asn: 33_771 }, networks: null },
      ...{ apps: null, unusual: false, loopback: true, quiet: null, battery: true, metrics: null },
      profile: { ...profiles.metered, round: 3_600, deciding: 3_600 },
      spool: { maxBytes: 1e7, maxAge: 90 * DAY },
    },
    ...{ measure, clock, log: () => {}, reportSeconds: 900, backoff: { first: 10, most: 3_600 } },
  })
  onTestFinished(() => agent.stop())
  await vi.waitFor(() => expect(collector.measurements().length).toBeGreaterThan(0), { timeout: 60_000 })

  const away = ['/v1/nonce', '/v1/reports'].flatMap(path =>
    Array.from({ length: 20_000 }, () => ({ path, how: ({ socket }: IncomingMessage) => void socket.destroy() })),
  )
  collector.misbehave.push(...away)
  const trouble = () => expect(agent.status()).toMatchObject({ delivery: { trouble: expect.any(String) } })
  await vi.waitFor(trouble, { timeout: 60_000 })
  const left = clock.mono()
  const before = collector.measurements().length
  const measured = (): number => (agent.status() as { ledger: { measured: number } }).ledger.measured
  const aWeek = () => {
    expect(clock.mono() - left).toBeGreaterThan(7 * DAY)
    // On a busy machine time passes faster than work is done.
    expect(measured()).toBeGreaterThan(7 * 24)
  }
  await vi.waitFor(aWeek, { timeout: 60_000, interval: 50 })
  expect(collector.measurements()).toHaveLength(before)
  trouble()

  collector.misbehave.length = 0
  const owed = measured()
  await vi.waitFor(() => expect(collector.measurements().length).toBeGreaterThanOrEqual(owed), { timeout: 60_000 })
  const sequences = collector.measurements().map(({ sequence }) => sequence)
  expect(new Set(sequences).size).toBe(sequences.length)
  expect(agent.status()).toMatchObject({ ledger: { dropped: 0 } })
  const times = collector.measurements().map(({ at }) => at)
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(7 * DAY)
})
