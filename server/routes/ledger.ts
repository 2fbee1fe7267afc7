import { Type } from 'typebox'
import type { App } from '../app.ts'
import { ledgerOfAgents, ledgerOfDays } from '../ledger.ts'
import { Problem } from '../problem.ts'
import type { Store } from '../store/store.ts'
import { anyone } from './query.ts'

const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: 'UTC, YYYY-MM-DD.' })
const Range = Type.Object({ from: Type.Optional(Day), to: Type.Optional(Day) }, { additionalProperties: false })

const counts = {
  day: Type.String(),
  measured: Type.Integer({ description: 'Made by agents, as they number them.' }),
  delivered: Type.Integer({ description: 'Arrived here, each counted once.' }),
  missing: Type.Integer({ description: 'Lost, or not delivered yet.' }),
}
const OfDays = Type.Object({ days: Type.Array(Type.Object({ ...counts, agents: Type.Integer() })) })
const OfAgents = Type.Object({ days: Type.Array(Type.Object({ ...counts, agent: Type.String() })) })

const MOST_DAYS = 400
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** The asked range, by default the last 30 days and today. */
const rangeOf = ({ from, to }: { from?: string; to?: string }, now: number): [string, string] => {
  const end = to ?? dayOf((now + 86_400) * 1000)
  const begin = from ?? dayOf(Date.parse(end) - 31 * 86_400_000)
  const days = (Date.parse(end) - Date.parse(begin)) / 86_400_000
  if (!(days > 0 && days <= MOST_DAYS)) {
    throw new Problem('bad-request', `must be after from, and at most ${MOST_DAYS} days`, { field: 'querystring/to' })
  }
  return [begin, end]
}

/** How much of what agents measured arrived: a system that loses data must say how much. */
export const ledgerRoutes = (app: App, { store, now }: { store: Store; now: () => number }): void => {
  app.get(
    '/v1/ledger',
    {
      ...anyone,
      schema: {
        summary: 'Measured, delivered and missing measurements by day, all agents together',
        querystring: Range,
        response: { 200: OfDays },
      },
    },
    async request => ({ days: await ledgerOfDays(store, ...rangeOf(request.query, now())) }),
  )
  app.get(
    '/v1/admin/ledger',
    {
      config: { right: 'admin' },
      schema: { summary: 'The same for each agent', querystring: Range, response: { 200: OfAgents } },
    },
    async request => ({ days: await ledgerOfAgents(store, ...rangeOf(request.query, now())) }),
  )
}
