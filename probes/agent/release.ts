import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { withHelper } from '../../measurement/apps/helper.ts'
import { apps, CATALOGUE_VERSION, SPACING_IN } from '../../measurement/catalogue.ts'
import { catalogueFaults } from '../../measurement/faults.ts'
import { SettingsError } from '../../measurement/settings.ts'
import manifest from '../../package.json' with { type: 'json' }
import { type Document, signCatalogue, verifyCatalogue } from './catalogue.ts'
import { privateFolder, readIfThere, writeDurably } from './files.ts'
import { ownKey, type PublicKey, publicHalf, readPrivateKey } from './identity.ts'

const DAY = 86_400
/** A signed catalogue is accepted this long; kept ones serve on. */
const LIFETIME_DAYS = 180

/** What `measurement/apps` holds, as a document to sign, with the flows to a helper where there is one. */
const documentNow = (now: number, days: number, helper: string | null): Document => {
  const offered = withHelper(apps, helper)
  const faults = [...catalogueFaults(), ...catalogueFaults(helper === null ? [] : offered)]
  if (faults.length > 0) throw new SettingsError(faults.join('\n'))
  return {
    version: CATALOGUE_VERSION,
    issued: Math.floor(now),
    expires: Math.floor(now + days * DAY),
    apps: offered,
    spacing: SPACING_IN,
  }
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
  helper: string | null = null,
): Promise<PublicKey> => {
  await privateFolder(dirname(keyFile))
  const key = await ownKey(keyFile)
  const publicKey = publicHalf(key)
  const bytes = await readIfThere(catalogueFile)
  const held = bytes && (await verifyCatalogue(bytes.toString('latin1'), publicKey, true).catch(() => null))
  const document = documentNow(now, LIFETIME_DAYS, helper)
  const same = held && held.version === CATALOGUE_VERSION && JSON.stringify(held.apps) === JSON.stringify(document.apps)
  if (!same || held.expires - now < (LIFETIME_DAYS * DAY) / 2) {
    await writeDurably(catalogueFile, await signCatalogue(document, key))
  }
  return publicKey
}

const catalogueUsage = `peyk catalogue key --key FILE            print the public half of a release key; makes the file where there is none
peyk catalogue sign --key FILE --out FILE [--days ${LIFETIME_DAYS}] [--sums FILE] [--helper HOST]
                                          sign what measurement/apps holds; serve the file as /v1/catalogue.
                                          --sums: SHA256SUMS of this version's executables; agents tell that it is out.
                                          --helper: name or IPv4 address of a helper for agents to use (docs/helper.md)
Exit codes: 0 done, 2 wrong usage or a file that cannot be used.
`

/** This version, and the sums of its executables from the file that the build wrote. */
const programOf = async (sums: string): Promise<NonNullable<Document['program']>> => {
  const lines = (await readIfThere(sums))?.toString('utf8').trim().split('\n') ?? []
  const read = lines.map(line => /^([0-9a-f]{64}) {2}(\S+)$/.exec(line))
  if (!read.length || read.includes(null)) throw new Error(`${sums} holds no sums as sha256sum writes them.`)
  return { version: manifest.version, sha256: Object.fromEntries(read.map(found => [found![2]!, found![1]!])) }
}

/** `peyk catalogue …`: offline work of whoever holds the release key. Gives the exit code. */
export const catalogueCommand = async (args: readonly string[], say: (text: string) => void): Promise<number> => {
  try {
    const file = { type: 'string' } as const
    const options = {
      key: file,
      out: file,
      days: file,
      sums: file,
      helper: file,
      help: { type: 'boolean', short: 'h' },
    } as const
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [what] = positionals
    if (values.help) {
      say(catalogueUsage)
      return 0
    }
    if (what === 'key' && values.key) {
      say(`${JSON.stringify(publicHalf(await ownKey(values.key)))}\n`)
      return 0
    }
    const days = Number(values.days ?? LIFETIME_DAYS)
    if (what === 'sign' && values.key && values.out && days > 0 && days <= 3_650) {
      const key = await readPrivateKey(values.key)
      if (!key) throw new Error(`${values.key} does not exist: \`peyk catalogue key --key ${values.key}\` makes one.`)
      const program = values.sums ? { program: await programOf(values.sums) } : {}
      await writeDurably(
        values.out,
        await signCatalogue({ ...documentNow(Date.now() / 1000, days, values.helper ?? null), ...program }, key),
      )
      say(`${values.out}: catalogue ${CATALOGUE_VERSION}, good for ${days} days\n`)
      return 0
    }
    say(catalogueUsage)
  } catch (error) {
    say(`${(error as Error).message}\n`)
  }
  return 2
}
