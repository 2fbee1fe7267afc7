import { setTimeout as sleep } from 'node:timers/promises'
import { Arrival } from './arrival.ts'
import { classify, Failed } from './classify.ts'
import { type Answer, ask, clientOn, exchange, type Head, type Question } from './request.ts'
import type { Stream } from './stream.ts'
import type { Meter, Note, Trace } from './trace.ts'

/** So many bytes that came in less than half a round trip were not sent by whom we connected to: no window is that large. */
const PROVEN_BYTES = 131_072
/** Seconds: a shorter round trip may be this machine's own delay, and says nothing. */
const LEAST_RTT = 0.05

/**
 * Work whose bytes are timed, in a step that is open: ends with the work, or when time is up. What still flowed then is
 * slow and no failure; what had been silent is `generic_timeout_error`. `bytes` counts what is timed.
 */
export const timed = async <T>(trace: Trace, note: Note, bytes: () => number, work: Promise<T>): Promise<T | 'cap'> => {
  const arrival = new Arrival(note, bytes)
  const stop = (): void => arrival.stop()
  trace.signal.addEventListener('abort', stop)
  try {
    const value = await Promise.race([work, arrival.over])
    arrival.look()
    if (value === 'cap' && arrival.frozen()) throw new Failed('generic_timeout_error')
    const rtt = leastTrip(trace)
    if (bytes() >= PROVEN_BYTES && rtt > LEAST_RTT && arrival.span() < rtt / 2) throw new Failed('transfer_too_fast')
    return value
  } finally {
    arrival.stop()
    trace.signal.removeEventListener('abort', stop)
  }
}

/** Each of these took a round trip at least; a connect alone may have lost its SYN and taken a second more. */
const leastTrip = ({ steps }: Trace): number => {
  const trips = steps.filter(
    ({ operation, failure }) => !failure && operation !== 'resolve' && operation !== 'transfer',
  )
  return trips.length === 0 ? 0 : Math.min(...trips.map(({ duration }) => duration))
}

/**
 * Steps `http_round_trip` and `transfer`: an exchange whose body is what is measured, to the end or until time is up. The
 * first step ends with the answer's head, the second begins there. Bytes are those on the socket, for TLS hands its own on
 * in records of 16 KiB, which on a slow line are seconds apart.
 */
export const transfer = async (
  trace: Trace,
  stream: Stream,
  question: Question,
  judge: (head: Head) => void,
): Promise<Answer | 'cap' | null> => {
  const answered = Promise.withResolvers<Head>()
  const before = stream.meter().received
  let headEnd = Number.POSITIVE_INFINITY
  let whole: Promise<Answer> | undefined
  const untilHead: Meter = () => {
    const { sent, received } = stream.meter()
    return { sent, received: Math.min(received, headEnd) }
  }
  const head = await trace.step('http_round_trip', untilHead, async note => {
    whole = exchange(stream, question, answered.resolve)
    whole.catch(answered.reject)
    const found = await answered.promise
    headEnd = Math.min(stream.meter().received, before + sizeOf(found))
    note.code = found.status
    judge(found)
    return found
  })
  if (!head) return null
  // The step's first look is at the head's end, though more has come by now. What a head weighs is an estimate, which a
  // whole body corrects.
  let [begun, least] = [false, headEnd]
  const fromHead: Meter = () => {
    const { sent, received } = stream.meter()
    return { sent, received: begun ? Math.max(least, received) : headEnd }
  }
  return trace.step('transfer', fromHead, note => {
    begun = true
    const body = enough(whole!, question.limit).then(answer => {
      least = headEnd + answer.body.length
      return answer
    })
    return timed(trace, note, () => fromHead().received - headEnd, body)
  })
}

const enough = async (whole: Promise<Answer>, bytes: number): Promise<Answer> => {
  const answer = await whole
  if (answer.body.length < bytes) throw new Failed('transfer_object_changed')
  return answer
}

