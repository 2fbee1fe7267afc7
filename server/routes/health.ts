import { Type } from 'typebox'
import type { App } from '../app.ts'
import { type Locate, OLD_DATABASE_SECONDS } from '../locate/locate.ts'
import type { Store } from '../store/store.ts'

/** The store answers a trivial question within this, or it is not ready. */
const STORE_SECONDS = 5

const Ready = Type.Object({
  ready: Type.Boolean(),
  store: Type.String({ description: 'ok, or what is wrong.' }),
  catalogue: Type.Integer(),
  networks: Type.Object({
    known: Type.Boolean({ description: 'Whether addresses can be told apart by network (PEYK_ASN_DB).' }),
    date: Type.Union([Type.Null(), Type.String()]),
    attribution: Type.String(),
  }),
  countries: Type.Object({ date: Type.String(), attribution: Type.String() }),
  warnings: Type.Array(Type.String()),
})

const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10)

/** What is not as it should be though the server runs; also logged at start. */
export const warningsOf = (locate: Locate, now: number): string[] => {
  const { networks } = locate
  if (!networks) return ['PEYK_ASN_DB is unset: networks are unknown, measurements are told apart by country only.']
  if (networks.date === null || now - networks.date < OLD_DATABASE_SECONDS) return []
  return [`The network database is of ${day(networks.date)}: replace the file at PEYK_ASN_DB by a newer one.`]
}

const ask = async (store: Store): Promise<string> => {
  const late = new Promise<string>(resolve => {
    setTimeout(resolve, STORE_SECONDS * 1000, `no answer within ${STORE_SECONDS} s`).unref()
  })
  const answer = store.query('SELECT 1 AS one').then(
    () => 'ok',
    () => 'it refuses queries',
  )
  return await Promise.race([answer, late])
}

type HealthParts = { store: Store; locate: Locate; catalogue: () => { version: number }; now: () => number }

/** Whether this process runs (`healthz`) and whether it can do its work (`readyz`). */
export const healthRoutes = (app: App, { store, locate, catalogue, now }: HealthParts): void => {
  app.get(
    '/healthz',
    { config: { right: 'anyone', rateLimit: false }, schema: { summary: 'The process runs' } },
    async () => ({ alive: true }),
  )
  app.get(
    '/readyz',
    {
      config: { right: 'anyone', rateLimit: false },
      schema: { summary: 'The server can take reports and answer', response: { 200: Ready, 503: Ready } },
    },
    async (_, reply) => {
      const answer = await ask(store)
      if (answer !== 'ok') void reply.status(503)
      const { networks, countries } = locate
      return {
        ready: answer === 'ok',
        store: answer,
        catalogue: catalogue().version,
        networks: {
          known: networks !== null,
          date: networks?.date ? day(networks.date) : null,
          attribution: networks?.licence ?? '',
        },
        countries: { date: day(countries.date), attribution: countries.licence },
        warnings: warningsOf(locate, now()),
      }
    },
  )
}
