import type { FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { calculateJwkThumbprint } from 'jose'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Agent, Agents } from '../agents.ts'
import type { App } from '../app.ts'
import { readBody } from '../fault.ts'
import { bodyIsSigned, type Identity, PublicKey } from '../identity.ts'
import type { Nonces } from '../nonce.ts'
import { Problem } from '../problem.ts'

const Enrolment = Type.Object(
  {
    key: PublicKey,
    code: Type.Optional(Type.String({ maxLength: 100, description: 'One-time code of the operator.' })),
    software: Type.String({ pattern: '^[a-z][a-z0-9-]{0,20}/[0-9A-Za-z.+-]{1,30}$' }),
  },
  { additionalProperties: false },
)
const valid = Compile(Enrolment)

const Enrolled = Type.Object({
  role: Type.Enum(['vantage', 'control', 'operator']),
  thumbprint: Type.String({ description: 'RFC 7638 thumbprint of the key, by which this server knows it.' }),
})

const Nonce = Type.Object({
  nonce: Type.String({ description: 'To be signed into one proof.' }),
  expires: Type.Integer({ description: 'Unix seconds, server’s clock.' }),
  seen: Type.Optional(
    Type.String({
      description:
        'Address the question came from, for an agent that no STUN server answers; said here and to nobody else. Absent behind a proxy this server was not told of.',
    }),
  ),
})

/** Nothing is validated by the framework: the bytes are compared with the proof first. */
export const bytesAsSent = () => () => true

/** How agents come to be known: a nonce, then a signed enrolment. */
export const agentRoutes = (app: App, parts: { agents: Agents; nonces: Nonces; open: boolean }): void => {
  app.get(
    '/v1/nonce',
    {
      config: { right: 'anyone' },
      schema: { summary: 'A nonce for one proof, good for 5 minutes', response: { 200: Nonce } },
    },
    async (request, reply) => {
      void reply.header('cache-control', 'no-store')
      const seen = addressOf(request)
      return { ...parts.nonces.issue(), ...(seen ? { seen } : {}) }
    },
  )
  app.post(
    '/v1/agents',
    {
      config: { right: 'key' },
      bodyLimit: 4096,
      validatorCompiler: bytesAsSent,
      schema: {
        summary: 'Enrol an agent’s key, by a one-time code or where enrolment is open',
        body: Enrolment,
        response: { 200: Enrolled, 201: Enrolled },
      },
    },
    async (request, reply) => {
      const identity = request.getDecorator<Identity>('identity')
      const body = request.body as unknown as Buffer
      bodyIsSigned(identity, body)
      const { key, code } = readBody(valid, body)
      const { thumbprint, agent } = identity
      if ((await calculateJwkThumbprint(key)) !== thumbprint) {
        throw new Problem('bad-request', 'must be the key of the proof', { field: 'body/key' })
      }
      if (agent?.standing === 'revoked') throw new Problem('not-enrolled', 'Its right to report was withdrawn.')
      // A code lifts a key that came in openly; whoever was vouched for needs none.
      if (agent && (agent.entry !== 'open' || code === undefined)) return answer(agent, thumbprint)
      const enrolled = await parts.agents.enrol(thumbprint, code, parts.open)
      void reply.status(agent ? 200 : 201)
      return answer(enrolled, thumbprint)
    },
  )
}

/** Where a request came from; null where a proxy stands between that is not of PEYK_PROXIES, so that its own would be told. */
const addressOf = ({ ip, socket, headers }: FastifyRequest): string | null => {
  const proxied = ['x-forwarded-for', 'forwarded', 'via'].some(name => name in headers)
  return proxied && ip === socket.remoteAddress ? null : ipaddr.process(ip).toString()
}

const answer = ({ role }: Agent, thumbprint: string) => ({ role, thumbprint })
