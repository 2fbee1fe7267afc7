import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { App } from '../../measurement/app.ts'
import type { Target, TargetOf } from '../../measurement/target.ts'
import { type Clock, systemClock } from '../../probes/agent/clock.ts'
import { openSpool, type Spool, type SpoolOptions } from '../../probes/agent/spool.ts'
import { sampleOf } from './sample.ts'

/** A folder that goes when the test is over. */
export const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'peyk-agent-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Clocks a test moves by hand. */
export class HandClock implements Clock {
  now: number
  jumped = 0
  constructor(now = 1_000) {
    this.now = now
  }
  readonly mono = (): number => this.now
  readonly wall = (): number => 1_790_000_000 + this.now + this.jumped
  readonly sleep = systemClock.sleep
}

export const sample = sampleOf

export const spoolAt = (path: string, more: Partial<SpoolOptions> = {}): Promise<Spool> =>
  openSpool(path, { maxBytes: 2 ** 24, maxAge: 90 * 86_400, flushSeconds: 60, mono: () => 1, ...more })

/** Appends one batch of `count` measurements, durably. */
export const appendBatch = async (spool: Spool, count = 3): Promise<string[]> => {
  const made = Array.from({ length: count }, sample)
  const kept = Promise.all(made.map(measurement => spool.append(measurement)))
  await spool.flush()
  if ((await kept).includes(false)) throw new Error('an append was dropped')
  return made.map(({ id }) => id)
}

/** Every measurement that waits, in order. */
export const contents = async (spool: Spool): Promise<{ id: string; sequence: number }[]> =>
  (await spool.peek(1_000_000, Number.MAX_SAFE_INTEGER)).flatMap(({ bytes }) =>
    bytes.split('\n').map(line => JSON.parse(line) as { id: string; sequence: number }),
  )

export const tcpTarget = (id: string, more: Partial<TargetOf<'tcp'>> = {}): Target => ({
  id,
  feature: 'text',
  host: '127.0.0.1',
  port: 9,
  family: 'v4',
  address: 'loopback',
  decides: 'yes',
  experimental: false,
  risk: 'ordinary',
  spacing: 60,
  timeout: 2,
  confidence: 'source',
  source: 'a test',
  healthy: 'TCP opens.',
  kind: 'tcp',
  ask: {},
  ...more,
})

export const appOf = (id: string, targets: readonly Target[], more: Partial<App> = {}): App => ({
  id,
  name: { en: id },
  home: null,
  status: 'measured',
  targets,
  ...more,
})

/** Bytes on the wire of a run that a healthy endpoint answers: TLS with a chain of usual size is about 6 kB. */
export const healthyBytes = (target: Target): number => {
  switch (target.kind) {
    case 'dns':
      return target.ask.resolver !== 'system' && target.ask.resolver.transport === 'doh' ? 6_500 : 500
    case 'http':
      if (target.ask.scheme === 'http') return 1_500
      return target.ask.method === 'HEAD' ? 6_800 : 8_500
    case 'mtproto':
      return ['websocket', 'https'].includes(target.ask.transport) ? 7_000 : 1_000
    case 'noise':
      return target.ask.transport === 'websocket' ? 7_500 : 1_200
    case 'stun':
      return 300 + 170 * target.ask.train
    case 'tls':
      return 6_000
    case 'transfer':
      return 8_000 + 1.1 * target.ask.bytes + target.ask.trains * 30_000
    default:
      return {
        tcp: 600,
        websocket: 7_000,
        quic: 2_800,
        xmpp: 6_500,
        mqtt: 6_500,
        threema: 800,
        loco: 7_000,
        store: 25_000,
      }[target.kind]
  }
}
