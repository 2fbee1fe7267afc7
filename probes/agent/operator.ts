import { type Static, Type } from 'typebox'
import { DocumentRefused, dated, type Keeper, openKeeper, sign, verify } from './document.ts'
import type { PrivateKey, PublicKey } from './identity.ts'

/** A key to seal batches to: X25519 (RFC 8037). Two live at a time, the first is the one to use; old ones still open. */
const SealingKey = Type.Object({
  kid: Type.String({ pattern: '^[A-Za-z0-9_-]{1,43}$' }),
  kty: Type.Literal('OKP'),
  crv: Type.Literal('X25519'),
  x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
})
export type SealingKey = Static<typeof SealingKey>

/** Payload of the document by which an operator says where the server is and what to seal to. */
const Document = Type.Object({
  ...dated,
  servers: Type.Array(Type.String({ maxLength: 300 }), { minItems: 1, maxItems: 20 }),
  sealing: Type.Array(SealingKey, { minItems: 1, maxItems: 4 }),
})
export type OperatorDocument = Static<typeof Document>

export type Operator = {
  version: number
  issued: number
  expires: number
  servers: readonly URL[]
  sealing: SealingKey
}

const TYPE = 'peyk-operator'

export const signOperator = (document: OperatorDocument, key: PrivateKey): Promise<string> => sign(TYPE, document, key)

/** An address a report may go to: https, or in labs http on the loopback. */
const serverUrl = (text: string, loopback: boolean): URL => {
  const url = URL.canParse(text) ? new URL(text) : null
  const local = loopback && url?.protocol === 'http:' && /^(127\.|localhost$|\[::1\]$)/.test(url.hostname)
  if (url && (url.protocol === 'https:' || local) && !url.username && !url.search && !url.hash) return url
  throw new DocumentRefused('One of its servers is not an https:// address.')
}

/** The operator's document in use, and its file. */
export const openOperator = (file: string, key: PublicKey, loopback: boolean): Promise<Keeper<Operator>> =>
  openKeeper(file, async bytes => {
    const payload = await verify(bytes, { type: TYPE, signer: 'operator', key, schema: Document })
    const { servers, sealing, version, issued, expires } = payload as OperatorDocument
    return { version, issued, expires, servers: servers.map(text => serverUrl(text, loopback)), sealing: sealing[0]! }
  })
