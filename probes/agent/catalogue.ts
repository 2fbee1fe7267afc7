import { isIP } from 'node:net'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { App } from '../../measurement/app.ts'
import { type ProbeKind, probeKinds } from '../../measurement/step.ts'
import { resolversOf, type Target, targetSchema } from '../../measurement/target.ts'
import { mayConnect } from '../net/address.ts'
import { DocumentRefused, dated, type Keeper, openKeeper, sign, verify } from './document.ts'
import type { PrivateKey, PublicKey } from './identity.ts'

/** Payload of the signed document that says what may be measured. Open where it will grow: newer fields are passed over. */
const Document = Type.Object({
  ...dated,
  apps: Type.Array(Type.Object({ ...App.properties, targets: Type.Array(Type.Object({ id: Type.String() })) })),
  forbidden: Type.Optional(
    Type.Record(Type.String(), Type.Array(Type.String()), {
      description: 'By country: risk classes and target ids not to be asked there.',
    }),
  ),
  spacing: Type.Optional(
    Type.Record(Type.String(), Type.Integer({ minimum: 60, maximum: 86_400 }), {
      description: 'By country: least seconds between two runs on an address a filter may react to.',
    }),
  ),
  program: Type.Optional(
    Type.Object(
      {
        version: Type.String({ pattern: '^\\d{1,5}\\.\\d{1,5}\\.\\d{1,5}$' }),
        sha256: Type.Record(
          Type.String({ pattern: '^[0-9A-Za-z.-]{1,80}$' }),
          Type.String({ pattern: '^[0-9a-f]{64}$' }),
        ),
      },
      {
        description:
          'Newest version of Peyk, and sums of its executables by file name. Agents tell of it and install nothing.',
      },
    ),
  ),
})
export type Document = Omit<Static<typeof Document>, 'apps'> & { apps: readonly App[] }

/** A verified catalogue. `unknown` targets are of kinds or fields this program is too old for. */
export type Catalogue = {
  version: number
  issued: number
  expires: number
  apps: readonly App[]
  forbidden: Readonly<Record<string, readonly string[]>>
  spacing: Readonly<Record<string, number>>
  unknown: number
  /** Newest version of Peyk that the release key knows of. */
  program: Static<typeof Document>['program'] | null
}

const TYPE = 'peyk-catalogue'

export const signCatalogue = (document: Document, key: PrivateKey): Promise<string> => sign(TYPE, document, key)

/** Looks like an address to some resolver: digits only, hex, octal, or with colons. Names need a letter in their last label. */
const isName = (host: string): boolean =>
  /(^|\.)[a-z0-9-]*[a-z][a-z0-9-]*\.?$/.test(host) && !/(^|\.)0x[0-9a-f]*$/.test(host)

/** The addresses a target names literally must be public; names are held to it when they are connected to. */
const wrongAddress = (target: Target): boolean => {
  const hosts = [target.host, ...resolversOf(target)]
  return hosts.some(host => (isIP(host) ? !mayConnect(host, 'public') : !isName(host) || /(^|\.)localhost$/.test(host)))
}

const understood = (target: { id: string } & Partial<Target>): target is Target =>
  probeKinds.includes(target.kind as ProbeKind) && Value.Check(targetSchema(target.kind as ProbeKind), target)

/**
 * Verifies a document and reads it. One address that is not public refuses all of it; a target this program does not
 * understand is passed over, so that old agents live with new catalogues. Loopback targets are for labs.
 */
export const verifyCatalogue = async (bytes: string, key: PublicKey, loopback: boolean): Promise<Catalogue> => {
  const payload = await verify(bytes, { type: TYPE, signer: 'release', key, schema: Document })
  const {
    version,
    issued,
    expires,
    apps,
    forbidden = {},
    spacing = {},
    program = null,
  } = payload as Static<typeof Document>
  let unknown = 0
  const read = apps.map(app => {
    const targets = (app.targets as ({ id: string } & Partial<Target>)[]).filter(understood)
    unknown += app.targets.length - targets.length
    for (const target of targets) {
      if (target.address === 'loopback' ? !loopback : wrongAddress(target)) {
        throw new DocumentRefused(`Its target ${target.id} has an address that is not public.`)
      }
    }
    return { ...app, targets } as App
  })
  return { version, issued, expires, apps: read, forbidden, spacing, unknown, program }
}

/** Whether one version is later than another; both are three numbers. */
const isLater = (one: string, other: string): boolean => {
  const [a, b] = [one, other].map(version => version.split('.').map(Number))
  const differs = a!.findIndex((part, at) => part !== b![at])
  return differs >= 0 && a![differs]! > b![differs]!
}

/** A version of Peyk later than this one, with the sums to hold a download against; null where there is none. */
export const newerProgram = ({ program }: Catalogue, here: string): Catalogue['program'] =>
  program && isLater(program.version, here) ? program : null

/** The catalogue in use, and its file. */
export const openCatalogue = (file: string, key: PublicKey, loopback: boolean): Promise<Keeper<Catalogue>> =>
  openKeeper(file, bytes => verifyCatalogue(bytes, key, loopback))
