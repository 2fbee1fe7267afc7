/**
 * A policy event: something decided, ordered, done, said or denied that may explain what agents measure.
 * The schema is the type; it is the JSON Schema of the published dataset, written in TypeBox.
 * The page imports types only from here, so that TypeBox stays out of its bundle.
 */
import { type Static, Type } from 'typebox'

/** Text by language tag; English is always there and is the stated fallback (see `wording` in select.ts). */
const Text = Type.Unsafe<{ en: string; [language: string]: string }>({
  type: 'object',
  required: ['en'],
  additionalProperties: { type: 'string', minLength: 1 },
})

/** `2018`, `2018-04`, `2018-04-26` (days of `when.tz`), or a minute of UTC, `2018-07-30T06:28Z`. */
const EventDate = Type.String({
  pattern: '^\\d{4}(-\\d{2}(-\\d{2}(T\\d{2}:\\d{2}Z)?)?)?$',
  description: 'EDTF subset; precision is its length: year, month, day, minute UTC',
})

const Hour = Type.String({ pattern: '^\\d{2}:\\d{2}$' })

const closed = { additionalProperties: false }

const RecurringWindow = Type.Object(
  {
    days: Type.Array(Type.Enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']), { uniqueItems: true }),
    from: Hour,
    to: Hour,
    tz: Type.String(),
  },
  closed,
)

const When = Type.Object(
  {
    start: EventDate,
    end: Type.Optional(Type.Union([EventDate, Type.Null()])),
    endState: Type.Optional(
      Type.Enum(['ended', 'open', 'instant', 'unknown'], {
        description: 'null end means different things: still in force, no duration, or nobody knows',
      }),
    ),
    approx: Type.Optional(Type.Array(Type.Enum(['start', 'end']), { uniqueItems: true })),
    deadline: Type.Optional({ ...EventDate, description: 'date named in an order or threat; not an end' }),
    announced: Type.Optional({
      ...EventDate,
      description: 'when it became public, if not the start (Snapchat RU 2025)',
    }),
    recurrence: Type.Optional(Type.String({ description: 'human text or RRULE; e.g. curfews, exam hours' })),
    tz: Type.Optional(Type.String({ default: 'UTC' })),
    windows: Type.Optional(
      Type.Array(RecurringWindow, {
        description: 'recurring hours in which the event is in force; without it the whole span counts',
      }),
    ),
  },
  closed,
)

const Where = Type.Object(
  {
    countries: Type.Array(Type.String({ pattern: '^[A-Z]{2}$' })),
    scope: Type.Enum(['global', 'national', 'subnational', 'network', 'cross-border']),
    area: Type.Optional(Type.String()),
    asns: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { uniqueItems: true })),
    networksText: Type.Optional(Type.Array(Type.String())),
  },
  closed,
)

const Actor = Type.Object(
  {
    name: Type.String(),
    role: Type.Optional(Type.Enum(['orders', 'implements', 'claims', 'denies', 'reports', 'unknown'])),
  },
  closed,
)

const Expectation = Type.Object(
  {
    reachability: Type.Optional(Type.Enum(['none', 'degraded', 'lost', 'restored'])),
    latency: Type.Optional(Type.Enum(['none', 'up', 'down'])),
    throughput: Type.Optional(Type.Enum(['none', 'up', 'down'])),
  },
  { ...closed, description: 'what a probe should see; drives tests and alert text, never alters data' },
)

const Source = Type.Object(
  {
    cite: Type.String(),
    url: Type.Optional(Type.String()),
    archived: Type.Optional(Type.String()),
    published: Type.Optional(EventDate),
    lang: Type.Optional(Type.String()),
    evidence: Type.Enum(['article', 'page', 'unsourced', 'measurement', 'contributed']),
  },
  closed,
)

const Claim = Type.Object(
  { metric: Type.String(), value: Type.Number(), unit: Type.String(), by: Type.Optional(Type.String()) },
  closed,
)

const Link = Type.Object(
  {
    rel: Type.Enum(['ended-by', 'implements', 'denies', 'supersedes', 'follows', 'same-episode']),
    id: Type.String(),
  },
  closed,
)

const Revision = Type.Object({ at: Type.String(), by: Type.Optional(Type.String()), note: Type.String() }, closed)

export const PolicyEvent = Type.Object(
  {
    schema: Type.Literal(1),
    id: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{4,79}$', description: 'stable, never reused, never renamed' }),
    kind: Type.Enum([
      'block',
      'unblock',
      'throttle',
      'call-block',
      'shutdown',
      'hosting-order',
      'app-store-removal',
      'app-store-restore',
      'zero-rating',
      'incentive',
      'regulation',
      'rumor',
      'denial',
      'announcement',
      'migration',
      'legal',
      'protest',
      'election',
    ]),
    title: Text,
    summary: Text,
    when: When,
    where: Where,
    apps: Type.Array(Type.String({ pattern: '^([a-z0-9][a-z0-9-]*|\\*)$' }), {
      uniqueItems: true,
      description: 'app slugs; "*" = all international internet',
    }),
    features: Type.Optional(
      Type.Array(Type.Enum(['all', 'text', 'media', 'voice-call', 'web', 'registration', 'cdn', 'download', 'proxy'])),
    ),
    actors: Type.Array(Actor, { minItems: 1 }),
    expect: Type.Optional(Expectation),
    confidence: Type.Enum(['confirmed', 'reported', 'rumor']),
    sources: Type.Array(Source, { minItems: 1 }),
    claims: Type.Optional(Type.Array(Claim)),
    links: Type.Optional(Type.Array(Link)),
    revisions: Type.Optional(Type.Array(Revision)),
    tags: Type.Optional(Type.Array(Type.String())),
  },
  closed,
)

export type PolicyEvent = Static<typeof PolicyEvent>
export type EventKind = PolicyEvent['kind']
export type Confidence = PolicyEvent['confidence']
export type EventText = Static<typeof Text>
/** Recurring local hours; `to` may be `24:00`, and a `to` not after `from` lies on the next day. */
export type RecurringWindow = Static<typeof RecurringWindow>
