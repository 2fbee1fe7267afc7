import { Type } from 'typebox'
import type { ProbeKind } from './step.ts'

export const Hostname = Type.String({
  pattern: '^(?=.{1,253}$)[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$',
  description: 'Name or IP address.',
})
export const Port = Type.Integer({ minimum: 1, maximum: 65_535 })
const Path = Type.String({ pattern: '^/[\\x21-\\x7e]{0,500}$' })

/** Trust roots a TLS target may ask for: the public ones, or those an app pins itself (`probes/net/roots.ts`). */
const Roots = Type.Enum(['public', 'signal', 'public+signal'], { description: 'Certificate authorities accepted.' })

/** A public file of the app's or of a neutral host. */
const TransferObject = Type.Object(
  {
    scheme: Type.Enum(['http', 'https']),
    path: Path,
    roots: Roots,
    sni: Type.Optional(
      Type.Union([Type.Null(), Hostname], {
        description: 'Another name in the TLS handshake than the host’s, or none; no certificate counts then.',
      }),
    ),
    size: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Bytes of the whole object, where it never changes.' }),
    ),
    edge: Type.Boolean({ description: 'Served by a CDN, whose own caches are where it comes from.' }),
  },
  { additionalProperties: false },
)

/** A flow to Peyk's own helper (docs/helper.md), which differs from its partner in one thing. */
const TransferFlow = Type.Object(
  {
    over: Type.Enum(['tls', 'tcp', 'websocket', 'udp']),
    sni: Type.Union([Type.Null(), Hostname], { description: 'Name in the TLS handshake, of tls and websocket.' }),
    shape: Type.Enum(['random', 'obfuscated2', 'call'], {
      description: 'First bytes of tcp: random or as MTProto’s. Packets of udp: random or as a call’s.',
    }),
    up: Type.Boolean({ description: 'The bytes go to the helper, not from it.' }),
  },
  { additionalProperties: false },
)

const Headers = Type.Record(Type.String({ pattern: '^[a-z-]{1,40}$' }), Type.String({ maxLength: 200 }))

