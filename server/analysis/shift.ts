import { median } from '../../measurement/judge/statistics.ts'
import { inertia, type Memory, noMemory, remember } from './memory.ts'
import {
  ALARM_AT,
  BREADTH,
  breadthOf,
  isBroad,
  type Mixture,
  type MixtureRule,
  noMixture,
  onsetOf,
  reset,
  take,
  usually,
  type Vote,
} from './mixture.ts'
import type { Trial } from './trial.ts'
import { forget, learn, nothingUsual, type Usual } from './usual.ts'

/**
 * Slow-downs in one series. What is looked at is the paired log ratio of target to control of each agent, less what is
 * usual for that agent (reference detection.md §5.4): load, bad Wi-Fi and slow volunteers are in both and cancel.
 * Four ways to see it, any one is an alarm:
 * - level: the network's median rises for an hour and more (branch A);
 * - drift: it rises little and stays (ours: the table's weak spot of x1.25);
 * - share: a share of the agents is slower than they ever are (branch B);
 * - together: several agents rise at the same hour, the others do not (ours: x1.5 on half of the agents).
 */
export type Shift = {
  agents: Map<string, Mover>
  /** The network's median, and what is usual of it. */
  level: Usual
  recent: number[]
  rise: { sum: number; onset: number }
  drift: { sum: number; onset: number }
  memory: Memory
  slow: Mixture
  /** Median of the agents' usual ratios, for agents not known yet. */
  centre: number | null
  block: number
}

/** One agent: its usual ratio, and a CUSUM of its own upward moves. */
type Mover = { usual: Usual; seen: number; up: number; from: number; late: number }

const SLOW: MixtureRule = { alternatives: [0.2, 0.5, 0.9], floor: 0.03 }
/** A slow trial: half slower than usual, and than its agent ever is. */
const SLOW_TRIAL = { least: Math.log(1.5), deviations: 2.5 } as const
/** Branch A: robust z clipped at 4, less 1.5, above 12, and the newest hour slower by a third. */
const LEVEL = { clip: 4, less: 1.5, above: 15, bins: 4, least: Math.log(1.35), floor: 0.05 } as const
/** Little and long: eight hours slower by a seventh. */
const DRIFT = { clip: 3, less: 1, above: 34, bins: 32, least: Math.log(1.17) } as const
/** One agent's own moves. */
const OWN = { clip: 2.5, less: 0.75, above: 11, cap: 15, floor: 0.1, elevated: 2 } as const
/** Agents that rise within so many seconds of each other do so together. */
const TOGETHER_SECONDS = 3_600
/** Agents nobody heard of for so long are forgotten. */
const FORGET_SECONDS = 14 * 86_400
const BLOCK_SECONDS = 6 * 3_600

export const noShift = (): Shift => ({
  agents: new Map(),
  level: nothingUsual(),
  recent: [],
  rise: { sum: 0, onset: 0 },
  drift: { sum: 0, onset: 0 },
  memory: noMemory(),
  slow: noMixture(SLOW),
  centre: null,
  block: -1,
})

/** How far each agent of a bin is above its usual; `known` where that is its own. */
export type Move = { agent: string; by: number; known: boolean }

const tidy = (shift: Shift, at: number): void => {
  const block = Math.floor(at / BLOCK_SECONDS)
  if (block === shift.block) return
  shift.block = block
  const centres: number[] = []
  for (const [agent, { usual, seen }] of shift.agents) {
    if (seen < at - FORGET_SECONDS) shift.agents.delete(agent)
    else if (usual.centre !== null) centres.push(usual.centre)
  }
  shift.centre = centres.length > 0 ? median(centres) : null
}

/** Take the paired trials of one bin. While a slow-down is open nothing is learned. */
export const takeShift = (shift: Shift, at: number, trials: readonly Trial[], frozen: boolean): Move[] => {
  tidy(shift, at)
  const moves: Move[] = []
  const votes: Vote[] = []
  for (const { agent, ratio } of trials) {
    if (ratio === null) continue
    const mover = moverOf(shift, agent)
    mover.seen = at
    const { centre, spread } = mover.usual
    const usual = centre ?? shift.centre
    if (usual !== null) {
      const by = ratio - usual
      moves.push({ agent, by, known: centre !== null })
      if (centre !== null) {
        votes.push({ agent, failed: by > Math.max(SLOW_TRIAL.least, SLOW_TRIAL.deviations * spread) ? 1 : 0 })
        if (!frozen) rise(mover, at, by)
      }
    }
    if (!frozen) learn(mover.usual, at, ratio)
  }
  if (!frozen) takeLevel(shift, at, moves, votes)
  return moves
}

const moverOf = (shift: Shift, agent: string): Mover => {
  const known = shift.agents.get(agent)
  if (known) return known
  const mover = { usual: nothingUsual(), seen: 0, up: 0, from: 0, late: 0 }
  shift.agents.set(agent, mover)
  return mover
}

const clip = (value: number, at: number): number => Math.max(-at, Math.min(at, value))

