import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../../package/build.ts'
import { makeKey } from '../../probes/agent/identity.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { openSpool } from '../../probes/agent/spool.ts'
import { sampleOf } from '../agent/sample.ts'
import type { Day, DayOptions } from './agent/day.ts'
import type { Bench } from './bench.ts'

/**
 * What an agent costs the machine it runs on: memory, start, processor, bytes on the wire, and how fast its spool takes
 * measurements. The agent is in a network namespace of its own, its internet (agent/world.ts) in another; the kernel counts
 * the bytes on the wire between. Time passes faster for it; root and Linux are needed.
 */

/** Simulated seconds a second: a day of the home profile takes eight minutes. */
const RATE = { home: 200, metered: 400, control: 60 } as const
const HOURS = { home: 24, metered: 24, control: 3 } as const
const SERVER = 'reports.example'
/** Where the agent's own address is seen: Kenya. */
const SEEN = '41.90.64.77'

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] })

/** Two namespaces and a wire between them; on the far side every address is at home. */
const wire = (name: string) => {
  const [near, far] = [`${name}n`, `${name}f`]
  const inside = (namespace: string, ...args: string[]) => ip('netns', 'exec', namespace, 'ip', ...args)
  const cut = () => {
    for (const namespace of [near, far]) execFileSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' })
  }
  for (const namespace of [near, far]) ip('netns', 'add', namespace)
  ip('link', 'add', 'near0', 'netns', near, 'type', 'veth', 'peer', 'name', 'far0', 'netns', far)
  for (const [namespace, device, address] of [
    [near, 'near0', '192.168.77.2/24'],
    [far, 'far0', '192.168.77.1/24'],
  ] as const) {
    inside(namespace, 'addr', 'add', address, 'dev', device)
    for (const one of ['lo', device]) inside(namespace, 'link', 'set', one, 'up')
    // A packet on the wire is counted as one, not as what the kernel would cut up later.
    inside(namespace, 'link', 'set', device, 'gso_max_segs', '1')
  }
  inside(near, 'route', 'add', 'default', 'via', '192.168.77.1')
  // All addresses but those of the wire.
  const everywhere = [
    '0.0.0.0/1',
    '128.0.0.0/2',
    '193.0.0.0/8',
    '194.0.0.0/7',
    '196.0.0.0/6',
    '200.0.0.0/5',
    '208.0.0.0/4',
  ]
  for (const prefix of everywhere) inside(far, 'route', 'add', 'local', prefix, 'dev', 'lo')
  // A UDP socket for all addresses answers from one of them: what is asked of others is redirected, and its answers back.
  const nft = (...args: string[]) => ip('netns', 'exec', far, 'nft', ...args)
  nft('add', 'table', 'ip', 'nat')
  nft('add', 'chain', 'ip', 'nat', 'pre', '{ type nat hook prerouting priority -100; }')
  nft('add', 'rule', 'ip', 'nat', 'pre', 'udp', 'dport', '{ 53, 443, 3478, 19302 }', 'redirect')
  return { near, far, cut }
}

const run = (namespace: string, args: string[], env = {}, resolver?: string): ChildProcess => {
  const command = resolver
    ? ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver, ...args]
    : args
  return spawn('ip', ['netns', 'exec', namespace, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
}

const firstLine = async (child: ChildProcess): Promise<string> => {
  let said = ''
  for await (const chunk of child.stdout!) {
    said += chunk
    if (said.includes('\n')) break
  }
  return said.trim()
}

const ended = (child: ChildProcess): Promise<unknown> => new Promise(resolve => child.once('exit', resolve))

/** A day, or so many measurements, of one profile. */
const live = async (
  program: string,
  work: string,
  more: Pick<DayOptions, 'profile' | 'rate' | 'hours' | 'measurements'>,
): Promise<Day> => {
  const { near, far, cut } = wire(`peyk${process.pid}`)
  const root = join(work, 'root.pem')
  const resolver = join(work, 'resolv.conf')
  writeFileSync(resolver, 'nameserver 192.168.77.1\n')
  const world = run(far, [process.execPath, join(import.meta.dirname, 'agent/world.ts'), root, SEEN])
  try {
    const x = await firstLine(world)
    const folder = join(work, `${more.profile}-${more.rate}`)
    mkdirSync(folder)
    const options: DayOptions = { ...more, folder, x, server: `https://${SERVER}/`, device: 'near0' }
    const code = [program, JSON.stringify(options)]
    // As in the unit and the container.
    const malloc = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '65536', MALLOC_MMAP_THRESHOLD_: '65536' }
    const memory = { ...malloc, NODE_OPTIONS: '--max-old-space-size=48' }
    const agent = run(near, code, { NODE_EXTRA_CA_CERTS: root, UV_THREADPOOL_SIZE: '16', ...memory }, resolver)
    const gone = ended(agent)
    const day = JSON.parse(await firstLine(agent)) as Day
    await gone
    return day
  } finally {
    world.kill('SIGKILL')
    await ended(world)
    cut()
  }
}

const rounded = (value: number, digits = 1): number => Number(value.toFixed(digits))

