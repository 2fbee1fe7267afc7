import type { Mechanism } from '../verdict.ts'
import { asRatio, centreOf, type Interval } from './ranks.ts'
import { median } from './statistics.ts'
import type { Throttling } from './throttle.ts'

/** Agents of whom so many agree confirm a label, if so many have an answer (reference §5.4, DESIGN §3). */
const AGREEING = 0.6
export const LEAST_AGENTS = 3
/** Rates of agents within this share of their middle are one plan's or one censor's (§5.3.3). */
const CLUSTER = 0.15

export type Agreement = {
  /** Agents whose test could say something, and how many of those said throttled. */
  agents: number
  throttled: number
  /** Null where too few had an answer. */
  confirmed: boolean | null
  mechanism: Mechanism | null
  /** The rate at least three agents are held at, within 15 %, bytes/s. */
  rate: number | null
  slower: Interval | null
}

/** Tests of several agents, the latest of each, put together: one agent, one vote. */
export const agree = (tests: readonly Throttling[]): Agreement => {
  const told = tests.filter(({ answer }) => answer === 'throttled' || answer === 'same')
  const slow = told.filter(({ answer }) => answer === 'throttled')
  const named = Map.groupBy(slow, ({ mechanism }) => mechanism)
  const [mechanism = null] = [...named].find(([, of]) => isMost(of.length, slow.length)) ?? []
  const slower = centreOf(told.flatMap(({ slower }) => (slower ? Math.log(slower.value) : [])))
  return {
    agents: told.length,
    throttled: slow.length,
    confirmed: told.length < LEAST_AGENTS ? null : isMost(slow.length, told.length),
    mechanism,
    rate: clusterOf(slow.flatMap(({ rate }) => rate ?? [])),
    slower: slower && asRatio(slower),
  }
}

const isMost = (some: number, all: number): boolean => some >= LEAST_AGENTS && some >= AGREEING * all

const clusterOf = (rates: readonly number[]): number | null => {
  const near = rates.map(middle => rates.filter(rate => Math.abs(rate - middle) <= CLUSTER * middle))
  const largest = near.reduce<number[]>((a, b) => (b.length > a.length ? b : a), [])
  return largest.length >= LEAST_AGENTS ? median(largest) : null
}
