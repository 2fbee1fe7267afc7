import { randomInt } from 'node:crypto'
import { Failed } from './net/classify.ts'
import type { Note } from './net/trace.ts'
import type { Probe } from './probe.ts'

/**
 * KakaoTalk's booking server is asked for its configuration (GETCONF) and gives the chat servers: a whole exchange of
 * the app's own protocol without an account. Facts and source: reference endpoints.md §5 (storycraft/node-kakao).
 */
export const loco: Probe<'loco'> = async ({ host, ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  if (!(await net.handshake(stream, { sni: host, alpn: [], roots: ask.roots, verify: host }))) return
  const answered = await net.speak('protocol_handshake', stream, async (wire, note) => {
    const id = randomInt(1, 2 ** 31)
    wire.write(request(id))
    const length = judgeHead(await wire.read(HEAD), id, note)
    judgeConfiguration(await wire.read(length))
    return true
  })
  if (answered) net.prove('protocol')
}

/** Bytes of a packet's head: id (4), status (2), method (11, ASCII, zeros after), body type (1), body length (4). */
const HEAD = 22
const MAX_BODY = 65_536

const METHOD = Buffer.from('GETCONF'.padEnd(11, '\0'))

/** GETCONF { MCCMNC, model, os }: what any phone sends before it knows where its servers are. */
export const request = (id: number): Buffer => {
  const body = bsonOf({ MCCMNC: '99999', model: '', os: 'android' })
  const head = Buffer.alloc(HEAD)
  head.writeUInt32LE(id)
  METHOD.copy(head, 6)
  head.writeUInt32LE(body.length, 18)
  return Buffer.concat([head, body])
}

/** Length of the body that follows; throws for a head that does not answer ours. */
export const judgeHead = (head: Buffer, id: number, note: Note): number => {
  const length = head.readUInt32LE(18)
  const ours = head.readUInt32LE() === id && head.subarray(6, 17).equals(METHOD) && head[17] === 0
  if (!ours || length < 5 || length > MAX_BODY) throw new Failed('loco_malformed')
  const status = head.readInt16LE(4)
  note.code = status
  if (status !== 0) throw new Failed('loco_refused', status)
  return length
}

/** Healthy is `ticket.lsl`, a list of at least one server. */
export const judgeConfiguration = (body: Buffer): void => {
  const answer = bsonFields(body)
  const status = answer.get('status')
  if (status?.type === 0x10 && status.bytes.readInt32LE() !== 0)
    throw new Failed('loco_refused', status.bytes.readInt32LE())
  const ticket = answer.get('ticket')
  const servers = ticket?.type === 0x03 ? bsonFields(ticket.bytes).get('lsl') : undefined
  if (servers?.type !== 0x04 || bsonFields(servers.bytes).size === 0) throw new Failed('loco_refused')
}

/** A BSON document (bsonspec.org) of strings. */
const bsonOf = (strings: Readonly<Record<string, string>>): Buffer => {
  const elements = Object.entries(strings).map(([name, value]) => {
    const length = Buffer.alloc(4)
    length.writeInt32LE(Buffer.byteLength(value) + 1)
    return Buffer.concat([Buffer.of(0x02), Buffer.from(`${name}\0`), length, Buffer.from(`${value}\0`)])
  })
  const length = Buffer.alloc(4)
  const body = Buffer.concat([...elements, Buffer.of(0)])
  length.writeInt32LE(body.length + 4)
  return Buffer.concat([length, body])
}

type Element = { type: number; bytes: Buffer }

/** Bytes of a value, by BSON type; of the others the value begins with its length. */
const sizes: Readonly<Record<number, (rest: Buffer) => number>> = {
  1: () => 8,
  2: rest => 4 + rest.readInt32LE(),
  3: rest => rest.readInt32LE(),
  4: rest => rest.readInt32LE(),
  5: rest => 5 + rest.readInt32LE(),
  7: () => 12,
  8: () => 1,
  9: () => 8,
  10: () => 0,
  16: () => 4,
  17: () => 8,
  18: () => 8,
}

/** The elements of a document, by name. Throws `loco_malformed` for anything that is not one. */
export const bsonFields = (document: Buffer): Map<string, Element> => {
  const fields = new Map<string, Element>()
  if (document.length < 5 || document.readInt32LE() !== document.length || document.at(-1) !== 0)
    throw new Failed('loco_malformed')
  let at = 4
  while (at < document.length - 1) {
    const type = document[at]!
    const end = document.indexOf(0, at + 1)
    const rest = document.subarray(end + 1, -1)
    const size =
      end > 0 && rest.length >= 4
        ? sizes[type]?.(rest)
        : rest.length >= 0 && end > 0 && (type === 0x08 || type === 0x0a)
          ? sizes[type]!(rest)
          : undefined
    if (size === undefined || size < 0 || size > rest.length) throw new Failed('loco_malformed')
    fields.set(document.toString('utf8', at + 1, end), { type, bytes: rest.subarray(0, size) })
    at = end + 1 + size
  }
  return fields
}
