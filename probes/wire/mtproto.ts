import { type Cipheriv, createCipheriv, createDecipheriv, type Decipheriv, randomBytes } from 'node:crypto'
import { Failed } from '../net/classify.ts'
import type { Stream } from '../net/stream.ts'

/** MTProto's transports and the messages before a key exists. Facts and sources: reference endpoints.md §1.3. */

/** Packets of one connection. */
export type Transport = { send(packet: Buffer): void; receive(): Promise<Buffer> }
export type Wire = Pick<Stream, 'write' | 'read'>

/** Largest packet read; resPQ is 100 bytes and padding at most some hundred (the transport allows 16 MB). */
export const MAX_PACKET = 65_536

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
    wrap: packet => {
      const words = packet.length / 4
      return Buffer.concat([words < 0x7f ? Buffer.of(words) : Buffer.of(0x7f, words & 255, words >> 8, 0), packet])
    },
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
export const plain = (wire: Wire): Transport => {
  const { tag, wrap, read } = envelopes.intermediate
  let opening = tag
  return {
    send: packet => {
      wire.write(Buffer.concat([opening, wrap(packet)]))
      opening = Buffer.alloc(0)
    },
    receive: () => read(length => wire.read(length)),
  }
}

/** An envelope under AES-CTR, as every official client speaks it; header and message leave in one flight. */
export const obfuscated = (wire: Wire, name: 'intermediate' | 'abridged', dc: number): Transport => {
  const { tag, wrap, read } = envelopes[name]
  const { header, encrypt, decrypt } = obfuscation(obfuscatedStart, tag, dc)
  let opening = header
  return {
    send: packet => {
      wire.write(Buffer.concat([opening, encrypt.update(wrap(packet))]))
      opening = Buffer.alloc(0)
    },
    receive: () => read(async length => decrypt.update(await wire.read(length))),
  }
}

/** First words a middlebox could take for another protocol (HTTP methods, TLS, the plain transports). */
const forbidden = new Set(['HEAD', 'POST', 'GET ', 'OPTI', '\x16\x03\x01\x02', '\xdd\xdd\xdd\xdd', '\xee\xee\xee\xee'])

export const obfuscatedStart = (): Buffer => {
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

/** A message without a key: zeros, its id, its length, its body. `now` in Unix milliseconds gives the id. */
export const message = (body: Buffer, now: number): Buffer => {
  const head = Buffer.alloc(20)
  // Seconds in the upper half, their fraction in the lower, divisible by four.
  const fraction = Math.floor(((now % 1000) / 1000) * 2 ** 32)
  head.writeUInt32LE(fraction - (fraction % 4), 8)
  head.writeUInt32LE(Math.floor(now / 1000) >>> 0, 12)
  head.writeUInt32LE(body.length, 16)
  return Buffer.concat([head, body])
}

/** `req_pq_multi`: a message of 40 bytes. */
export const requestPq = (nonce: Buffer, now: number): Buffer =>
  message(Buffer.concat([uint32(REQ_PQ_MULTI), nonce]), now)

/** Unknown auth key, too many connections, wrong data centre: what a data centre answers in four bytes, and nobody else. */
export const transportErrors: ReadonlySet<number> = new Set([-404, -429, -444])

/** The transport error a packet is, or null where it is a message. */
export const transportError = (packet: Buffer): number | null => {
  if (packet.length !== 4) return null
  const code = packet.readInt32LE()
  if (!transportErrors.has(code)) throw new Failed('mtproto_malformed', code)
  return code
}

export type ResPq = { nonce: Buffer; serverNonce: Buffer; pq: Buffer; fingerprints: string[] }

/** resPQ, read by its structure: the declared length may exceed the body by random padding. */
export const parseResPq = (packet: Buffer): ResPq => {
  const read = bodyOf(packet, RES_PQ)
  const nonce = read.bytes(16)
  const serverNonce = read.bytes(16)
  const pq = read.string()
  if (pq.length === 0 || pq.length > 8) throw new Failed('mtproto_malformed')
  if (read.uint32() !== VECTOR) throw new Failed('mtproto_malformed')
  const count = read.uint32()
  if (count === 0 || count > 64) throw new Failed('mtproto_malformed')
  const fingerprints = Array.from({ length: count }, () => Buffer.from(read.bytes(8)).reverse().toString('hex'))
  return { nonce, serverNonce, pq, fingerprints }
}

/** A reader of the body of a message without a key, which must be of this type (TL’s constructor). */
export const bodyOf = (packet: Buffer, type: number): Reader => {
  const read = readerOf(packet)
  if (read.bytes(8).some(byte => byte !== 0)) throw new Failed('mtproto_malformed')
  read.bytes(8)
  if (read.uint32() > packet.length - 20) throw new Failed('mtproto_malformed')
  if (read.uint32() !== type) throw new Failed('mtproto_malformed')
  return read
}

/** Reads TL (core.telegram.org/mtproto/serialize); throws `mtproto_malformed` where the bytes end. */
export type Reader = { bytes(length: number): Buffer; uint32(): number; string(): Buffer; at(): number }

export const readerOf = (packet: Buffer): Reader => {
  let at = 0
  const bytes = (length: number): Buffer => {
    if (at + length > packet.length) throw new Failed('mtproto_malformed')
    return packet.subarray(at, (at += length))
  }
  const string = (): Buffer => {
    const short = bytes(1)[0]!
    const long = short === 254
    const value = bytes(long ? bytes(3).readUIntLE(0, 3) : short)
    // Padded to four bytes, with the length in front.
    bytes((4 - ((value.length + (long ? 4 : 1)) % 4)) % 4)
    return value
  }
  return { bytes, string, uint32: () => bytes(4).readUInt32LE(), at: () => at }
}

/** Bytes as a TL string. */
export const string = (value: Buffer): Buffer => {
  const { length } = value
  const head = length < 254 ? Buffer.of(length) : Buffer.of(254, length & 255, (length >> 8) & 255, length >> 16)
  return Buffer.concat([head, value, Buffer.alloc((4 - ((head.length + length) % 4)) % 4)])
}

export const uint32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}
