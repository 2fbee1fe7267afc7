import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'

/** How the data centre answers `req_pq_multi`: with resPQ made of these, or with raw bytes instead of the packet. */
export type Answers = { nonce?: Buffer; keys?: string[]; padding?: number; error?: number; raw?: Buffer }

/** Telegram's side of the handshake, written from the specification alone (reference endpoints.md §1.3). */
export const dataCentre =
  (answers: Answers = {}) =>
  (socket: Socket): void => {
    let waiting: Buffer = Buffer.alloc(0)
    let open: ((bytes: Buffer) => Buffer) | null = null
    let seal = (bytes: Buffer): Buffer => bytes
    let clear: Buffer = Buffer.alloc(0)
    socket.on('data', bytes => {
      if (open === null) {
        waiting = Buffer.concat([waiting, bytes])
        if (waiting.length < 4) return
        if (waiting.readUInt32BE() === 0xeeeeeeee) {
          open = plain => plain
          clear = waiting.subarray(4)
        } else {
          if (waiting.length < 64) return
          const streams = deobfuscate(waiting.subarray(0, 64))
          if (!streams) {
            socket.destroy()
            return
          }
          open = streams.open
          seal = streams.seal
          clear = open(waiting.subarray(64))
        }
      } else clear = Buffer.concat([clear, open(bytes)])
      if (clear.length < 4 || clear.length < 4 + clear.readUInt32LE()) return
      const request = clear.subarray(4, 4 + clear.readUInt32LE())
      clear = clear.subarray(4 + request.length)
      if (answers.raw) {
        socket.write(seal(answers.raw))
        return
      }
      const packet = answers.error === undefined ? resPq(request, answers) : int32(answers.error)
      socket.write(seal(Buffer.concat([uint32(packet.length), packet])))
    })
  }

const deobfuscate = (header: Buffer) => {
  const reversed = Buffer.from(header).reverse()
  const decrypt = createDecipheriv('aes-256-ctr', header.subarray(8, 40), header.subarray(40, 56))
  const encrypt = createCipheriv('aes-256-ctr', reversed.subarray(8, 40), reversed.subarray(40, 56))
  const clear = decrypt.update(header)
  if (clear.readUInt32LE(56) !== 0xeeeeeeee) return null
  return { open: (bytes: Buffer) => decrypt.update(bytes), seal: (bytes: Buffer) => encrypt.update(bytes) }
}

const resPq = (request: Buffer, { nonce, keys = ['d09d1d85de64fd85'], padding = 0 }: Answers): Buffer => {
  const body = Buffer.concat([
    Buffer.from('63241605', 'hex'),
    nonce ?? request.subarray(24, 40),
    randomBytes(16),
    Buffer.from('0817ed48941a08f981000000', 'hex'),
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
