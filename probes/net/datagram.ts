import { createSocket, type Socket } from 'node:dgram'
import { isIP } from 'node:net'
import type { Operation } from '../../measurement/step.ts'
import { Failed } from './classify.ts'
import { agentsOwn, refuse } from './connect.ts'
import type { Meter, Note, Trace } from './trace.ts'

/** Most datagrams kept unread; a flood beyond it is dropped, not stored. */
const MAX_WAITING = 64

/** Datagrams to and from one peer: the socket is connected, so that the kernel drops everyone else's. */
export type Datagrams = {
  send(bytes: Uint8Array): void
  /** The next datagram, or null after so many seconds; without a limit, after the run's. */
  receive(seconds?: number): Promise<Buffer | null>
  /** Seconds since the run began. */
  now(): number
  /** The answer is here (`Trace.took`). */
  took(note: Note, from: number): void
  /** The run is over. */
  closed(): boolean
}

/** Seconds between one sending of a question and the next, as clients over UDP do it: one lost packet says nothing. */
const AGAIN = [1, 2]
/** Seconds waited for the true answer after a false one. */
const AFTER_FALSE = 1

/**
 * Send a question until it is answered. The duration is that of the last one sent, so that a lost packet does not read as
 * a slow network. Datagrams that `judge` refuses with a name ending in `_malformed` are passed over, since anyone can send
 * one; they are the failure where no true answer follows.
 */
export const askUntilAnswered = async <T>(
  peer: Datagrams,
  question: Buffer,
  note: Note,
  judge: (answer: Buffer) => T,
): Promise<T> => {
  let refused: Failed | null = null
  for (const wait of [...AGAIN, undefined]) {
    const from = peer.now()
    peer.send(question)
    for (;;) {
      const seconds = refused ? AFTER_FALSE : wait
      const answer = await peer.receive(seconds === undefined ? undefined : Math.max(0, from + seconds - peer.now()))
      if (answer === null) break
      try {
        const value = judge(answer)
        peer.took(note, from)
        return value
      } catch (error) {
        if (!(error instanceof Failed && error.failure.endsWith('_malformed'))) throw error
        refused = error
      }
    }
    if (refused) throw refused
  }
  throw new Failed('generic_timeout_error')
}

/** Milliseconds between the datagrams of a train (20 a second, as voice packets come), and seconds waited after the last. */
const PACE = 50
const PATIENCE = 1

/**
 * Send so many questions at a steady pace and note each one's round trip, -1 where none came. Loss is what is measured;
 * only a train without any answer is a failure. `numberOf` tells which question an answer is to.
 */
export const datagramTrain = async (
  peer: Datagrams,
  note: Note,
  train: { count: number; question(number: number): Buffer; numberOf(answer: Buffer): number | undefined },
): Promise<void> => {
  const sent: number[] = []
  const trips: number[] = Array(train.count).fill(-1)
  const began = peer.now()
  const pace = setInterval(() => {
    if (sent.length >= train.count || peer.closed()) return clearInterval(pace)
    sent.push(peer.now())
    peer.send(train.question(sent.length - 1))
  }, PACE)
  const until = began + (train.count * PACE) / 1000 + PATIENCE
  while (trips.includes(-1)) {
    const answer = await peer.receive(Math.max(0, until - peer.now()))
    if (answer === null) break
    const number = train.numberOf(answer) ?? -1
    if (trips[number] === -1 && sent[number] !== undefined) trips[number] = peer.now() - sent[number]
  }
  clearInterval(pace)
  note.series = trips
  note.count = trips.filter(trip => trip >= 0).length
  if (note.count === 0) throw new Failed('generic_timeout_error')
}

export const datagram = async <T>(
  trace: Trace,
  operation: Operation,
  address: string,
  port: number,
  words: (peer: Datagrams, note: Note) => Promise<T>,
): Promise<T | null> => {
  const bytes = { sent: 0, received: 0 }
  const meter: Meter = () => ({ ...bytes })
  return trace.step(operation, meter, async note => {
    refuse(trace, address)
    // Neither CONNECT nor SOCKS5 as we speak it carries UDP.
    if (trace.options.proxy) throw new Failed('proxy_failed')
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
    const closed = new Promise<void>(resolve => socket.once('close', resolve))
    let open = true
    const destroy = (): void => {
      if (open) socket.close()
      open = false
    }
    trace.keep({ destroy, closed }, meter)
    try {
      await connected(socket, address, port)
    } catch (error) {
      throw agentsOwn(error, address)
    }
    trace.connected = address
    return words(peerOf(socket, bytes, trace), note)
  })
}

const connected = (socket: Socket, address: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject)
    // Node tells the callback, and nobody else, that it failed; its types do not say so.
    socket.connect(port, address, ((error?: Error) => {
      socket.off('error', reject)
      if (error) reject(error)
      else resolve()
    }) as () => void)
  })

const peerOf = (socket: Socket, bytes: { sent: number; received: number }, trace: Trace): Datagrams => {
  const waiting: Buffer[] = []
  let trouble: Error | null = null
  let closed = false
  let wake = (): void => {}
  socket.on('error', error => {
    trouble ??= error
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  socket.on('message', message => {
    bytes.received += message.length
    if (waiting.length < MAX_WAITING) waiting.push(message)
    wake()
  })
  return {
    now: () => trace.now(),
    took: (note, from) => trace.took(note, from),
    closed: () => closed,
    send: message => {
      bytes.sent += message.length
      // An ICMP refusal comes back as an error of a later send or of the socket.
      socket.send(message, error => {
        if (error) socket.emit('error', error)
      })
    },
    receive: async seconds => {
      if (waiting.length === 0 && trouble === null) {
        await new Promise<void>(resolve => {
          const timer = seconds === undefined ? undefined : setTimeout(resolve, seconds * 1000)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      const next = waiting.shift()
      if (next) return next
      if (trouble) throw trouble
      return null
    },
  }
}
