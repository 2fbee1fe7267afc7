import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { certificate } from './certificates.ts'

/**
 * A peer of its own process that answers after delays it is asked for, and knows afterwards how long it really took: a
 * timer fires when it can, so that what was asked for is not the truth. `GET /ID/TLS/FIRST`: before the TLS handshake
 * (milliseconds; the connection says it first, as one byte pair in clear would be no TLS, so it is taken from the port)
 * and before the answer's first byte. `GET /truth` gives what happened, by ID.
 */
export type Truth = { tls: number; first: number }

/** Delays before the TLS handshake, one listening port each, milliseconds. */
export const tlsDelays = [0, 5, 20, 100, 400, 400] as const

const truth = new Map<string, Truth>()

const serve = (tcp: Socket, delay: number, secureContext: ReturnType<typeof createSecureContext>): void => {
  tcp.on('error', () => {})
  const accepted = performance.now()
  const begin = (): void => {
    const tls = performance.now() - accepted
    const socket = new TLSSocket(tcp, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] })
    socket.on('error', () => tcp.destroy())
    socket.once('data', bytes => {
      const [, id = '', wait = '0'] = /^GET \/(\w+)\/(\d+)/.exec(bytes.toString('latin1')) ?? []
      const asked = performance.now()
      const answer = (): void => {
        const body = id === 'truth' ? JSON.stringify(Object.fromEntries(truth)) : 'ok'
        truth.set(id, { tls: delay === 0 ? 0 : tls, first: wait === '0' ? 0 : performance.now() - asked })
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
      }
      if (wait === '0') answer()
      else setTimeout(answer, Number(wait))
    })
  }
  if (delay === 0) begin()
  else setTimeout(begin, delay)
}

const listen = (delay: number, secureContext: ReturnType<typeof createSecureContext>): Promise<number> =>
  new Promise(resolve => {
    const server = createTcpServer({ noDelay: true }, socket => serve(socket, delay, secureContext))
    server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => resolve((server.address() as AddressInfo).port))
  })

if (import.meta.main) {
  const root = certificate('Bench root', { ca: true })
  const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })
  const context = createSecureContext({ key: leaf.keyPem, cert: leaf.pem })
  const ports = await Promise.all(tlsDelays.map(delay => listen(delay, context)))
  console.log(JSON.stringify({ ports, root: root.pem }))
}
