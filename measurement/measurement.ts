import { type Static, Type } from 'typebox'
import { FailureName } from './failure.ts'
import { ProbeKind, Step } from './step.ts'
import { Difference, Feature } from './target.ts'

const Country = Type.String({ pattern: '^([A-Z]{2}|ZZ)$', description: 'ISO 3166 alpha-2, ZZ where unknown.' })
const Asn = Type.Integer({
  minimum: 0,
  maximum: 2 ** 32 - 1,
  description: 'Autonomous system number, 0 where unknown.',
})
const Uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' })
const UnixSeconds = Type.Number({ minimum: 946_684_800, maximum: 4_102_444_800 })

export const marks = ['time_uncertain', 'loop_stalled'] as const
export type Mark = (typeof marks)[number]

/** How strongly an answer proves that it came from the app: by nothing, by a public certificate, by echoing our nonce, by the app's own key. */
export const originProofs = ['none', 'certificate', 'protocol', 'key'] as const

/** Where the address that answered stands. The address itself is never kept. */
const Served = Type.Object(
  {
    asn: Asn,
    country: Country,
    rtt_floor: Type.Union([
      Type.Null(),
      Type.Number({ minimum: 0, maximum: 120, description: 'Least round trip seen, seconds.' }),
    ]),
    dc: Type.Union([
      Type.Null(),
      Type.String({ pattern: '^[a-z0-9-]{1,16}$', description: 'Data centre, where the app names it.' }),
    ]),
  },
  {
    additionalProperties: false,
    description: 'Where the address that answered stands; the address itself is never kept.',
  },
)

/** Stages of a paired test: the shape test, one pair to look whether more is worth its bytes, and three to confirm. */
export const pairTests = ['shape', 'screen', 'confirm'] as const

/** One leg of a paired test: two transfers of equal size, in an order of chance, close in time (reference detection.md §5.1). */
export const Pair = Type.Object(
  {
    id: Type.String({
      pattern: '^[0-9a-f]{16}$',
      description: 'Random, the same for every leg of one test. Private.',
    }),
    leg: Type.Enum(['app', 'control'], { description: 'Which of the two this is.' }),
    round: Type.Integer({ minimum: 1, maximum: 8, description: 'Pair of the test, from 1.' }),
    test: Type.Enum([...pairTests], {
      description:
        'shape: 64 KiB and trains of small requests. screen: 160 KiB, the first round of a test. confirm: 256 KiB, its two others.',
    }),
    differs: Difference,
    first: Type.Boolean({ description: 'This leg ran before the other.' }),
  },
  { additionalProperties: false, description: 'Where it is one leg of a paired test.' },
)
export type Pair = Static<typeof Pair>

/**
 * One run of one probe on one target, as the agent sends it. Everything a server adds stands in `Stored`. No address of
 * the agent, its resolver or its host has a place here.
 */
export const Measurement = Type.Object(
  {
    id: Type.String({ ...Uuid, description: 'UUIDv7 made by the agent.' }),
    boot: Type.String({ pattern: '^[0-9a-f]{16}$', description: 'Random name of the boot in which it was measured.' }),
    mono: Type.Number({
      minimum: 0,
      maximum: 2 ** 40,
      description: 'Seconds since that boot, on a clock that never jumps.',
    }),
    sequence: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Count of this agent’s measurements.',
    }),
    app: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$', description: 'Slug of the app.' }),
    feature: Feature,
    target: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,95}$', description: 'Id of the target in the catalogue.' }),
    kind: ProbeKind,
    family: Type.Enum(['v4', 'v6'], { description: 'IP version that was used.' }),
    route: Type.Enum(['direct', 'proxy', 'tor', 'vpn'], { description: 'How the probe reached out.' }),
    country: Type.String({
      ...Country,
      description: 'Country of the network at measuring time, as the agent found it.',
    }),
    asn: Type.Integer({ ...Asn, description: 'Network at measuring time, as the agent found it; 0 unknown.' }),
    access: Type.Enum(['wifi', 'mobile', 'wired', 'vpn', 'unknown'], {
      description: 'Kind of the interface that holds the default route.',
    }),
    at: Type.Number({ ...UnixSeconds, description: 'Start, Unix seconds on the agent’s own clock.' }),
    steps: Type.Array(Step, { maxItems: 64, description: 'What was done, in order; see Step.' }),
    failure: Type.Union([Type.Null(), FailureName], { description: 'Null where the endpoint answered.' }),
    served: Served,
    origin_proof: Type.Enum([...originProofs], {
      description:
        'What the answer proves of where it came from: nothing, a certificate for the name, an echo of our nonce in the app’s protocol, or the app’s own key.',
    }),
    pair: Type.Optional(Pair),
    marks: Type.Array(Type.Enum([...marks]), {
      maxItems: marks.length,
      uniqueItems: true,
      description:
        'Reservations: the time is not certain, or the agent was too busy when an answer came for its seconds to be the network’s.',
    }),
    software: Type.String({
      pattern: '^[a-z][a-z0-9-]{0,20}/[0-9A-Za-z.+-]{1,30}$',
      description: 'Program and version.',
    }),
    catalogue: Type.Integer({
      minimum: 0,
      maximum: 2 ** 32 - 1,
      description: 'Version of the catalogue the target was read from.',
    }),
  },
  { additionalProperties: false },
)
export type Measurement = Static<typeof Measurement>

/** What the server adds when it accepts a measurement; together the row that is kept (docs/data.md). */
export const Added = Type.Object(
  {
    origin: Type.Enum(['agent', 'ooni', 'simulated'], { description: 'Who measured.' }),
    agent: Type.String({
      description:
        'Pseudonym, HMAC(server secret, key thumbprint, asn): does not join across networks. Of an import, its report. Private.',
    }),
    role: Type.Enum(['vantage', 'control', 'operator'], { description: 'Granted by the operator, never claimed.' }),
    seen_country: Type.String({ ...Country, description: 'Country of the connection that delivered it.' }),
    seen_asn: Type.Integer({ ...Asn, description: 'Network of the connection that delivered it.' }),
    trust: Type.Enum(['corroborated', 'claimed', 'operator', 'quarantined'], {
      description: 'corroborated: a fresh, direct report came from the network it names.',
    }),
    arrived: Type.Number({ ...UnixSeconds, description: 'When the server had it, Unix seconds.' }),
    offset: Type.Number({ description: 'Seconds to add to at for the true time.' }),
    source: Type.Object(
      {
        report: Type.String({ maxLength: 200, description: 'Id of the report in its origin’s archive.' }),
        licence: Type.String({ maxLength: 60, description: 'Licence of the row.' }),
      },
      { additionalProperties: false, description: 'Imports only: whose data it is, under which licence.' },
    ),
    prefix_token: Type.Integer({
      minimum: 0,
      maximum: 2 ** 32 - 1,
      description:
        '32 bits of HMAC(weekly key, /24 or /48) of the delivering connection; private, dropped after 14 days.',
    }),
    rule: Type.Integer({ minimum: 0, description: 'Version of the rules that judged the row.' }),
  },
  { additionalProperties: false },
)

/** The row that is kept. An import has no sequence: its number is 0. */
export const Stored = Type.Object(
  {
    ...Measurement.properties,
    ...Added.properties,
    sequence: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  },
  { additionalProperties: false },
)
export type Stored = Measurement & Static<typeof Added>
