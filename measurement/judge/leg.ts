import { failure } from '../failure.ts'
import type { Measurement, Pair } from '../measurement.ts'
import type { Step } from '../step.ts'
import { dropUp, type PingPong } from './drop-up.ts'
import { CAP, isSuspicious, type Leg, MARKS, type Pair as Seen } from './throttle.ts'

/** Bytes of each leg, by the stage of its test (reference detection.md §5.1, T2 and T3). */
export const pairBytes: Record<Pair['test'], number> = { shape: 65_536, screen: 163_840, confirm: 262_144 }

/** A stream of datagrams, as a video call sends them: 50 kB a second. */
export const STREAM = { size: 500, perSecond: 100 }
export const packetsOf = (bytes: number): number => Math.ceil(bytes / STREAM.size)

type Measured = Pick<Measurement, 'kind' | 'steps' | 'pair'>

/**
 * The leg that a paired transfer measured; null where it is none, or says nothing of the line: an answer that is not the
 * object, bytes from a cache or a helper that lies, trouble of the agent's own. A leg that ended before its first byte has
 * `first` null. That the agent's event loop stalled takes nothing from a leg: bytes wait in the kernel meanwhile, and a rule
 * that asks for the slowest control and the fastest app transfer is not led astray by one leg that seems slower.
 */
export const legOf = ({ kind, steps, pair }: Measured): Leg | null => {
  const failed = steps.find(step => step.failure !== null)
  const at = steps.findIndex(({ operation }) => operation === 'transfer')
  // Trains come after the transfer; what goes wrong in them is theirs.
  const ending = at < 0 ? failed : steps.slice(0, at + 1).find(step => step.failure !== null)
  const { blame } = failure(ending?.failure ?? 'generic_timeout_error')
  if (kind !== 'transfer' || !pair || blame === 'target' || blame === 'agent') return null
  const idle = steps.find(({ operation }) => operation === 'connect')
  const common = { idle: idle && idle.failure === null ? idle.duration : null }
  const step = steps[at]
  if (!step) return { ...common, ...never, end: endOf(ending) }
  const bytes = pairBytes[pair.test]
  const reached = step.reached ?? never.reached
  const first = step.received > 0 ? (steps[at - 1]?.duration ?? 0) : null
  const gap = step.gap ?? 0
  if (steps.some(({ operation }) => operation === 'datagram')) {
    // The sender's time is over where nothing failed: what has not come by then is lost, and waiting for it no slowness.
    const tries = packetsOf(bytes)
    const came = Math.min(tries, Math.floor(step.received / STREAM.size))
    const sent = { got: came * STREAM.size, span: tries / STREAM.perSecond, lost: { hits: tries - came, tries } }
    return { ...common, ...sent, reached, gap, first, end: step.failure === null ? 'whole' : endOf(step), trips: [] }
  }
  // Of an upload next to nothing is received: what was timed are the bytes the other end acknowledged.
  const timed = [step.series?.at(-1) ?? 0, ...MARKS.filter((_, i) => reached[i] !== null)]
  const got = Math.min(bytes, Math.max(step.received, ...timed))
  const whole = step.failure === null && got >= bytes
  return {
    ...common,
    reached,
    got,
    span: Math.min(step.duration, CAP),
    gap,
    end: whole ? 'whole' : endOf(step),
    first,
    trips: pair.test === 'confirm' ? tripsOf({ kind, steps }) : [],
  }
}

const never = { reached: MARKS.map(() => null), got: 0, span: 0, gap: 0, first: null, trips: [] }

const endOf = (step: Step | undefined): Leg['end'] => {
  if (!step?.failure) return 'cap'
  if (step.failure === 'generic_timeout_error') return 'silent'
  return step.failure === 'connection_reset' ? 'reset' : 'closed'
}

/**
 * Round trips of small requests beside or after a transfer, in seconds, -1 for one that never came. Not those of datagrams:
 * which way one was lost nobody knows.
 */
export const tripsOf = ({ kind, steps }: Pick<Measured, 'kind' | 'steps'>): number[] =>
  kind === 'transfer'
    ? steps.flatMap(({ operation, series = [] }) => (['transfer', 'datagram'].includes(operation) ? [] : series))
    : []

/** Whether what a shape test saw is reason for a test: an app slower than twice, or whose requests are lost on the way up. */
export const isWorthMore = (seen: Seen, trips: PingPong): boolean =>
  isSuspicious(seen) || (trips.app.length > 0 && trips.control.length > 0 && dropUp([[trips]]).found)
