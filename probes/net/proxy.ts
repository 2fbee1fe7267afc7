import { isIP } from 'node:net'
import { Failed } from './classify.ts'
import type { Stream } from './stream.ts'

/** Longest head of a CONNECT answer that is read. */
const MAX_HEAD = 8192

/**
 * Ask a proxy for a connection: HTTP CONNECT (RFC 9110 §9.3.6) or SOCKS5 without login (RFC 1928). Names are sent as
 * names, so that the proxy resolves them. What the proxy cannot reach is the proxy's failure, not the app's: from here
 * the two look the same.
 */
export const tunnel = async (stream: Stream, proxy: URL, host: string, port: number): Promise<void> => {
  try {
    await (proxy.protocol === 'socks5:' ? socks5(stream, host, port) : connect(stream, host, port))
  } catch (error) {
    if (error instanceof Failed && error.failure !== 'eof_error') throw error
    throw new Failed('proxy_failed')
  }
}

const connect = async (stream: Stream, host: string, port: number): Promise<void> => {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  stream.write(Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`))
  // Byte by byte: whatever follows the head belongs to the peer.
  let head = ''
  while (!head.endsWith('\r\n\r\n')) {
    if (head.length >= MAX_HEAD) throw new Failed('proxy_failed')
    head += (await stream.read(1)).toString('latin1')
  }
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0)
  if (status < 200 || status > 299) throw new Failed('proxy_failed', status)
}

const socks5 = async (stream: Stream, host: string, port: number): Promise<void> => {
  stream.write(Buffer.of(5, 1, 0))
  if (!(await stream.read(2)).equals(Buffer.of(5, 0))) throw new Failed('proxy_failed')
  stream.write(Buffer.concat([Buffer.of(5, 1, 0), socksAddress(host), Buffer.of(port >> 8, port & 255)]))
  const [version, reply, , type] = await stream.read(4)
  if (version !== 5 || reply !== 0) throw new Failed('proxy_failed', reply)
  const length = type === 1 ? 4 : type === 4 ? 16 : type === 3 ? (await stream.read(1))[0]! : null
  if (length === null) throw new Failed('proxy_failed')
  await stream.read(length + 2)
}

const socksAddress = (host: string): Buffer => {
  const version = isIP(host)
  if (version === 4) return Buffer.from([1, ...host.split('.').map(Number)])
  if (version === 6) return Buffer.concat([Buffer.of(4), ipv6Bytes(host)])
  return Buffer.concat([Buffer.of(3, host.length), Buffer.from(host, 'latin1')])
}

/** The 16 bytes of an IPv6 address, written by the URL parser in its shortest form (RFC 5952). */
const ipv6Bytes = (address: string): Buffer => {
  const shortest = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [left = '', right] = shortest.split('::') as [string, string?]
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16))
  const head = groups(left)
  const tail = right === undefined ? [] : groups(right)
  const words = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.from(words.flatMap(word => [word >> 8, word & 255]))
}
