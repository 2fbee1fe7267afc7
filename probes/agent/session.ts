import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Clock } from './clock.ts'
import { readJson, writeDurably } from './files.ts'
import type { Identity } from './identity.ts'
import type { Role } from './may-ask.ts'
import { scrub } from './scrub.ts'
import { type Answer, Unanswered, type Way } from './transport.ts'

export type SessionOptions = {
  way: Way
  /** Who is spoken to; enrolment is remembered per server. */
  server: URL
  identity: Identity
  clock: Clock
  software: string
  /** One-time code of an invite. */
  code: string | null
  /** Remembers the enrolment. */
  file: string
  /** The server saw this machine under this address. */
  onSeen(address: string): Promise<void>
  log(line: string): void
}

const Enrolled = Type.Object({ role: Type.Enum(['vantage', 'control', 'operator']), thumbprint: Type.String() })
const Nonce = Type.Object({
  nonce: Type.String({ minLength: 1, maxLength: 500 }),
  expires: Type.Number(),
  seen: Type.Optional(Type.String({ maxLength: 45 })),
})

/** Most bytes of the server's answers. */
const LIMIT = { small: 16_384, receipt: 2 ** 20 }
/** Seconds a nonce that came with an answer is good for; servers give five minutes. */
const SPARE_SECONDS = 200

/** The server answered, and will not do it. `after`: seconds it asks us to wait. */
export class Declined extends Error {
  readonly outcome: 'redirected' | 'busy' | 'rejected'
  readonly status: number
  readonly after: number
  constructor({ status, headers, body }: Answer) {
    super(`the server answered ${status}${problem(body)}`)
    this.status = status
    this.outcome = status >= 300 && status < 400 ? 'redirected' : status === 429 || status >= 500 ? 'busy' : 'rejected'
    const after = Number(headers['retry-after'])
    this.after = Number.isFinite(after) ? Math.min(Math.max(after, 0), 3_600) : 0
  }
}

/** What an RFC 9457 problem says. */
const problem = (body: Buffer): string => {
  try {
    const { detail, title } = JSON.parse(body.toString('utf8')) as { detail?: unknown; title?: unknown }
    return `: ${scrub(String(detail ?? title ?? ''))}`
  } catch {
    return ''
  }
}

export const jsonOf = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
}

/** Who this agent is to its server: nonces, proofs, and the enrolment. */
export class Session {
  role: Role | null = null
  private readonly options: SessionOptions
  private spare: { nonce: string; until: number } | null = null

  constructor(options: SessionOptions) {
    this.options = options
  }

  /** A proven POST. A proof that is refused, perhaps for the age of its nonce, is made anew once. */
  async post(path: string, body: Uint8Array, headers: Record<string, string>, signal: AbortSignal) {
    for (let last = false; ; last = true) {
      const proof = await this.options.identity.prove('POST', path, body, await this.nonce(signal))
      const ask = { method: 'POST' as const, path, body, headers: { ...headers, authorization: `Peyk ${proof}` } }
      const response = await this.options.way.ask({ ...ask, limit: LIMIT.receipt }, signal)
      const next = response.headers['replay-nonce']
      this.spare = next ? { nonce: next, until: this.options.clock.mono() + SPARE_SECONDS } : null
      if (response.status !== 401 || last) return response
    }
  }

  /** The one that came with the last answer where it is still good, else a fresh one. */
  private async nonce(signal: AbortSignal): Promise<string> {
    const spare = this.spare
    this.spare = null
    if (spare && this.options.clock.mono() < spare.until) return spare.nonce
    const said = await this.options.way.ask({ method: 'GET', path: '/v1/nonce', limit: LIMIT.small }, signal)
    if (said.status !== 200) throw new Declined(said)
    const answer = jsonOf(said.body)
    if (!Value.Check(Nonce, answer)) throw new Unanswered('malformed', 'a nonce came that is none')
    if (answer.seen && said.direct) await this.options.onSeen(answer.seen)
    return answer.nonce
  }

  private serverName(): string {
    return this.options.identity.keyed(`server ${this.options.server.href}`).toString('hex').slice(0, 16)
  }

  /** What is known of an earlier start. */
  async remember(): Promise<void> {
    type Kept = { server: string; role: Role }
    const isKept = (value: unknown): value is Kept => typeof (value as Partial<Kept> | null)?.role === 'string'
    const kept = await readJson(this.options.file, isKept)
    this.role = kept?.server === this.serverName() ? kept.role : null
  }

  /** Makes this agent known to the server, where it is not yet. */
  async enrol(signal: AbortSignal): Promise<void> {
    if (this.role !== null) return
    const { identity, code, software } = this.options
    const body = Buffer.from(JSON.stringify({ key: identity.publicKey, ...(code ? { code } : {}), software }))
    const answer = await this.post('/v1/agents', body, { 'content-type': 'application/json' }, signal)
    if (answer.status !== 200 && answer.status !== 201) throw new Declined(answer)
    const said = jsonOf(answer.body)
    if (!Value.Check(Enrolled, said) || said.thumbprint !== identity.thumbprint) {
      throw new Unanswered('malformed', 'the answer to the enrolment is none')
    }
    this.role = said.role
    const kept = { server: this.serverName(), role: said.role }
    await writeDurably(this.options.file, JSON.stringify(kept)).catch(() => {}) // A full disk: enrolled anew at the next start.
    this.options.log(`enrolled as ${said.role}`)
  }
}