/** Bytes of an answer's head, nearly: of headers that stand twice, only one is known. */
const sizeOf = ({ headers }: Head): number =>
  Object.entries(headers).reduce(
    (sum, [name, value]) => sum + name.length + value.length + 4,
    'HTTP/1.1 206 Partial Content\r\n\r\n'.length,
  )

/**
 * Step `transfer` by a probe's own words: `count` tells the bytes that are timed, by default those that came on the socket
 * since `from`.
 */
export const flow = <T>(
  trace: Trace,
  stream: Stream,
  from: number,
  words: () => Promise<T>,
  count: () => number = () => stream.meter().received - from,
): Promise<T | 'cap' | null> => {
  let begun = false
  const meter: Meter = () => {
    const { sent, received } = stream.meter()
    return { sent, received: begun ? received : Math.min(from, received) }
  }
  return trace.step('transfer', meter, note => {
    begun = true
    return timed(trace, note, count, words())
  })
}

/** Seconds a train of requests may take, and one answer. */
const TRAIN_SECONDS = 12
const ANSWER_SECONDS = 4

/**
 * A train of small questions, one after the other, each asked when the last was answered: round trips go into `series`,
 * -1 for one that never came, which ends it. Upstream drop shows as stalls (reference detection.md §1.7).
 */
export const train = async (note: Note, count: number, ask: () => Promise<void>): Promise<void> => {
  const began = performance.now()
  note.series = []
  note.count = 0
  while (note.series.length < count && performance.now() - began < TRAIN_SECONDS * 1000) {
    note.series.push(await trip(ask))
    if (note.series.at(-1)! < 0) break
    note.count++
  }
  if (note.count === 0) throw new Failed('generic_timeout_error')
}

/** Seconds until a question is answered, -1 where it is not. */
const trip = async (ask: () => Promise<unknown>): Promise<number> => {
  const asked = performance.now()
  const late = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => late.resolve('late'), ANSWER_SECONDS * 1000)
  try {
    const came = await Promise.race([ask(), late.promise])
    return came === 'late' ? -1 : (performance.now() - asked) / 1000
  } finally {
    clearTimeout(timer)
  }
}

/** Questions beside a transfer: how many at most, and milliseconds before each. A queue has filled by the first. */
const BESIDE = { most: 4, before: 750 }

/**
 * Step `http_round_trip` about a transfer: a small question on a connection of its own, once before it and then while it
 * runs. A queue that holds both makes the round trips longer. What goes wrong here says nothing of the transfer.
 */
export const beside = <T>(
  trace: Trace,
  stream: Stream,
  question: Question,
  judge: (head: Head) => void,
  work: () => Promise<T>,
): Promise<T | null> =>
  trace.step('http_round_trip', stream.meter, async note => {
    const client = clientOn(stream, question)
    const series: number[] = []
    Object.assign(note, { series, duration: 0 })
    const again = async (): Promise<boolean> => {
      try {
        series.push(await trip(() => ask(client, question, judge)))
        return series.at(-1)! >= 0
      } catch (error) {
        if (classify(error) === null) throw error
        return false
      }
    }
    try {
      let answers = await again()
      note.duration = Math.max(0, series[0] ?? 0)
      const running = work()
      const over = running.then(() => true)
      while (answers && series.length <= BESIDE.most && !(await Promise.race([over, sleep(BESIDE.before)]))) {
        answers = await again()
      }
      return await running
    } finally {
      client.destroy().catch(() => {})
    }
  })

/** Step `http_round_trip` on an open stream: a train of the same question. */
export const requestTrain = (
  trace: Trace,
  stream: Stream,
  question: Question,
  count: number,
  judge: (head: Head) => void,
): Promise<boolean | null> =>
  trace.step('http_round_trip', stream.meter, async note => {
    const client = clientOn(stream, question)
    try {
      await train(note, count, async () => {
        const { status } = await ask(client, question, judge)
        note.code = status
      })
      return true
    } finally {
      client.destroy().catch(() => {})
    }
  })
