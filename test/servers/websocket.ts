import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Certificate } from './certificates.ts'
import type { Peer } from './tcp.ts'

/** A WebSocket peer over TLS doing with each connection what the test says. */
export const webSocketPeer = async (
  leaf: Certificate,
  talk: (socket: WebSocket, request: { url: string; headers: Record<string, unknown> }) => void,
): Promise<Peer> => {
  const server = createServer({ key: leaf.keyPem, cert: leaf.pem })
  const sockets = new WebSocketServer({ server })
  const open = new Set<Duplex>()
  let connections = 0
  server.on('connection', socket => {
    connections++
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  sockets.on('connection', (socket, request) => {
    socket.on('error', () => {})
    talk(socket, { url: request.url ?? '', headers: request.headers })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      sockets.close()
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
