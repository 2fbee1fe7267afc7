import { Type } from 'typebox'
import { EventEffect } from '../../measurement/effect.ts'
import { FindingAnswer } from '../../measurement/evidence.ts'
import { RULE_VERSION } from '../../measurement/judge/outcome.ts'
import { iso } from '../answers.ts'
import type { App } from '../app.ts'
import { Effects, type EffectsParts } from '../effects.ts'
import { bundleOf, evidenceOf, pictureOf, queriesOf } from '../evidence.ts'
import { revisionsOf } from '../findings.ts'
import { Problem } from '../problem.ts'
import { onlyPublic } from '../public-findings.ts'
import { anyone, strict } from './query.ts'

/** What people cite: the effect of an event, and all that a finding rests on. */

/** Packing costs a second of the server's: so many a minute from one /24 or /48. */
const seldom = { ...anyone, config: { ...anyone.config, rateLimit: { max: 30, timeWindow: 60_000 } } }

export const evidenceRoutes = (app: App, parts: EffectsParts): void => {
  effects(app, new Effects(parts))
  findings(app, parts)
}

const effects = (app: App, known: Effects): void => {
  app.get(
    '/v1/events/:id/effect',
    {
      ...anyone,
      schema: {
        summary:
          'What followed a policy event: before and after, against what it does not concern, with interval and test',
        params: Type.Object({ id: Type.String({ pattern: '^[a-z0-9-]{1,80}$' }) }),
        response: { 200: EventEffect },
      },
    },
    async ({ params }) => {
      const effect = await known.of(params.id)
      if (!effect) throw new Problem('not-found', 'There is no policy event with this id.', { field: 'params/id' })
      return effect
    },
  )
}

const Id = Type.Object({ id: Type.String({ pattern: '^[a-z0-9-]{1,120}$' }) })
const Revision = Type.Optional(Type.Integer({ minimum: 1, description: 'Of the finding; the newest without it.' }))

const findings = (app: App, parts: EffectsParts): void => {
  /** One revision and all of them, of public networks only. */
  const told = async (id: string, revision: number | undefined) => {
    const revisions = await onlyPublic(parts.store, await revisionsOf(parts.store, id))
    const degradation = revision === undefined ? revisions.at(-1) : revisions.find(of => of.revision === revision)
    if (degradation) return { degradation, revisions }
    throw revisions.length === 0
      ? new Problem('not-found', 'There is no degradation with this id.', { field: 'params/id' })
      : new Problem('not-found', 'It has no such revision.', { field: 'querystring/revision' })
  }
  app.get(
    '/v1/degradations/:id',
    {
      ...anyone,
      schema: {
        summary: 'One finding, all its revisions, oldest first, and what it rests on',
        params: Id,
        querystring: Type.Object({ revision: Revision }, strict),
        response: { 200: FindingAnswer },
      },
    },
    async ({ params, query }) => {
      const { degradation, revisions } = await told(params.id, query.revision)
      const evidence = await evidenceOf(parts, degradation, true)
      const { from, to, series } = evidence
      const path = (file: string) => `/v1/degradations/${degradation.id}/${file}?revision=${degradation.revision}`
      return {
        ...{ degradation, revisions },
        evidence: {
          ...{ rule: RULE_VERSION, from: iso(from), to: iso(to), queries: queriesOf(evidence), series },
          ...{ chart: path('chart.svg'), bundle: path('bundle.zip') },
        },
      }
    },
  )
  app.get(
    '/v1/degradations/:id/chart.svg',
    {
      ...seldom,
      schema: {
        summary: 'A finding as one picture, with sentence, networks and licences',
        params: Id,
        querystring: Type.Object({ revision: Revision, lang: Type.Optional(Type.Enum(['en', 'fa'])) }, strict),
      },
    },
    async ({ params, query }, reply) => {
      const evidence = await evidenceOf(parts, (await told(params.id, query.revision)).degradation)
      return reply.type('image/svg+xml; charset=utf-8').send(pictureOf(parts, evidence, query.lang ?? 'en'))
    },
  )
  app.get(
    '/v1/degradations/:id/bundle.zip',
    {
      ...seldom,
      schema: {
        summary:
          'All that a finding rests on: rows, picture, sentence, licences, and a manifest with the hash of each file',
        params: Id,
        querystring: Type.Object({ revision: Revision }, strict),
      },
    },
    async ({ params, query }, reply) => {
      const { degradation } = await told(params.id, query.revision)
      const bytes = await bundleOf(parts, await evidenceOf(parts, degradation), RULE_VERSION)
      return reply
        .type('application/zip')
        .header('content-disposition', `attachment; filename="${degradation.id}-r${degradation.revision}.zip"`)
        .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    },
  )
}
