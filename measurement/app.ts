import { type Static, Type } from 'typebox'
import type { Target } from './target.ts'

/** A messaging system, an app store, or the neutral controls (`control`). */
export const App = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$', description: 'Slug, the same as in policy events.' }),
    name: Type.Object({ en: Type.String({ minLength: 1 }), fa: Type.Optional(Type.String({ minLength: 1 })) }),
    home: Type.Union([Type.Null(), Type.String({ pattern: '^[A-Z]{2}$' })], {
      description: 'Country whose domestic app it is, or null for an international one.',
    }),
    status: Type.Enum(['measured', 'retired']),
    note: Type.Optional(Type.String({ maxLength: 500 })),
    sharesNetworkOf: Type.Optional(Type.String({ description: 'App whose servers it uses.' })),
    stores: Type.Optional(Type.Object({ apple: Type.Optional(Type.Integer()), google: Type.Optional(Type.String()) })),
  },
  { additionalProperties: false },
)
export type App = Static<typeof App> & { targets: readonly Target[] }
