import { Failed } from './classify.ts'
import type { Stream } from './stream.ts'
import type { Trace } from './trace.ts'
import { Client } from './undici.ts'

/** Most bytes of an answer's head. */
const MAX_HEAD = 16_384

export type Question = {
  scheme: 'http' | 'https'
  host: string
  port: number
  method: 'GET' | 'HEAD' | 'POST'
  path: string
  headers: Readonly<Record<string, string>>
  body?: Uint8Array
  /** Bytes of the answer's body that are read; what lies beyond is left on the socket. */
  limit: number
}

/** What comes before the body. Names of headers in lower case; of a repeated one the first. */
export type Head = { status: number; headers: Readonly<Record<string, string>> }

/** An HTTP answer. It never leaves the probe: `judge` turns it into numbers and ids. */
export type Answer = Head & {
  body: Buffer
  /** The body was longer than what was read. */
  cut: boolean
  /** Id of the known block page it is, set by `judge`. */
  mark?: string
}

/** One exchange over an open stream. undici speaks HTTP/1.1 on the socket we opened, traced and checked. */
export const request = (
  trace: Trace,
  stream: Stream,
  question: Question,
  judge: (answer: Answer) => void,
): Promise<Answer | null> =>
  trace.step('http_round_trip', stream.meter, async note => {
    let sent = trace.now()
    const answer = await exchange(
      stream,
      question,
      ({ status }) => {
        trace.took(note, sent)
        note.code = status
      },
      () => {
        sent = trace.now()
      },
    )
    try {
      judge(answer)
    } finally {
      if (answer.mark) note.mark = answer.mark
    }
    return answer
  })

/**
 * The exchange itself, without a step. `onHead` is called when status and headers are here; what it throws ends it.
 * `onSend` is called when the question goes out, which is a turn of the loop later.
 */
export const exchange = async (
  stream: Stream,
  question: Question,
  onHead: (head: Head) => void,
  onSend: () => void = () => {},
): Promise<Answer> => {
  const client = clientOn(stream, question)
  try {
    return await ask(client, question, onHead, onSend)
  } finally {
    client.destroy().catch(() => {})
  }
}

/** Who speaks HTTP on an open stream: one question after the other, until it is destroyed. */
export const clientOn = (stream: Stream, { scheme, host, port }: Question): Client =>
  new Client(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, {
    connect: oneSocket(stream),
    maxHeaderSize: MAX_HEAD,
    // Used where the handshake agreed on it, which only resolvers over HTTPS are asked for.
    allowH2: true,
    // The run's own limit holds.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

export const ask = (
  client: Client,
  question: Question,
  onHead: (head: Head) => void,
  onSend: () => void = () => {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { method, path, headers, body = null, limit } = question
    let head: Head = { status: 0, headers: {} }
    const pieces: Buffer[] = []
    let length = 0
    const end = (): void => resolve({ ...head, body: Buffer.concat(pieces).subarray(0, limit), cut: length > limit })
    client.dispatch(
      { method, path, headers: { ...headers }, body },
      {
        onRequestStart: onSend,
        onResponseStart: (_, status, answered) => {
          if (status < 200) return
          head = { status, headers: firstOf(answered) }
          onHead(head)
        },
        onResponseData: (controller, piece) => {
          pieces.push(piece)
          length += piece.length
          if (length <= limit) return
          end()
          controller.abort(new Failed('interrupted'))
        },
        onResponseEnd: end,
        onResponseError: (_, error) => reject(error),
      },
    )
  })

/** undici's connector, giving our open socket once: a lost connection must not be opened again behind our back. */
const oneSocket = (stream: Stream) => {
  let left: Stream['socket'] | null = stream.take()
  return (_: unknown, done: (...result: [Error, null] | [null, Stream['socket']]) => void): void => {
    const socket = left
    left = null
    // undici needs the answer in a later turn.
    setImmediate(() => (socket && !socket.destroyed ? done(null, socket) : done(new Failed('eof_error'), null)))
  }
}

const firstOf = (headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const first = Array.isArray(value) ? value[0] : value
      return first === undefined ? [] : [[name.toLowerCase(), first]]
    }),
  )
