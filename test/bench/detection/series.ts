import type { Trial } from '../../../server/analysis/trial.ts'
import { Random } from './random.ts'

/**
 * The first generator: series as reference detection.md §5.4 describes those it was scored on. Logarithms of target and
 * control share the load; what pairing cannot remove is noise of the target shared by the network (AR), noise of each
 * agent (AR), a remainder of the load, routes that shift (once in 14 days an agent), and outages of the whole network
 * (once in 7 days). Agents are up 70 % of the time. One try a bin, unless the world says more.
 */
export type World = {
  seed: number
  agents: number
  days: number
  /** Trials an agent makes of the target in a bin, all told in one (the table of §5.4: 1). */
  tries?: number
  event?: Event
  /** Agents, beside the honest ones, that always say "blocked, controls fine", from the event's start. */
  liars?: number
  /** What liars say: blocked, slow, or that all is well. */
  lie?: 'blocked' | 'slow' | 'fine'
  /** Liars share one prefix (a rented rack) instead of having one each. */
  rack?: boolean
}

/** What happens to the target from `day` (may be a fraction) for `hours`: times slower, share of tries lost, on this share of agents. */
export type Event = { day: number; hours: number; slower?: number; lost?: number; agents?: number }

export const BIN = 900
export const DAY = 86_400
const BINS_A_DAY = DAY / BIN
/** A Monday, 00:00 UTC. */
export const START = Date.parse('2024-01-01T00:00:00Z') / 1000

const UPTIME = 0.7
/** Mean bins an agent is up before it goes: half a day. */
const UP_BINS = 48
const DOWN_BINS = (UP_BINS * (1 - UPTIME)) / UPTIME
const ROUTE_SHIFT_BINS = 14 * BINS_A_DAY
const ROUTE_SHIFT = 0.2
const OUTAGE_BINS = 7 * BINS_A_DAY
const NOISE = {
  shared: { phi: 0.9, deviation: 0.09 },
  own: { phi: 0.6, deviation: 0.14 },
  leg: 0.12,
  load: 0.06,
  lost: [0.003, 0.02],
  control: 0.01,
} as const

type Agent = {
  name: string
  prefix: number
  up: boolean
  noise: number
  route: number
  base: number
  lost: number
  hit: boolean
  lies: boolean
}

const agentsOf = (world: World, random: Random): Agent[] => {
  const honest = Array.from({ length: world.agents }, (_, at) => ({
    name: `a${String(at).padStart(3, '0')}`,
    prefix: 1 + at,
    up: random.next() < UPTIME,
    noise: random.normal() * NOISE.own.deviation,
    route: 0,
    base: random.normal() * 0.5,
    lost: random.between(NOISE.lost[0], NOISE.lost[1]),
    hit: at < Math.round(world.agents * (world.event?.agents ?? 1)),
    lies: false,
  }))
  const liars = Array.from({ length: world.liars ?? 0 }, (_, at) => ({
    ...honest[0]!,
    name: `b${String(at).padStart(3, '0')}`,
    prefix: world.rack ? 9_999 : 5_000 + at,
    base: random.normal() * 0.5,
    hit: true,
    lies: true,
  }))
  return [...honest, ...liars]
}

/** An outage of the network: what share of anything fails while it lasts. */
type Outage = { until: number; lost: number }

const next = (value: number, { phi, deviation }: { phi: number; deviation: number }, random: Random): number =>
  phi * value + deviation * Math.sqrt(1 - phi * phi) * random.normal()

export const seriesOf = (world: World): Trial[] => {
  const random = new Random(world.seed)
  const agents = agentsOf(world, random)
  const { event } = world
  const from = event ? Math.floor(event.day * BINS_A_DAY) : Number.POSITIVE_INFINITY
  const to = event ? from + (event.hours * 3_600) / BIN : 0
  const phase = random.between(0, 2 * Math.PI)
  const trials: Trial[] = []
  let shared = random.normal() * NOISE.shared.deviation
  let outage: Outage | null = null
  for (let bin = 0; bin < world.days * BINS_A_DAY; bin++) {
    shared = next(shared, NOISE.shared, random)
    if (outage && bin >= outage.until) outage = null
    if (!outage && random.once(OUTAGE_BINS)) {
      outage = { until: bin + 2 + random.exponential(8), lost: random.between(0.3, 1) }
    }
    const load = loadAt(bin, phase)
    const during = event && bin >= from && bin < to ? event : null
    for (const agent of agents) {
      if (random.once(agent.up ? UP_BINS : DOWN_BINS)) agent.up = !agent.up
      agent.noise = next(agent.noise, NOISE.own, random)
      if (random.once(ROUTE_SHIFT_BINS)) agent.route = random.normal() * ROUTE_SHIFT
      if (!agent.up) continue
      const at = START + bin * BIN
      const lying = agent.lies && bin >= from
      trials.push(
        lying ? lieOf(agent, at, world, random) : trialOf(agent, at, { world, random, shared, load, outage, during }),
      )
    }
  }
  return trials
}

/** Load of the network by hour and weekday, -1 to 1. */
const loadAt = (bin: number, phase: number): number => {
  const weekend = Math.floor(bin / BINS_A_DAY) % 7 >= 5
  return (weekend ? 0.6 : 1) * Math.sin((2 * Math.PI * bin) / BINS_A_DAY + phase)
}

type Moment = {
  world: World
  random: Random
  shared: number
  load: number
  outage: Outage | null
  during: Event | null
}

const trialOf = (agent: Agent, at: number, { world, random, shared, load, outage, during }: Moment): Trial => {
  const lost = outage ? outage.lost : 0
  const hit = during && agent.hit ? during : null
  const fails = 1 - (1 - agent.lost) * (1 - lost) * (1 - (hit?.lost ?? 0))
  const tries = world.tries ?? 1
  let answered = 0
  for (let i = 0; i < tries; i++) if (random.next() >= fails) answered++
  const foreign = random.next() >= 1 - (1 - NOISE.control) * (1 - lost)
  const leg = () => random.normal() * NOISE.leg + (random.next() < 0.02 ? random.between(0.5, 1.5) : 0)
  const ratio =
    agent.base + agent.route + shared + agent.noise + NOISE.load * load + leg() - leg() + Math.log(hit?.slower ?? 1)
  return {
    at,
    agent: agent.name,
    prefix: agent.prefix,
    attempts: tries,
    answered,
    ratio: answered > 0 && foreign ? ratio : null,
    foreign,
    domestic: random.next() >= lost,
  }
}

const lieOf = (agent: Agent, at: number, world: World, random: Random): Trial => {
  const tries = world.tries ?? 1
  const blocked = (world.lie ?? 'blocked') === 'blocked'
  return {
    at,
    agent: agent.name,
    prefix: agent.prefix,
    attempts: tries,
    answered: blocked ? 0 : tries,
    ratio: blocked ? null : agent.base + (world.lie === 'slow' ? 2 : 0) + random.normal() * 0.1,
    foreign: true,
    domestic: true,
  }
}