const rise = (mover: Mover, at: number, by: number): void => {
  if (mover.up === 0) mover.from = at
  const z = clip(by / Math.max(OWN.floor, mover.usual.spread), OWN.clip)
  mover.up = Math.min(OWN.cap, Math.max(0, mover.up + z - OWN.less))
  mover.late += (by - mover.late) / 16
}

const takeLevel = (shift: Shift, at: number, moves: readonly Move[], votes: readonly Vote[]): void => {
  if (votes.length > 0 && take(shift.slow, SLOW, at, votes) < ALARM_AT / 3) usually(shift.slow, votes)
  const known = moves.filter(move => move.known)
  if (known.length < 2) return
  const level = median(known.map(({ by }) => by))
  shift.recent.push(level)
  if (shift.recent.length > DRIFT.bins) shift.recent.shift()
  const { centre, spread } = shift.level
  if (centre !== null) {
    const z = (level - centre) / Math.max(LEVEL.floor, spread)
    remember(shift.memory, clip(z, DRIFT.clip))
    climb(shift.rise, at, clip(z, LEVEL.clip) - LEVEL.less)
    climb(shift.drift, at, clip(z, DRIFT.clip) - DRIFT.less)
  }
  learn(shift.level, at, level)
}

const climb = (of: { sum: number; onset: number }, at: number, by: number): void => {
  if (of.sum === 0) of.onset = at
  of.sum = Math.max(0, of.sum + by)
}

/** Since when agents are slower, where the trials so far show that they are; else null. */
export const shifted = (shift: Shift, at: number): { onset: number; by: string } | null => {
  const newest = () => median(shift.recent.slice(-LEVEL.bins))
  if (
    shift.rise.sum > LEVEL.above * inertia(shift.memory) &&
    newest() > LEVEL.least &&
    risen(shift, at, OWN.elevated)
  ) {
    return { onset: shift.rise.onset, by: 'level' }
  }
  if (shift.slow.agents.size > 1) {
    if (shift.slow.sums.some(({ sum }) => sum > ALARM_AT) && isBroad(breadthOf(shift.slow, SLOW, at)))
      return { onset: onsetOf(shift.slow), by: 'share' }
  }
  if (
    shift.drift.sum > DRIFT.above * inertia(shift.memory) &&
    shift.recent.length === DRIFT.bins &&
    median(shift.recent) > DRIFT.least &&
    risenLong(shift, at)
  ) {
    return { onset: shift.drift.onset, by: 'drift' }
  }
  const together = togetherSince(shift, at)
  return together === null ? null : { onset: together, by: 'together' }
}

function* active(shift: Shift, at: number): Generator<Mover> {
  for (const mover of shift.agents.values()) {
    if (mover.usual.centre !== null && mover.seen >= at - BREADTH.seconds) yield mover
  }
}

const risen = (shift: Shift, at: number, above: number): boolean => {
  let [hit, of] = [0, 0]
  for (const { up } of active(shift, at)) {
    of++
    if (up > above) hit++
  }
  return isBroad({ hit, active: of })
}

const risenLong = (shift: Shift, at: number): boolean => {
  let [hit, of] = [0, 0]
  for (const { late } of active(shift, at)) {
    of++
    if (late > Math.log(1.1)) hit++
  }
  return hit >= Math.max(2, 0.6 * of)
}

const togetherSince = (shift: Shift, at: number): number | null => {
  const since: number[] = []
  for (const { up, from } of shift.agents.values()) if (up > OWN.above) since.push(from)
  if (since.length < BREADTH.agents) return null
  since.length = 0
  let of = 0
  for (const { up, from } of active(shift, at)) {
    of++
    if (up > OWN.above) since.push(from)
  }
  if (since.length < 2) return null
  since.sort((a, b) => a - b)
  const need = Math.max(BREADTH.agents, Math.ceil(BREADTH.share * of))
  for (let i = 0; i + need <= since.length; i++) {
    if (since[i + need - 1]! - since[i]! <= TOGETHER_SECONDS) return since[i]!
  }
  return null
}

/** A slow-down is taken to be at least this large, in ln: what ends it must be told from what it was. */
export const LEAST_SIZE = Math.log(1.15)

/** Agents that have risen, and by how much. */
export const sizeOf = (shift: Shift, at: number): { hit: Set<string>; by: number } => {
  const all = [...shift.agents].filter(([, { usual, seen }]) => usual.centre !== null && seen >= at - BREADTH.seconds)
  const risen = all.filter(([, { up }]) => up > OWN.elevated)
  const of = risen.length > 0 ? risen : all
  return {
    hit: new Set(of.map(([agent]) => agent)),
    by: Math.max(LEAST_SIZE, median(of.map(([, { late }]) => late))),
  }
}

/** An alarm was raised, since when: what was learned since belongs to it. */
export const freeze = (shift: Shift, onset: number): void => {
  for (const { usual } of shift.agents.values()) forget(usual, onset)
  forget(shift.level, onset)
}

export const calm = (shift: Shift): void => {
  reset(shift.slow)
  shift.rise.sum = 0
  shift.drift.sum = 0
  shift.recent = []
  for (const mover of shift.agents.values()) {
    mover.up = 0
    mover.late = 0
  }
}
