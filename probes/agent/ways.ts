import type { Clock } from './clock.ts'
import { type Answer, type Route, Unanswered, type Way, wayTo } from './transport.ts'

export type WaysOptions = {
  /** Where the server is, best first; may change while running. */
  servers: () => readonly URL[]
  routes: readonly Route[]
  clock: Clock
  /** For a dry run, which sends nothing. */
  wayTo?: (server: URL, route: Route) => Way
}

/** Seconds a way that failed rests: doubling, with jitter. */
const REST = { first: 30, most: 3_600 }

type Tried = { way: Way; failures: number; restUntil: number }

/**
 * All ways to the server, as one: every route to every address, in order. The one that worked last is asked first; one
 * that gave no answer rests, longer each time, and the next is asked at once. When all rest, the one that has rested
 * longest is asked all the same. A question may so reach the server twice; reports are made for that.
 */
export const inTurn = ({ servers, routes, clock, wayTo: open = wayTo }: WaysOptions): Way => {
  const known = new Map<string, Tried>()
  let last = ''
  const candidates = (): (readonly [string, Tried])[] => {
    const all = routes.flatMap(route =>
      servers().map(server => {
        const name = `${route === 'direct' ? route : route.href} ${server.href}`
        const tried = known.get(name) ?? { way: open(server, route), failures: 0, restUntil: 0 }
        known.set(name, tried)
        return [name, tried] as const
      }),
    )
    const now = clock.mono()
    const awake = all.filter(([, { restUntil }]) => restUntil <= now)
    const [longest] = all.toSorted(([, a], [, b]) => a.restUntil - b.restUntil)
    if (!awake.length) return longest ? [longest] : []
    return awake.toSorted(([a], [b]) => Number(b === last) - Number(a === last))
  }
  return {
    ask: async (question, signal): Promise<Answer> => {
      let trouble = new Unanswered('unreachable', 'there is no way to the server')
      for (const [name, tried] of candidates()) {
        try {
          const answer = await tried.way.ask(question, signal)
          Object.assign(tried, { failures: 0, restUntil: 0 })
          last = name
          return answer
        } catch (error) {
          if (!(error instanceof Unanswered) || signal.aborted) throw error
          trouble = error
          const rest = Math.min(REST.most, REST.first * 2 ** tried.failures++)
          tried.restUntil = clock.mono() + rest * (0.75 + 0.5 * Math.random())
        }
      }
      throw trouble
    },
    bytes: () => [...known.values()].reduce((sum, { way }) => sum + way.bytes(), 0),
    close: async () => {
      await Promise.all([...known.values()].map(({ way }) => way.close()))
    },
  }
}
