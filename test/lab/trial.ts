import { compare, isSuspicious, type Throttling } from '../../measurement/judge/throttle.ts'
import type { Random } from '../bench/detection/random.ts'
import { type Censor, type Generator, type Line, legOf, nobody, type Road } from './flow.ts'
import type { Timed } from './rivals.ts'

/** One agent's test as it is run: a pair of 128 KB, and where that is suspicious three fresh ones of 256 KB. */
export type Trial = {
  line: Line
  censor: Censor
  screen: Timed
  pairs: Timed[]
  /** All three pairs, whatever the screen said. */
  full: Throttling
  /** As agents do it. */
  adaptive: Throttling
  suspicious: boolean
  /** Payload bytes of the adaptive test, and seconds until its answer. */
  bytes: number
  seconds: number
}

const SCREEN = 131_072
const CONFIRM = 262_144
/** Seconds between two transfers of one pair, and between pairs (reference §5.1: 120 to 180). */
const BETWEEN_LEGS = 3
const BETWEEN_PAIRS = 150

/** How the control's way differs from the app's. */
export type Differs = { rtt?: number }

export const trialOf = (
  generator: Generator,
  line: Line,
  censor: Censor,
  random: Random,
  { rtt = 1 }: Differs = {},
): Trial => {
  const app = generator(line, random)
  // Other servers, one line: where they lie as far, the very same road.
  const control = rtt === 1 ? app : generator({ ...line, rtt: line.rtt / rtt }, random)
  const screen = pairOf(app, control, line, censor, SCREEN, random, rtt)
  const pairs = Array.from({ length: 3 }, () => pairOf(app, control, line, censor, CONFIRM, random, rtt))
  const full = compare(pairs)
  const suspicious = isSuspicious(screen)
  const same: Throttling = { ...full, answer: 'same', strength: null, mechanism: null, rate: null }
  const run = suspicious ? [screen, ...pairs] : [screen]
  return {
    ...{ line, censor, screen, pairs, full, suspicious },
    adaptive: suspicious ? full : same,
    bytes: run.reduce((sum, { app, control }) => sum + app.got + control.got, 0),
    seconds:
      run.reduce((sum, { app, control }) => sum + app.span + control.span, 0) + (suspicious ? 3 * BETWEEN_PAIRS : 0),
  }
}

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
    app: legOf(timeline.app, bytes, line.rtt, random, loaded),
    control: legOf(timeline.control, bytes, line.rtt / rtt, random),
  }
}

export type Family = 'plain' | 'congested' | 'lossy' | 'slow'

/** Lines as reference §1.7 and §6 have them, and three harder kinds that are nobody's doing. */
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
  return line
}
