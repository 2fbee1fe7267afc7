import { read, writeSync } from 'node:fs'
import { Random } from '../bench/detection/random.ts'
import type { WireLine } from './namespace.ts'

/**
 * The wire between two network namespaces: reads IP packets of two TUN devices (file descriptors 3, the client's, and 4,
 * the server's, opened by whoever started this) and gives each to the other side late, through a drop-tail queue, or
 * not. Lines are told apart by the server's port. Runs until it is killed.
 */

const [CLIENT, SERVER] = [3, 4]
const { lines, seed } = JSON.parse(process.argv[2]!) as { lines: WireLine[]; seed: number }
const random = new Random(seed)
type State = { line: WireLine; free: number; lastDown: number; lastUp: number; wander: number; wandered: number }
const states = new Map<number, State>()
for (const line of lines) {
  const state = { line, free: 0, lastDown: 0, lastUp: 0, wander: random.normal() * line.wander, wandered: 0 }
  for (const port of line.ports) states.set(port, state)
}

const seconds = (): number => performance.now() / 1_000
const due: { at: number; to: number; packet: Buffer }[] = []
let timer: NodeJS.Timeout | null = null

const flush = (): void => {
  timer = null
  const now = seconds()
  while (due.length > 0 && due[0]!.at <= now) {
    const { to, packet } = due.shift()!
    try {
      writeSync(to, packet)
    } catch {
      // The device is going away, or its queue is full: a lost packet.
    }
  }
  if (due.length > 0) timer = setTimeout(flush, Math.max(0, (due[0]!.at - seconds()) * 1_000))
}

const schedule = (at: number, to: number, packet: Buffer): void => {
  let place = due.length
  while (place > 0 && due[place - 1]!.at > at) place--
  due.splice(place, 0, { at, to, packet })
  if (place > 0 && timer) return
  if (timer) clearTimeout(timer)
  timer = setTimeout(flush, Math.max(0, (due[0]!.at - seconds()) * 1_000))
}

const FORGET = 0.98

const capacity = (state: State, now: number): number => {
  if (now - state.wandered > 5) state.wandered = now - 5
  for (; state.wandered + 0.1 < now; state.wandered += 0.1) {
    state.wander = FORGET * state.wander + Math.sqrt(1 - FORGET ** 2) * state.line.wander * random.normal()
  }
  return state.line.capacity * Math.exp(state.wander)
}

const down = (state: State, packet: Buffer): void => {
  const now = seconds()
  const { line } = state
  if (random.next() < line.loss || state.free - now > line.queue) return
  state.free = Math.max(now, state.free) + packet.length / capacity(state, now)
  state.lastDown = Math.max(state.lastDown, state.free + line.rtt / 2 + random.exponential(line.jitter))
  schedule(state.lastDown, CLIENT, packet)
}

const up = (state: State, packet: Buffer): void => {
  if (random.next() < state.line.loss) return
  state.lastUp = Math.max(state.lastUp, seconds() + state.line.rtt / 2 + random.exponential(state.line.jitter))
  schedule(state.lastUp, SERVER, packet)
}

/** TCP port of an IPv4 packet's head: its source, or its destination. */
const portOf = (packet: Buffer, which: 'from' | 'to'): number => {
  const at = (packet[0]! & 15) * 4 + (which === 'from' ? 0 : 2)
  return packet[0]! >> 4 === 4 && packet[9] === 6 && packet.length >= at + 2 ? packet.readUInt16BE(at) : 0
}

const pump = (from: number): void => {
  const buffer = Buffer.alloc(2_048)
  read(from, buffer, 0, buffer.length, null, (error, length) => {
    if (error) process.exit(0)
    const packet = Buffer.from(buffer.subarray(0, length))
    const state = states.get(portOf(packet, from === CLIENT ? 'to' : 'from'))
    if (state) (from === CLIENT ? up : down)(state, packet)
    pump(from)
  })
}
pump(CLIENT)
pump(SERVER)
console.log('ready')