/** What each kind of probe asks; the probe's page in docs/probes explains the fields. */
export const asks = {
  dns: Type.Object(
    {
      type: Type.Enum(['A', 'AAAA', 'TXT']),
      resolver: Type.Union([
        Type.Literal('system'),
        Type.Object(
          {
            transport: Type.Enum(['udp', 'tcp', 'doh']),
            address: Hostname,
            port: Port,
            name: Type.Optional(Hostname),
            path: Type.Optional(Path),
          },
          { additionalProperties: false },
        ),
      ]),
      against: Type.Optional(
        Type.Object(
          { address: Hostname, port: Port, name: Hostname, path: Path, roots: Roots },
          {
            additionalProperties: false,
            description:
              'Resolver over HTTPS with which the system’s answer is compared, and whose certificates the app’s own server has.',
          },
        ),
      ),
    },
    { additionalProperties: false },
  ),
  tcp: Type.Object({}, { additionalProperties: false }),
  tls: Type.Object(
    {
      sni: Type.Union([Type.Null(), Hostname], { description: 'Server name sent; null sends none.' }),
      alpn: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 4 }),
      roots: Roots,
      verify: Type.Boolean({ description: 'False where any certificate counts, as with an innocuous name.' }),
    },
    { additionalProperties: false },
  ),
  http: Type.Object(
    {
      scheme: Type.Enum(['http', 'https']),
      method: Type.Enum(['GET', 'HEAD', 'POST']),
      path: Path,
      headers: Headers,
      roots: Roots,
      expect: Type.Object(
        {
          status: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), {
            maxItems: 64,
            description: 'Statuses of a healthy answer; empty means any.',
          }),
          header: Type.Optional(
            Type.String({ pattern: '^[a-z0-9-]{1,60}$', description: 'A header only the app sends.' }),
          ),
          body: Type.Optional(Type.String({ maxLength: 200, description: 'Text a healthy body contains.' })),
          json: Type.Optional(Type.String({ maxLength: 60, description: 'Key a healthy JSON answer has.' })),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  websocket: Type.Object(
    {
      scheme: Type.Enum(['ws', 'wss']),
      path: Path,
      headers: Headers,
      protocol: Type.Union([Type.Null(), Type.String({ pattern: '^[a-z0-9.-]{1,40}$' })]),
      roots: Roots,
      expect: Type.Object(
        {
          status: Type.Array(Type.Integer({ minimum: 101, maximum: 599 }), {
            minItems: 1,
            maxItems: 64,
            description: 'Statuses of a healthy answer; 101 where the WebSocket must open.',
          }),
          words: Type.Enum(['none', 'discord-hello', 'signal-keepalive', 'signal-provisioning'], {
            description: 'What is said over the open WebSocket (docs/probes/websocket.md).',
          }),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  quic: Type.Object({}, { additionalProperties: false }),
  stun: Type.Object(
    {
      train: Type.Integer({
        minimum: 0,
        maximum: 200,
        description: 'Requests of a paced train after the first answer, 20 a second; 0 for none.',
      }),
    },
    { additionalProperties: false },
  ),
  mtproto: Type.Object(
    {
      transport: Type.Enum(['intermediate', 'obfuscated2', 'websocket', 'http', 'https'], {
        description: 'In clear, as phones speak it, as browsers do (obfuscated2 in a WebSocket), or as an HTTP body.',
      }),
      envelope: Type.Optional(
        Type.Enum(['intermediate', 'abridged'], {
          description: 'Packets inside obfuscated2 and websocket; intermediate where absent.',
        }),
      ),
      path: Type.Optional(Path),
      origin: Type.Optional(Type.String({ pattern: '^https://[a-z0-9.-]{1,100}$' })),
      dc: Type.Integer({ minimum: -32_768, maximum: 32_767, description: 'Data centre id of the obfuscated header.' }),
      keys: Type.Array(Type.String({ pattern: '^[0-9a-f]{16}$' }), {
        maxItems: 32,
        description: 'Fingerprints of the app’s RSA keys, as numbers in hex; empty where they are not known.',
      }),
      exchange: Type.Optional(
        Type.String({
          pattern: '^[0-9a-f]{512}$',
          description:
            'Modulus of the app’s RSA key, hex: a key exchange is begun, whose answer proves who gave it. Not in HTTP.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  noise: Type.Object(
    {
      transport: Type.Enum(['tcp', 'websocket']),
      prologue: Type.String({ pattern: '^[0-9a-f]{8}$', description: 'First four bytes, hex.' }),
      root: Type.String({
        pattern: '^[0-9a-f]{64}$',
        description: 'Key that signs the certificate chain, X25519, hex.',
      }),
      path: Type.Optional(Path),
      origin: Type.Optional(Type.String({ pattern: '^https://[a-z0-9.-]{1,100}$' })),
    },
    { additionalProperties: false },
  ),
  xmpp: Type.Object(
    {
      to: Hostname,
      tls: Type.Enum(['direct', 'starttls', 'none']),
      roots: Roots,
    },
    { additionalProperties: false },
  ),
  mqtt: Type.Object({ tls: Type.Boolean(), roots: Roots }, { additionalProperties: false }),
  threema: Type.Object(
    {
      keys: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), {
        minItems: 1,
        maxItems: 4,
        description: 'Public keys of the chat servers, X25519, hex.',
      }),
    },
    { additionalProperties: false },
  ),
  loco: Type.Object({ roots: Roots }, { additionalProperties: false }),
  store: Type.Object(
    {
      store: Type.Enum(['apple', 'google']),
      app: Type.String({ pattern: '^[A-Za-z0-9_.]{1,100}$', description: 'Id in the store.' }),
      country: Type.String({ pattern: '^[A-Z]{2}$', description: 'Storefront.' }),
    },
    { additionalProperties: false },
  ),
  transfer: Type.Object(
    {
      bytes: Type.Integer({
        minimum: 16_384,
        maximum: 1_048_576,
        description: 'Bytes that are timed. In a pair the stage says how many, never more than this.',
      }),
      trains: Type.Integer({
        minimum: 0,
        maximum: 2,
        description: 'Trains of 25 small requests after it, each on a connection of its own.',
      }),
      beside: Type.Optional(
        Type.Boolean({
          description:
            'Whether a second connection times small requests before it and while it runs. Set by the agent.',
        }),
      ),
      of: Type.Union([TransferObject, TransferFlow]),
    },
    { additionalProperties: false },
  ),
} as const satisfies Record<ProbeKind, unknown>
