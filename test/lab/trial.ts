import { pairBytes } from '../../measurement/judge/leg.ts'
import { compare, goesOn, type Leg, type Throttling } from '../../measurement/judge/throttle.ts'
import type { Random } from '../bench/detection/random.ts'
import { type Censor, type Generator, type Line, legOf, nobody, type Road } from './flow.ts'
import type { Timed } from './rivals.ts'

/** One agent's test as it is run, pair after pair for as long as none stands against it. */
export type Trial = {
  line: Line
  censor: Censor
  /** The pairs that were made. */
  made: Timed[]
  said: Throttling
  /** Three pairs of 256 KB on the same line, whatever came of the first: what a test that never stops would have seen. */
  pairs: Timed[]
  full: Throttling | null
  /** Bytes on the wire until the answer, and seconds. */
  bytes: number
  seconds: number
}

/** What a transfer costs besides its payload: as the agent's budget counts it, and a handshake (docs/agent.md). */
const OVERHEAD = 1.08
const HANDSHAKE = 7_000
/** Seconds between two transfers of one pair, and between pairs (reference §5.1: 120 to 180). */
const BETWEEN_LEGS = 3
const BETWEEN_PAIRS = 150

/** How the control's way differs from the app's, and whether three pairs of 256 KB are made in any case. */
export type Differs = { rtt?: number; full?: boolean }

export const trialOf = (
  generator: Generator,
  line: Line,
  censor: Censor,
  random: Random,
  { rtt = 1, full = false }: Differs = {},
): Trial => {
  const app = generator(line, random)
  // Other servers, one line: where they lie as far, the very same road.
  const control = rtt === 1 ? app : generator({ ...line, rtt: line.rtt / rtt }, random)
  const pair = (bytes: number): Timed => pairOf(app, control, line, censor, bytes, random, rtt)
  const made = [pair(pairBytes.screen)]
  const pairs: Timed[] = []
  while (full ? pairs.length < 3 : goesOn(made)) {
    pairs.push(pair(pairBytes.confirm))
    if (goesOn(made)) made.push(pairs.at(-1)!)
  }
  return {
    ...{ line, censor, made, said: compare(made), pairs, full: full ? compare(pairs) : null },
    bytes: bytesOf(made),
    seconds:
      made.reduce((sum, { app, control }) => sum + app.span + control.span, 0) + (made.length - 1) * BETWEEN_PAIRS,
  }
}

/** Bytes on the wire. */
export const bytesOf = (pairs: readonly Timed[]): number =>
  pairs.reduce((sum, { app, control }) => sum + wireOf(app) + wireOf(control), 0)
export const wireOf = ({ got }: Pick<Leg, 'got'>): number => got * OVERHEAD + HANDSHAKE

const pairOf = (
  app: Road,
  control: Road,
  line: Line,
  censor: Censor,
  bytes: number,
  random: Random,
  rtt: number,
): Timed => {
  const legs = new Map<string, ReturnType<Road['transfer']>>()
  let loaded: number | null = null
  const first = random.next() < 0.5
  for (const side of first ? ['app', 'control'] : ['control', 'app']) {
    const road = side === 'app' ? app : control
    legs.set(side, road.transfer(bytes, side === 'app' ? censor : nobody))
    if (side === 'app') loaded = road.loaded()
    for (const each of new Set([app, control])) each.rest(BETWEEN_LEGS)
  }
  for (const each of new Set([app, control])) each.rest(BETWEEN_PAIRS)
  const timeline = { app: legs.get('app')!, control: legs.get('control')! }
  return {
    timeline,
    app: legOf(timeline.app, bytes, line.rtt, loaded),
    control: legOf(timeline.control, bytes, line.rtt / rtt),
  }
}

export type Family = 'plain' | 'congested' | 'lossy' | 'slow' | 'fast'

/** Lines as reference §1.7 and §6 have them, and four harder kinds that are nobody's doing. */
export const lineOf = (family: Family, random: Random): Line => {
  const between = (low: number, high: number): number => random.between(low, high)
  const log = (low: number, high: number): number => Math.exp(between(Math.log(low), Math.log(high)))
  const line: Line = {
    capacity: (log(1, 40) * 1e6) / 8,
    wander: between(0.1, 0.5),
    rtt: between(0.04, 0.26),
    jitter: between(0.001, 0.01),
    loss: random.next() < 0.7 ? between(0, 0.005) : between(0.005, 0.04),
    queue: between(0.05, 0.4),
    busy: 0,
    congestion: random.next() < 0.5 ? 'cubic' : 'bbr',
  }
  if (family === 'congested') return { ...line, busy: between(0.4, 0.9) }
  if (family === 'lossy') return { ...line, loss: between(0.01, 0.04), jitter: between(0.01, 0.03) }
  if (family === 'slow') return { ...line, capacity: (log(0.1, 1) * 1e6) / 8, busy: between(0, 0.4) }
  if (family === 'fast') {
    const near = { rtt: between(0.005, 0.03), jitter: between(0.0002, 0.002), loss: between(0, 0.001) }
    return { ...line, ...near, capacity: (log(100, 500) * 1e6) / 8, queue: between(0.01, 0.05) }
  }
  return line
}
