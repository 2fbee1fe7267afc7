import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { App } from '../app.ts'
import {
  type Format,
  formats,
  type MeasurementsWanted,
  measurementDays,
  measurementsFile,
  pageEnd,
} from '../measurements.ts'
import { Problem } from '../problem.ts'
import type { Store } from '../store/store.ts'
import { Asn, anyone, knownApp, optional, range, rangeOf, strict } from './query.ts'

const DEFAULT_RANGE_SECONDS = 7 * 86_400
/** A Parquet file is written whole before its first byte leaves. */
const MOST_PARQUET_SECONDS = 31 * 86_400

/** Licences of rows by where they come from (docs/data.md). */
const licences = {
  agent: { name: 'CC BY 4.0', url: 'https://creativecommons.org/licenses/by/4.0/' },
  ooni: { name: 'CC BY-NC-SA 4.0', url: 'https://creativecommons.org/licenses/by-nc-sa/4.0/' },
  simulated: { name: 'CC0 1.0', url: 'https://creativecommons.org/publicdomain/zero/1.0/' },
} as const
const origins = Object.keys(licences) as (keyof typeof licences)[]

const Query = Type.Object(
  {
    ...optional,
    asn: Type.Optional(Asn),
    ...range,
    origin: Type.Optional(Type.Enum(origins, { description: 'Only rows of this origin; each has a licence.' })),
    format: Type.Optional(Type.Enum(['jsonl', 'csv', 'parquet'], { description: 'parquet: at most 31 days.' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000_000,
        description: 'About so many rows: whole windows. The header Link names the next page (rel="next").',
      }),
    ),
  },
  strict,
)

const { app, country, feature } = optional
const Days = Type.Object(
  { app, country, feature, asn: Query.properties.asn, ...range, origin: Query.properties.origin },
  strict,
)

/** On which days there are rows, for those who mirror them. */
export const dayRoutes = (app: App, { store, now }: { store: Store; now: () => number }): void => {
  app.get(
    '/v1/measurements/days',
    {
      ...anyone,
      schema: {
        summary: 'Days on which there are public rows, and how many',
        querystring: Days,
        response: { 200: Type.Object({ days: Type.Array(Type.Object({ day: Type.String(), rows: Type.Integer() })) }) },
      },
    },
    async ({ query }) => {
      knownApp(query.app)
      const given = rangeOf(query)
      const to = given.to ?? Math.floor(now())
      const from = given.from ?? to - DEFAULT_RANGE_SECONDS
      return { days: await measurementDays(store, { ...query, from, to }) }
    },
  )
}

/** Public rows as files. */
export const measurementRoutes = (app: App, { store, now }: { store: Store; now: () => number }): void => {
  app.get(
    '/v1/measurements',
    {
      config: { right: 'anyone' },
      schema: { summary: 'Public rows: no agent, no id, time as its 5-minute window', querystring: Query },
    },
    async ({ query, url }, reply) => {
      knownApp(query.app)
      const given = rangeOf(query)
      const to = given.to ?? Math.floor(now())
      const from = given.from ?? to - DEFAULT_RANGE_SECONDS
      const { format = 'jsonl', limit } = query
      if (format === 'parquet' && to - from > MOST_PARQUET_SECONDS) {
        throw new Problem('bad-request', 'must be at most 31 days after from for parquet', { field: 'querystring/to' })
      }
      const wanted = { ...query, from, to }
      const next = limit === undefined ? null : await pageEnd(store, wanted, limit)
      const links = licenceLinks(query.origin)
      if (next !== null) links.push(`<${nextOf(url, next, to)}>; rel="next"`)
      return reply
        .type(formats[format].type)
        .header('content-disposition', `attachment; filename="${nameOf(wanted, format)}"`)
        .header('link', links.join(', '))
        .header('x-licence', licenceOf(query.origin))
        .send(Readable.from(measurementsFile(store, { ...wanted, to: next ?? to }, format), { objectMode: false }))
    },
  )
}

const asked = (origin: string | undefined) => origins.filter(one => origin === undefined || one === origin)
const licenceOf = (origin: string | undefined): string =>
  asked(origin)
    .map(one => `origin ${one}: ${licences[one].name}`)
    .join('; ')
const licenceLinks = (origin: string | undefined): string[] =>
  asked(origin).map(one => `<${licences[one].url}>; rel="license"; title="origin ${one}"`)

const iso = (at: number): string => new Date(at * 1000).toISOString().replace('.000Z', 'Z')

/** The same question from the next window on; both ends are written out, since the default range moves. */
const nextOf = (url: string, from: number, to: number): string => {
  const { pathname, searchParams } = new URL(url, 'http://peyk')
  searchParams.set('from', iso(from))
  searchParams.set('to', iso(Math.floor(to)))
  return `${pathname}?${searchParams}`
}

const nameOf = ({ app, country, from, to }: MeasurementsWanted, format: Format): string => {
  const day = (at: number) => iso(Math.floor(at)).slice(0, 10)
  return `${['peyk', app, country, day(from), day(to - 1)].filter(Boolean).join('-')}.${format}`
}
