import { CAP, FROZEN_SECONDS, type Leg, MARKS } from '../../measurement/judge/throttle.ts'
import type { Random } from '../bench/detection/random.ts'

/** A line of somebody's, and the way beyond it. Seconds, bytes, bytes a second. */
export type Line = {
  capacity: number
  /** Deviation of ln capacity as it wanders. */
  wander: number
  rtt: number
  jitter: number
  loss: number
  /** Seconds the queue before the line holds. */
  queue: number
  /** Share of the line that other traffic takes. */
  busy: number
  congestion: 'cubic' | 'bbr'
}

/** What is done to the app's flows, and to nobody else's. */
export type Censor =
  | { kind: 'none' }
  | { kind: 'police' | 'shape'; rate: number; burst: number }
  | { kind: 'freeze'; after: number }
  | { kind: 'drop_up'; share: number }

export const nobody: Censor = { kind: 'none' }

/** Bytes the reader had by then, seconds from the request. */
export type Arrivals = readonly { at: number; bytes: number }[]

/** A line in use: transfers run one after the other, its state goes on between them. */
export type Road = {
  /** One transfer of so many bytes, until it is whole or time is up. */
  transfer(bytes: number, censor: Censor): Arrivals
  /** Round trips of small requests, one after the other; -1 where one took over 4 s. */
  pings(count: number, censor: Censor): number[]
  /** Round trip while the last transfer ran, as somebody else's packet would have met it; null where it is not modelled. */
  loaded(): number | null
  /** Time goes by. */
  rest(seconds: number): void
}

export type Generator = (line: Line, random: Random) => Road

/**
 * The probe looks at its socket so often from the end of the head on, with which the first bytes come, and when all has
 * come (probes/net/arrival.ts).
 */
const LOOK = 0.02

/** What the transfer probe would have written down. */
export const legOf = (arrivals: Arrivals, bytes: number, rtt: number, loaded: number | null = null): Leg => {
  const [first] = arrivals
  const none: Leg = {
    reached: MARKS.map(() => null),
    got: 0,
    span: 0,
    gap: 0,
    end: 'silent',
    idle: rtt,
    first: null,
  }
  if (!first) return none
  const over = arrivals.find(of => of.bytes >= bytes)?.at ?? Number.POSITIVE_INFINITY
  const seen = (at: number): number => Math.min(over - first.at, Math.ceil((at - first.at) / LOOK) * LOOK)
  const came = arrivals.map(({ at, bytes }) => ({ at: seen(at), bytes })).filter(({ at }) => at <= CAP)
  const last = came.at(-1)!
  const whole = last.bytes >= bytes
  const silences = came.slice(1).map(({ at }, i) => at - came[i]!.at)
  const gap = Math.max(0, ...silences, whole ? 0 : CAP - last.at)
  return {
    reached: MARKS.map(mark => came.find(({ bytes }) => bytes >= mark)?.at ?? null),
    got: last.bytes,
    span: whole ? Math.max(last.at, 1e-4) : CAP,
    gap,
    end: whole ? 'whole' : CAP - last.at > FROZEN_SECONDS ? 'silent' : 'cap',
    idle: rtt,
    first: first.at,
    ...(loaded !== null && { trips: [rtt, loaded, loaded] }),
  }
}
