import { type Static, Type } from 'typebox'
import { asks, Hostname, Port } from './asks.ts'
import { type ProbeKind, probeKinds } from './step.ts'

/** A use people make of an app. Each feature is judged on its own targets. */
export const features = ['text', 'media', 'voice-call', 'web', 'registration', 'download', 'cdn'] as const
export const Feature = Type.Enum([...features], { description: 'The use of the app that the target serves.' })
export type Feature = (typeof features)[number]

const Slug = Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,95}$' })
const Text = Type.String({ minLength: 1, maxLength: 500 })

/** Seconds between two runs on an address a filter of the app may react to, at least (reference endpoints.md §1.4, fact 3 of §11). */
export const FILTER_SPACING = 180

/** What a pair's two flows differ in; `place` where app and control are other hosts, so that all of it differs. */
export const differences = ['place', 'name', 'protocol', 'port'] as const
export const Difference = Type.Enum([...differences], {
  description: 'What the two legs differ in: the whole place, or nothing but the name, the protocol or the port.',
})

const common = {
  id: Slug,
  feature: Feature,
  host: Hostname,
  port: Port,
  family: Type.Enum(['v4', 'v6'], { description: 'IP version to use; never chosen at run time.' }),
  address: Type.Enum(['public', 'loopback'], {
    description:
      'Addresses this target may connect to: any that is globally routable, or (lab and tests only) the loopback.',
  }),
  decides: Type.Enum(['yes', 'imports', 'no'], {
    description:
      'Whether an answer decides reachability: yes; only for imported reports, which hold nothing deeper for this endpoint; or never (diagnosis).',
  }),
  experimental: Type.Boolean({
    description: 'Measured and shown apart, never part of a verdict, until a control agent’s baseline confirms it.',
  }),
  risk: Type.Enum(['ordinary', 'unusual'], {
    description: 'ordinary: what a phone with the app does. unusual: needs consent of its own.',
  }),
  spacing: Type.Integer({
    minimum: 60,
    maximum: 86_400,
    description: 'Least seconds between two runs on one address.',
  }),
  timeout: Type.Number({ minimum: 1, maximum: 120, description: 'Seconds the whole measurement may take.' }),
  confidence: Type.Enum(['source', 'third-party', 'unverified'], {
    description: 'How well the target is known: read in the app’s own code or spec, in others’ code, or neither.',
  }),
  source: Text,
  healthy: Type.String({ minLength: 1, maxLength: 300, description: 'What a healthy answer is, in words.' }),
  dc: Type.Optional(
    Type.String({ pattern: '^[a-z0-9-]{1,16}$', description: 'Data centre, where the app has numbered ones.' }),
  ),
  control: Type.Optional(Type.Enum(['domestic', 'foreign'], { description: 'A neutral control, and on which side.' })),
  pairs: Type.Optional(
    Type.Array(Type.Object({ with: Slug, differs: Difference }, { additionalProperties: false }), {
      minItems: 1,
      maxItems: 8,
      description: 'Controls this transfer is compared with, taken in turn: the ids of other transfers.',
    }),
  ),
  countries: Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Z]{2}$' }), { description: 'Asked only by agents in these countries.' }),
  ),
  roles: Type.Optional(
    Type.Array(Type.Enum(['vantage', 'control', 'operator']), { description: 'Asked only by these.' }),
  ),
}

const targetOf = <K extends ProbeKind>(kind: K) =>
  Type.Object({ ...common, kind: Type.Literal(kind), ask: asks[kind] }, { additionalProperties: false })

type Targets = { [K in ProbeKind]: ReturnType<typeof targetOf<K>> }

// Keys and values are of the same kinds, which TypeScript cannot see through `fromEntries`.
const targets = Object.fromEntries(probeKinds.map(kind => [kind, targetOf(kind)])) as unknown as Targets

/** The schema of one kind's targets: errors against it name the wrong field, which a union's cannot. */
export const targetSchema = (kind: ProbeKind) => targets[kind]

/** One endpoint of an app and the way to ask it. Which kind it is decides what `ask` holds. */
export type TargetOf<K extends ProbeKind> = Static<Targets[K]>
export type Target = { [K in ProbeKind]: TargetOf<K> }[ProbeKind]

/** Addresses of the resolvers that a target names. */
export const resolversOf = ({ kind, ask }: Target): string[] => {
  if (kind !== 'dns') return []
  const named = ask.resolver === 'system' ? ask.against : ask.resolver
  return named ? [named.address] : []
}
