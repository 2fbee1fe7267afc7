import { Failed } from './net/classify.ts'
import type { Stream } from './net/stream.ts'
import type { Probe } from './probe.ts'

/** Longest text of the server's that is read for one answer. */
const MAX_TEXT = 16_384

/** An XMPP stream is opened (RFC 6120 §4.2) and the server tells its features; with `starttls` inside TLS as well. */
export const xmpp: Probe<'xmpp'> = async ({ ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  const { to, tls, roots } = ask
  const identity = { sni: to, alpn: [], roots, verify: to }
  if (tls === 'direct' && !(await net.handshake(stream, identity))) return
  const features = await net.speak('protocol_handshake', stream, wire => open(wire, to))
  if (features === null) return
  if (tls === 'starttls') {
    if (!(await net.speak('protocol_handshake', stream, wire => startTls(wire, features)))) return
    if (!(await net.handshake(stream, identity))) return
    if ((await net.speak('protocol_handshake', stream, wire => open(wire, to))) === null) return
  }
}

const escaped = (text: string): string => text.replace(/[&<>'"]/g, sign => `&#${sign.charCodeAt(0)};`)

/** Our stream header, and the server's features. */
const open = (wire: Stream, to: string): Promise<string> => {
  wire.write(
    Buffer.from(
      `<?xml version='1.0'?><stream:stream to='${escaped(to)}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
    ),
  )
  return readUntil(wire, judgeOpening)
}

const startTls = (wire: Stream, features: string): Promise<string> => {
  if (!/<starttls[\s/>]/.test(features)) throw new Failed('xmpp_stream_error')
  wire.write(Buffer.from("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))
  return readUntil(wire, text => {
    if (/<failure[\s/>]/.test(text)) throw new Failed('xmpp_stream_error')
    return /<proceed[^>]*>/.test(text)
  })
}

/** Whether the server's opening is complete: stream header and features. Not an XML parser: no text of theirs is kept. */
export const judgeOpening = (text: string): boolean => {
  const start = text.replace(/^\uFEFF/, '').trimStart()
  if (start.length >= 14 && !/^<(\?xml|stream:stream)/.test(start)) throw new Failed('xmpp_malformed')
  if (/<stream:error[\s>]/.test(start)) throw new Failed('xmpp_stream_error')
  return /<stream:stream[\s>]/.test(start) && /<(stream:)?features[^>]*(\/>|>[\s\S]*<\/(stream:)?features>)/.test(start)
}

const readUntil = async (wire: Stream, done: (text: string) => boolean): Promise<string> => {
  let text = ''
  while (!done(text)) {
    const bytes = await wire.readSome()
    if (bytes === null) throw new Failed(text === '' ? 'eof_error' : 'xmpp_malformed')
    text += bytes.toString('latin1')
    if (text.length > MAX_TEXT) throw new Failed('xmpp_malformed')
  }
  return text
}
