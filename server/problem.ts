import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { StoreAway } from './store/store.ts'

/** Every kind of problem a request can meet: its status and what it means (RFC 9457 `type` is `urn:peyk:problem:<name>`). */
export const problems = {
  'bad-request': { status: 400, title: 'The request is not as it must be' },
  'bad-signature': { status: 401, title: 'The proof is missing or does not hold' },
  'bad-nonce': { status: 401, title: 'The nonce is not ours, expired, or was used before' },
  'wrong-body': { status: 400, title: 'The body is not the one that was signed' },
  'not-enrolled': { status: 403, title: 'This key is not enrolled here' },
  'bad-code': { status: 403, title: 'The code is unknown, expired, or was used before' },
  forbidden: { status: 403, title: 'This needs a right that the request does not have' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'method-not-allowed': { status: 405, title: 'This cannot be done here' },
  'too-slow': { status: 408, title: 'The request took too long' },
  'too-large': { status: 413, title: 'The request is too large' },
  'bad-encoding': { status: 415, title: 'The body is in an encoding or a type that is not accepted' },
  'too-many': { status: 429, title: 'Too many requests' },
  'internal-error': { status: 500, title: 'A fault of this server' },
  busy: { status: 503, title: 'This server is busy or its store is away; try again later' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemName = keyof typeof problems

/**
 * A problem of the request, thrown on the way to an answer. `detail` says what to do and never repeats what was sent;
 * `field` is the JSON pointer or header at fault; `retryAfter` is in seconds.
 */
export class Problem extends Error {
  override name = 'Problem'
  readonly kind: ProblemName
  readonly field: string | undefined
  readonly retryAfter: number | undefined

  constructor(kind: ProblemName, detail: string, options: { field?: string; retryAfter?: number } = {}) {
    super(detail)
    this.kind = kind
    this.field = options.field
    this.retryAfter = options.retryAfter
  }
}

/** When to ask again while the store is away. */
const AWAY_SECONDS = 10

/** What Fastify and Node call the faults that never reach our own code. */
const kindOf = (error: Partial<FastifyError>): ProblemName => {
  const status = error.statusCode ?? 500
  const same = Object.entries(problems).find(([, problem]) => problem.status === status)
  if (same) return same[0] as ProblemName
  return status < 500 ? 'bad-request' : 'internal-error'
}

/** Any error as a problem. Messages of others may repeat input or hold internals, so theirs are not passed on. */
const toProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error
  if (error instanceof StoreAway)
    return new Problem('busy', 'The store cannot be reached.', { retryAfter: AWAY_SECONDS })
  const known = error as Partial<FastifyError>
  const [first] = known.validation ?? []
  if (first) {
    const where = `${known.validationContext ?? 'body'}${first.instancePath}`
    if (first.keyword !== 'additionalProperties')
      return new Problem('bad-request', first.message ?? 'is not valid', { field: where })
    // Named where it is a plain word: nothing that could be an address is said back.
    const extra = String(first.params?.['additionalProperty'] ?? '')
    const field = /^[a-z_]{1,20}$/.test(extra) ? `${where}/${extra}` : where
    return new Problem('bad-request', 'is not known here; see /openapi.json for what is', { field })
  }
  const kind = kindOf(known)
  return new Problem(kind, problems[kind].title)
}

/**
 * Fastify's error hook: answers every error as application/problem+json. Faults of the request are counted by `refused`,
 * faults of ours are logged too.
 */
export const answerProblems =
  (refused: (kind: ProblemName) => void) =>
  (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = toProblem(error)
    const { status, title } = problems[problem.kind]
    if (status === 500) request.log.error({ stack: (error as Error).stack ?? 'no stack' }, 'a request met a bug')
    refused(problem.kind)
    if (problem.retryAfter !== undefined) void reply.header('retry-after', String(problem.retryAfter))
    return reply
      .status(status)
      .type('application/problem+json')
      .send({
        type: `urn:peyk:problem:${problem.kind}`,
        title,
        status,
        detail: problem.message,
        ...(problem.field === undefined ? {} : { field: problem.field }),
      })
  }
