import { type Static, Type } from 'typebox'
import { FailureName } from './failure.ts'

/** How an endpoint is asked. One kind is one file in `probes/`, one page in `docs/probes/`. */
export const probeKinds = [
  'dns',
  'tcp',
  'tls',
  'http',
  'websocket',
  'quic',
  'stun',
  'mtproto',
  'noise',
  'xmpp',
  'mqtt',
  'threema',
  'loco',
  'store',
  'transfer',
] as const
export const ProbeKind = Type.Enum([...probeKinds], { description: 'How the endpoint was asked.' })
export type ProbeKind = (typeof probeKinds)[number]

/** One network operation of a probe, in the order in which protocols stack (OONI df-008, DESIGN §3). */
export const operations = [
  'resolve',
  'connect',
  'tls_handshake',
  'upgrade',
  'protocol_handshake',
  'http_round_trip',
  'transfer',
  'datagram',
] as const
export const Operation = Type.Enum([...operations], { description: 'The network operation.' })
export type Operation = (typeof operations)[number]

/** Where in the stack trouble showed. */
export const layers = ['dns', 'tcp', 'tls', 'protocol', 'http', 'udp'] as const
export const Layer = Type.Enum([...layers], { description: 'Where in the stack the trouble shows.' })
export type Layer = (typeof layers)[number]

export const layerOf: Record<Operation, Layer> = {
  resolve: 'dns',
  connect: 'tcp',
  tls_handshake: 'tls',
  upgrade: 'http',
  protocol_handshake: 'protocol',
  http_round_trip: 'http',
  transfer: 'http',
  datagram: 'udp',
}

/** Bytes of a transfer whose arrival is timed: before, within and after what a policer lets pass (reference detection.md §1.7). */
export const transferMarks = [16_384, 65_536, 98_304, 163_840, 262_144] as const

/**
 * What one operation did. The schema is closed: no body, header, name or address can leave `probes/net` in it, only
 * numbers, hashes and ids of known fingerprints.
 */
export const Step = Type.Object(
  {
    operation: Operation,
    start: Type.Number({ minimum: 0, maximum: 86_400, description: 'Seconds from the start of the measurement.' }),
    duration: Type.Number({
      minimum: 0,
      maximum: 86_400,
      description: 'Seconds the operation took; 0 where an import does not say.',
    }),
    sent: Type.Integer({ minimum: 0, maximum: 2 ** 40, description: 'Bytes sent.' }),
    received: Type.Integer({ minimum: 0, maximum: 2 ** 40, description: 'Bytes received.' }),
    failure: Type.Union([Type.Null(), FailureName], { description: 'Null on success, else what went wrong.' }),
    code: Type.Optional(
      Type.Integer({
        minimum: -(2 ** 31),
        maximum: 2 ** 31 - 1,
        description: 'HTTP status, DNS rcode, or the transport error of the protocol.',
      }),
    ),
    hash: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}$',
        description: 'SHA-256 of what was received: certificate chain, answer set or public object.',
      }),
    ),
    mark: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
        description: 'Id of a known fingerprint: a block page, a trust root, a key.',
      }),
    ),
    count: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65_535, description: 'Answers seen, or packets received of a train.' }),
    ),
    series: Type.Optional(
      Type.Array(Type.Number({ minimum: -1, maximum: 2 ** 40 }), {
        maxItems: 256,
        description:
          'transfer: bytes received by the end of each 100 ms. Any other: round trips of a train in seconds, -1 lost.',
      }),
    ),
    reached: Type.Optional(
      Type.Array(Type.Union([Type.Null(), Type.Number({ minimum: 0, maximum: 86_400 })]), {
        minItems: transferMarks.length,
        maxItems: transferMarks.length,
        description:
          'transfer: seconds from the first byte until 16, 64, 96, 160 and 256 KiB had come, null where they had not.',
      }),
    ),
    gap: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 86_400,
        description: 'transfer: longest silence after the first byte, seconds.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Step = Static<typeof Step>

/** The operation that must succeed for an endpoint of this kind to have answered (DESIGN §3, "an endpoint answers"). */
export const deepest: Record<ProbeKind, Operation> = {
  dns: 'resolve',
  tcp: 'connect',
  tls: 'tls_handshake',
  http: 'http_round_trip',
  websocket: 'upgrade',
  quic: 'datagram',
  stun: 'datagram',
  mtproto: 'protocol_handshake',
  noise: 'protocol_handshake',
  xmpp: 'protocol_handshake',
  mqtt: 'protocol_handshake',
  threema: 'protocol_handshake',
  loco: 'protocol_handshake',
  store: 'http_round_trip',
  transfer: 'transfer',
}
