import { LEAST_AGENTS } from './agreement.ts'
import { type Counted, fisher, stouffer } from './ranks.ts'

/** Round trips in seconds of one leg of a ping-pong, -1 for one that never came. */
export type PingPong = { app: readonly number[]; control: readonly number[] }

/** A round trip this much over the least is a retransmission (reference §1.7). */
const STALL = { seconds: 0.18, share: 0.8 } as const
/** Chance below which one agent's rounds, or three agents' together, show upstream drop (§5.3.5). */
const DROP_UP = { one: 0.01, several: 0.001 } as const

/** How many round trips of a train were stalls. */
export const stalls = (trips: readonly number[]): Counted => {
  const base = Math.min(...trips.filter(trip => trip >= 0))
  const over = base + Math.max(STALL.seconds, STALL.share * base)
  return { hits: trips.filter(trip => trip < 0 || trip > over).length, tries: trips.length }
}

const sum = (of: readonly Counted[]): Counted => ({
  hits: of.reduce((all, { hits }) => all + hits, 0),
  tries: of.reduce((all, { tries }) => all + tries, 0),
})

/**
 * Whether requests to the app are lost on their way out: rounds by agent, each agent's pooled. `p` is the chance that
 * they are not. A round nothing came back from is a block, judged elsewhere.
 */
export const dropUp = (agents: readonly (readonly PingPong[])[]): { found: boolean; p: number } =>
  dropUpOf(
    agents
      .map(rounds => rounds.filter(({ app, control }) => [app, control].every(trips => trips.some(trip => trip >= 0))))
      .filter(rounds => rounds.length > 0)
      .map(rounds => ({
        app: sum(rounds.map(({ app }) => stalls(app))),
        control: sum(rounds.map(({ control }) => stalls(control))),
      })),
  )

/** The same of stalls counted before, each agent's pooled. */
export const dropUpOf = (agents: readonly { app: Counted; control: Counted }[]): { found: boolean; p: number } => {
  const ps = agents.map(({ app, control }) => fisher(app, control))
  if (ps.length >= LEAST_AGENTS) {
    const p = stouffer(ps)
    return { found: p < DROP_UP.several, p }
  }
  const p = Math.min(1, ...ps)
  return { found: p < DROP_UP.one, p }
}
