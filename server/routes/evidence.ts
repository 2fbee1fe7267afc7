import { Type } from 'typebox'
import { EventEffect } from '../../measurement/effect.ts'
import type { App } from '../app.ts'
import { Effects, type EffectsParts } from '../effects.ts'
import { Problem } from '../problem.ts'

/** What people cite: the effect of an event, and all that a finding rests on. */

const anyone = { config: { right: 'anyone' as const } }

export const evidenceRoutes = (app: App, parts: EffectsParts): void => {
  effects(app, new Effects(parts))
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