/** Seconds from the start of the executable to its first word of work, the middle of nine. */
const starts = async (program: string, work: string): Promise<number> => {
  const took: number[] = []
  for (let time = 0; time < 9; time++) {
    const env = { PEYK_DATA: join(work, `start${time}`), PEYK_RELEASE_KEY: makeKey().x, PEYK_METRICS_PORT: '0' }
    const from = performance.now()
    const child = spawn(program, ['agent', '--yes'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    for await (const chunk of child.stderr!) if (String(chunk).includes('reports to')) break
    took.push((performance.now() - from) / 1000)
    child.kill('SIGKILL')
  }
  return took.sort((a, b) => a - b)[4]!
}

type Tenth = { rate: number; microseconds: number; disk: number }

/**
 * Measurements a second that the spool takes, durably, while it grows to a million, tenth by tenth; and megabytes a second that
 * the disk takes in the same tenth of bytes of the same size, synced as often, by nobody's rules: what of it is the disk.
 */
const spoolRates = async (work: string): Promise<Tenth[]> => {
  const spool = await openSpool(join(work, 'spool'), { maxBytes: 4e9, maxAge: 1e9, flushSeconds: 3_600, mono: () => 1 })
  const plain = await open(join(work, 'plain'), 'w')
  const rates: Tenth[] = []
  for (let tenth = 0; tenth < 10; tenth++) {
    const [from, used] = [performance.now(), process.cpuUsage()]
    for (let batch = 0; batch < 100; batch++) {
      for (let at = 0; at < 1_000; at++) void spool.append(sampleOf())
      await spool.flush()
    }
    const { user, system } = process.cpuUsage(used)
    const rate = 100_000 / ((performance.now() - from) / 1000)
    const bytes = Buffer.alloc(Math.round(spool.status().bytes / (tenth + 1) / 100), 'x')
    const begun = performance.now()
    for (let batch = 0; batch < 100; batch++) {
      await plain.writeFile(bytes)
      await plain.datasync()
    }
    const disk = (bytes.length * 100) / 1e6 / ((performance.now() - begun) / 1000)
    rates.push({ rate, microseconds: (user + system) / 100_000, disk })
  }
  await spool.close()
  await plain.close()
  await rm(join(work, 'plain'))
  return rates
}

const inFull: Bench = async figure => {
  const work = mkdtempSync(join(tmpdir(), 'peyk-bench-'))
  try {
    const rates = await spoolRates(work)
    figure({
      case: 'spool',
      first: Math.round(rates[0]!.rate),
      last: Math.round(rates.at(-1)!.rate),
      least: Math.round(Math.min(...rates.map(({ rate }) => rate))),
      // What it works, whatever the disk and other programs do.
      processor_microseconds_first: rounded(rates[0]!.microseconds),
      processor_microseconds_last: rounded(rates.at(-1)!.microseconds),
      disk_mb_first: rounded(rates[0]!.disk),
      disk_mb_last: rounded(rates.at(-1)!.disk),
    })
    const platform = `linux-${process.arch}` as 'linux-x64'
    const [program = ''] = await build({ folder: join(work, 'built'), platforms: [platform] })
    figure({
      case: 'start',
      seconds: rounded(await starts(program, work), 2),
      megabytes: rounded(readFileSync(program).length / 1e6, 0),
    })
    const input = join(import.meta.dirname, 'agent/day.ts')
    const [day = ''] = await build({ input, folder: join(work, 'day'), platforms: [platform] })
    for (const profile of ['home', 'metered', 'control'] as const) {
      const one = await live(day, work, { profile, rate: RATE[profile], hours: HOURS[profile], measurements: 1e9 })
      const days = one.hours / 24
      figure({
        ...{
          case: profile,
          hours: rounded(one.hours),
          measured: one.measured,
          resident_mib: rounded(one.resident),
          anonymous_mib: rounded(one.anonymous),
          touched_mib: rounded(one.touched),
          heap_mib: rounded(one.heap),
        },
        ...{ processor_percent: rounded((one.processor / (one.hours * 3_600)) * 100, 3) },
        // Without Ethernet's 14 bytes a packet: what a line is billed for are IP packets.
        ip_mb_a_day: rounded((one.bytes - 14 * one.packets) / days / 1e6, 2),
        ethernet_mb_a_day: rounded(one.bytes / days / 1e6, 2),
        budget_mb_a_day: profiles[profile].bytesPerDay / 1e6,
      })
    }
    const many = await live(day, work, { profile: 'control', rate: 400, hours: 1e6, measurements: 10_000 })
    figure({
      case: '10,000 measurements',
      measured: many.measured,
      resident_mib: rounded(many.resident),
      anonymous_mib: rounded(many.anonymous),
      touched_mib: rounded(many.touched),
    })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const able = (): boolean => {
  try {
    execFileSync('unshare', ['--net', 'ip', 'link'], { stdio: 'ignore' })
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

export const bench: Bench = async figure =>
  able() ? await inFull(figure) : figure({ skipped: 'needs Linux, root, iproute2 and nftables' })
