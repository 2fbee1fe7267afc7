import { type Cipheriv, createCipheriv, createDecipheriv, type Decipheriv, randomBytes } from 'node:crypto'
import type { TargetOf } from '../measurement/target.ts'
import { Failed } from './net/classify.ts'
import type { Net } from './net/net.ts'
import type { Stream } from './net/stream.ts'
import type { Note } from './net/trace.ts'
import { wireOf } from './net/upgrade.ts'
import type { Probe } from './probe.ts'

/**
 * The first thing a Telegram client asks of a data centre: `req_pq_multi`, answered by `resPQ` with our nonce and the
 * fingerprint of a key the app has. Facts and sources: reference endpoints.md §1.3. An answer with our nonce came from
 * something that speaks MTProto; that it was Telegram only the key exchange after it could prove.
 */
export const mtproto: Probe<'mtproto'> = async (target, net) => {
  const stream = await net.reach()
  if (!stream) return
  const { transport } = target.ask
  const answered = await (transport === 'websocket'
    ? inWebSocket(target, net, stream)
    : transport === 'http' || transport === 'https'
      ? inHttp(target, net, stream)
      : ask(target, net, stream, stream))
  if (answered) net.prove('protocol')
}

type Target = TargetOf<'mtproto'>

/** Packets of one connection. */
type Transport = { send(packet: Buffer): void; receive(): Promise<Buffer> }
type Wire = Pick<Stream, 'write' | 'read'>

const ask = ({ ask: asked }: Target, net: Net, stream: Stream, wire: Wire): Promise<true | null> =>
  net.speak('protocol_handshake', stream, async (_, note) => {
    const nonce = randomBytes(16)
    const envelope = asked.envelope ?? 'intermediate'
    const transport = asked.transport === 'intermediate' ? plain(wire) : obfuscated(wire, envelope, asked.dc)
    transport.send(requestPq(nonce, Date.now()))
    return judge(await transport.receive(), nonce, asked.keys, note)
  })

/** As browsers reach a data centre: obfuscated2, which is mandatory there, in binary messages. */
const inWebSocket = async (target: Target, net: Net, stream: Stream): Promise<true | null> => {
  const { host, port, ask: asked } = target
  if (!(await net.handshake(stream, { sni: host, alpn: ['http/1.1'], roots: 'public', verify: host }))) return null
  const { path = '/apiws', origin } = asked
  const headers = origin === undefined ? {} : { origin }
  const upgraded = await net.upgrade(stream, {
    scheme: 'wss',
    host,
    port,
    path,
    headers,
    protocol: 'binary',
    status: [101],
  })
  return upgraded?.channel ? ask(target, net, stream, wireOf(upgraded.channel)) : null
}

/** The bare message as the body of a POST; a transport error comes as the HTTP status. */
const inHttp = async ({ host, port, ask: asked }: Target, net: Net, stream: Stream): Promise<true | null> => {
  const { transport, path = '/api', keys } = asked
  const scheme = transport === 'https' ? 'https' : 'http'
  const identity = { sni: host, alpn: ['http/1.1'], roots: 'public', verify: host } as const
  if (scheme === 'https' && !(await net.handshake(stream, identity))) return null
  const nonce = randomBytes(16)
  const body = requestPq(nonce, Date.now())
  const question = { scheme, host, port, method: 'POST', path, headers: {}, body, limit: MAX_PACKET } as const
  const answer = await net.request(stream, question, ({ status }) => {
    if (status !== 200 && !transportErrors.has(-status)) throw new Failed('http_unexpected_status_code')
  })
  if (!answer) return null
  // A status that stands for a transport error is also what any web server says of a path it does not have.
  if (answer.status !== 200)
    return net.speak('protocol_handshake', stream, async () => {
      throw new Failed('mtproto_malformed', answer.status)
    })
  return net.speak('protocol_handshake', stream, async (_, note) => judge(answer.body, nonce, keys, note))
}

/** Largest packet read; resPQ is 100 bytes and padding at most some hundred (the transport allows 16 MB). */
const MAX_PACKET = 65_536

const REQ_PQ_MULTI = 0xbe7e8ef1
const RES_PQ = 0x05162463
const VECTOR = 0x1cb5c415

/** How packets are told apart: the tag that opens the connection, and a packet's length in front of it. */
type Envelope = {
  tag: Buffer
  wrap(packet: Buffer): Buffer
  read(take: (length: number) => Promise<Buffer>): Promise<Buffer>
}

const envelopes: Record<'intermediate' | 'abridged', Envelope> = {
  intermediate: {
    tag: Buffer.from('eeeeeeee', 'hex'),
    wrap: packet => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(packet.length)
      return Buffer.concat([length, packet])
    },
    // The top bit would make it a quick acknowledgement, which nobody asked for.
    read: async take => take(bounded((await take(4)).readUInt32LE())),
  },
  abridged: {
    tag: Buffer.from('efefefef', 'hex'),
    wrap: packet => Buffer.concat([Buffer.of(packet.length / 4), packet]),
    read: async take => {
      const [words = 0] = await take(1)
      return take(bounded(words === 0x7f ? (await take(3)).readUIntLE(0, 3) * 4 : words * 4))
    },
  },
}

const bounded = (length: number): number => {
  if (length < 4 || length > MAX_PACKET) throw new Failed('mtproto_malformed')
  return length
}

