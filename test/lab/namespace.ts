import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Leg } from '../../measurement/judge/throttle.ts'

/**
 * Two network namespaces with a wire of our own between them, for what user space cannot do: real TCP of the kernel
 * against dropped packets. Policing and loss by nft, shaping by tc, delay and queues by the wire (netem is missing from
 * many kernels). Nothing leaves the namespaces, whose addresses exist nowhere else on the machine.
 */

/** One line: the ports of the servers behind it, and how it is (as `Line`). */
export type WireLine = {
  ports: readonly number[]
  rtt: number
  capacity: number
  queue: number
  jitter: number
  loss: number
  wander: number
}

/** What is done to all packets from, or to, a server port. Rates in bytes a second. */
export type Deed =
  | { port: number; kind: 'police'; rate: number; burst: number }
  /** `shape_flow`: a queue that small packets of other flows do not share. */
  | { port: number; kind: 'shape' | 'shape_flow'; rate: number; burst: number }
  | { port: number; kind: 'drop_up' | 'drop_down'; share: number }
  | { port: number; kind: 'drop_syn' }

/** A test to run from inside: transfers from two ports, and trains of small requests. */
/** `timeout` is each transfer's, seconds, trains included. */
export type Job = { id: number; app: number; control: number; trains: number; screen: boolean; timeout: number }
export type Done = {
  id: number
  screen: { app: Leg | null; control: Leg | null } | null
  pairs: { app: Leg | null; control: Leg | null }[]
  trips: { app: number[]; control: number[] }
  failure: string | null
}

const run = promisify(execFile)
const programs = {
  wire: fileURLToPath(new URL('./wire.ts', import.meta.url)),
  server: fileURLToPath(new URL('./namespace-server.ts', import.meta.url)),
  client: fileURLToPath(new URL('./namespace-client.ts', import.meta.url)),
}

const isInstalled = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** Why namespaces cannot be had here; null where they can. */
export const noNamespaces = async (): Promise<string | null> => {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  const missing = ['ip', 'nft', 'tc', 'perl'].filter(program => !isInstalled(program))
  if (missing.length > 0) return `needs ${missing.join(', ')}`
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
    const name = `peyk-try-${process.pid}`
    await run('ip', ['netns', 'add', name])
    await run('ip', ['netns', 'del', name])
    return null
  } catch (error) {
    return `no namespaces or no TUN here: ${(error as Error).message.split('\n')[0]}`
  }
}

export const SERVER_ADDRESS = '1.0.0.1'
const CLIENT_ADDRESS = '1.0.0.2'

/** Opens two TUN devices as descriptors 3 and 4 and becomes another program: Node has no ioctl, perl is on every Debian. */
const OPEN_TUNS = `$^F = 10; our @kept;
for my $name (splice @ARGV, 0, 2) {
  open(my $tun, "+<", "/dev/net/tun") or die "tun: $!"; ioctl($tun, 0x400454ca, pack("a16sx22", $name, 0x1001)) or die "ioctl: $!"; push @kept, $tun;
}
exec @ARGV;`

export type Namespaces = {
  run(jobs: readonly Job[], atOnce: number): Promise<Done[]>
} & AsyncDisposable

