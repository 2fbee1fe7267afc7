import type { Operation, Step } from '../../measurement/step.ts'
import type { Run } from '../probe.ts'
import { connect } from './connect.ts'
import { type Datagrams, datagram } from './datagram.ts'
import { type Answer, type Head, type Question, request } from './request.ts'
import { judgeAnswers, resolve, resolveAll, resolveText } from './resolve.ts'
import type { Stream } from './stream.ts'
import { handshake, type Identity } from './tls.ts'
import type { Note, Trace } from './trace.ts'
import { beside, flow, requestTrain, transfer } from './transfer.ts'
import { type Opening, type Upgraded, upgrade } from './upgrade.ts'

/**
 * The traced network of one run: all a probe can reach. Each verb is one operation and appends one Step; where it fails
 * it gives null, the failure stands in the Step, and the probe has nothing left to do. Every address is held against
 * the target's rule, the run's time limit holds for every verb, and sockets are closed when the probe returns.
 */
export type Net = {
  /** Step `resolve`: one address of the target's family by the system resolver; an IP literal is given back without a step. */
  resolve(host: string): Promise<string | null>
  /** The same with all its addresses. */
  resolveAll(host: string): Promise<string[] | null>
  /** Step `resolve`: TXT strings by the system's own resolver. */
  resolveText(host: string): Promise<string[] | null>
  /** Hold what a named resolver answered against the target's rule and against known forgeries, and note its hash. */
  judgeAnswers(type: 'A' | 'AAAA' | 'TXT', values: readonly string[], note: Note): void
  /** Step `connect`: TCP to an address (through the proxy, where one is set, to a name as well). */
  connect(address: string, port: number): Promise<Stream | null>
  /** `resolve` and `connect` of the target itself, `connect` to the same address after that; behind a proxy the name goes to the proxy. */
  reach(): Promise<Stream | null>
  /** Step `tls_handshake` on the stream, which is TLS afterwards. */
  handshake(stream: Stream, identity: Identity): Promise<Stream | null>
  /** Step `http_round_trip`: one HTTP/1.1 exchange. Its duration ends with the answer's head; the body is read up to a limit. */
  request(stream: Stream, question: Question, judge: (answer: Answer) => void): Promise<Answer | null>
  /** Steps `http_round_trip` and `transfer`: an exchange whose body is timed, until it ends or `cap`, time is up. */
  transfer(stream: Stream, question: Question, judge: (head: Head) => void): Promise<Answer | 'cap' | null>
  /** Step `transfer` by the probe's own words: what `count` tells, or what came on the socket since `from`, is timed. */
  flow<T>(stream: Stream, from: number, words: () => Promise<T>, count?: () => number): Promise<T | 'cap' | null>
  /** Step `http_round_trip`: the same question so many times, one after the other; `series` holds the round trips. */
  train(stream: Stream, question: Question, count: number, judge: (head: Head) => void): Promise<boolean | null>
  /** Step `http_round_trip` about a transfer: the same question before it and while it runs; `series` holds the round trips. */
  beside<T>(stream: Stream, question: Question, judge: (head: Head) => void, work: () => Promise<T>): Promise<T | null>
  /** Step `upgrade`: a WebSocket on the stream, or one of the other statuses that are healthy. */
  upgrade(stream: Stream, opening: Opening): Promise<Upgraded | null>
  /** Step by the probe's own words on a stream: a protocol's handshake, an answer to parse. Throw `Failed` for a wrong answer. */
  speak<T>(operation: Operation, stream: Stream, words: (stream: Stream, note: Note) => Promise<T>): Promise<T | null>
  /** Step over UDP to an address: send and receive datagrams of that peer only. */
  datagram<T>(
    operation: Operation,
    address: string,
    port: number,
    words: (peer: Datagrams, note: Note) => Promise<T>,
  ): Promise<T | null>
  /** Step by further questions, whose own steps and failures are not kept; `done` are those so far. */
  aside<T>(operation: Operation, words: (net: Net, note: Note, done: readonly Step[]) => Promise<T>): Promise<T | null>
  /** What the answer proves about its origin. */
  prove(proof: Run['origin_proof']): void
  /** Seconds since the run began, and left of it. */
  now(): number
  left(): number
  /** The answer to what was sent at `from` is here: the step's seconds end, though its work goes on. */
  took(note: Note, from: number): void
}

export const openNet = (trace: Trace): Net => ({
  resolve: host => resolve(trace, host),
  resolveAll: host => resolveAll(trace, host),
  resolveText: host => resolveText(trace, host),
  judgeAnswers: (type, values, note) => judgeAnswers(trace, type, values, note),
  connect: (address, port) => connect(trace, address, port),
  reach: async () => {
    const { host, port } = trace.target
    const address = trace.options.proxy ? host : (trace.connected ?? (await resolve(trace, host)))
    return address === null ? null : connect(trace, address, port)
  },
  handshake: (stream, identity) => handshake(trace, stream, identity),
  request: (stream, question, judge) => request(trace, stream, question, judge),
  transfer: (stream, question, judge) => transfer(trace, stream, question, judge),
  flow: (stream, from, words, count) => flow(trace, stream, from, words, count),
  train: (stream, question, count, judge) => requestTrain(trace, stream, question, count, judge),
  beside: (stream, question, judge, work) => beside(trace, stream, question, judge, work),
  upgrade: (stream, opening) => upgrade(trace, stream, opening),
  speak: (operation, stream, words) => trace.step(operation, stream.meter, note => words(stream, note)),
  datagram: (operation, address, port, words) => datagram(trace, operation, address, port, words),
  aside: (operation, words) =>
    trace.step(operation, trace.carried, note => {
      const aside = trace.aside()
      return words(openNet(aside), note, aside.steps)
    }),
  prove: proof => trace.prove(proof),
  now: () => trace.now(),
  left: () => trace.left(),
  took: (note, from) => trace.took(note, from),
})
