import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { obfuscatedStart, obfuscation, requestPq } from './mtproto.ts'

/**
 * What agents and Peyk's helper say to each other (docs/helper.md). A question is 32 bytes, its answer one byte and what was
 * asked for. All of it goes inside TLS, a WebSocket or an opening that looks random, so that flows differ in the one
 * thing they are to differ in.
 */

export const commands = { down: 1, up: 2, echo: 3, token: 4 } as const
export type Command = keyof typeof commands
export type Ask = { command: Command; seed: Buffer; count: number }

export const ASK_BYTES = 32
/** Bytes of one transfer, round trips of one echo, and bytes of one message of it. */
export const MOST_BYTES = 2 ** 20
export const MOST_ECHOES = 64
export const ECHO_BYTES = 220
/** An upload is acknowledged after so many bytes: the count so far, as four bytes. */
export const ACK_EVERY = 16_384
export const TOKEN_BYTES = 16
/** The path of the WebSocket, as Telegram's web client has it. */
export const PATH = '/apiws'

export const writeAsk = ({ command, seed, count }: Ask): Buffer => {
  const bytes = randomBytes(ASK_BYTES)
  seed.copy(bytes, 0, 0, 16)
  bytes[16] = commands[command]
  bytes.writeUInt32BE(count, 17)
  return bytes
}

/** Null where it is none, or asks for more than there is. */
export const readAsk = (bytes: Buffer): Ask | null => {
  const [command] = (Object.keys(commands) as Command[]).filter(name => commands[name] === bytes[16])
  const count = bytes.readUInt32BE(17)
  if (!command || count > (command === 'echo' ? MOST_ECHOES : MOST_BYTES)) return null
  return { command, seed: Buffer.from(bytes.subarray(0, 16)), count }
}

/** The bytes that go with a seed, piece by piece: known to who asked, and as random as any to who looks. */
export const knownBytes = (seed: Buffer): ((length: number) => Buffer) => {
  const key = createHash('sha256').update('peyk helper ').update(seed).digest()
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return length => stream.update(Buffer.alloc(length))
}

/** Bytes before the first question on plain TCP: the header of obfuscated2 and a packet as long as `req_pq_multi`. */
export const OPENING_BYTES = 64 + 44

const TAGS: readonly string[] = ['efefefef', 'eeeeeeee', 'dddddddd']

/**
 * Opens plain TCP. As `obfuscated2` it is, for whoever undoes the obfuscation, what a Telegram client sends first; as
 * `random` it differs from that in the four bytes of the tag and in the packet, which are random.
 */
export const opening = (shape: 'random' | 'obfuscated2', now: number) => {
  const tag = shape === 'random' ? randomTag() : Buffer.from('eeeeeeee', 'hex')
  const { header, encrypt, decrypt } = obfuscation(obfuscatedStart, tag, 2)
  const length = Buffer.from('28000000', 'hex')
  const packet = shape === 'random' ? randomBytes(44) : Buffer.concat([length, requestPq(randomBytes(16), now)])
  return { bytes: Buffer.concat([header, encrypt.update(packet)]), encrypt, decrypt }
}

const randomTag = (): Buffer => {
  for (;;) {
    const tag = randomBytes(4)
    if (!TAGS.includes(tag.toString('hex'))) return tag
  }
}

/** Shapes of datagrams: as the reflectors of Telegram's calls have them (twelve ff after the peer’s tag), or random. */
export type DatagramShape = 'call' | 'random'
const HEAD_BYTES = 28

export const datagramHead = (tag: Buffer, shape: DatagramShape): Buffer =>
  Buffer.concat([tag, shape === 'call' ? Buffer.alloc(12, 0xff) : randomBytes(12)])

/** A datagram that asks for a stream of others: the token in place of the tag. */
export type StreamAsk = { packets: number; size: number; perSecond: number }
const STREAM_ASK_BYTES = 160
const MOST = { packets: 2_048, size: 1_200, perSecond: 200, bytes: 512 * 1024 }

export const writeStreamAsk = (
  token: Buffer,
  shape: DatagramShape,
  { packets, size, perSecond }: StreamAsk,
): Buffer => {
  const numbers = Buffer.alloc(6)
  for (const [at, number] of [packets, size, perSecond].entries()) numbers.writeUInt16BE(number, at * 2)
  const head = datagramHead(token, shape)
  return Buffer.concat([head, numbers, randomBytes(STREAM_ASK_BYTES - head.length - numbers.length)])
}

export const readStreamAsk = (datagram: Buffer): StreamAsk | null => {
  if (datagram.length !== STREAM_ASK_BYTES) return null
  const [packets = 0, size = 0, perSecond = 0] = [0, 2, 4].map(at => datagram.readUInt16BE(HEAD_BYTES + at))
  const fits = packets <= MOST.packets && size > HEAD_BYTES + 4 && size <= MOST.size && packets * size <= MOST.bytes
  return fits && perSecond > 0 && perSecond <= MOST.perSecond ? { packets, size, perSecond } : null
}

/** The packets of a stream in order: the head it was asked with, a number, and known bytes. */
export const streamPacket = (head: Buffer, number: number, known: Buffer): Buffer => {
  const numbered = Buffer.alloc(4)
  numbered.writeUInt32BE(number)
  return Buffer.concat([head.subarray(0, HEAD_BYTES), numbered, known])
}

/** The number of a packet of the stream, and its known bytes. */
export const readPacket = (packet: Buffer): { number: number; known: Buffer } | null =>
  packet.length > HEAD_BYTES + 4
    ? { number: packet.readUInt32BE(HEAD_BYTES), known: packet.subarray(HEAD_BYTES + 4) }
    : null
export const PACKET_OVERHEAD = HEAD_BYTES + 4
