import type { Random } from '../bench/detection/random.ts'
import type { Arrivals, Censor, Generator, Line } from './flow.ts'

/**
 * The first generator: byte timelines from formulas, no packets. A transfer's rate doubles every round trip until the line,
 * loss (Mathis 1997) or the censor holds it; noise is on logarithms. A policed flow falls silent for a timer when its
 * tokens are out and wastes some of its rate, a shaped one flows evenly.
 */

const SEGMENT = 1_448
const INITIAL = 10 * SEGMENT
const STEP = 0.005
const END = 12

const policed = (line: Line, random: Random, censor: Extract<Censor, { rate: number }>, bytes: number): Arrivals => {
  const arrivals: { at: number; bytes: number }[] = []
  // What retransmission wastes of the rate.
  const rate = censor.rate * random.between(0.88, 1)
  const plain = curve(line, random, Math.min(bytes, censor.burst))
  arrivals.push(...plain)
  let at = plain.at(-1)!.at
  let got = plain.at(-1)!.bytes
  while (got < bytes && at < END) {
    const silence =
      random.next() < 0.3 ? Math.max(0.2, 2 * line.rtt) * random.between(1, 2) : line.rtt * random.between(0.5, 1)
    at += Math.max(silence, SEGMENT / rate)
    const more = Math.max(SEGMENT, Math.floor((silence * rate) / SEGMENT) * SEGMENT)
    got = Math.min(bytes, got + more)
    arrivals.push({ at, bytes: got })
  }
  return arrivals
}

const shaped = (line: Line, random: Random, censor: Extract<Censor, { rate: number }>, bytes: number): Arrivals => {
  const plain = curve(line, random, Math.min(bytes, censor.burst))
  const arrivals = [...plain]
  let { at, bytes: got } = plain.at(-1)!
  while (got < bytes && at < END) {
    at += SEGMENT / censor.rate
    got = Math.min(bytes, got + SEGMENT)
    arrivals.push({ at: at + random.exponential(line.jitter / 4), bytes: got })
  }
  return arrivals.sort((a, b) => a.at - b.at)
}

/** An honest transfer. */
const curve = (line: Line, random: Random, bytes: number): Arrivals => {
  const level = line.capacity * (1 - line.busy) * Math.exp(line.wander * random.normal())
  const lossy = line.loss > 0 ? (1.22 * SEGMENT) / (line.rtt * Math.sqrt(line.loss)) : Number.POSITIVE_INFINITY
  const top = Math.min(
    level,
    line.congestion === 'bbr' ? Number.POSITIVE_INFINITY : lossy * Math.exp(0.3 * random.normal()),
  )
  const arrivals: { at: number; bytes: number }[] = []
  const begin = line.rtt + random.exponential(line.jitter)
  let got = 0
  let window = INITIAL
  let wander = 0
  for (let at = begin; got < bytes && at < END; ) {
    // A window's worth comes at once, then nothing until the next: the shape of slow start.
    if (window / line.rtt < top) {
      for (let left = window; left > 0 && got < bytes; left -= SEGMENT) {
        got = Math.min(bytes, got + SEGMENT)
        at += SEGMENT / top
        arrivals.push({ at, bytes: got })
      }
      at += Math.max(0, line.rtt - window / top) + random.exponential(line.jitter)
      window *= random.next() < line.loss * (window / SEGMENT) ? 0.7 : 2
      continue
    }
    wander = 0.98 * wander + 0.2 * line.wander * random.normal()
    got = Math.min(bytes, got + top * Math.exp(wander) * STEP)
    at += STEP
    if (random.next() < (line.busy * STEP) / 2) at += random.exponential(line.queue)
    arrivals.push({ at, bytes: Math.floor(got) })
  }
  return arrivals
}

export const curves: Generator = (line, random) => ({
  transfer: (bytes, censor) => {
    const idle = (censor.kind === 'police' || censor.kind === 'shape') && censor.rate >= line.capacity * (1 - line.busy)
    if (idle) return curve(line, random, bytes)
    if (censor.kind === 'police') return policed(line, random, censor, bytes)
    if (censor.kind === 'shape') return shaped(line, random, censor, bytes)
    const plain = curve(line, random, bytes)
    return censor.kind === 'freeze' ? plain.filter(({ bytes }) => bytes <= censor.after) : plain
  },
  pings: (count, censor) => {
    const share = 1 - (1 - line.loss) ** 2 * (1 - (censor.kind === 'drop_up' ? censor.share : 0))
    return Array.from({ length: count }, () => {
      let seconds =
        line.rtt + random.exponential(line.jitter) + (random.next() < line.busy ? random.next() * line.queue : 0)
      for (let timer = Math.max(0.2, 1.5 * line.rtt); random.next() < share; timer *= 2) seconds += timer
      return seconds > 4 ? -1 : seconds
    })
  },
  loaded: () => null,
  rest: () => {},
})
