import { median } from '../../measurement/judge/statistics.ts'
import type { Random } from '../bench/detection/random.ts'
import type { Arrivals, Censor, Generator, Line } from './flow.ts'
import { type Sender, senderOf } from './sender.ts'

/**
 * The second generator, written from the text of reference detection.md §6 alone and never used for tuning: packets, one by
 * one. The server's window sends them into the censor (token bucket, byte count), the queue before the line (drop-tail, the
 * line's capacity wandering, other traffic coming in bursts), loss and jitter, to a reader that takes them in order; acks
 * go back and may be lost.
 */

export const SEGMENT = 1_448
const WIRE = 1_500
/** Seconds of a transfer after which nobody looks any more: the cap, and a first byte that may be late. */
const END = 12
/** Seconds between steps of the wandering capacity, and over which it forgets. */
const WANDER = { step: 0.1, memory: 5 } as const
/** Other traffic comes in bursts of so many bytes. */
const CROSS_BURST = 60_000
/** Seconds a shaper's queue holds. */
const SHAPER_QUEUE = 1

/** The ways down and up, with their state. */
export type Path = ReturnType<typeof pathOf>

const pathOf = (line: Line, random: Random) => {
  let now = 0
  let wander = random.normal() * line.wander
  let wandered = 0
  let free = 0
  let crossed = 0
  let lastDown = 0
  let lastUp = 0
  let tokens = 0
  let refilled = 0
  let shaped = 0
  let passed = 0
  let censor: Censor = { kind: 'none' }
  let waits: number[] = []

  const capacity = (): number => {
    const forget = Math.exp(-WANDER.step / WANDER.memory)
    for (let steps = 0; wandered + WANDER.step <= now && steps < 600; steps++) {
      wander = forget * wander + Math.sqrt(1 - forget ** 2) * line.wander * random.normal()
      wandered += WANDER.step
    }
    if (now - wandered > 60) wandered = now
    return line.capacity * Math.exp(wander)
  }

  /** Other traffic that came since takes its place in the queue. */
  const cross = (rate: number): void => {
    if (line.busy === 0) return
    const mean = CROSS_BURST / (line.busy * line.capacity)
    if (now - crossed > 5) crossed = now - 5
    for (crossed += random.exponential(mean); crossed < now; crossed += random.exponential(mean)) {
      free = Math.min(crossed + line.queue, Math.max(free, crossed) + CROSS_BURST / rate)
    }
  }

  /** Seconds more the censor keeps a packet, or null where it does not pass. */
  const censored = (): number | null => {
    if (censor.kind === 'freeze') return (passed += SEGMENT) > censor.after ? null : 0
    if (censor.kind !== 'police' && censor.kind !== 'shape') return 0
    tokens = Math.min(censor.burst, tokens + (now - refilled) * censor.rate)
    refilled = now
    if (tokens >= WIRE) {
      tokens -= WIRE
      if (censor.kind === 'police' || shaped <= now) return 0
    } else if (censor.kind === 'police') return null
    if (shaped - now > SHAPER_QUEUE) return null
    shaped = Math.max(shaped, now) + WIRE / censor.rate
    return shaped - now
  }

  return {
    random,
    line,
    now: () => now,
    /** A new flow meets a censor who does not know it yet. */
    begin: (of: Censor): void => {
      censor = of
      passed = 0
      waits = []
      tokens = of.kind === 'police' || of.kind === 'shape' ? of.burst : 0
      refilled = now
      shaped = now
    },
    advance: (to: number): void => {
      now = Math.max(now, to)
    },
    /** When a packet sent now arrives at the reader; null where it is lost. */
    down: (): number | null => {
      const rate = capacity()
      cross(rate)
      const kept = censored()
      if (kept === null) return null
      const at = now + kept
      if (free - at > line.queue || random.next() < line.loss) return null
      waits.push(kept + Math.max(0, free - at))
      free = Math.max(at, free) + WIRE / rate
      lastDown = Math.max(lastDown, free + line.rtt / 2 + random.exponential(line.jitter))
      return lastDown
    },
    loaded: (): number => line.rtt + line.jitter + (waits.length > 0 ? median(waits) : 0),
    /** The same of a small packet the other way. */
    up: (): number | null => {
      const share = censor.kind === 'drop_up' ? censor.share : 0
      if (random.next() < share || random.next() < line.loss) return null
      lastUp = Math.max(lastUp, now + line.rtt / 2 + random.exponential(line.jitter))
      return lastUp
    },
  }
}

type Event = { at: number; ack?: number; packet?: number }

/** One transfer: events in the order of time. */
const run = (path: Path, bytes: number): Arrivals => {
  const packets = Math.ceil(bytes / SEGMENT)
  const began = path.now()
  const queue: Event[] = []
  const schedule = (event: Event): void => {
    let at = queue.length
    while (at > 0 && queue[at - 1]!.at <= event.at) at--
    queue.splice(at, 0, event)
  }
  const arrivals: { at: number; bytes: number }[] = []
  const log: number[] = []
  const received = new Uint8Array(packets)
  let inOrder = 0
  const sender: Sender = senderOf(path.line.congestion, packets, began)
  const send = (): void => {
    for (let packet = sender.next(path.now()); packet !== null; packet = sender.next(path.now())) {
      const at = path.down()
      if (at !== null) schedule({ at, packet })
    }
  }
  send()
  while (inOrder < packets) {
    const timer = sender.wake()
    const event = queue.at(-1)
    const at = Math.min(timer, event?.at ?? Number.POSITIVE_INFINITY)
    if (at - began > END) break
    path.advance(at)
    if (event && event.at <= timer) {
      queue.pop()
      if (event.packet !== undefined) {
        log.push(event.packet)
        received[event.packet] = 1
        const before = inOrder
        while (inOrder < packets && received[inOrder]) inOrder++
        if (inOrder > before) arrivals.push({ at: at - began, bytes: Math.min(bytes, inOrder * SEGMENT) })
        const back = path.up()
        if (back !== null) schedule({ at: back, ack: log.length })
      } else sender.acked(log, event.ack!, at)
    } else sender.timeout(at)
    send()
  }
  return arrivals
}

/** Seconds of the first retransmission timer of a request (Linux, least), doubled each time, and of the longest wait. */
const TIMER = 0.2
const LONGEST = 4

const ping = (path: Path): number => {
  const began = path.now()
  for (let timer = Math.max(TIMER, 1.5 * path.line.rtt); ; timer *= 2) {
    const sent = path.now()
    const up = path.up()
    const down = up === null ? null : path.down()
    if (down !== null) {
      path.advance(down + path.line.rtt / 2)
      return path.now() - began
    }
    path.advance(sent + timer)
    if (path.now() - began > LONGEST) return -1
  }
}

export const packets: Generator = (line, random) => {
  const path = pathOf(line, random)
  return {
    transfer: (bytes, censor) => {
      path.begin(censor)
      return run(path, bytes)
    },
    pings: (count, censor) => {
      path.begin(censor)
      return Array.from({ length: count }, () => ping(path))
    },
    loaded: () => path.loaded(),
    rest: seconds => path.advance(path.now() + seconds),
  }
}
