import { CompactSign } from 'jose/jws/compact/sign'
import { compactVerify } from 'jose/jws/compact/verify'
import { importJWK } from 'jose/key/import'
import { type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { readIfThere, writeDurably } from './files.ts'
import { keyObject, type PrivateKey, type PublicKey } from './identity.ts'

/**
 * Documents that tell an agent what to do are compact JWS (RFC 7515, EdDSA), signed offline: the catalogue by the release
 * key, the server's addresses and sealing keys by the operator's. Each names its type in the header, so that one can never
 * stand for the other, and says in its payload which version it is and how long it may be newly accepted.
 */
export const dated = {
  version: Type.Integer({ minimum: 1, description: 'Agents never go back to a lower one.' }),
  issued: Type.Number({ description: 'Unix seconds.' }),
  expires: Type.Number({ description: 'Unix seconds. Afterwards it is not accepted any more, only kept.' }),
}
export type Dated = { version: number; issued: number; expires: number }

/** Why a document is not taken. */
export class DocumentRefused extends Error {
  override name = 'DocumentRefused'
}

/** The document's bytes. Offline work. */
export const sign = (type: string, payload: Dated, key: PrivateKey): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'EdDSA', typ: type })
    .sign(keyObject(key))

/** The payload of a document of this type, signed by this key and of this shape; throws `DocumentRefused`. */
export const verify = async (
  bytes: string,
  { type, signer, key, schema }: { type: string; signer: string; key: PublicKey; schema: TSchema },
): Promise<unknown> => {
  const imported = await importJWK(key, 'EdDSA')
  const verified = await compactVerify(bytes.trim(), imported, { algorithms: ['EdDSA'] }).catch(() => {
    throw new DocumentRefused(`It is not signed by the ${signer} key.`)
  })
  if (verified.protectedHeader.typ !== type) throw new DocumentRefused(`Its type is not ${type}.`)
  let payload: unknown
  try {
    payload = JSON.parse(Buffer.from(verified.payload).toString('utf8'))
  } catch {}
  if (Value.Check(schema, payload)) return payload
  const [error] = Value.Errors(schema, payload)
  throw new DocumentRefused(`Its field ${error?.instancePath || '/'} ${error?.message}.`)
}

/** The document in use, and its file. */
export interface Keeper<T extends Dated> {
  current(): T | null
  /** Takes a document and keeps it, or throws `DocumentRefused`; true where it is newer than what was held. */
  offer(bytes: string, now: number): Promise<boolean>
}

/**
 * Opens the last good document. The kept one serves past its expiry: in a shutdown of months an agent that goes on as it
 * did is worth more than a silent one. It is the version floor: an older document is never taken.
 */
export const openKeeper = async <T extends Dated>(
  file: string,
  read: (bytes: string) => Promise<T>,
): Promise<Keeper<T>> => {
  const kept = await readIfThere(file)
  let current = kept && (await read(kept.toString('latin1')).catch(() => null))
  return {
    current: () => current,
    offer: async (offered, now) => {
      const next = await read(offered)
      if (next.expires < Math.max(now, current?.issued ?? 0)) throw new DocumentRefused('It has expired.')
      if (current && next.version < current.version) {
        throw new DocumentRefused(`Its version ${next.version} is older than ${current.version}, which is held.`)
      }
      if (current && next.version === current.version && next.issued <= current.issued) return false
      await writeDurably(file, offered).catch(() => {}) // A full disk: it serves until the next start.
      current = next
      return true
    },
  }
}
