import { randomInt } from 'node:crypto'
import type { TargetOf } from '../measurement/target.ts'
import { Failed } from './net/classify.ts'
import type { Channel } from './net/upgrade.ts'
import type { Probe } from './probe.ts'
import { decode, encode, first } from './wire/protobuf.ts'

type Words = TargetOf<'websocket'>['ask']['expect']['words']

/** A WebSocket, and where the app says something over it, that. */
export const websocket: Probe<'websocket'> = async ({ host, port, ask }, net) => {
  const { scheme, path, headers, protocol, roots, expect } = ask
  const stream = await net.reach()
  if (!stream) return
  if (scheme === 'wss' && !(await net.handshake(stream, { sni: host, alpn: ['http/1.1'], roots, verify: host }))) return
  const upgraded = await net.upgrade(stream, { scheme, host, port, path, headers, protocol, status: expect.status })
  if (!upgraded?.channel || expect.words === 'none') return
  const { channel } = upgraded
  const answered = await net.speak('protocol_handshake', stream, async () => {
    if (!(await conversations[expect.words](channel))) throw new Failed('websocket_answer_unexpected')
    return true
  })
  if (answered) net.prove('certificate')
}

/** What is said, and whether the answer is the app's. Reference endpoints.md §3 (Signal) and §5 (Discord). */
const conversations: Record<Words, (channel: Channel) => Promise<boolean>> = {
  none: async () => true,
  'discord-hello': async channel => isDiscordHello(await channel.receive()),
  'signal-keepalive': async channel => {
    const id = randomInt(1, 2 ** 31)
    channel.send(keepalive(id))
    return isKept(await channel.receive(), id)
  },
  'signal-provisioning': async channel => isProvisioning(await channel.receive()),
}

/** Discord's gateway speaks first: operation 10, with the interval of its heartbeat. */
export const isDiscordHello = (message: Buffer): boolean => {
  try {
    const hello = JSON.parse(message.toString()) as { op?: unknown; d?: { heartbeat_interval?: unknown } } | null
    return hello?.op === 10 && typeof hello.d?.heartbeat_interval === 'number'
  } catch {
    return false
  }
}

/** WebSocketMessage { type 1 REQUEST, request { 1 verb, 2 path, 4 id } }, signalapp WebSocketProtocol.proto. */
export const keepalive = (id: number): Buffer =>
  encode([
    [1, 1],
    [
      2,
      encode([
        [1, Buffer.from('GET')],
        [2, Buffer.from('/v1/keepalive')],
        [4, id],
      ]),
    ],
  ])

/** WebSocketMessage { type 2 RESPONSE, response { 1 id, 2 status } } to our request. */
export const isKept = (message: Buffer, id: number): boolean => {
  const outer = decode(message)
  const response = first(outer, 3)
  if (first(outer, 1) !== 2 || !Buffer.isBuffer(response)) return false
  const fields = decode(response)
  return first(fields, 1) === id && first(fields, 2) === 200
}

/** WebSocketMessage { REQUEST, { PUT, /v1/address, body } }: the server gives the new device an address at once. */
export const isProvisioning = (message: Buffer): boolean => {
  const outer = decode(message)
  const request = first(outer, 2)
  if (first(outer, 1) !== 1 || !Buffer.isBuffer(request)) return false
  const fields = decode(request)
  return (
    text(first(fields, 1)) === 'PUT' && text(first(fields, 2)) === '/v1/address' && Buffer.isBuffer(first(fields, 3))
  )
}

const text = (value: unknown): string | null => (Buffer.isBuffer(value) ? value.toString() : null)
