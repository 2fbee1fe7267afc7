import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { apps, CATALOGUE_VERSION } from '../../measurement/catalogue.ts'
import { catalogueFaults } from '../../measurement/faults.ts'
import { type Document, signCatalogue, verifyCatalogue } from './catalogue.ts'
import { SettingsError } from './config.ts'
import { privateFolder, readIfThere, writeDurably } from './files.ts'
import { ownKey, type PublicKey, publicHalf, readPrivateKey } from './identity.ts'

const DAY = 86_400
/** A signed catalogue is accepted this long; kept ones serve on. */
const LIFETIME_DAYS = 180

/** What `measurement/apps` holds, as a document to sign. */
const documentNow = (now: number, days: number): Document => {
  const faults = catalogueFaults()
  if (faults.length > 0) throw new SettingsError(faults.join('\n'))
  return { version: CATALOGUE_VERSION, issued: Math.floor(now), expires: Math.floor(now + days * DAY), apps }
}

/**
 * The release of a program that runs from source: a key of its own in `keyFile`, made at the first start, and the
 * catalogue of this source signed with it in `catalogueFile`, signed anew when the source changed or half its time is
 * over. Packages pin a key at build instead, and no private key is in them.
 */
export const localRelease = async (
  keyFile: string,
  catalogueFile: string,
  now: number = Date.now() / 1000,
): Promise<PublicKey> => {
  await privateFolder(dirname(keyFile))
  const key = await ownKey(keyFile)
  const publicKey = publicHalf(key)
  const bytes = await readIfThere(catalogueFile)
  const held = bytes && (await verifyCatalogue(bytes.toString('latin1'), publicKey, true).catch(() => null))
  const document = documentNow(now, LIFETIME_DAYS)
  const same = held && held.version === CATALOGUE_VERSION && JSON.stringify(held.apps) === JSON.stringify(apps)
  if (!same || held.expires - now < (LIFETIME_DAYS * DAY) / 2) {
    await writeDurably(catalogueFile, await signCatalogue(document, key))
  }
  return publicKey
}

const catalogueUsage = `peyk catalogue key --key FILE            print the public half of a release key; makes the file where there is none
peyk catalogue sign --key FILE --out FILE [--days ${LIFETIME_DAYS}]
                                          sign what measurement/apps holds; serve the file as /v1/catalogue
Exit codes: 0 done, 2 wrong usage or a file that cannot be used.
`

/** `peyk catalogue …`: offline work of whoever holds the release key. Gives the exit code. */
export const catalogueCommand = async (args: readonly string[], say: (text: string) => void): Promise<number> => {
  try {
    const options = { key: { type: 'string' }, out: { type: 'string' }, days: { type: 'string' } } as const
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [what] = positionals
    if (what === 'key' && values.key) {
      say(`${JSON.stringify(publicHalf(await ownKey(values.key)))}\n`)
      return 0
    }
    const days = Number(values.days ?? LIFETIME_DAYS)
    if (what === 'sign' && values.key && values.out && days > 0 && days <= 3_650) {
      const key = await readPrivateKey(values.key)
      if (!key) throw new Error(`${values.key} does not exist: \`peyk catalogue key --key ${values.key}\` makes one.`)
      await writeDurably(values.out, await signCatalogue(documentNow(Date.now() / 1000, days), key))
      say(`${values.out}: catalogue ${CATALOGUE_VERSION}, good for ${days} days\n`)
      return 0
    }
    say(catalogueUsage)
  } catch (error) {
    say(`${(error as Error).message}\n`)
  }
  return 2
}
