import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { findApp } from '../../measurement/catalogue.ts'
import { Feature } from '../../measurement/target.ts'
import { Problem } from '../problem.ts'

/** The words of public questions, and what they must be. */

export const Slug = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' })
export const Country = Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166 alpha-2.' })
export const Asn = Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 })
export const Time = Type.String({
  pattern: '^\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,3})?)?Z)?$',
  description: 'UTC: 2023-11-08 or 2023-11-08T05:00:00Z.',
})
export const strict = { additionalProperties: false }
export const optional = { app: Type.Optional(Slug), country: Type.Optional(Country), feature: Type.Optional(Feature) }
export const range = { from: Type.Optional(Time), to: Type.Optional(Time) }

const EARLIEST = 946_684_800
const LATEST = 4_102_444_800

/** Unix seconds of a time in a query, whole ones. */
export const secondsOf = (field: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const at = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text) / 1000
  // Date.parse takes 31 June for 1 July: a question must not be answered about another day.
  const exists = !Number.isNaN(at) && new Date(at * 1000).toISOString().slice(0, 10) === text.slice(0, 10)
  if (!exists || at < EARLIEST || at > LATEST) {
    throw new Problem('bad-request', 'must be a time that exists, between 2000 and 2100', {
      field: `querystring/${field}`,
    })
  }
  return Math.floor(at)
}

export const rangeOf = (query: {
  from?: string
  to?: string
}): { from: number | undefined; to: number | undefined } => {
  const from = secondsOf('from', query.from)
  const to = secondsOf('to', query.to)
  if (from !== undefined && to !== undefined && from >= to) {
    throw new Problem('bad-request', 'must lie after from', { field: 'querystring/to' })
  }
  return { from, to }
}

export const knownApp = (app: string | undefined): void => {
  if (app !== undefined && !findApp(app)) {
    throw new Problem('bad-request', 'is no app of the catalogue', { field: 'querystring/app' })
  }
}

/** Seconds for which an answer may be told again without asking; then it is asked with its ETag. */
const KEPT_SECONDS = 15

/** Options of a route that anybody may ask and caches may keep. */
export const anyone = {
  config: { right: 'anyone' as const },
  onSend: async (_: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    if (reply.statusCode === 200) void reply.header('cache-control', `public, max-age=${KEPT_SECONDS}`)
    return payload
  },
}
