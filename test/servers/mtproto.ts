import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'

/** How the data centre answers `req_pq_multi`: with resPQ made of these, or with raw bytes instead of the packet. */
export type Answers = {
  nonce?: Buffer
  keys?: string[]
  padding?: number
  error?: number
  raw?: Buffer
  pq?: Buffer
  /** The answer to `req_DH_params`; without it the exchange is met with silence. */
  exchange?: (request: Buffer) => Buffer
}

type Seen = (message: Buffer) => void
type Duplex = { onBytes(listener: (bytes: Buffer) => void): void; write(bytes: Buffer): void; destroy(): void }

/** Telegram's side of the first exchange, written from the specification alone (reference endpoints.md §1.3). */
export const dataCentre =
  (answers: Answers = {}, seen: Seen = () => {}) =>
  (socket: Socket): void =>
    serve(
      {
        onBytes: listener => socket.on('data', listener),
        write: bytes => socket.write(bytes),
        destroy: () => socket.destroy(),
      },
      answers,
      seen,
    )

/** What a connection's first bytes settle: how bytes are opened and sealed, and how packets are told apart. */
type Settled = { open(bytes: Buffer): Buffer; seal(bytes: Buffer): Buffer; abridged: boolean; rest: Buffer }

export const serve = (duplex: Duplex, answers: Answers = {}, seen: Seen = () => {}): void => {
  let raw: Buffer = Buffer.alloc(0)
  let clear: Buffer = Buffer.alloc(0)
  let settled: Settled | null = null
  duplex.onBytes(bytes => {
    if (settled) clear = Buffer.concat([clear, settled.open(bytes)])
    else {
      raw = Buffer.concat([raw, bytes])
      settled = settle(raw)
      if (!settled) {
        if (raw.length >= 64) duplex.destroy()
        return
      }
      clear = settled.open(settled.rest)
    }
    for (;;) {
      const packet = takePacket(clear, settled.abridged)
      if (!packet) return
      clear = packet.rest
      seen(packet.message)
      if (answers.raw) duplex.write(settled.seal(answers.raw))
      else if (packet.message.readUInt32LE(20) === REQ_PQ_MULTI) {
        const answer = answers.error === undefined ? resPq(packet.message, answers) : int32(answers.error)
        duplex.write(settled.seal(framed(answer, settled.abridged)))
      } else if (answers.exchange && packet.message.readUInt32LE(20) === REQ_DH_PARAMS) {
        duplex.write(settled.seal(framed(answers.exchange(packet.message), settled.abridged)))
      }
    }
  })
}

const REQ_PQ_MULTI = 0xbe7e8ef1
const REQ_DH_PARAMS = 0xd712e4be

const settle = (raw: Buffer): Settled | null => {
  if (raw.length < 4) return null
  const same = (bytes: Buffer): Buffer => bytes
  if (raw.readUInt32BE() === 0xeeeeeeee) return { open: same, seal: same, abridged: false, rest: raw.subarray(4) }
  if (raw.length < 64) return null
  const header = raw.subarray(0, 64)
  const reversed = Buffer.from(header).reverse()
  const decrypt = createDecipheriv('aes-256-ctr', header.subarray(8, 40), header.subarray(40, 56))
  const encrypt = createCipheriv('aes-256-ctr', reversed.subarray(8, 40), reversed.subarray(40, 56))
  const tag = decrypt.update(header).readUInt32BE(56)
  if (tag !== 0xeeeeeeee && tag !== 0xefefefef) return null
  return {
    open: bytes => decrypt.update(bytes),
    seal: bytes => encrypt.update(bytes),
    abridged: tag === 0xefefefef,
    rest: raw.subarray(64),
  }
}

const takePacket = (clear: Buffer, abridged: boolean): { message: Buffer; rest: Buffer } | null => {
  if (clear.length < 4) return null
  const long = clear[0] === 0x7f
  const head = abridged ? (long ? 4 : 1) : 4
  const length = abridged ? (long ? clear.readUIntLE(1, 3) : clear[0]!) * 4 : clear.readUInt32LE()
  if (clear.length < head + length) return null
  return { message: clear.subarray(head, head + length), rest: clear.subarray(head + length) }
}

const framed = (packet: Buffer, abridged: boolean): Buffer =>
  Buffer.concat([abridged ? abridgedLength(packet.length / 4) : uint32(packet.length), packet])

const abridgedLength = (words: number): Buffer =>
  words < 0x7f ? Buffer.of(words) : Buffer.of(0x7f, words & 255, words >> 8, 0)

/** The published sample's pq. */
const SAMPLE_PQ = Buffer.from('17ed48941a08f981', 'hex')

/** resPQ, a bare message. */
export const resPq = (
  request: Buffer,
  { nonce, keys = ['d09d1d85de64fd85'], padding = 0, pq = SAMPLE_PQ }: Answers,
): Buffer => {
  const body = Buffer.concat([
    Buffer.from('63241605', 'hex'),
    nonce ?? request.subarray(24, 40),
    randomBytes(16),
    Buffer.of(8),
    pq,
    Buffer.alloc(3),
    Buffer.from('15c4b51c', 'hex'),
    uint32(keys.length),
    ...keys.map(key => Buffer.from(key, 'hex').reverse()),
    randomBytes(padding),
  ])
  const id = Buffer.alloc(8)
  id.writeBigInt64LE((BigInt(Math.floor(Date.now() / 1000)) << 32n) | 1n)
  return Buffer.concat([Buffer.alloc(8), id, uint32(body.length), body])
}

const uint32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}
const int32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(number)
  return bytes
}
