import WebSocket from 'ws'
import { Failed } from './classify.ts'
import type { Stream } from './stream.ts'
import type { Trace } from './trace.ts'

/** Longest message, and most messages that wait unread. */
const MAX_MESSAGE = 65_536
const MAX_WAITING = 64

/** How a WebSocket is asked for, and which statuses are healthy. */
export type Opening = {
  scheme: 'ws' | 'wss'
  host: string
  port: number
  path: string
  headers: Readonly<Record<string, string>>
  protocol: string | null
  status: readonly number[]
}

/** An open WebSocket. */
export type Channel = {
  send(message: Uint8Array): void
  /** The next message, text as UTF-8 bytes. Fails with `eof_error` where the peer closes. */
  receive(): Promise<Buffer>
}

/** The answer to the upgrade: its status, and the channel if it is 101. */
export type Upgraded = { status: number; channel: Channel | null }

/** Step `upgrade` (RFC 6455) on an open stream; `ws` speaks on the socket we opened, traced and checked. */
export const upgrade = (trace: Trace, stream: Stream, opening: Opening): Promise<Upgraded | null> =>
  trace.step('upgrade', stream.meter, async note => {
    const upgraded = await open(stream, opening)
    note.code = upgraded.status
    if (!opening.status.includes(upgraded.status)) throw new Failed('http_unexpected_status_code')
    return upgraded
  })

const open = (stream: Stream, { scheme, host, port, path, headers, protocol }: Opening): Promise<Upgraded> => {
  const place = host.includes(':') ? `[${host}]` : host
  const socket = new WebSocket(`${scheme}://${place}:${port}${path}`, protocol === null ? [] : [protocol], {
    createConnection: () => stream.take(),
    headers: { ...headers },
    followRedirects: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
    skipUTF8Validation: true,
  })
  const channel = channelOf(socket, stream)
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve({ status: 101, channel }))
    socket.once('error', error => reject(named(error)))
    socket.once('unexpected-response', (_, answer) => {
      answer.on('error', () => {})
      resolve({ status: answer.statusCode ?? 0, channel: null })
    })
  })
}

/** Errors of sockets and of Node's HTTP parser have a code; those of `ws` itself mean that the peer does not speak WebSocket. */
const named = (error: Error): Error => {
  const { code } = error as { code?: string }
  return code === undefined || code.startsWith('WS_ERR_') ? new Failed('websocket_malformed') : error
}

const channelOf = (socket: WebSocket, stream: Stream): Channel => {
  const waiting: Buffer[] = []
  let trouble: Error | null = null
  let wake = (): void => {}
  const end = (error: Error): void => {
    trouble ??= error
    wake()
  }
  socket.on('error', error => end(named(error)))
  socket.on('close', () => end(new Failed('eof_error')))
  // `binaryType` is nodebuffer unless set: every message is one Buffer.
  socket.on('message', message => {
    waiting.push(message as Buffer)
    // A peer that floods is cut off, not stored.
    if (waiting.length > MAX_WAITING) stream.destroy()
    wake()
  })
  return {
    send: message => socket.send(message, { binary: true }, () => {}),
    receive: async () => {
      while (waiting.length === 0) {
        if (trouble) throw trouble
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      return waiting.shift()!
    },
  }
}

/** Bytes by number, as a protocol inside a WebSocket reads them: message boundaries mean nothing to it. */
export const wireOf = (channel: Channel): { write(bytes: Uint8Array): void; read(length: number): Promise<Buffer> } => {
  let left: Buffer = Buffer.alloc(0)
  return {
    write: bytes => channel.send(bytes),
    read: async length => {
      while (left.length < length) left = Buffer.concat([left, await channel.receive()])
      const bytes = left.subarray(0, length)
      left = left.subarray(length)
      return bytes
    },
  }
}
