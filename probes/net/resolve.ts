import { createHash } from 'node:crypto'
import { promises as dns } from 'node:dns'
import { isIP } from 'node:net'
import { mayConnect } from './address.ts'
import { knownAnswer } from './blockpage.ts'
import { Failed } from './classify.ts'
import type { Meter, Note, Trace } from './trace.ts'

/** The system resolver's packets are not ours to see. */
const noBytes: Meter = () => ({ sent: 0, received: 0 })

/** One address of the target's family by the system resolver: the first. */
export const resolve = async (trace: Trace, host: string): Promise<string | null> =>
  (await resolveAll(trace, host))?.[0] ?? null

/** Addresses of the target's family by the system resolver (getaddrinfo), in the resolver's own order. */
export const resolveAll = async (trace: Trace, host: string): Promise<string[] | null> => {
  if (isIP(host)) return [host]
  return trace.step('resolve', noBytes, async note => {
    if (trace.options.proxy) throw new Failed('proxy_failed')
    const answers = await dns.lookup(host, {
      family: trace.target.family === 'v4' ? 4 : 6,
      all: true,
      order: 'verbatim',
    })
    const addresses = answers.map(answer => answer.address)
    judgeAnswers(trace, trace.target.family === 'v4' ? 'A' : 'AAAA', addresses, note)
    return addresses
  })
}

/** TXT strings by the system's own resolver (c-ares, which reads the system's configuration). */
export const resolveText = (trace: Trace, host: string): Promise<string[] | null> =>
  trace.step('resolve', noBytes, async note => {
    if (trace.options.proxy) throw new Failed('proxy_failed')
    const texts = (await dns.resolveTxt(host)).map(parts => parts.join(''))
    judgeAnswers(trace, 'TXT', texts, note)
    return texts
  })

/** Hold a resolver's answers against what is known of forged ones, and against the target's rule. */
export const judgeAnswers = (trace: Trace, type: 'A' | 'AAAA' | 'TXT', values: readonly string[], note: Note): void => {
  if (values.length === 0) throw new Failed('dns_no_answer')
  note.count = values.length
  if (type !== 'TXT') {
    const known = values.map(knownAnswer).find(answer => answer !== undefined)
    if (known) note.mark = known.mark
    if (known?.block || values.some(address => !mayConnect(address, trace.target.address)))
      throw new Failed('dns_bogon_error')
  }
  note.hash = answerHash(values)
}

/** SHA-256 of an answer set, whatever its order. */
const answerHash = (answers: readonly string[]): string =>
  createHash('sha256')
    .update([...answers].sort().join('\n'))
    .digest('hex')
