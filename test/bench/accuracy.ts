import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setDefaultCACertificates } from 'node:tls'
import { measure } from '../../probes/all.ts'
import { blackbox, blackboxProgram } from '../servers/blackbox.ts'
import { type Truth, tlsDelays } from '../servers/delayed.ts'
import { loopbackTarget } from '../servers/target.ts'
import type { Bench } from './bench.ts'

/** Probes of each side, how many may be under way at a time, and milliseconds between two starts: a fleet's pace, not a flood. */
const PROBES = 3_000
const AT_ONCE = 100
const PACE = 5
const TURNS = 10
/** Milliseconds before the first byte; never zero, so that the truth is what the peer measured. */
const FIRST = [1, 20, 100, 400, 400]

type Phase = 'connect' | 'tls' | 'first'
type Measured = Partial<Record<Phase, number>>

/** Milliseconds each phase was off, of ours and of blackbox_exporter's, against peers that know what they delayed. */
export const bench: Bench = async figure => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../servers/delayed.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await child.stdout.take(1).toArray()) as Buffer[]
    const { ports, root } = JSON.parse(line!.toString()) as { ports: number[]; root: string }
    setDefaultCACertificates([root])
    const stalls = { count: 0 }
    const sides: { by: string; ask: Ask; measured: Map<string, Measured> }[] = [
      { by: 'peyk', ask: ours(ports, stalls), measured: new Map() },
    ]
    await using other = blackboxProgram ? await blackbox(modules, root) : null
    if (other) sides.push({ by: 'blackbox_exporter', ask: theirs(other.probe, ports), measured: new Map() })
    else figure({ by: 'blackbox_exporter', skipped: 'package prometheus-blackbox-exporter is not installed' })
    for (const { by, ask } of sides) await round(`warm${by}`, 200, ask)
    stalls.count = 0
    // By turns, so that both meet the machine in the same moods.
    for (let turn = 0; turn < TURNS; turn++) {
      for (const { by, ask, measured } of sides) {
        for (const [id, phases] of await round(`${by}${turn}x`, PROBES / TURNS, ask)) measured.set(id, phases)
      }
    }
    const known = await truth(ports)
    for (const { by, measured } of sides) report(figure, by, measured, known)
    figure({ by: 'peyk', left_out: stalls.count, probes: PROBES, at_once: AT_ONCE })
  } finally {
    child.kill()
  }
}

const modules =
  'modules: { http: { prober: http, timeout: 20s, http: { preferred_ip_protocol: ip4, tls_config: { ca_file: ROOT, server_name: localhost } } } }'

const theirs =
  (probe: (module: string, target: string) => Promise<Map<string, number>>, ports: readonly number[]): Ask =>
  async (id, at, first) => {
    const metrics = await probe('http', `https://127.0.0.1:${ports[at]}/${id}/${first}`)
    const phase = (name: string) => (metrics.get(`probe_http_duration_seconds{phase="${name}"}`) ?? Number.NaN) * 1000
    return { connect: phase('connect'), tls: phase('tls'), first: phase('processing') }
  }

type Ask = (id: string, at: number, first: number) => Promise<Measured>

const ours =
  (ports: readonly number[], stalls = { count: 0 }): Ask =>
  async (id, at, first) => {
    const ask = {
      scheme: 'https',
      method: 'GET',
      path: `/${id}/${first}`,
      headers: {},
      roots: 'public',
      expect: { status: [200] },
    } as const
    const target = loopbackTarget(
      'http',
      ports[at]!,
      { ...ask, expect: { status: [200] } },
      { host: 'localhost', timeout: 20 },
    )
    const { steps, failure, stalled } = await measure(target, { loopback: true })
    if (failure) throw new Error(`A probe of the bench failed: ${failure}`)
    // A marked run is kept out of latency, as the server does.
    if (stalled) {
      stalls.count++
      return {}
    }
    const seconds = (operation: string) => steps.find(step => step.operation === operation)!.duration * 1000
    return { connect: seconds('connect'), tls: seconds('tls_handshake'), first: seconds('http_round_trip') }
  }

const round = async (name: string, probes: number, ask: Ask): Promise<Map<string, Measured>> => {
  const measured = new Map<string, Measured>()
  const began = performance.now()
  let next = 0
  const work = async (): Promise<void> => {
    while (next < probes) {
      const one = next++
      await new Promise(resolve => setTimeout(resolve, began + one * PACE - performance.now()))
      measured.set(`${name}${one}`, await ask(`${name}${one}`, one % tlsDelays.length, FIRST[one % FIRST.length]!))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return measured
}

const truth = async (ports: readonly number[]): Promise<Map<string, Truth>> => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  const answer = await fetch(`https://127.0.0.1:${ports[0]}/truth/0`)
  delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
  return new Map(Object.entries((await answer.json()) as Record<string, Truth>))
}

const report = (
  figure: Parameters<Bench>[0],
  by: string,
  measured: ReadonlyMap<string, Measured>,
  known: ReadonlyMap<string, Truth>,
): void => {
  for (const phase of ['connect', 'tls', 'first'] as const) {
    let unknown = 0
    const errors = [...measured].flatMap(([id, phases]) => {
      const value = phases[phase]
      if (value === undefined) return []
      const was = phase === 'connect' ? 0 : known.get(id)?.[phase]
      if (was === undefined || was === null) unknown++
      return was === undefined || was === null ? [] : [value - was]
    })
    errors.sort((a, b) => a - b)
    // NaN, printed as null, where nothing is left.
    const quantile = (share: number) =>
      Number(errors[Math.min(errors.length - 1, Math.floor(errors.length * share))]?.toFixed(3))
    figure({
      by,
      phase,
      n: errors.length,
      truth_unknown: unknown,
      error_ms_p50: quantile(0.5),
      error_ms_p95: quantile(0.95),
      error_ms_p99: quantile(0.99),
      error_ms_p01: quantile(0.01),
    })
  }
}
