import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import {
  knownBytes,
  PACKET_OVERHEAD,
  readStreamAsk,
  type StreamAsk,
  streamPacket,
  TOKEN_BYTES,
} from '../wire/helper.ts'
import type { Limits } from './limits.ts'

/** Largest datagram that is echoed, and seconds for which a token is good. */
const MOST_ECHO = 512
const TOKEN_SECONDS = 60
const MOST_TOKENS = 10_000

/** Ports below are those of services: no NAT gives them to an agent's datagrams (RFC 4787 §4.2.1). */
const LEAST_PORT = 1_024

type Token = { address: string; until: number }

/**
 * Tokens tell that whoever sends datagrams from an address also spoke TCP from it, so that the address is no forged one.
 * Each is good for one stream.
 */
export class Tokens {
  private readonly known = new Map<string, Token>()

  issue(address: string): Buffer {
    const now = performance.now() / 1000
    for (const [key, { until }] of this.known) if (until < now || this.known.size >= MOST_TOKENS) this.known.delete(key)
    const token = randomBytes(TOKEN_BYTES)
    this.known.set(token.toString('hex'), { address, until: now + TOKEN_SECONDS })
    return token
  }

  /** Whether this address was given the token, and has not used it. */
  isGood(token: Buffer, address: string): boolean {
    const found = this.known.get(token.toString('hex'))
    return found !== undefined && found.address === address && found.until >= performance.now() / 1000
  }

  use(token: Buffer): void {
    this.known.delete(token.toString('hex'))
  }
}

/** Whether nobody else would answer there: two that echo send a forged datagram to and fro until a day is used up. */
export const isAgents = (port: number, ours: readonly number[]): boolean => port >= LEAST_PORT && !ours.includes(port)

/**
 * Echoes datagrams as they are, byte for byte, so that never more goes out than came in; and streams as many as a token
 * asks for, to the address it was given to. Everything counts against that address's day. `ports` are the helper's own.
 */
export const openDatagrams = async (
  place: { host: string; port: number; ports: readonly number[] },
  limits: Limits,
  tokens: Tokens,
): Promise<{ close(): Promise<void> }> => {
  const socket = createSocket(place.host.includes(':') ? 'udp6' : 'udp4')
  const streams = new Set<NodeJS.Timeout>()
  socket.on('message', (datagram, from) => {
    if (!isAgents(from.port, place.ports)) return
    const ask = readStreamAsk(datagram)
    const token = datagram.subarray(0, TOKEN_BYTES)
    if (ask && tokens.isGood(token, from.address)) {
      // What is refused may be asked again.
      if (!limits.take(from.address, ask.packets * ask.size)) return
      tokens.use(token)
      stream(socket, datagram, ask, from, streams)
    } else if (datagram.length <= MOST_ECHO && limits.take(from.address, datagram.length)) {
      socket.send(datagram, from.port, from.address, () => {})
    }
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(place.port, place.host, () => {
      socket.off('error', reject)
      // What the network says of a datagram that went out is nobody's business.
      socket.on('error', () => {})
      resolve()
    })
  })
  return {
    close: async () => {
      for (const timer of streams) clearInterval(timer)
      await new Promise<void>(resolve => socket.close(() => resolve()))
    },
  }
}

const TICK = 10

const stream = (
  socket: Socket,
  asked: Buffer,
  { packets, size, perSecond }: StreamAsk,
  to: RemoteInfo,
  streams: Set<NodeJS.Timeout>,
): void => {
  const head = Buffer.from(asked)
  const known = knownBytes(asked.subarray(0, TOKEN_BYTES))
  const began = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.min(packets, Math.floor(((performance.now() - began) / 1000) * perSecond) + 1)
    for (; sent < due; sent++) {
      socket.send(streamPacket(head, sent, known(size - PACKET_OVERHEAD)), to.port, to.address, () => {})
    }
    if (sent < packets) return
    clearInterval(timer)
    streams.delete(timer)
  }, TICK)
  streams.add(timer)
}
