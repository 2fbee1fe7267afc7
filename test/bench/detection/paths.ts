import type { Trial } from '../../../server/analysis/trial.ts'
import { Random } from './random.ts'
import { BIN, DAY, type Event, START, type World } from './series.ts'

/**
 * The second generator, written from the text of reference detection.md §6 alone and never used for tuning: not noise on
 * logarithms but lines, with packets. Each agent has an access line of its own capacity (wandering), a drop-tail queue,
 * exponential jitter and random loss; target and control lie at different distances behind it. An exchange is some round
 * trips of small packets; a lost one costs its retransmission timer (1, 2, 4 s), as real connects do. What queues is in
 * both legs but not in the same proportion, so pairing does not cancel it.
 */

const TIMEOUT_SECONDS = 10
/** Round trips to the deepest answer: TCP, TLS or the protocol's handshake, the answer. */
const ROUND_TRIPS = 4
const FIRST_TIMER_SECONDS = 1
const BINS_A_DAY = DAY / BIN

type Line = {
  name: string
  prefix: number
  mbps: number
  wander: number
  sigma: number
  queue: number
  jitter: number
  loss: number
  target: number
  control: number
  busy: number
  phase: number
  up: boolean
  hit: boolean
}

const lineOf = (at: number, world: World, random: Random): Line => ({
  name: `p${String(at).padStart(3, '0')}`,
  prefix: 1 + at,
  mbps: Math.exp(random.between(Math.log(1), Math.log(40))),
  wander: 0,
  sigma: random.between(0.1, 0.5),
  queue: random.between(0.05, 0.4),
  jitter: random.between(0.001, 0.01),
  loss: random.next() < 0.7 ? random.between(0, 0.005) : random.between(0.005, 0.04),
  target: random.between(0.04, 0.26),
  control: random.between(0.04, 0.26),
  busy: random.between(0.2, 0.7),
  phase: random.between(-0.5, 0.5),
  up: random.next() < 0.7,
  hit: at < Math.round(world.agents * (world.event?.agents ?? 1)),
})

/** Seconds an exchange takes, null where it times out. */
const exchange = (line: Line, trip: number, queued: number, lost: number, random: Random): number | null => {
  let seconds = 0
  for (let i = 0; i < ROUND_TRIPS; i++) {
    let timer = FIRST_TIMER_SECONDS
    // Either packet of a round trip may be lost.
    while (random.next() < 1 - (1 - lost) ** 2) {
      seconds += timer
      timer *= 2
      if (seconds > TIMEOUT_SECONDS) return null
    }
    seconds += trip + queued + random.exponential(line.jitter)
  }
  return seconds > TIMEOUT_SECONDS ? null : seconds
}

export const pathsOf = (world: World): Trial[] => {
  const random = new Random(world.seed + 77)
  const lines = Array.from({ length: world.agents }, (_, at) => lineOf(at, world, random))
  const { event } = world
  const from = event ? Math.floor(event.day * BINS_A_DAY) : Number.POSITIVE_INFINITY
  const to = event ? from + (event.hours * 3_600) / BIN : 0
  const evening = random.between(0, 2 * Math.PI)
  const trials: Trial[] = []
  let backbone = 0
  let outage = 0
  let lost = 0
  for (let bin = 0; bin < world.days * BINS_A_DAY; bin++) {
    backbone = 0.9 * backbone + 0.1 * random.normal()
    if (outage > 0) outage--
    else if (random.once(7 * BINS_A_DAY)) {
      outage = 2 + Math.floor(random.exponential(8))
      lost = random.between(0.3, 1)
    }
    const during = event && bin >= from && bin < to ? event : null
    for (const line of lines) {
      if (random.once(line.up ? 48 : 20)) line.up = !line.up
      line.wander = 0.9 * line.wander + 0.44 * line.sigma * random.normal()
      if (random.once(14 * BINS_A_DAY)) line.target = random.between(0.8, 1.25) * line.target
      if (!line.up) continue
      const hour = Math.sin((2 * Math.PI * bin) / BINS_A_DAY + evening + line.phase)
      const weekend = Math.floor(bin / BINS_A_DAY) % 7 >= 5 ? 0.8 : 1
      const load = Math.min(
        0.97,
        Math.max(0.05, line.busy * weekend * (1 + 0.4 * hour) * Math.exp(-line.wander) + 0.1 * backbone),
      )
      trials.push(trialOf(line, START + bin * BIN, load, outage > 0 ? lost : 0, during, random))
    }
  }
  return trials
}

const trialOf = (line: Line, at: number, load: number, outage: number, during: Event | null, random: Random): Trial => {
  const event = during && line.hit ? during : null
  // Waiting in a queue that is full now and then (M/M/1, capped by its length), drawn anew for each leg.
  const queued = () =>
    Math.min(line.queue, random.exponential(((1_500 * 8) / (line.mbps * 1e6)) * (load / (1 - load)) * 8))
  const gone = (share: number) => random.next() < share
  const control = gone(outage) ? null : exchange(line, line.control, queued(), line.loss, random)
  const plain = gone(outage) || gone(event?.lost ?? 0) ? null : exchange(line, line.target, queued(), line.loss, random)
  const target = plain === null ? null : plain * (event?.slower ?? 1)
  return {
    at,
    agent: line.name,
    prefix: line.prefix,
    attempts: 1,
    answered: target === null ? 0 : 1,
    ratio: target !== null && control !== null ? Math.log(target / control) : null,
    foreign: control !== null,
    domestic: !gone(outage),
  }
}
