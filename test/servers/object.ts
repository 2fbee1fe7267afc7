import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

type Wishes = {
  /** Address it listens on. */
  host?: string
  /** Bytes of the whole object. */
  size?: number
  /** Bytes a second; Infinity without a limit. */
  rate?: number
  /** Bytes of the body after which nothing more comes. */
  freeze?: number
  /** Bytes of the body after which the connection is closed, or reset. */
  close?: number
  reset?: number
  /** What is wrong with the answer. */
  status?: number
  headers?: OutgoingHttpHeaders
  /** Milliseconds before each answer. */
  delay?: () => number
  tls?: { key: string; cert: string }
}

/** An object on loopback that is given by range, as well or as badly as wished; `asked` counts the requests. */
export const objectPeer = async (wishes: Wishes = {}) => {
  const peer = { port: 0, asked: 0, connections: 0, wishes }
  const sockets = new Set<Socket>()
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    peer.asked++
    const delay = peer.wishes.delay?.() ?? 0
    setTimeout(() => give(request, response, peer.wishes), delay)
  }
  const server = wishes.tls ? createTlsServer(wishes.tls, onRequest) : createServer(onRequest)
  server.on('connection', socket => {
    peer.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, wishes.host ?? '127.0.0.1', resolve))
  peer.port = (server.address() as AddressInfo).port
  return Object.assign(peer, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  })
}

const TICK = 10

const give = (request: IncomingMessage, response: ServerResponse, wishes: Wishes): void => {
  const { size = 2 ** 20, rate = Number.POSITIVE_INFINITY, status = 206, headers = {} } = wishes
  const [, last = '0'] = /^bytes=0-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const bytes = Math.min(Number(last) + 1, size)
  response.writeHead(status, {
    'content-length': bytes,
    'content-range': `bytes 0-${bytes - 1}/${size}`,
    ...headers,
  })
  const stop = Math.min(wishes.freeze ?? bytes, wishes.close ?? bytes, wishes.reset ?? bytes, bytes)
  let sent = 0
  const began = performance.now()
  const timer = setInterval(more, TICK)
  response.on('close', () => clearInterval(timer))
  more()
  function more(): void {
    const due = Math.min(stop, Math.ceil(((performance.now() - began + TICK) / 1000) * rate))
    if (due > sent) response.write(Buffer.alloc(due - sent, 7))
    sent = Math.max(sent, due)
    if (sent < stop) return
    clearInterval(timer)
    if (stop === bytes) response.end()
    else if (wishes.close === stop) response.socket?.end()
    else if (wishes.reset === stop) response.socket?.resetAndDestroy()
  }
}
