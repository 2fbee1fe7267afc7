import { createHash, randomBytes } from 'node:crypto'
import type { Facts, Shelf } from './facts.ts'
import { Problem } from './problem.ts'

export type Role = 'vantage' | 'control' | 'operator'
/** admitted: as its role says. quarantined: its rows are kept and count for nothing. revoked: it may not report. */
type Standing = 'admitted' | 'quarantined' | 'revoked'

/** What is known of an agent; its key is the thumbprint (RFC 7638) of its public key. */
export type Agent = { role: Role; standing: Standing; enrolled: number; entry: 'invited' | 'open' | 'granted' }

/** A one-time code, kept by its hash. */
type Invite = { role: Role; expires: number; used: boolean }

/** Anybody's key counts for nothing at first: old identities cost an attacker time (reference detection.md §5.6). */
const OPEN_ENROLMENT_AGEING_SECONDS = 14 * 86_400

export const INVITE_SECONDS = 30 * 86_400

const hashOf = (code: string): string => createHash('sha256').update(code).digest('hex')

/** Who may report, and who invited them. */
export class Agents {
  readonly #facts: Facts
  readonly #agents: Shelf<Agent>
  readonly #invites: Shelf<Invite>
  readonly #now: () => number
  /** Codes in use by a request under way, so that two cannot share one. */
  readonly #claimed = new Set<string>()

  constructor(facts: Facts, now: () => number) {
    this.#facts = facts
    this.#agents = facts.of<Agent>('agent')
    this.#invites = facts.of<Invite>('invite')
    this.#now = now
  }

  get(thumbprint: string): Agent | undefined {
    return this.#agents.get(thumbprint)
  }

  /** The same, also where another collector admitted it a moment ago. */
  async find(thumbprint: string): Promise<Agent | undefined> {
    if (!this.#agents.get(thumbprint)) await this.#facts.catchUp()
    return this.#agents.get(thumbprint)
  }

  all(): IterableIterator<[string, Agent]> {
    return this.#agents.all()
  }

  /** Whether its rows count for nothing, for now. */
  quarantined(agent: Agent): boolean {
    const young = agent.entry === 'open' && this.#now() - agent.enrolled < OPEN_ENROLMENT_AGEING_SECONDS
    return young || agent.standing === 'quarantined'
  }

  /** Admit a key the operator vouches for: the agent that `npm start` runs, or an operator's other machine. */
  async grant(thumbprint: string, role: Role): Promise<void> {
    const known = this.#agents.get(thumbprint)
    if (known?.role === role && known.standing === 'admitted') return
    await this.#put(thumbprint, { role, standing: 'admitted', enrolled: this.#now(), entry: 'granted' })
  }

  /** Vouch for a key, known or not: it may report, and its rows count from now on. */
  async approve(thumbprint: string): Promise<Agent> {
    const { role = 'vantage', enrolled = this.#now() } = (await this.find(thumbprint)) ?? {}
    return await this.#put(thumbprint, { role, standing: 'admitted', enrolled, entry: 'granted' })
  }

  /** Change role or standing of a known agent. */
  async change(thumbprint: string, change: Partial<Pick<Agent, 'role' | 'standing'>>): Promise<Agent> {
    const known = await this.find(thumbprint)
    if (!known) throw new Problem('not-found', 'No agent has this thumbprint.', { field: 'thumbprint' })
    return await this.#put(thumbprint, { ...known, ...change })
  }

  /** A new one-time code for an agent of this role. The code is told once and kept only as a hash. */
  async invite(role: Role, lifetime: number = INVITE_SECONDS): Promise<{ code: string; expires: number }> {
    const code = randomBytes(16).toString('base64url')
    const expires = Math.floor(this.#now() + lifetime)
    await this.#facts.put(this.#invites.entry(hashOf(code), { role, expires, used: false }))
    return { code, expires }
  }

  /** Admit a key by a code, or without one where enrolment is open. */
  async enrol(thumbprint: string, code: string | undefined, open: boolean): Promise<Agent> {
    const enrolled = this.#now()
    if (code !== undefined) return await this.#redeem(thumbprint, hashOf(code), enrolled)
    if (open) return await this.#put(thumbprint, { role: 'vantage', standing: 'admitted', enrolled, entry: 'open' })
    throw new Problem('bad-code', 'This server admits by invitation: send the code its operator gave you.', {
      field: 'body/code',
    })
  }

  async #redeem(thumbprint: string, hash: string, enrolled: number): Promise<Agent> {
    // It may have been given out, or used, at another collector.
    await this.#facts.catchUp()
    const invite = this.#invites.get(hash)
    if (!invite || invite.used || invite.expires < enrolled || this.#claimed.has(hash)) {
      throw new Problem('bad-code', 'Ask the operator for another code.', { field: 'body/code' })
    }
    this.#claimed.add(hash)
    try {
      const agent: Agent = { role: invite.role, standing: 'admitted', enrolled, entry: 'invited' }
      await this.#facts.put(this.#agents.entry(thumbprint, agent), this.#invites.entry(hash, { ...invite, used: true }))
      return agent
    } finally {
      this.#claimed.delete(hash)
    }
  }

  async #put(thumbprint: string, agent: Agent): Promise<Agent> {
    await this.#facts.put(this.#agents.entry(thumbprint, agent))
    return agent
  }
}
