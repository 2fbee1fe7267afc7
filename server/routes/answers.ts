import { Type } from 'typebox'
import { PolicyEvent } from '../../events/event.ts'
import { select } from '../../events/select.ts'
import { Degradations, Reachability, Series } from '../../measurement/answers.ts'
import { Feature } from '../../measurement/target.ts'
import { levelOf, steps } from '../../measurement/windows.ts'
import { reachabilityAnswer, seriesAnswer } from '../answers.ts'
import type { App } from '../app.ts'
import { Problem } from '../problem.ts'
import { degradationsAnswer } from '../public-findings.ts'
import type { Store } from '../store/store.ts'
import { dayRoutes, measurementRoutes } from './measurements.ts'
import { Asn, anyone, Country, knownApp, optional, range, rangeOf, Slug, secondsOf, strict, Time } from './query.ts'

/** The finest step is used until a line would have more points than this. */
const MOST_POINTS = 2_000
const DEFAULT_RANGE_SECONDS = 7 * 86_400

/** Spans of a level that touch [from, to). */
const pointsOf = (from: number, to: number, level: number): number => Math.ceil(to / level) - Math.floor(from / level)

const levelFor = (from: number, to: number, step: string | undefined) => {
  const names = step ? [step] : steps
  const fitting = names.find(name => pointsOf(from, to, levelOf(name)!) <= MOST_POINTS)
  if (!fitting) {
    throw new Problem(
      'bad-request',
      `gives more than ${MOST_POINTS} points over this range: ask for a coarser step or a shorter range`,
      {
        field: 'querystring/step',
      },
    )
  }
  return { step: fitting, level: levelOf(fitting)! }
}

export type AnswerParts = {
  store: Store
  events: readonly PolicyEvent[]
  networkName: (asn: number) => string | undefined
  now: () => number
}

/** What everybody may ask (DESIGN §6). */
export const answerRoutes = (app: App, parts: AnswerParts): void => {
  reachability(app, parts)
  degradations(app, parts)
  policyEvents(app, parts)
  measurementRoutes(app, parts)
  dayRoutes(app, parts)
}

const reachability = (app: App, { store, networkName, now }: AnswerParts): void => {
  app.get(
    '/v1/reachability',
    {
      ...anyone,
      schema: {
        summary: 'Every app and place at one time',
        querystring: Type.Object({ at: Type.Optional(Time), ...optional }, strict),
        response: { 200: Reachability },
      },
    },
    async ({ query }) => {
      knownApp(query.app)
      const { app, feature, country } = query
      const given = secondsOf('at', query.at)
      const wanted = { at: given ?? now(), present: given === undefined, app, feature, country }
      return await reachabilityAnswer(store, wanted, networkName)
    },
  )
  app.get(
    '/v1/series',
    {
      ...anyone,
      schema: {
        summary: 'One app over time, in a country or on one of its networks',
        querystring: Type.Object(
          {
            app: Slug,
            country: Country,
            asn: Type.Optional(Asn),
            feature: Type.Optional(Feature),
            ...range,
            step: Type.Optional(
              Type.Enum([...steps], { description: `At most ${MOST_POINTS} points; by default the finest that fits.` }),
            ),
          },
          strict,
        ),
        response: { 200: Series },
      },
    },
    async ({ query }) => {
      knownApp(query.app)
      const given = rangeOf(query)
      const to = given.to ?? Math.floor(now())
      const from = given.from ?? to - DEFAULT_RANGE_SECONDS
      const { app, country, asn, feature = 'text' } = query
      const wanted = { app, country, asn, feature, from, to, ...levelFor(from, to, query.step) }
      return await seriesAnswer(store, wanted, networkName)
    },
  )
}

const degradations = (app: App, { store }: AnswerParts): void => {
  app.get(
    '/v1/degradations',
    {
      ...anyone,
      schema: {
        summary: 'What went wrong, one finding per cause, newest first',
        querystring: Type.Object({ ...optional, ...range }, strict),
        response: { 200: Degradations },
      },
    },
    async ({ query }) => {
      knownApp(query.app)
      const { app, country, feature } = query
      return await degradationsAnswer(store, { app, country, feature, ...rangeOf(query) })
    },
  )
}

const policyEvents = (app: App, { events }: AnswerParts): void => {
  app.get(
    '/v1/events',
    {
      ...anyone,
      schema: {
        summary: 'Policy events: orders, bans, slow-downs, store removals',
        querystring: Type.Object({ ...optional, asn: Type.Optional(Asn), ...range }, strict),
        response: { 200: Type.Object({ events: Type.Array(PolicyEvent) }) },
      },
    },
    async ({ query }) => {
      const { app, country, feature, asn } = query
      return { events: select(events, { app, country, feature, asn, ...rangeOf(query) }) }
    },
  )
}