/** The intermediate transport in clear: its tag once, then packets. */
const plain = (wire: Wire): Transport => {
  const { tag, wrap, read } = envelopes.intermediate
  return {
    send: packet => wire.write(Buffer.concat([tag, wrap(packet)])),
    receive: () => read(length => wire.read(length)),
  }
}

/** An envelope under AES-CTR, as every official client speaks it; header and message leave in one flight. */
const obfuscated = (wire: Wire, name: 'intermediate' | 'abridged', dc: number): Transport => {
  const { tag, wrap, read } = envelopes[name]
  const { header, encrypt, decrypt } = obfuscation(obfuscatedStart, tag, dc)
  return {
    send: packet => wire.write(Buffer.concat([header, encrypt.update(wrap(packet))])),
    receive: () => read(async length => decrypt.update(await wire.read(length))),
  }
}

/** First words a middlebox could take for another protocol (HTTP methods, TLS, the plain transports). */
const forbidden = new Set(['HEAD', 'POST', 'GET ', 'OPTI', '\x16\x03\x01\x02', '\xdd\xdd\xdd\xdd', '\xee\xee\xee\xee'])

const obfuscatedStart = (): Buffer => {
  for (;;) {
    const start = randomBytes(64)
    if (start[0] !== 0xef && !forbidden.has(start.toString('latin1', 0, 4)) && start.readUInt32LE(4) !== 0) return start
  }
}

/** The 64 bytes that open an obfuscated connection, and the two streams that continue after them. */
export const obfuscation = (
  start: () => Buffer,
  tag: Buffer,
  dc: number,
): { header: Buffer; encrypt: Cipheriv; decrypt: Decipheriv } => {
  const header = start()
  tag.copy(header, 56)
  header.writeInt16LE(dc, 60)
  const reversed = Buffer.from(header).reverse()
  const encrypt = createCipheriv('aes-256-ctr', header.subarray(8, 40), header.subarray(40, 56))
  const decrypt = createDecipheriv('aes-256-ctr', reversed.subarray(8, 40), reversed.subarray(40, 56))
  // Encrypting all 64 bytes advances the stream; only the last eight go out encrypted.
  encrypt.update(header).copy(header, 56, 56)
  return { header, encrypt, decrypt }
}

/** An unencrypted message with `req_pq_multi`: 40 bytes. `now` in Unix milliseconds gives the message id. */
export const requestPq = (nonce: Buffer, now: number): Buffer => {
  const message = Buffer.alloc(40)
  // Seconds in the upper half, their fraction in the lower, divisible by four.
  const fraction = Math.floor(((now % 1000) / 1000) * 2 ** 32)
  message.writeUInt32LE(fraction - (fraction % 4), 8)
  message.writeUInt32LE(Math.floor(now / 1000) >>> 0, 12)
  message.writeUInt32LE(20, 16)
  message.writeUInt32LE(REQ_PQ_MULTI, 20)
  nonce.copy(message, 24)
  return message
}

/** Judge the packet that came back; throws the failure. A transport error is an answer: only a data centre gives one. */
export const judge = (packet: Buffer, nonce: Buffer, keys: readonly string[], note: Note): true => {
  if (packet.length === 4) {
    const code = packet.readInt32LE()
    if (!transportErrors.has(code)) throw new Failed('mtproto_malformed', code)
    note.code = code
    return true
  }
  const { nonce: echoed, fingerprints } = parseResPq(packet)
  if (!echoed.equals(nonce)) throw new Failed('mtproto_bad_nonce')
  const known = keys.length === 0 ? fingerprints[0] : fingerprints.find(fingerprint => keys.includes(fingerprint))
  if (known === undefined) throw new Failed('mtproto_unknown_fingerprint')
  note.mark = known
  return true
}

/** Unknown auth key, too many connections, wrong data centre. */
const transportErrors: ReadonlySet<number> = new Set([-404, -429, -444])

/** resPQ, read by its structure: the declared length may exceed the body by random padding. */
export const parseResPq = (packet: Buffer): { nonce: Buffer; fingerprints: string[] } => {
  const read = reader(packet)
  if (read.bytes(8).some(byte => byte !== 0)) throw new Failed('mtproto_malformed')
  read.bytes(8)
  const declared = read.uint32()
  if (declared > packet.length - 20) throw new Failed('mtproto_malformed')
  if (read.uint32() !== RES_PQ) throw new Failed('mtproto_malformed')
  const nonce = read.bytes(16)
  read.bytes(16)
  const pq = read.bytes(1)[0]!
  // A TL string of fewer than 254 bytes: its length, its bytes, padding to four. pq is a number of 64 bits.
  if (pq === 0 || pq > 8) throw new Failed('mtproto_malformed')
  read.bytes(Math.ceil((pq + 1) / 4) * 4 - 1)
  if (read.uint32() !== VECTOR) throw new Failed('mtproto_malformed')
  const count = read.uint32()
  if (count === 0 || count > 64) throw new Failed('mtproto_malformed')
  const fingerprints = Array.from({ length: count }, () => Buffer.from(read.bytes(8)).reverse().toString('hex'))
  return { nonce, fingerprints }
}

const reader = (packet: Buffer) => {
  let at = 0
  const bytes = (length: number): Buffer => {
    if (at + length > packet.length) throw new Failed('mtproto_malformed')
    return packet.subarray(at, (at += length))
  }
  return { bytes, uint32: () => bytes(4).readUInt32LE() }
}
