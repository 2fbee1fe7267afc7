import { randomInt } from 'node:crypto'
import { decode, encode, type Packet, type Question } from 'dns-packet'
import type { KnownFailure } from '../measurement/failure.ts'
import type { TargetOf } from '../measurement/target.ts'
import { Failed } from './net/classify.ts'
import type { Datagrams } from './net/datagram.ts'
import type { Net } from './net/net.ts'
import type { Note } from './net/trace.ts'
import type { Probe } from './probe.ts'

type Target = TargetOf<'dns'>
type Named = Exclude<Target['ask']['resolver'], 'system'>
type Against = NonNullable<Target['ask']['against']>

/** Seconds to wait for another answer after the first. A forged one wins the race; the true one is a round trip behind. */
const SECOND_ANSWER = 1

/** Seconds at most for the other resolver's answer, and then for the handshakes; both are well within the run's time. */
const PATIENCE = 8

/** Largest answer over TCP or HTTPS that is read. */
const MAX_ANSWER = 65_535

/** What a resolver says of a name, and whether someone else answered for it. */
export const dns: Probe<'dns'> = async (target, net) => {
  const { resolver, type, against } = target.ask
  if (resolver === 'system') {
    const answers = await (type === 'TXT' ? net.resolveText(target.host) : net.resolveAll(target.host))
    if (answers && against) await compare(target, answers, against, net)
  } else if (resolver.transport === 'udp') await overUdp(target, resolver, net)
  else if (resolver.transport === 'tcp') await overTcp(target, resolver, net)
  else await overHttps(target, resolver, net)
}

/**
 * Whether the system's answer is true, as far as this line can tell (OONI ts-017, `dns_consistency`). Other addresses
 * alone say nothing: networks of servers answer every place differently. So an answer counts as true where it shares an
 * address with the other resolver's, or where its address has the name's certificate; and as untrue only where it has
 * not while the other resolver's address, asked at the same time from here, has. Whatever is undecided is no failure.
 */
const compare = (target: Target, answers: readonly string[], against: Against, net: Net): Promise<unknown> =>
  net.aside('resolve', async (aside, note, done) => {
    note.mark = 'not-compared'
    const others = await soon(aside, overHttps(target, against, aside))
    // The other resolver's own round trip; 0, not known, where it did not answer.
    note.duration = done.findLast(({ operation }) => operation === 'http_round_trip')?.duration ?? 0
    if (!others) return
    note.count = others.length
    if (others.some(address => answers.includes(address))) {
      note.mark = 'same-answer'
      return
    }
    const speaks = (address: string) => soon(aside, hasCertificate(target, address, against.roots, aside))
    const [ours, theirs] = await Promise.all([speaks(answers[0]!), speaks(others[0]!)])
    if (ours) note.mark = 'certificate'
    else if (theirs) {
      delete note.mark
      throw new Failed('dns_inconsistent')
    }
  })

