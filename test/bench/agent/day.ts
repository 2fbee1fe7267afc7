import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startAgent } from '../../../probes/agent/agent.ts'
import { beFrugal } from '../../../probes/agent/frugal.ts'
import { type ProfileName, profiles } from '../../../probes/agent/profiles.ts'
import { measure } from '../../../probes/all.ts'
import { openLocate } from '../../../server/locate/locate.ts'

/** An agent for which time passes `rate` times as fast, until so many of its hours or measurements are over. Run by test/bench/agent.ts. */

export type DayOptions = {
  folder: string
  server: string
  x: string
  profile: ProfileName
  rate: number
  hours: number
  /** Measurements after which it ends. */
  measurements: number
  /** Interface whose bytes are counted. */
  device: string
}
export type Day = {
  hours: number
  measured: number
  processor: number
  resident: number
  anonymous: number
  /** MiB it touched in its last simulated hours: the rest the system can take back unnoticed. */
  touched: number
  heap: number
  bytes: number
  packets: number
}

const options = JSON.parse(process.argv[2] ?? '') as DayOptions
const begun = Date.now()
const since = (): number => ((Date.now() - begun) / 1000) * options.rate
type Status = { ledger: { measured: number } }

/** Received and sent bytes and packets of the interface, as the kernel counts them. */
const counted = (): { bytes: number; packets: number } => {
  const line = readFileSync('/proc/net/dev', 'latin1')
    .split('\n')
    .find(one => one.trim().startsWith(`${options.device}:`))
  const fields = (line ?? '').split(':')[1]?.trim().split(/\s+/).map(Number) ?? []
  return { bytes: fields[0]! + fields[8]!, packets: fields[1]! + fields[9]! }
}

const residentOf = (what: string): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) / 1024

/** Pages that were accessed since they were last said not to be. */
const touched = (): number =>
  Number(/Referenced:\s+(\d+)/.exec(readFileSync('/proc/self/smaps_rollup', 'latin1'))?.[1] ?? 0) / 1024

const live = async (): Promise<void> => {
  const locate = await openLocate(options.folder, null)
  const agent = await startAgent({
    config: {
      ...{
        folder: options.folder,
        servers: [new URL(options.server)],
        releaseKey: { kty: 'OKP', crv: 'Ed25519', x: options.x },
      },
      ...{ operatorKey: null, routes: ['direct'], code: null, profile: profiles[options.profile], vantage: null },
      ...{ networks: null, apps: null, unusual: false, loopback: false, quiet: null, battery: true, metrics: null },
      spool: { maxBytes: 1e8, maxAge: 1e9 },
    },
    ...{ measure, locate, log: () => {} },
    clock: {
      wall: () => begun / 1000 + since(),
      mono: () => 1_000 + since(),
      sleep: (seconds, signal) => sleep((seconds * 1000) / options.rate, undefined, { signal }).catch(() => {}),
    },
  })

  const before = counted()
  const measured = (): number => (agent.status() as Status).ledger.measured
  const over = (share: number): boolean =>
    since() >= options.hours * 3_600 * share || measured() >= options.measurements * share
  while (!over(0.9)) await sleep(200)
  writeFileSync('/proc/self/clear_refs', '1')
  while (!over(1)) await sleep(200)
  const after = counted()
  const { user, system } = process.cpuUsage()
  const day: Day = {
    hours: since() / 3_600,
    measured: measured(),
    processor: (user + system) / 1e6,
    resident: residentOf('VmRSS'),
    anonymous: residentOf('RssAnon'),
    touched: touched(),
    heap: process.memoryUsage().heapTotal / 2 ** 20,
    bytes: after.bytes - before.bytes,
    packets: after.packets - before.packets,
  }
  process.stdout.write(`${JSON.stringify(day)}\n`)
  await agent.stop()
  process.exit(0)
}

beFrugal()
// No await at the top: it is bundled as the executable is.
void live()
