import { type Static, Type } from 'typebox'

/** Most measurements one batch may hold, and most bytes of one report's body as sent. */
export const MAX_BATCH_MEASUREMENTS = 5_000
export const MAX_REPORT_BYTES = 8 * 2 ** 20
/** Most networks one report may tell of: more than anybody passes through, and few enough to be judged. */
export const MAX_REPORT_NETWORKS = 32

const BatchId = Type.String({ pattern: '^[0-9a-f]{32}$' })

/** An opaque piece of an agent's spool: the reporter, and whoever carries it, need not be able to read it. */
export const Batch = Type.Object(
  {
    id: Type.String({ ...BatchId, description: 'Random, made when the batch was begun; the same at every sending.' }),
    first: Type.Integer({ minimum: 1, description: 'First sequence number inside.' }),
    last: Type.Integer({ minimum: 1, description: 'Last sequence number inside.' }),
    encoding: Type.Enum(['ndjson', 'jwe'], { description: 'ndjson: a measurement a line. jwe: the same, sealed.' }),
    bytes: Type.String({ description: 'The batch: text of ndjson, or a compact JWE.' }),
  },
  { additionalProperties: false },
)
export type Batch = Static<typeof Batch>

/** Body of `POST /v1/reports`. Who sends it stands in the proof, not in the body. */
export const Report = Type.Object(
  {
    sent: Type.Object(
      {
        wall: Type.Number({ description: 'The agent’s clock when it sent the report, Unix seconds.' }),
        mono: Type.Number({ minimum: 0, description: 'Seconds since boot at that moment.' }),
        boot: Type.String({ pattern: '^[0-9a-f]{16}$', description: 'The boot that sends.' }),
      },
      { additionalProperties: false, description: 'When it was sent, on the agent’s clocks.' },
    ),
    ledger: Type.Object(
      {
        measured: Type.Integer({ minimum: 0, description: 'Sequence number of the newest measurement.' }),
        dropped: Type.Integer({ minimum: 0, description: 'Measurements lost here: spool full, too old, or torn.' }),
      },
      { additionalProperties: false, description: 'What the agent has made and lost so far, so that gaps show.' },
    ),
    batches: Type.Array(Batch, { maxItems: 100, description: 'See Batch.' }),
    padding: Type.Optional(Type.String({ description: 'Makes the sizes of reports alike.' })),
  },
  { additionalProperties: false },
)
export type Report = Static<typeof Report>

/** What became of one batch. `stored` means durable: the agent may forget it. `refused` is final, and says why. */
export const BatchReceipt = Type.Union([
  Type.Object({ id: BatchId, outcome: Type.Literal('stored') }, { additionalProperties: false }),
  Type.Object(
    {
      id: BatchId,
      outcome: Type.Literal('refused'),
      reason: Type.String({ description: 'Line and field, and what is wrong.' }),
    },
    { additionalProperties: false },
  ),
])
export type BatchReceipt = Static<typeof BatchReceipt>

/** A wish of the server: measure these targets now, within consent, budget and spacing. */
export const Request = Type.Object(
  {
    target: Type.String({ maxLength: 96, description: 'Id of a target in the catalogue.' }),
    expires: Type.Number({ description: 'Unix seconds, server’s clock; worthless afterwards.' }),
  },
  { additionalProperties: false },
)
export type Request = Static<typeof Request>

/** Answer to a report: one receipt per batch, in order, and what the agent should know. */
export const Receipt = Type.Object(
  {
    receipts: Type.Array(BatchReceipt, {
      description:
        'For each batch, in order: its id, and stored (durable: the agent may forget it) or refused, with the line and field at fault.',
    }),
    catalogue: Type.Integer({ description: 'Newest catalogue version the server holds.' }),
    now: Type.Number({ description: 'The server’s clock, Unix seconds.' }),
    requests: Type.Array(Request, { maxItems: 100, description: 'Targets the server would like to be measured now.' }),
  },
  { additionalProperties: false },
)
export type Receipt = Static<typeof Receipt>
