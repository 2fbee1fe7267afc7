import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'

/** A server on loopback that is closed, with its connections, by `await using`. */
export type Peer = { port: number; connections: () => number } & AsyncDisposable

type At = { host?: string; port?: number }

const listening = async (server: Server, { host = '127.0.0.1', port = 0 }: At): Promise<Peer> => {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', socket => {
    connections++
    sockets.add(socket)
    // A hostile server's client goes away as it likes.
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(port, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** A TCP peer doing with each connection what the test says. */
export const tcpPeer = (talk: (socket: Socket) => void, at: At = {}): Promise<Peer> => listening(createServer(talk), at)

/** A TLS peer; a client that breaks off the handshake is its right. */
export const tlsPeer = (
  options: TlsOptions,
  talk: (socket: TLSSocket) => void = () => {},
  at: At = {},
): Promise<Peer> => {
  const server = createTlsServer(options, socket => {
    socket.on('error', () => {})
    talk(socket)
  })
  server.on('tlsClientError', () => {})
  return listening(server, at)
}

/** A port nobody listens on. */
export const closedPort = async (): Promise<number> => {
  await using peer = await tcpPeer(() => {})
  return peer.port
}

/** Hostile ways every kind over TCP must survive, by name. */
export const hostile = {
  reset: (socket: Socket) => {
    socket.once('data', () => socket.resetAndDestroy())
  },
  hang: (socket: Socket) => {
    socket.resume()
  },
  close: (socket: Socket) => {
    socket.once('data', () => socket.end())
  },
  garbage: (socket: Socket) => {
    socket.once('data', () => socket.end(Buffer.alloc(4096, 'garbage 203.0.113.77 ')))
  },
} as const