/** Namespaces with a server that gives objects on all ports of the lines, under this congestion control. */
export const openNamespaces = async (
  lines: readonly WireLine[],
  deeds: readonly Deed[],
  { congestion, seed }: { congestion: 'cubic' | 'bbr'; seed: number },
): Promise<Namespaces> => {
  const [client, server] = [`peyk-c-${process.pid}`, `peyk-s-${process.pid}`]
  const [tunC, tunS] = [`pkc${process.pid}`, `pks${process.pid}`]
  const children: ChildProcess[] = []
  const close = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    for (const name of [client, server]) await run('ip', ['netns', 'del', name]).catch(() => {})
  }
  /** A child that says `ready`. */
  const start = async (program: string, args: readonly string[], stdin: 'ignore' | 'pipe' = 'ignore') => {
    const child = spawn(program, args, { stdio: [stdin, 'pipe', 'inherit'] })
    children.push(child)
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    if (!line.toString().startsWith('ready')) throw new Error(`${program} did not start: ${line}`)
    return child
  }
  const inside = (name: string, program: string, ...args: string[]) =>
    run('ip', ['netns', 'exec', name, program, ...args])
  try {
    await run('ip', ['netns', 'add', client])
    await run('ip', ['netns', 'add', server])
    const wire = [process.execPath, programs.wire, JSON.stringify({ lines, seed })]
    await start('perl', ['-e', OPEN_TUNS, tunC, tunS, ...wire])
    for (const [name, tun, address, other] of [
      [client, tunC, CLIENT_ADDRESS, SERVER_ADDRESS],
      [server, tunS, SERVER_ADDRESS, CLIENT_ADDRESS],
    ] as const) {
      await run('ip', ['link', 'set', tun, 'netns', name])
      await inside(name, 'ip', 'address', 'add', address, 'peer', other, 'dev', tun)
      await inside(name, 'ip', 'link', 'set', tun, 'up')
      await inside(name, 'ip', 'link', 'set', 'lo', 'up')
      // By route: as a namespace's default, the kernel allows only some.
      const route = ['route', 'replace', other, 'dev', tun, 'src', address, 'congctl', congestion]
      await inside(name, 'ip', ...route)
      // What the kernel remembers of a peer must not pass from one line to the next.
      await inside(name, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save')
    }
    await censor(deeds, inside, { client, server, tunS })
    const ports = [...new Set(lines.flatMap(line => line.ports))]
    await start('ip', ['netns', 'exec', server, process.execPath, programs.server, JSON.stringify(ports)])
    return {
      run: async (jobs, atOnce) => {
        const plan = JSON.stringify({ jobs, atOnce })
        const program = [process.execPath, programs.client, plan]
        const { stdout } = await run('ip', ['netns', 'exec', client, ...program], { maxBuffer: 2 ** 28 })
        return stdout
          .split('\n')
          .filter(line => line !== '')
          .map(line => JSON.parse(line) as Done)
      },
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const censor = async (
  deeds: readonly Deed[],
  inside: (name: string, program: string, ...args: string[]) => Promise<unknown>,
  { client, server, tunS }: { client: string; server: string; tunS: string },
): Promise<void> => {
  const rules = deeds.flatMap(deed => {
    const [from, to] = [
      `add rule inet censor down tcp sport ${deed.port}`,
      `add rule inet censor up tcp dport ${deed.port}`,
    ]
    const often = (share: number): string => `numgen random mod 1000 < ${Math.round(share * 1_000)} drop`
    if (deed.kind === 'police')
      return `${from} limit rate over ${deed.rate} bytes/second burst ${deed.burst} bytes drop`
    if (deed.kind === 'drop_up') return `${to} ${often(deed.share)}`
    if (deed.kind === 'drop_down') return `${from} ${often(deed.share)}`
    if (deed.kind === 'drop_syn') return `${to} tcp flags syn drop`
    return []
  })
  // In the client's namespace what comes is dropped before its TCP sees it, and in the server's what it was sent.
  const chain = (name: string, hook: string): string =>
    `add chain inet censor ${name} { type filter hook ${hook} priority 0; }`
  const all = ['add table inet censor', chain('down', 'input'), chain('up', 'input'), ...rules]
  for (const [name, way] of [
    [client, 'down'],
    [server, 'up'],
  ] as const) {
    const mine = all.filter(line => !line.includes(way === 'down' ? 'censor up' : 'censor down'))
    await inside(name, 'nft', mine.join('; '))
  }
  const shapers = deeds.flatMap(deed => (deed.kind === 'shape' || deed.kind === 'shape_flow' ? [deed] : []))
  if (shapers.length === 0) return
  const tc = (...args: string[]) => inside(server, 'tc', ...args)
  await tc('qdisc', 'add', 'dev', tunS, 'root', 'handle', '1:', 'htb', 'default', '1')
  await tc('class', 'add', 'dev', tunS, 'parent', '1:', 'classid', '1:1', 'htb', 'rate', '1gbit')
  for (const [at, { port, kind, rate, burst }] of shapers.entries()) {
    const id = `1:${(at + 16).toString(16)}`
    await tc(
      'class',
      'add',
      'dev',
      tunS,
      'parent',
      '1:',
      'classid',
      id,
      'htb',
      'rate',
      `${rate * 8}bit`,
      'burst',
      `${burst}`,
    )
    if (kind === 'shape_flow') {
      const large = `tcp sport ${port} meta length > 600 meta priority set ${id}`
      const out = 'add chain inet censor out { type filter hook output priority 0; }'
      await inside(server, 'nft', `${out}; add rule inet censor out ${large}`)
      continue
    }
    await tc(
      ...['filter', 'add', 'dev', tunS, 'parent', '1:', 'protocol', 'ip', 'u32'],
      ...['match', 'ip', 'sport', `${port}`, '0xffff', 'flowid', id],
    )
  }
}
