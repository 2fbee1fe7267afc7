import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { type Opening, readOpening } from './opening.ts'
import { pipe, type Way } from './pipe.ts'

/**
 * A middlebox in user space, no root needed: clients connect to its port, it connects to the real peer's, and in between
 * it does what its rules say. Rules may change while it runs; flows under way go by the new ones from then on.
 *
 * The client must speak first, as in every protocol that is probed: by its first bytes a flow is known.
 *
 * What it cannot do: drop a single packet (a rate is a queue's, a shaper), or delay the kernel's answer to a SYN (an added
 * delay shows from the first byte on, and not in `connect`). test/lab/namespace.ts can, with root.
 */
export type Rules = {
  /** What becomes of SYNs: a RST, or nothing. */
  connect?: 'refuse' | 'drop'
  /** Seconds added to every round trip. */
  delay?: number
  /** The first rule whose `when` holds for a flow's first bytes is its fate; without any it passes. */
  flows?: readonly Rule[]
}

export type Rule = Partial<Omit<Way, 'delay'>> & {
  /** The flows meant; all where absent. */
  when?: (opening: Opening) => boolean
  /** Seconds added to every round trip of such a flow. */
  delay?: number
  /** Once it is recognised: reset or closed to the client, answered nothing, or sent this and closed (a block page). */
  cut?: 'reset' | 'close' | 'hang' | { page: string }
  /** Seconds for which every later flow to this port is answered nothing once this rule struck. */
  residual?: number
}

export type Relay = {
  port: number
  set(rules: Rules): Promise<void>
  /** Flows each rule has struck, by its place in `flows`; the count begins anew with every `set`. */
  struck(): readonly number[]
} & AsyncDisposable

const free: Way = {
  delay: 0,
  rate: Number.POSITIVE_INFINITY,
  burst: 16_384,
  freeze: Number.POSITIVE_INFINITY,
}

/** A censor between a loopback port and its clients, who find it at `host`; agents ask an address once a minute. */
export const relayTo = async (upstream: number, initial: Rules = {}, host = '127.0.0.1'): Promise<Relay> => {
  const sockets = new Set<Socket>()
  let rules = initial
  let struck: number[] = []
  let silentUntil = 0
  let deaf: Deaf | null = null

  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    return socket.on('close', () => sockets.delete(socket))
  }

  const find = (opening: Opening): number => (rules.flows ?? []).findIndex(({ when }) => when?.(opening) ?? true)

  const pass = (client: Socket, opening: Opening): void => {
    const server = keep(connect({ port: upstream, host: '127.0.0.1', allowHalfOpen: true }))
    const rule = (): Rule => rules.flows?.[find(opening)] ?? {}
    const way = (): Way => ({ ...free, ...rule(), delay: ((rules.delay ?? 0) + (rule().delay ?? 0)) / 2 })
    // A freeze strikes what comes down; what goes up passes.
    pipe(client, server, () => ({ ...way(), freeze: free.freeze }), opening.first)
    pipe(server, client, way)
    server.on('close', () => {
      if (server.errored) client.resetAndDestroy()
    })
    client.on('close', () => server.destroy())
  }

  const cut = (client: Socket, how: NonNullable<Rule['cut']>): void => {
    if (how === 'reset') client.resetAndDestroy()
    else if (how === 'close') client.end()
    else if (how === 'hang') hang(client)
    else client.end(how.page)
  }

  const judge = (client: Socket, opening: Opening): void => {
    const at = find(opening)
    const rule = rules.flows?.[at]
    if (rule) struck[at] = (struck[at] ?? 0) + 1
    if (rule?.residual) silentUntil = performance.now() + rule.residual * 1_000
    if (rule?.cut) cut(client, rule.cut)
    else pass(client, opening)
  }

  const server = createServer({ allowHalfOpen: true }, client => {
    keep(client)
    if (performance.now() < silentUntil) return hang(client)
    let bytes: Buffer = Buffer.alloc(0)
    const read = (more: Buffer): void => {
      bytes = Buffer.concat([bytes, more])
      const opening = readOpening(bytes)
      if (!opening) return
      client.off('data', read).off('end', leave)
      judge(client, opening)
    }
    const leave = (): void => void client.end()
    client.on('data', read).on('end', leave)
  })
  const listen = async (at: number): Promise<void> => {
    server.listen(at, host)
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo

  /** Make SYNs fare as the rules say. */
  const open = async (): Promise<void> => {
    await deaf?.[Symbol.asyncDispose]()
    deaf = null
    if (rules.connect && server.listening) server.close()
    if (!rules.connect && !server.listening) await listen(port)
    if (rules.connect === 'drop') deaf = await goDeaf(host, port)
  }
  await open()

  return {
    port,
    struck: () => struck,
    set: async changed => {
      rules = changed
      struck = []
      silentUntil = 0
      await open()
    },
    [Symbol.asyncDispose]: async () => {
      await deaf?.[Symbol.asyncDispose]()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** Say nothing until the client gives up. */
const hang = (client: Socket): void => void client.resume().on('end', () => client.destroy())

type Deaf = AsyncDisposable

/** Milliseconds after which a connect on loopback is taken for dropped. */
const DROPPED = 60

/** Nobody answers on this port, not even the kernel (deaf.ts). */
const goDeaf = async (host: string, port: number): Promise<Deaf> => {
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('./deaf.ts', import.meta.url), { workerData: { host, port, stop } })
  await once(worker, 'message')
  const fillers: Socket[] = []
  for (let connected = true; connected && fillers.length < 16; ) {
    const filler = connect(port, host).on('error', () => {})
    fillers.push(filler)
    connected = await Promise.race([
      once(filler, 'connect').then(() => true),
      new Promise<boolean>(resolve => setTimeout(() => resolve(false), DROPPED)),
    ])
  }
  return {
    [Symbol.asyncDispose]: async () => {
      for (const filler of fillers) filler.destroy()
      Atomics.store(stop, 0, 1)
      Atomics.notify(stop, 0)
      await once(worker, 'exit')
    },
  }
}
