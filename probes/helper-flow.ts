import { randomBytes } from 'node:crypto'
import { packetsOf, STREAM } from '../measurement/judge/leg.ts'
import type { TargetOf } from '../measurement/target.ts'
import { Arrival } from './net/arrival.ts'
import { Failed } from './net/classify.ts'
import { type Datagrams, datagramTrain } from './net/datagram.ts'
import type { Net } from './net/net.ts'
import type { Stream } from './net/stream.ts'
import type { Note } from './net/trace.ts'
import { train } from './net/transfer.ts'
import { wireOf } from './net/upgrade.ts'
import {
  ACK_EVERY,
  type Command,
  datagramHead,
  ECHO_BYTES,
  knownBytes,
  opening,
  PACKET_OVERHEAD,
  PATH,
  readPacket,
  streamPacket,
  TOKEN_BYTES,
  writeAsk,
  writeStreamAsk,
} from './wire/helper.ts'

type Target = TargetOf<'transfer'>
type Flow = Exclude<Target['ask']['of'], { path: string }>
type Wire = Pick<Stream, 'write' | 'read'>
type Opened = { stream: Stream; wire: Wire }

/** Echoes of one train, as of `transfer.ts`; datagrams of one. */
const TRAIN = 25
const DATAGRAMS = { count: 50, size: 160 }
/** A packet that came in less than this share of the time until it is due was not sent at the pace that was asked for. */
const EARLY = 0.7
/** Seconds waited for the first datagram of a stream, and after the time of the last. */
const PATIENCE = 1

/** Bytes against time with Peyk's helper, whose every flow is known byte for byte. */
export const withHelper = async (target: Target, of: Flow, net: Net, signal: AbortSignal): Promise<void> => {
  if (of.over === 'udp') return overUdp(target, of, net, signal)
  const { bytes, trains } = target.ask
  const opened = await open(target, of, net)
  if (!opened) return
  const whole = await (of.up ? up : down)(opened, bytes, net)
  for (let left = trains; whole && left > 0; left--) {
    opened.stream.destroy()
    const next = await open(target, of, net)
    if (!next) return
    await echo(next, net)
    next.stream.destroy()
  }
}

/** TCP, and what the flow wraps its bytes in. */
const open = async ({ host, port }: Target, { over, sni, shape }: Flow, net: Net): Promise<Opened | null> => {
  const stream = await net.reach()
  if (!stream) return null
  if (over === 'tcp') return { stream, wire: disguised(stream, shape === 'obfuscated2' ? shape : 'random') }
  const alpn = over === 'websocket' ? ['http/1.1'] : []
  if (!(await net.handshake(stream, { sni, alpn, roots: 'public', verify: null }))) return null
  if (over === 'tls') return { stream, wire: stream }
  const asked = {
    scheme: 'wss',
    host: sni ?? host,
    port,
    path: PATH,
    headers: {},
    protocol: 'binary',
    status: [101],
  } as const
  const upgraded = await net.upgrade(stream, asked)
  return upgraded?.channel ? { stream, wire: wireOf(upgraded.channel) } : null
}

/** The opening leaves with the first question, as that of MTProto does. */
const disguised = (stream: Stream, shape: 'random' | 'obfuscated2'): Wire => {
  const { bytes, encrypt, decrypt } = opening(shape, Date.now())
  let first = bytes
  return {
    write: question => {
      stream.write(Buffer.concat([first, encrypt.update(question)]))
      first = Buffer.alloc(0)
    },
    read: async length => decrypt.update(await stream.read(length)),
  }
}

/** Step `protocol_handshake`: a question, and whether it is granted. Gives the seed, and the bytes on the socket before. */
const asked = (
  { stream, wire }: Opened,
  net: Net,
  question: { command: Command; count: number },
  more: (note: Note) => Promise<unknown> = async () => {},
): Promise<{ seed: Buffer; before: number } | null> =>
  net.speak('protocol_handshake', stream, async (_, note) => {
    const seed = randomBytes(16)
    const before = stream.meter().received
    wire.write(writeAsk({ ...question, seed }))
    const [status] = await wire.read(1)
    if (status === 1) throw new Failed('helper_refused')
    if (status !== 0) throw new Failed('helper_wrong_bytes')
    await more(note)
    return { seed, before }
  })

const PIECE = 16_384

const down = async (opened: Opened, bytes: number, net: Net): Promise<unknown> => {
  const granted = await asked(opened, net, { command: 'down', count: bytes })
  if (!granted) return null
  const known = knownBytes(granted.seed)
  return net.flow(opened.stream, granted.before, async () => {
    for (let left = bytes; left > 0; left -= PIECE) {
      const length = Math.min(left, PIECE)
      if (!(await opened.wire.read(length)).equals(known(length))) throw new Failed('helper_wrong_bytes')
    }
    return true
  })
}

