import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { mayHaveWaited, watchLoop } from '../../probes/net/stall.ts'
import { certificate } from './certificates.ts'

/**
 * A peer of its own process that answers after delays it is asked for, and knows afterwards how long it really took: a
 * timer fires when it can, so that what was asked for is not the truth. The port says the delay between ClientHello and
 * the handshake, `GET /ID/FIRST` that before the answer's first byte, both in milliseconds. `GET /truth/0` gives what
 * happened, by ID; null where this process may have been busy when the bytes came, so that nobody knows.
 */
export type Truth = { tls: number | null; first: number | null }

/** Delays before the TLS handshake, one listening port each, milliseconds. */
export const tlsDelays = [0, 5, 20, 100, 400, 400] as const

const truth = new Map<string, Truth>()

/** Most milliseconds this process may have kept bytes waiting before its clock for them began. */
const KNOWN = 1
const began = (): number => (mayHaveWaited() <= KNOWN ? performance.now() : Number.NaN)
/** JSON has null for what is no number. */
const since = (start: number): number => performance.now() - start

const serve = (tcp: Socket, delay: number, secureContext: ReturnType<typeof createSecureContext>): void => {
  tcp.on('error', () => {})
  const begin = (tls: number): void => {
    const socket = new TLSSocket(tcp, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] })
    socket.on('error', () => tcp.destroy())
    socket.once('data', bytes => {
      const asked = began()
      const [, id = '', wait = '0'] = /^GET \/(\w+)\/(\d+)/.exec(bytes.toString('latin1')) ?? []
      const answer = (): void => {
        const body = id === 'truth' ? JSON.stringify(Object.fromEntries(truth)) : 'ok'
        truth.set(id, { tls, first: since(asked) })
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
      }
      if (wait === '0') answer()
      else setTimeout(answer, Number(wait))
    })
  }
  tcp.once('data', hello => {
    const came = began()
    tcp.pause()
    tcp.unshift(hello)
    if (delay === 0) begin(since(came))
    else setTimeout(() => begin(since(came)), delay)
  })
}

const listen = (delay: number, secureContext: ReturnType<typeof createSecureContext>): Promise<number> =>
  new Promise(resolve => {
    const server = createTcpServer({ noDelay: true }, socket => serve(socket, delay, secureContext))
    server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => resolve((server.address() as AddressInfo).port))
  })

if (import.meta.main) {
  watchLoop()
  const root = certificate('Bench root', { ca: true })
  const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })
  const context = createSecureContext({ key: leaf.keyPem, cert: leaf.pem })
  const ports = await Promise.all(tlsDelays.map(delay => listen(delay, context)))
  console.log(JSON.stringify({ ports, root: root.pem }))
}
