import { calculateJwkThumbprint, compactVerify, EmbeddedJWK } from 'jose'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Batch, BatchReceipt } from '../../measurement/report.ts'
import type { Accept } from '../accept.ts'
import type { Agents } from '../agents.ts'
import type { App } from '../app.ts'
import { firstFault } from '../fault.ts'
import { PublicKey } from '../identity.ts'
import { Problem } from '../problem.ts'

const MOST_BYTES = 32 * 2 ** 20
const MOST_LINES = 1_000
const TYPE = 'application/x-peyk-spool'

const valid = Compile(Type.Object({ batch: Batch }, { additionalProperties: false }))
const validKey = Compile(PublicKey)

/** One line that was read, or why not. */
type Line = { thumbprint: string; batch: Batch }

/** A line of an exported spool: a compact JWS of type `peyk-spool` by the agent's key, payload {batch}. */
const readLine = async (line: string): Promise<Line | string> => {
  try {
    const { payload, protectedHeader } = await compactVerify(line, EmbeddedJWK, { algorithms: ['EdDSA'] })
    const key: unknown = protectedHeader.jwk
    if (protectedHeader.typ !== 'peyk-spool' || !validKey.Check(key)) return 'is not of type peyk-spool'
    const value: unknown = JSON.parse(Buffer.from(payload).toString())
    if (valid.Check(value)) return { thumbprint: await calculateJwkThumbprint(key), batch: value.batch }
    const { field, must } = firstFault(valid.Errors(value))
    return `${field} ${must}`
  } catch {
    return 'is no line of an exported spool, or was changed on its way'
  }
}

/**
 * What agents wrote with `peyk spool export` and somebody carried here. Only the operator may; every line is proven by its
 * agent's key, goes the way of reports, and is stored once however often it comes. Answers line by line.
 */
export const spoolRoutes = (app: App, { accept, agents }: { accept: Accept; agents: Agents }): void => {
  app.addContentTypeParser(TYPE, { parseAs: 'string', bodyLimit: MOST_BYTES }, (_, body, done) => done(null, body))
  app.post(
    '/v1/admin/spool',
    {
      config: { right: 'admin' },
      bodyLimit: MOST_BYTES,
      schema: {
        summary: 'Store lines of exported spools',
        response: {
          200: Type.Object({ receipts: Type.Array(BatchReceipt, { description: 'One for each line, in order.' }) }),
        },
      },
    },
    async request => {
      const lines = String(request.body)
        .split('\n')
        .filter(line => line !== '')
      if (lines.length > MOST_LINES) throw new Problem('too-large', `must have at most ${MOST_LINES} lines`)
      const receipts: BatchReceipt[] = []
      for (const line of lines) receipts.push(await taken(await readLine(line), accept, agents))
      return { receipts }
    },
  )
}

const NO_ID = '0'.repeat(32)
const refused = (id: string, reason: string): BatchReceipt => ({ id, outcome: 'refused', reason })

const taken = async (line: Line | string, accept: Accept, agents: Agents): Promise<BatchReceipt> => {
  if (typeof line === 'string') return refused(NO_ID, line)
  const { thumbprint, batch } = line
  const agent = await agents.find(thumbprint)
  if (!agent) {
    return refused(
      batch.id,
      `its agent is not known here: \`peyk agents approve ${thumbprint}\` where you vouch for it`,
    )
  }
  if (agent.standing === 'revoked') return refused(batch.id, 'the right of its agent to report was withdrawn')
  const [receipt] = await accept.carried(thumbprint, agent, [batch])
  return receipt!
}
