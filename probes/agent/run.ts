import { randomBytes } from 'node:crypto'
import { Value } from 'typebox/value'
import { type Mark, Measurement } from '../../measurement/measurement.ts'
import type { Measure, Run } from '../probe.ts'
import { wireBytes } from './budget.ts'
import type { Clock } from './clock.ts'
import type { Planned } from './schedule.ts'
import type { Unnumbered } from './spool.ts'
import type { Here, Locate } from './whereabouts.ts'

/**
 * What became of one planned measurement. Discarded: the machine changed its network meanwhile, or the agent was
 * stopped. `fault`: our own bug; what it says is for the log.
 */
export type Made =
  | { kind: 'measured'; measurement: Unnumbered; connected: string | null; bytes: number }
  | { kind: 'discarded'; reason: 'network_changed' | 'stopped'; connected: string | null; bytes: number }
  | { kind: 'fault'; fault: string; connected: null; bytes: number }

export type Surroundings = {
  measure: Measure
  clock: Clock
  boot: string
  software: string
  loopback: boolean
  /** Where this machine is, asked before and after. */
  where: () => Promise<Here>
  /** Databases to look up whoever answered. */
  locate: Locate | null
  /** Version of the catalogue, and when it was issued: an earlier wall clock is wrong. */
  catalogue: { version: number; issued: number }
  signal: AbortSignal
}

/** The first moment a measurement may bear (`measurement/measurement.ts`); a clock before it stands at it, and is marked. */
const LEAST_TIME = 946_684_800
/** Seconds by which the wall clock may move against the other one during a measurement. */
const JUMP = 1

/** UUIDv7 (RFC 9562 §5.7): Unix milliseconds, then random. */
export const uuidv7 = (unixSeconds: number): string => {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Math.max(0, Math.floor(unixSeconds * 1000)), 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** One field that is wrong, as `path: what is wrong`, or null. The sequence number is the spool's to give. */
const wrongField = (measurement: Unnumbered): string | null => {
  const complete = { ...measurement, sequence: 1 }
  if (Value.Check(Measurement, complete)) return null
  const [error] = Value.Errors(Measurement, complete)
  return `${error?.instancePath || '/'}: ${error?.message}`
}

/** The least round trip: a TCP connection opens in one. */
const rttFloor = ({ steps }: Run): number | null => {
  const trips = steps.filter(({ operation, failure }) => operation === 'connect' && !failure).map(step => step.duration)
  return trips.length ? Math.min(...trips) : null
}

/** Where the address that answered stands; it goes no further. */
const servedFrom = (connected: string | null, locate: Locate | null): { asn: number; country: string } =>
  connected && locate ? { asn: locate.asn(connected), country: locate.country(connected) } : { asn: 0, country: 'ZZ' }

/** Makes one planned measurement, once. Never throws. */
export const make = async ({ app, target, pair }: Planned, around: Surroundings): Promise<Made> => {
  const { clock, signal } = around
  const { line, families: _, ...place } = await around.where()
  const [at, mono] = [clock.wall(), clock.mono()]
  let run: Run
  try {
    run = await around.measure(target, { signal, loopback: around.loopback })
  } catch (error) {
    const { name, message, stack } = error as Error
    return {
      kind: 'fault',
      fault: `${target.kind} probe: ${stack ?? `${name}: ${message}`}`,
      connected: null,
      bytes: 0,
    }
  }
  const took = { connected: run.connected, bytes: wireBytes(run) }
  if (signal.aborted) return { kind: 'discarded', reason: 'stopped', ...took }
  const after = await around.where()
  if (after.line !== line || after.country !== place.country || after.asn !== place.asn) {
    return { kind: 'discarded', reason: 'network_changed', ...took }
  }
  const jumped = Math.abs(clock.wall() - at - (clock.mono() - mono)) > JUMP
  const marks: Mark[] = []
  if (jumped || at < Math.max(LEAST_TIME, around.catalogue.issued)) marks.push('time_uncertain')
  if (run.stalled) marks.push('loop_stalled')
  const measurement: Unnumbered = {
    id: uuidv7(Math.max(at, LEAST_TIME)),
    boot: around.boot,
    mono,
    app,
    feature: target.feature,
    target: target.id,
    kind: target.kind,
    family: target.family,
    route: place.access === 'vpn' ? 'vpn' : 'direct',
    ...place,
    at: Math.max(at, LEAST_TIME),
    steps: run.steps,
    failure: run.failure as Unnumbered['failure'],
    served: { ...servedFrom(run.connected, around.locate), rtt_floor: run.stalled ? null : rttFloor(run), dc: run.dc },
    origin_proof: run.origin_proof,
    ...(pair && { pair }),
    marks,
    software: around.software,
    catalogue: around.catalogue.version,
  }
  const wrong = wrongField(measurement)
  if (wrong) return { kind: 'fault', fault: `${target.kind} probe: field ${wrong}`, connected: null, bytes: took.bytes }
  return { kind: 'measured', measurement, ...took }
}
