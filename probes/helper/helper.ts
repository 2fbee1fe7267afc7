import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, TLSSocket } from 'node:tls'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { PATH } from '../wire/helper.ts'
import { certificate } from './certificate.ts'
import { openDatagrams, Tokens } from './datagrams.ts'
import { Closed, type Grants, MOST_SECONDS, SILENT_SECONDS, serve, serveOpened } from './flows.ts'
import { Limits, type LimitsOptions } from './limits.ts'

export type HelperOptions = LimitsOptions & {
  host: string
  /** Each is listened on over TCP and UDP; 0 takes a free one. */
  ports: readonly number[]
  /** Seconds a connection may be silent. */
  silence?: number
}

export type Helper = { ports: readonly number[]; close(): Promise<void> }

/** Years its certificate lasts; nobody checks it, since it must serve under every name. */
const YEARS = 10
/** What a connection costs by itself, in TLS or with an answer of HTTP, and is charged for. */
const CONNECTION_BYTES = 500
/** Bytes of one WebSocket message. */
const MOST_MESSAGE = 65_536

/**
 * The other end of flows that differ in one thing only (docs/helper.md). Every port speaks all there is: TLS under whatever
 * name is asked for, WebSocket in TLS or in clear, and openings that look random or like MTProto's; told apart by the first
 * bytes. It opens no connection itself, and knows of who comes nothing but how much of a day they used.
 */
export const startHelper = async (options: HelperOptions): Promise<Helper> => {
  const limits = new Limits(options)
  const tokens = new Tokens()
  const doors = new Doors(limits, tokens, options.silence ?? SILENT_SECONDS)
  const open: { close(): Promise<void> }[] = [doors]
  const forgetting = setInterval(() => limits.forget(), 3_600_000).unref()
  const close = async () => {
    clearInterval(forgetting)
    await Promise.all(open.map(one => one.close()))
  }
  const ports: number[] = []
  try {
    for (const wanted of options.ports) {
      const { host } = options
      const server = createServer({ noDelay: true }, socket => doors.enter(socket))
      const port = await listen(server, host, wanted)
      open.push({ close: () => new Promise(resolve => server.close(() => resolve())) })
      ports.push(port)
      open.push(await openDatagrams({ host, port, ports }, limits, tokens))
    }
  } catch (error) {
    await close()
    throw error
  }
  return { ports, close }
}

const listen = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port))
  })

/** A record of a handshake (RFC 8446 §5.1). Its first byte alone begins one random opening in 256 too. */
const isTls = (first: Buffer): boolean => first[0] === 0x16 && (first[1] ?? 3) === 3 && (first[2] ?? 1) <= 4

/** Leads each connection to what it speaks. */
class Doors {
  private readonly limits: Limits
  private readonly tokens: Tokens
  private readonly sockets = new Set<Socket>()
  private readonly silence: number
  private readonly grants = new WeakMap<Duplex, Grants>()
  private readonly http = createHttp((_, response) => response.writeHead(404, { connection: 'close' }).end())
  private readonly webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MOST_MESSAGE,
    perMessageDeflate: false,
  })
  private readonly secureContext

  constructor(limits: Limits, tokens: Tokens, silence: number) {
    this.limits = limits
    this.tokens = tokens
    this.silence = silence * 1000
    const made = certificate('localhost', { to: new Date(Date.now() + YEARS * 365 * 86_400_000) })
    // In TLS 1.3 the certificate is not seen on the line, so that its name, which is none of an app, tells nobody.
    this.secureContext = createSecureContext({ key: made.keyPem, cert: made.pem, minVersion: 'TLSv1.3' })
    this.http.on('upgrade', (request, socket, head) => {
      const grants = this.grants.get(socket)
      if (!grants || request.url !== PATH) return void socket.destroy()
      this.webSockets.handleUpgrade(request, socket, head, webSocket => {
        // `ws` takes the limit away; in TLS it stands on the socket below.
        if (this.sockets.has(socket as Socket)) (socket as Socket).setTimeout(this.silence)
        const duplex = createWebSocketStream(webSocket)
        duplex.on('error', () => {})
        this.run(serve(duplex, grants), socket)
      })
    })
  }

  enter(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const leave = this.limits.open(address)
    socket.on('error', () => {})
    if (!leave) return void socket.destroy()
    if (!this.limits.take(address, CONNECTION_BYTES)) {
      leave()
      return void socket.destroy()
    }
    this.sockets.add(socket)
    const longest = setTimeout(() => socket.destroy(), MOST_SECONDS * 1000)
    socket.setTimeout(this.silence, () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(longest)
      this.sockets.delete(socket)
      leave()
    })
    const grants: Grants = {
      take: bytes => this.limits.take(address, bytes),
      token: () => this.tokens.issue(address),
    }
    this.lead(socket, grants, socket, 'clear')
  }

  /** By the first bytes, which stay to be read: TLS, a WebSocket, or neither. */
  private lead(duplex: Duplex, grants: Grants, socket: Socket, inside: 'clear' | 'tls'): void {
    duplex.once('readable', () => {
      const first = duplex.read() as Buffer | null
      if (first === null) return void socket.destroy()
      duplex.unshift(first)
      if (inside === 'clear' && isTls(first)) return this.secure(socket, grants)
      if (first.toString('latin1', 0, 4) === 'GET ') {
        this.grants.set(duplex, grants)
        this.http.emit('connection', duplex)
      } else this.run(inside === 'tls' ? serve(duplex, grants) : serveOpened(duplex, grants), socket)
    })
  }

  private secure(socket: Socket, grants: Grants): void {
    const tls = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.secureContext,
      ALPNProtocols: ['http/1.1'],
    })
    tls.on('error', () => socket.destroy())
    this.lead(tls, grants, socket, 'tls')
  }

  private run(flow: Promise<void>, socket: Duplex): void {
    flow.then(
      () => socket.end(),
      error => {
        socket.destroy()
        if (error instanceof Closed || (error as NodeJS.ErrnoException).code) return
        // A bug of ours; were it to stop the helper, whoever found it could silence it. Nothing of who came is in it.
        process.stderr.write(`peyk helper: bug, please report: ${(error as Error).stack}\n`)
      },
    )
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.webSockets.close()
    this.http.close()
  }
}
