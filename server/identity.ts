import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { calculateJwkThumbprint, compactVerify, EmbeddedJWK } from 'jose'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Agent, Agents } from './agents.ts'
import type { Nonces } from './nonce.ts'
import { Problem } from './problem.ts'

/**
 * What a route asks of a request; every route names one (`config.right`) or the server does not start.
 * anyone: nothing. key: a proof by any key. agent: a proof by the key of an enrolled agent. admin: the operator's token.
 */
const rights = ['anyone', 'key', 'agent', 'admin'] as const
type Right = (typeof rights)[number]

declare module 'fastify' {
  interface FastifyContextConfig {
    right?: Right
  }
}

/** Who sends a request, and what it signed for. `agent` is null where any key will do. */
export type Identity = { thumbprint: string; agent: Agent | null; sha256: string }

/** An agent's public key (RFC 8037). */
export const PublicKey = Type.Object(
  {
    kty: Type.Literal('OKP'),
    crv: Type.Literal('Ed25519'),
    x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'The key, base64url.' }),
  },
  { additionalProperties: false, description: 'Public Ed25519 key as a JWK.' },
)

/** Payload of a proof, a compact JWS with header {alg: EdDSA, typ: peyk-proof, jwk}. */
const Proof = Type.Object(
  {
    method: Type.String({ maxLength: 10 }),
    path: Type.String({ maxLength: 500 }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the body as sent, compressed if it is.' }),
    nonce: Type.String({ maxLength: 100 }),
  },
  { additionalProperties: false },
)

const validKey = Compile(PublicKey)
const validProof = Compile(Proof)

const refuse = (detail: string): never => {
  throw new Problem('bad-signature', detail, { field: 'authorization' })
}

/** Check signature and shape of a proof; nothing in it is believed before. */
const open = async (jws: string): Promise<{ proof: Static<typeof Proof>; thumbprint: string }> => {
  const { payload, protectedHeader } = await compactVerify(jws, EmbeddedJWK, { algorithms: ['EdDSA'] }).catch(() =>
    refuse('The signature does not hold: sign with the key in the header, alg EdDSA.'),
  )
  if (protectedHeader.typ !== 'peyk-proof') refuse('Its header must have typ peyk-proof.')
  const key: unknown = protectedHeader.jwk
  if (!validKey.Check(key)) return refuse('Its header must hold jwk, a public Ed25519 key with kty, crv and x only.')
  const proof = parse(payload)
  if (!validProof.Check(proof)) return refuse('Its payload must hold method, path, sha256 and nonce.')
  return { proof, thumbprint: await calculateJwkThumbprint(key) }
}

const parse = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return null
  }
}

const same = (left: string, right: string): boolean =>
  timingSafeEqual(createHash('sha256').update(left).digest(), createHash('sha256').update(right).digest())

export type Authenticate = (request: FastifyRequest, right: Right) => Promise<Identity | null>

/**
 * The one hook through which every request passes, before its body is read. Resolves to who sent it (null where nobody
 * needs to be known), throws the Problem otherwise. The body's hash is compared when the body is there (`bodyIsSigned`).
 */
export const createAuthenticate =
  (parts: { agents: Agents; nonces: Nonces; adminToken: string }): Authenticate =>
  async (request, right) => {
    if (right === 'anyone') return null
    const [scheme, credential = ''] = (request.headers.authorization ?? '').split(' ', 2)
    if (right === 'admin') {
      if (scheme !== 'Bearer' || !same(credential, parts.adminToken)) {
        throw new Problem('forbidden', 'Send Authorization: Bearer with the token in the file admin-token.')
      }
      return null
    }
    if (scheme !== 'Peyk') refuse('Send Authorization: Peyk with a signed proof.')
    const { proof, thumbprint } = await open(credential)
    if (proof.method !== request.method || proof.path !== request.url) refuse('It was signed for another request.')
    parts.nonces.spend(proof.nonce)
    const agent = (await parts.agents.find(thumbprint)) ?? null
    if (right === 'agent' && (!agent || agent.standing === 'revoked')) {
      throw new Problem('not-enrolled', agent ? 'Its right to report was withdrawn.' : 'POST /v1/agents first.')
    }
    return { thumbprint, agent, sha256: proof.sha256 }
  }

/** Whether the body is the one that was signed; throws otherwise. */
export const bodyIsSigned = (identity: Identity, body: Buffer): void => {
  if (createHash('sha256').update(body).digest('hex') !== identity.sha256) {
    throw new Problem('wrong-body', 'sha256 in the proof must be that of the body as sent.', { field: 'authorization' })
  }
}

/** One line of the route table. */
export type RouteLine = { method: string; url: string; right: Right }

/**
 * Every route passes `authenticate`, after the rate limit and before its body is read. The table is of all routes, for
 * a test and for whoever reviews them; a route without a right stops the start.
 */
export const authorise = (app: FastifyInstance, authenticate: Authenticate): (() => RouteLine[]) => {
  const seen: RouteOptions[] = []
  app.addHook('onRoute', route => {
    seen.push(route)
    const before = [route.onRequest ?? []].flat()
    route.onRequest = [
      ...before,
      async (request: FastifyRequest) => {
        const { right } = request.routeOptions.config
        if (!right) throw new Problem('forbidden', 'This route has no right.')
        request.setDecorator('identity', await authenticate(request, right))
      },
    ]
  })
  return () =>
    seen.flatMap(({ method, url, config }) => {
      if (!config?.right) throw new Error(`${url}: name the right it needs (config.right, server/identity.ts).`)
      const { right } = config
      return [method].flat().map(one => ({ method: one, url, right }))
    })
}
