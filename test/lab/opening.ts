/** What a censor on the path can read of a flow: its first bytes. */
export type Opening = {
  first: Buffer
  /** Server name of a TLS ClientHello; null where there is none. */
  sni: string | null
  /** Host header of an HTTP request in clear; null where there is none. */
  host: string | null
  /** What the bytes look like; `other` is what protocol filters and whitelists strike (obfuscated MTProto, Noise, random bytes). */
  shape: 'tls' | 'http' | 'dns' | 'other'
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0

const looksLikeTls = (bytes: Buffer): boolean => bytes[0] === HANDSHAKE && (bytes[1] ?? 3) === 3

/** Reads first bytes; null where a ClientHello has not come whole yet, which a censor too must wait for. */
export const readOpening = (first: Buffer): Opening | null => {
  if (looksLikeTls(first)) {
    if (first.length < 5 || first.length < 5 + first.readUInt16BE(3)) return null
    return { first, sni: serverName(first), host: null, shape: 'tls' }
  }
  const text = first.toString('latin1')
  if (/^(GET|HEAD|POST|PUT|OPTIONS|CONNECT) /.test(text)) {
    return { first, sni: null, host: /\r\nhost: *([^\r\n:]+)/i.exec(text)?.[1]?.toLowerCase() ?? null, shape: 'http' }
  }
  // DNS over TCP (RFC 7766): a length that fits, and a query's flags.
  const isDns = first.length > 14 && first.readUInt16BE() === first.length - 2 && (first[4]! & 0xf8) === 0
  return { first, sni: null, host: null, shape: isDns ? 'dns' : 'other' }
}

/** Name in the server_name extension (RFC 6066 §3) of the ClientHello (RFC 8446 §4.1.2) in this record. */
const serverName = (record: Buffer): string | null => {
  try {
    if (record[5] !== CLIENT_HELLO) return null
    let at = 5 + 4 + 2 + 32
    at += 1 + record.readUInt8(at)
    at += 2 + record.readUInt16BE(at)
    at += 1 + record.readUInt8(at)
    const end = at + 2 + record.readUInt16BE(at)
    for (at += 2; at + 4 <= end; at += 4 + record.readUInt16BE(at + 2)) {
      if (record.readUInt16BE(at) !== SERVER_NAME) continue
      return record.toString('latin1', at + 9, at + 9 + record.readUInt16BE(at + 7)).toLowerCase()
    }
    return null
  } catch {
    return null
  }
}