const soon = <T>(net: Net, work: Promise<T>): Promise<T | null> => {
  const { promise, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => resolve(null), Math.min(PATIENCE, net.left() / 3) * 1000)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

const hasCertificate = async ({ host, port }: Target, address: string, roots: Against['roots'], net: Net) => {
  const stream = await net.connect(address, port)
  return stream ? net.handshake(stream, { sni: host, alpn: ['h2', 'http/1.1'], roots, verify: host }) : null
}

const overUdp = async (target: Target, { address, port }: Named, net: Net): Promise<void> => {
  const id = randomInt(65_536)
  await net.datagram('resolve', address, port, async (peer, note) => {
    const began = peer.now()
    peer.send(query(target, id))
    const first = await firstAnswer(peer, id)
    peer.took(note, began)
    const answers = [first, ...(await laterAnswers(peer, id, net))]
    if (answers.some(answer => !answer.equals(first))) {
      note.count = answers.length
      throw new Failed('dns_injected')
    }
    judgeAnswer(first, id, target, net, note)
  })
}

/** Answers with another id are somebody's guesses; they are the failure only where no true answer comes. */
const firstAnswer = async (peer: Datagrams, id: number): Promise<Buffer> => {
  let guessed = false
  for (;;) {
    const answer = await peer.receive(guessed ? SECOND_ANSWER : undefined)
    if (answer === null) throw new Failed('dns_reply_with_wrong_query_id')
    if (idOf(answer) === id) return answer
    guessed = true
  }
}

const laterAnswers = async (peer: Datagrams, id: number, net: Net): Promise<Buffer[]> => {
  const answers: Buffer[] = []
  const until = peer.now() + Math.min(SECOND_ANSWER, net.left() / 2)
  for (;;) {
    const answer = await peer.receive(Math.max(0, until - peer.now())).catch(() => null)
    if (answer === null) return answers
    if (idOf(answer) === id) answers.push(answer)
  }
}

const idOf = (answer: Buffer): number | null => (answer.length < 2 ? null : answer.readUInt16BE())

/** RFC 7766: two bytes of length before each message. */
const overTcp = async (target: Target, { address, port }: Named, net: Net): Promise<void> => {
  const stream = await net.connect(address, port)
  if (!stream) return
  await net.speak('resolve', stream, async (wire, note) => {
    const id = randomInt(65_536)
    const message = query(target, id)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(message.length)
    wire.write(Buffer.concat([length, message]))
    const answer = await wire.read((await wire.read(2)).readUInt16BE())
    judgeAnswer(answer, id, target, net, note)
  })
}

/** RFC 8484, asked of a pinned address under the resolver's own name: that name may be the one that is forged. */
const overHttps = async (
  target: Target,
  resolver: Omit<Named, 'transport'>,
  net: Net,
): Promise<readonly string[] | null> => {
  const { address, port, name = address, path = '/dns-query' } = resolver
  const stream = await net.connect(address, port)
  if (!stream) return null
  if (!(await net.handshake(stream, { sni: name, alpn: ['h2', 'http/1.1'], roots: 'public', verify: name })))
    return null
  const headers = { 'content-type': 'application/dns-message', accept: 'application/dns-message' }
  const question = { scheme: 'https', host: name, port, method: 'POST', path, headers, limit: MAX_ANSWER } as const
  const answer = await net.request(stream, { ...question, body: query(target, 0) }, ({ status }) => {
    if (status !== 200) throw new Failed('http_unexpected_status_code')
  })
  if (!answer) return null
  return net.speak('resolve', stream, async (_, note) => judgeAnswer(answer.body, 0, target, net, note))
}

const query = ({ host, ask }: Target, id: number): Buffer =>
  encode({ type: 'query', id, flags: 256, questions: [{ type: ask.type, name: host }] })

/** Judge one answer: whether it is to our question, what it says, and whether its addresses can be true. */
const judgeAnswer = (bytes: Buffer, id: number, target: Target, net: Net, note: Note): string[] => {
  const { rcode, values } = parseAnswer(bytes, id, { name: target.host, type: target.ask.type })
  note.code = rcode
  const failure = rcodes[rcode]
  if (failure) throw new Failed(failure)
  if (rcode !== 0) throw new Failed('dns_server_misbehaving')
  net.judgeAnswers(target.ask.type, values, note)
  return values
}

const rcodes: Record<number, KnownFailure> = {
  2: 'dns_servfail_error',
  3: 'dns_nxdomain_error',
  5: 'dns_refused_error',
}

/** Code and values of an answer to this question. Throws `dns_server_misbehaving` for anything that is not one. */
export const parseAnswer = (bytes: Buffer, id: number, question: Question): { rcode: number; values: string[] } => {
  const packet = decodeAnswer(bytes)
  const asked = packet.questions?.[0]
  const same = asked?.name.toLowerCase() === question.name.toLowerCase() && asked.type === question.type
  // Refusals may leave the question out.
  const rcode = (packet.flags ?? 0) & 15
  if (packet.type !== 'response' || packet.id !== id || (!same && (asked !== undefined || rcode === 0))) {
    throw new Failed('dns_server_misbehaving')
  }
  const values = (packet.answers ?? []).flatMap(answer => {
    if (answer.type !== question.type) return []
    return answer.type === 'TXT' ? [[answer.data].flat().join('')] : [String((answer as { data: unknown }).data)]
  })
  return { rcode, values }
}

const decodeAnswer = (bytes: Buffer): Packet => {
  try {
    return decode(bytes)
  } catch {
    throw new Failed('dns_server_misbehaving')
  }
}
