import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { decode } from 'dns-packet'
import { Random } from '../bench/detection/random.ts'
import { dnsAnswer } from '../servers/dns.ts'

/** A middlebox for datagrams, STUN, QUIC and DNS alike; it loses packets as a network does. Rules may change while it runs. */
export type DatagramRules = {
  /** Seconds added to every round trip. */
  delay?: number
  /** Share of datagrams lost, each way by itself. */
  lost?: { up?: number; down?: number }
  /** The datagrams that are lost so; all where absent. */
  when?: (datagram: Buffer) => boolean
  /** Bytes a second in each direction, beyond a burst of 8 KB dropped: a policer. */
  rate?: number
  /** What is answered in the peer's place, and whether the peer's own answer comes too. */
  inject?: { answer: (query: Buffer) => Buffer | null; late?: boolean }
}

export type DatagramRelay = { port: number; set(rules: DatagramRules): void } & AsyncDisposable

const BURST = 8_192

export const datagramsTo = async (
  upstream: number,
  initial: DatagramRules = {},
  seed = 1,
  at = 0,
): Promise<DatagramRelay> => {
  let rules = initial
  const random = new Random(seed)
  const front = createSocket('udp4')
  const backs = new Map<number, Socket>()
  const timers = new Set<NodeJS.Timeout>()
  const buckets = { up: bucket(), down: bucket() }

  const pass = (way: 'up' | 'down', message: Buffer, send: () => void): void => {
    const lost = (rules.when?.(message) ?? true) ? (rules.lost?.[way] ?? 0) : 0
    if (random.next() < lost || !buckets[way](message.length, rules.rate)) return
    if (!rules.delay) {
      send()
      return
    }
    const timer = setTimeout(() => {
      timers.delete(timer)
      send()
    }, rules.delay * 500)
    timers.add(timer)
  }

  const backOf = (port: number): Socket => {
    const known = backs.get(port)
    if (known) return known
    const back = createSocket('udp4').on('error', () => {})
    back.on('message', message => pass('down', message, () => front.send(message, port, '127.0.0.1')))
    backs.set(port, back)
    return back
  }

  front.on('error', () => {})
  front.on('message', (message, { port }) => {
    const forged = rules.inject?.answer(message)
    // A forger stands nearer than the peer: its answer comes without the way's delay.
    if (forged) front.send(forged, port, '127.0.0.1')
    if (forged && !rules.inject?.late) return
    pass('up', message, () => backOf(port).send(message, upstream, '127.0.0.1'))
  })
  front.bind(at, '127.0.0.1')
  await once(front, 'listening')
  return {
    port: (front.address() as AddressInfo).port,
    set: changed => {
      rules = changed
    },
    [Symbol.asyncDispose]: async () => {
      for (const timer of timers) clearTimeout(timer)
      for (const socket of [front, ...backs.values()]) socket.close()
    },
  }
}

/** Whether a datagram finds tokens: a policer of one direction. */
const bucket = (): ((size: number, rate: number | undefined) => boolean) => {
  let tokens = BURST
  let refilled = performance.now()
  return (size, rate) => {
    if (rate === undefined) return true
    const now = performance.now()
    tokens = Math.min(BURST, tokens + ((now - refilled) / 1_000) * rate)
    refilled = now
    if (tokens < size) return false
    tokens -= size
    return true
  }
}

/** Forges DNS answers to questions for one name, of one type or any: addresses, or a response code such as 3, NXDOMAIN. */
export const forger =
  (name: string, forged: { addresses?: readonly string[]; rcode?: number; type?: 'A' | 'AAAA' }) =>
  (query: Buffer): Buffer | null => {
    const [question] = decode(query).questions ?? []
    if (question?.name.toLowerCase() !== name || (forged.type && question.type !== forged.type)) return null
    return dnsAnswer(query, forged.addresses ?? [], { rcode: forged.rcode ?? 0 })
  }
