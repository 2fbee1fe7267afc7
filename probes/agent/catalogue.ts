import { isIP } from 'node:net'
import { CompactSign } from 'jose/jws/compact/sign'
import { compactVerify } from 'jose/jws/compact/verify'
import { importJWK } from 'jose/key/import'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { App } from '../../measurement/app.ts'
import { type ProbeKind, probeKinds } from '../../measurement/step.ts'
import { type Target, targetSchema } from '../../measurement/target.ts'
import { mayConnect } from '../net/address.ts'
import { readIfThere, writeDurably } from './files.ts'
import { keyObject, type PrivateKey, type PublicKey } from './identity.ts'

/** Payload of the signed document that says what may be measured. Open where it will grow: newer fields are passed over. */
const Document = Type.Object({
  version: Type.Integer({ minimum: 1, description: 'Agents never go back to a lower one.' }),
  issued: Type.Number({ description: 'Unix seconds.' }),
  expires: Type.Number({ description: 'Unix seconds. Afterwards it is not accepted any more, only kept.' }),
  apps: Type.Array(Type.Object({ ...App.properties, targets: Type.Array(Type.Object({ id: Type.String() })) })),
  forbidden: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
})
export type Document = Omit<Static<typeof Document>, 'apps'> & { apps: readonly App[] }

/** A verified catalogue. `unknown` targets are of kinds or fields this program is too old for. */
export type Catalogue = {
  version: number
  issued: number
  expires: number
  apps: readonly App[]
  forbidden: Readonly<Record<string, readonly string[]>>
  unknown: number
}

const TYPE = 'peyk-catalogue'

/** Why a document is not taken. */
export class CatalogueRefused extends Error {
  override name = 'CatalogueRefused'
}

/** The document's bytes: a compact JWS (RFC 7515) by the release key. Offline work. */
export const signCatalogue = (document: Document, key: PrivateKey): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(document)))
    .setProtectedHeader({ alg: 'EdDSA', typ: TYPE })
    .sign(keyObject(key))

/** Looks like an address to some resolver: digits only, hex, octal, or with colons. Names need a letter in their last label. */
const isName = (host: string): boolean =>
  /(^|\.)[a-z0-9-]*[a-z][a-z0-9-]*\.?$/.test(host) && !/(^|\.)0x[0-9a-f]*$/.test(host)

/** The addresses a target names literally must be public; names are held to it when they are connected to. */
const wrongAddress = (target: Target): boolean => {
  const hosts = [target.host]
  if (target.kind === 'dns' && target.ask.resolver !== 'system') hosts.push(target.ask.resolver.address)
  return hosts.some(host => (isIP(host) ? !mayConnect(host, 'public') : !isName(host) || /(^|\.)localhost$/.test(host)))
}

const understood = (target: { id: string } & Partial<Target>): target is Target =>
  probeKinds.includes(target.kind as ProbeKind) && Value.Check(targetSchema(target.kind as ProbeKind), target)

const parse = async (bytes: string, key: PublicKey): Promise<Static<typeof Document>> => {
  const verified = await compactVerify(bytes.trim(), await importJWK(key, 'EdDSA'), { algorithms: ['EdDSA'] }).catch(
    () => {
      throw new CatalogueRefused('It is not signed by the release key.')
    },
  )
  if (verified.protectedHeader.typ !== TYPE) throw new CatalogueRefused(`Its type is not ${TYPE}.`)
  let document: unknown
  try {
    document = JSON.parse(Buffer.from(verified.payload).toString('utf8'))
  } catch {}
  if (Value.Check(Document, document)) return document
  const [error] = Value.Errors(Document, document)
  throw new CatalogueRefused(`Its field ${error?.instancePath || '/'} ${error?.message}.`)
}

/**
 * Verifies a document and reads it. One address that is not public refuses all of it; a target this program does not
 * understand is passed over, so that old agents live with new catalogues. Loopback targets are for labs.
 */
export const verifyCatalogue = async (bytes: string, key: PublicKey, loopback: boolean): Promise<Catalogue> => {
  const { version, issued, expires, apps, forbidden = {} } = await parse(bytes, key)
  let unknown = 0
  const read = apps.map(app => {
    const targets = (app.targets as ({ id: string } & Partial<Target>)[]).filter(understood)
    unknown += app.targets.length - targets.length
    for (const target of targets) {
      if (target.address === 'loopback' ? !loopback : wrongAddress(target)) {
        throw new CatalogueRefused(`Its target ${target.id} has an address that is not public.`)
      }
    }
    return { ...app, targets } as App
  })
  return { version, issued, expires, apps: read, forbidden, unknown }
}

/** The catalogue in use, and its file. */
export interface Keeper {
  current(): Catalogue | null
  /** Takes a document and keeps it, or throws `CatalogueRefused`; true where it is newer than what was held. */
  offer(bytes: string, now: number): Promise<boolean>
}

/**
 * Opens the last good catalogue. The kept one serves past its expiry: in a shutdown of months an agent that goes on with
 * old targets is worth more than a silent one. It is the version floor: an older document is never taken.
 */
export const openCatalogue = async (file: string, key: PublicKey, loopback: boolean): Promise<Keeper> => {
  const kept = await readIfThere(file)
  let current = kept && (await verifyCatalogue(kept.toString('latin1'), key, loopback).catch(() => null))
  return {
    current: () => current,
    offer: async (offered, now) => {
      const next = await verifyCatalogue(offered, key, loopback)
      if (next.expires < Math.max(now, current?.issued ?? 0)) throw new CatalogueRefused('It has expired.')
      if (current && next.version < current.version) {
        throw new CatalogueRefused(`Its version ${next.version} is older than ${current.version}, which is held.`)
      }
      if (current && next.version === current.version && next.issued <= current.issued) return false
      await writeDurably(file, offered).catch(() => {}) // A full disk: it serves until the next start.
      current = next
      return true
    },
  }
}
