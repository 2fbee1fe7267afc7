import { randomBytes } from 'node:crypto'
import type { TargetOf } from '../measurement/target.ts'
import { Failed } from './net/classify.ts'
import type { Net } from './net/net.ts'
import type { Stream } from './net/stream.ts'
import type { Note } from './net/trace.ts'
import { wireOf } from './net/upgrade.ts'
import type { Probe } from './probe.ts'
import {
  MAX_PACKET,
  obfuscated,
  parseResPq,
  plain,
  type ResPq,
  requestPq,
  type Transport,
  transportError,
  transportErrors,
  type Wire,
} from './wire/mtproto.ts'
import { beginExchange, judgeExchange } from './wire/mtproto-exchange.ts'

/**
 * The first thing a Telegram client asks of a data centre: `req_pq_multi`, answered by `resPQ` with our nonce and the
 * fingerprint of a key the app has. An answer with our nonce came from something that speaks MTProto; that it was
 * Telegram shows the second step of the key exchange, which only the owner of the app's RSA key can answer.
 * Facts and sources: reference endpoints.md §1.3.
 */
export const mtproto: Probe<'mtproto'> = async (target, net) => {
  const stream = await net.reach()
  if (!stream) return
  const { transport } = target.ask
  if (transport === 'http' || transport === 'https') await inHttp(target, net, stream)
  else {
    const wire = transport === 'websocket' ? await webSocket(target, net, stream) : stream
    if (wire) await ask(target, net, stream, wire)
  }
}

type Target = TargetOf<'mtproto'>

const ask = async ({ ask: asked }: Target, net: Net, stream: Stream, wire: Wire): Promise<void> => {
  const nonce = randomBytes(16)
  const envelope = asked.envelope ?? 'intermediate'
  const transport = asked.transport === 'intermediate' ? plain(wire) : obfuscated(wire, envelope, asked.dc)
  const answer = await net.speak('protocol_handshake', stream, async (_, note) => {
    transport.send(requestPq(nonce, Date.now()))
    return judge(await transport.receive(), nonce, asked.keys, note)
  })
  if (!answer) return
  net.prove('protocol')
  if (asked.exchange === undefined || answer === 'error') return
  const modulus = Buffer.from(asked.exchange, 'hex')
  const proven = await net.speak('protocol_handshake', stream, (_, note) =>
    exchange(answer, modulus, asked.dc, transport, net, note),
  )
  if (proven) net.prove('key')
}

/** The arithmetic before it is ours, and no time on the network. */
const exchange = async (
  answer: ResPq,
  modulus: Buffer,
  dc: number,
  transport: Transport,
  net: Net,
  note: Note,
): Promise<true> => {
  const { question, newNonce, fingerprint } = await beginExchange(answer, modulus, dc, Date.now())
  const began = net.now()
  transport.send(question)
  const packet = await transport.receive()
  net.took(note, began)
  const error = transportError(packet)
  if (error !== null) throw new Failed('mtproto_exchange_refused', error)
  judgeExchange(packet, answer, newNonce)
  note.mark = fingerprint
  return true
}

/** As browsers reach a data centre: obfuscated2, which is mandatory there, in binary messages. */
const webSocket = async ({ host, port, ask: asked }: Target, net: Net, stream: Stream): Promise<Wire | null> => {
  if (!(await net.handshake(stream, { sni: host, alpn: ['http/1.1'], roots: 'public', verify: host }))) return null
  const { path = '/apiws', origin } = asked
  const headers = origin === undefined ? {} : { origin }
  const opening = { scheme: 'wss', host, port, path, headers, protocol: 'binary', status: [101] } as const
  const upgraded = await net.upgrade(stream, opening)
  return upgraded?.channel ? wireOf(upgraded.channel) : null
}

/** The bare message as the body of a POST. */
const inHttp = async ({ host, port, ask: asked }: Target, net: Net, stream: Stream): Promise<void> => {
  const { transport, path = '/api', keys } = asked
  const scheme = transport === 'https' ? 'https' : 'http'
  const identity = { sni: host, alpn: ['http/1.1'], roots: 'public', verify: host } as const
  if (scheme === 'https' && !(await net.handshake(stream, identity))) return
  const nonce = randomBytes(16)
  const body = requestPq(nonce, Date.now())
  const question = { scheme, host, port, method: 'POST', path, headers: {}, body, limit: MAX_PACKET } as const
  const answer = await net.request(stream, question, ({ status }) => {
    if (status !== 200 && !transportErrors.has(-status)) throw new Failed('http_unexpected_status_code')
  })
  if (!answer) return
  const answered = await net.speak('protocol_handshake', stream, async (_, note) => {
    // A status that stands for a transport error is also what any web server says of a path it does not have.
    if (answer.status !== 200) throw new Failed('mtproto_malformed', answer.status)
    return judge(answer.body, nonce, keys, note)
  })
  if (answered) net.prove('protocol')
}

/** Judge the packet that came back; throws the failure. A transport error is an answer: only a data centre gives one. */
const judge = (packet: Buffer, nonce: Buffer, keys: readonly string[], note: Note): ResPq | 'error' => {
  const error = transportError(packet)
  if (error !== null) {
    note.code = error
    return 'error'
  }
  const answer = parseResPq(packet)
  if (!answer.nonce.equals(nonce)) throw new Failed('mtproto_bad_nonce')
  const { fingerprints } = answer
  const known = keys.length === 0 ? fingerprints[0] : fingerprints.find(fingerprint => keys.includes(fingerprint))
  if (known === undefined) throw new Failed('mtproto_unknown_fingerprint')
  note.mark = known
  return answer
}
