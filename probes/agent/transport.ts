import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { Pool, ProxyAgent, Socks5ProxyAgent } from '../net/undici.ts'
import { EXCHANGE_BYTES, OVERHEAD } from './budget.ts'

/** One request to the server. `limit` is the most bytes an answer may have, on the way and unpacked. */
export type Ask = {
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  body?: Uint8Array
  limit: number
}
/** `direct`: by no proxy, so the server saw this machine's own address. */
export type Answer = { status: number; headers: Record<string, string>; body: Buffer; direct: boolean }

/**
 * A way to the server: asks once, never follows a redirect, ends in time, and reads no more than the limit. It throws
 * `Unanswered` and nothing else; HTTP statuses are answers. Direct now; proxies and Tor are other ways of this shape.
 */
export interface Way {
  ask(ask: Ask, signal: AbortSignal): Promise<Answer>
  /** Bytes on the wire since the last call, about: payload, headers, and a TLS handshake per connection. */
  bytes(): number
  close(): Promise<void>
}

export type Trouble = 'unreachable' | 'timeout' | 'malformed'

/** No usable answer came. The message holds no address. */
export class Unanswered extends Error {
  override name = 'Unanswered'
  readonly trouble: Trouble
  constructor(trouble: Trouble, message: string) {
    super(message)
    this.trouble = trouble
  }
}

/** Seconds: to connect, to the first byte and between two bytes, and for the whole exchange. A bad line needs them. */
const CONNECT = 20
const IDLE = 60
const WHOLE = 300
/** A TLS 1.3 handshake with a usual certificate chain, and TCP's own; plain TCP's own. */
const HANDSHAKE_BYTES = { 'https:': 5_500, 'http:': 420 } as const
/** The catalogue is ten times as large unpacked. */
const ALWAYS = { 'accept-encoding': 'gzip' }

const troubleOf = (error: unknown): Unanswered => {
  if (error instanceof Unanswered) return error
  const { code = '', name = '' } = error as { code?: string; name?: string }
  if (/TIMEOUT|ETIMEDOUT/.test(code) || name === 'TimeoutError') return new Unanswered('timeout', 'no answer in time')
  if (name === 'HTTPParserError' || /^HPE_|^UND_ERR_(RES|HEADERS_OVERFLOW)/.test(code)) {
    return new Unanswered('malformed', 'the answer is not HTTP')
  }
  return new Unanswered('unreachable', code || name || 'no connection')
}

const unpack = (body: Buffer, limit: number): Promise<Buffer> =>
  promisify(gunzip)(body, { maxOutputLength: limit }).catch(() => {
    throw new Unanswered('malformed', 'an answer cannot be unpacked, or is too large then')
  })

/** `count` is told of bytes as they come, whatever becomes of the answer. */
const read = async (
  { body, headers }: Dispatcher.ResponseData,
  limit: number,
  count: (bytes: number) => void,
): Promise<Buffer> => {
  const encoding = headers['content-encoding']
  if (encoding && encoding !== 'gzip') throw new Unanswered('malformed', 'an answer was compressed as not asked for')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    count(chunk.length)
    if (size > limit) throw new Unanswered('malformed', `an answer is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  const whole = Buffer.concat(chunks)
  return encoding ? await unpack(whole, limit) : whole
}

/** How to get out: straight, or through an HTTP(S) proxy (CONNECT) or a SOCKS5 proxy, Tor included. */
export type Route = 'direct' | URL

const dispatcherTo = (server: URL, route: Route): Dispatcher => {
  const limits = {
    headersTimeout: IDLE * 1000,
    bodyTimeout: IDLE * 1000,
    keepAliveTimeout: 20_000,
    maxHeaderSize: 16_384,
    connections: 1,
  }
  if (route === 'direct') return new Pool(server.origin, { ...limits, connect: { timeout: CONNECT * 1000 } })
  // Names go to the proxy as names: nothing is resolved here that the network could see.
  if (route.protocol !== 'socks5:') return new ProxyAgent({ ...limits, uri: route.href, proxyTunnel: true })
  const patient = { ...limits, connectTimeout: IDLE * 1000 } // Building a circuit takes Tor longer than a handshake.
  return new Socks5ProxyAgent(route.href, patient)
}

const headersOf = ({ headers }: Ask): Record<string, string> => ({ ...ALWAYS, ...headers })
const pathOf = (server: URL, { path }: Ask): string => server.pathname.replace(/\/$/, '') + path

/** The head of a request, as long as the one that is sent: for telling beforehand what will be. */
export const requestHead = (server: URL, ask: Ask): string => {
  const headers = { host: server.host, connection: 'keep-alive', ...headersOf(ask) }
  const length = ask.body ? { 'content-length': String(ask.body.length) } : {}
  const lines = Object.entries({ ...headers, ...length }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${ask.method} ${pathOf(server, ask)} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A way to one server by one route. No User-Agent and no name of ours is sent. */
export const wayTo = (server: URL, route: Route = 'direct'): Way => {
  const scheme = server.protocol as 'https:' | 'http:'
  const dispatcher = dispatcherTo(server, route)
  let bytes = 0
  dispatcher.on('connect', () => {
    bytes += HANDSHAKE_BYTES[scheme]
  })
  return {
    ask: async (ask, signal) => {
      const { method, body, limit } = ask
      const whole = AbortSignal.any([signal, AbortSignal.timeout(WHOLE * 1000)])
      bytes += EXCHANGE_BYTES + (requestHead(server, ask).length + (body?.length ?? 0)) * OVERHEAD
      try {
        const answer = await dispatcher.request({
          ...{ origin: server.origin, method, path: pathOf(server, ask), signal: whole },
          headers: headersOf(ask),
          ...(body ? { body } : {}),
        })
        bytes += JSON.stringify(answer.headers).length * OVERHEAD
        const content = await read(answer, limit, received => {
          bytes += received * OVERHEAD
        })
        const single = Object.entries(answer.headers).flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value] as const] : [],
        )
        const direct = route === 'direct'
        return { status: answer.statusCode, headers: Object.fromEntries(single), body: content, direct }
      } catch (error) {
        throw troubleOf(error)
      }
    },
    bytes: () => {
      const now = Math.ceil(bytes)
      bytes = 0
      return now
    },
    close: () => dispatcher.destroy(),
  }
}