/** What the helper has acknowledged is what is timed: bytes that wait in this machine's own queue are not on the way. */
const up = async (opened: Opened, bytes: number, net: Net): Promise<unknown> => {
  const granted = await asked(opened, net, { command: 'up', count: bytes })
  if (!granted) return null
  const known = knownBytes(granted.seed)
  let come = 0
  const words = async () => {
    for (let left = bytes; left > 0; left -= PIECE) opened.wire.write(known(Math.min(left, PIECE)))
    while (come < bytes) {
      const total = (await opened.wire.read(4)).readUInt32BE()
      if (total !== Math.min(bytes, come + ACK_EVERY)) throw new Failed('helper_wrong_bytes')
      come = total
    }
    return true
  }
  return net.flow(opened.stream, opened.stream.meter().received, words, () => come)
}

const echo = (opened: Opened, net: Net): Promise<unknown> =>
  asked(opened, net, { command: 'echo', count: TRAIN }, note =>
    train(note, TRAIN, async () => {
      const message = randomBytes(ECHO_BYTES)
      opened.wire.write(message)
      if (!(await opened.wire.read(ECHO_BYTES)).equals(message)) throw new Failed('helper_wrong_bytes')
    }),
  )

/** A token over TCP, a train of datagrams that come back, and a stream of others; all to one port. */
const overUdp = async (target: Target, { shape }: Flow, net: Net, signal: AbortSignal): Promise<void> => {
  const address = await net.resolve(target.host)
  if (address === null) return
  const stream = await net.connect(address, target.port)
  if (!stream) return
  const wire = disguised(stream, 'random')
  let token: Buffer = Buffer.alloc(0)
  const granted = await asked({ stream, wire }, net, { command: 'token', count: 0 }, async () => {
    token = await wire.read(TOKEN_BYTES)
  })
  if (!granted) return
  const as = shape === 'call' ? shape : 'random'
  const echoed = await net.datagram('datagram', address, target.port, async (peer, note) => {
    await echoes(peer, datagramHead(randomBytes(16), as), note)
    return true
  })
  if (!echoed) return
  await net.datagram('transfer', address, target.port, (peer, note) =>
    streamed(peer, { token, shape: as, bytes: target.ask.bytes }, note, signal),
  )
}

const echoes = (peer: Datagrams, head: Buffer, note: Note): Promise<void> => {
  const { count, size } = DATAGRAMS
  const rest = size - head.length - 4
  return datagramTrain(peer, note, {
    count,
    question: number => streamPacket(head, number, randomBytes(rest)),
    numberOf: answer =>
      answer.length === size && answer.subarray(0, head.length).equals(head) ? readPacket(answer)?.number : undefined,
  })
}

/** Packets that are lost do not come again: `count` says how many came, and the step ends with the last of them. */
const streamed = async (
  peer: Datagrams,
  { token, shape, bytes }: { token: Buffer; shape: 'call' | 'random'; bytes: number },
  note: Note,
  signal: AbortSignal,
): Promise<true> => {
  const packets = packetsOf(bytes)
  const pieces = piecesOf(token, packets)
  const seen = new Set<number>()
  let got = 0
  const began = peer.now()
  const arrival = new Arrival(note, () => got)
  const stop = () => arrival.stopAtLast()
  signal.addEventListener('abort', stop)
  try {
    // The question may be lost like any datagram; the token is good until it arrives.
    let questions = 3
    let until = peer.now()
    while (seen.size < packets) {
      if (peer.now() >= until) {
        if (seen.size > 0 || questions-- === 0) break
        peer.send(writeStreamAsk(token, shape, { packets, ...STREAM }))
        until = peer.now() + PATIENCE
      }
      const datagram = await peer.receive(Math.max(0, until - peer.now()))
      const packet = datagram && readPacket(datagram)
      const piece = packet && pieces[packet.number]
      // No packet of the stream is the echo of a question that came when its token was used up.
      if (!piece || seen.has(packet.number)) continue
      if (!piece.equals(packet.known)) throw new Failed('helper_wrong_bytes')
      // Counted from the question: what a line keeps and gives all at once was sent no sooner either.
      if (peer.now() - began < (EARLY * packet.number) / STREAM.perSecond) throw new Failed('transfer_too_fast')
      if (seen.size === 0) until = peer.now() + packets / STREAM.perSecond + PATIENCE
      seen.add(packet.number)
      got += datagram.length
      arrival.look()
      peer.took(note, began)
    }
    note.count = seen.size
    if (seen.size === 0) throw new Failed('generic_timeout_error')
    return true
  } finally {
    stop()
    signal.removeEventListener('abort', stop)
  }
}

const piecesOf = (token: Buffer, packets: number): Buffer[] => {
  const known = knownBytes(token)
  return Array.from({ length: packets }, () => known(STREAM.size - PACKET_OVERHEAD))
}
