import { Failed } from './classify.ts'
import { type Answer, exchange, type Head, type Question } from './request.ts'
import type { Stream } from './stream.ts'
import type { Trace } from './trace.ts'

/** Milliseconds of one entry of the series, and most entries a step may hold. */
const TICK = 100
const MAX_TICKS = 256

/**
 * Steps `http_round_trip` and `transfer`: an exchange whose body is what is measured. The second begins with the answer's
 * head and ends with `question.limit` bytes of the body, or with all of it; its `series` holds the bytes that had come on
 * the socket by the end of each 100 ms. The limit must exceed what a policer lets pass at first (reference detection.md
 * §1.7: 256 KB). A transfer that stalls is a failure when time runs out, and keeps its series.
 */
export const transfer = async (
  trace: Trace,
  stream: Stream,
  question: Question,
  judge: (head: Head) => void,
): Promise<Answer | null> => {
  const head = Promise.withResolvers<Head>()
  let whole: Promise<Answer> | undefined
  const opened = await trace.step('http_round_trip', stream.meter, async note => {
    whole = exchange(stream, question, head.resolve)
    whole.catch(head.reject)
    const answered = await head.promise
    note.code = answered.status
    judge(answered)
    return true
  })
  if (!opened) return null
  return trace.step('transfer', stream.meter, async note => {
    const { received } = stream.meter()
    note.series = []
    const timer = setInterval(() => {
      if (note.series!.length < MAX_TICKS) note.series!.push(stream.meter().received - received)
    }, TICK)
    const stop = (): void => clearInterval(timer)
    trace.signal.addEventListener('abort', stop)
    try {
      const answer = await whole!
      if (answer.body.length === 0) throw new Failed('http_answer_unexpected')
      return answer
    } finally {
      stop()
      trace.signal.removeEventListener('abort', stop)
    }
  })
}
