import { randomBytes } from 'node:crypto'
import { Failed } from './net/classify.ts'
import { askUntilAnswered, type Datagrams, datagramTrain } from './net/datagram.ts'
import type { Note } from './net/trace.ts'
import type { Probe } from './probe.ts'

/**
 * A STUN binding (RFC 8489 §2), and after it a short train of them: loss and jitter of UDP to this place. Path quality,
 * never "calls work": calls need an account. The address the server saw us under is looked at and dropped.
 */
export const stun: Probe<'stun'> = async ({ host, port, ask }, net) => {
  const address = await net.resolve(host)
  if (address === null) return
  const bound = await net.datagram('datagram', address, port, async (peer, note) => {
    const id = randomBytes(12)
    return askUntilAnswered(peer, binding(id), note, answer => judgeBinding(answer, id))
  })
  if (bound !== null && ask.train > 0)
    await net.datagram('datagram', address, port, (peer, note) => train(peer, ask.train, note))
}

const COOKIE = 0x2112a442

/** A binding request without attributes: 20 bytes. */
export const binding = (id: Buffer): Buffer => {
  const head = Buffer.alloc(8)
  head.writeUInt16BE(1)
  head.writeUInt32BE(COOKIE, 4)
  return Buffer.concat([head, id])
}

/** True for a success to this request that maps our address; a failure is thrown. */
export const judgeBinding = (answer: Buffer, id: Buffer): true => {
  const { type, attributes } = parse(answer, id)
  if (type === 0x0111) throw new Failed('stun_refused', errorCode(attributes.get(0x0009)))
  // XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of servers that know RFC 3489 only.
  if (type !== 0x0101 || !(attributes.has(0x0020) || attributes.has(0x0001))) throw new Failed('stun_malformed')
  return true
}

/**
 * The address a server saw us under (XOR-MAPPED-ADDRESS, RFC 8489 §14.2; MAPPED-ADDRESS of older servers); a failure is
 * thrown. Whoever asks looks it up and forgets it.
 */
export const mappedAddress = (answer: Buffer, id: Buffer): string => {
  judgeBinding(answer, id)
  const { attributes } = parse(answer, id)
  const xored = attributes.get(0x0020)
  const value = xored ?? attributes.get(0x0001)!
  const [, family] = value
  const length = family === 1 ? 4 : 16
  if ((family !== 1 && family !== 2) || value.length !== 4 + length) throw new Failed('stun_malformed')
  const mask = xored ? answer.subarray(4, 4 + length) : Buffer.alloc(length)
  const bytes = value.subarray(4).map((byte, at) => byte ^ mask[at]!)
  if (family === 1) return bytes.join('.')
  return Array.from({ length: 8 }, (_, at) => ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16)).join(':')
}

const errorCode = (value: Buffer | undefined): number | undefined =>
  value && value.length >= 4 ? (value[2]! & 7) * 100 + value[3]! : undefined

const parse = (message: Buffer, id: Buffer): { type: number; attributes: Map<number, Buffer> } => {
  const whole = message.length >= 20 && message.readUInt16BE(2) === message.length - 20
  if (!whole || message.readUInt32BE(4) !== COOKIE || !message.subarray(8, 20).equals(id))
    throw new Failed('stun_malformed')
  const attributes = new Map<number, Buffer>()
  for (let at = 20; at < message.length; ) {
    if (at + 4 > message.length) throw new Failed('stun_malformed')
    const length = message.readUInt16BE(at + 2)
    if (at + 4 + length > message.length) throw new Failed('stun_malformed')
    attributes.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length))
    // Values are padded to four bytes.
    at += 4 + Math.ceil(length / 4) * 4
  }
  return { type: message.readUInt16BE(0), attributes }
}

/** A train of bindings, each known by its transaction. */
const train = (peer: Datagrams, count: number, note: Note): Promise<void> => {
  const numbers = new Map<string, number>()
  const question = (number: number): Buffer => {
    const id = randomBytes(12)
    numbers.set(id.toString('hex'), number)
    return binding(id)
  }
  return datagramTrain(peer, note, { count, question, numberOf: answer => numbers.get(answer.toString('hex', 8, 20)) })
}
