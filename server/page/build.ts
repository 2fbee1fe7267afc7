import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'vite'

/** Folder of the built page: `index.html`, `icon.svg` and hashed files under `assets/`. Serve it at `/`. */
export const pageFolder = join(import.meta.dirname, 'dist')

const root = join(import.meta.dirname, '../..')
/** What goes into the page; a change of any of it makes the build stale. */
const sources = ['server/page', 'measurement', 'events', 'package-lock.json']
const MARK = 'built-from'

/** A hash over the sources: times of files lie after a checkout or an unpacked archive, contents do not. */
function sourcesHash(): string {
  const hash = createHash('sha256')
  const read = (path: string) => hash.update(path).update(readFileSync(join(root, path)))
  for (const source of sources) {
    if (source.includes('.')) read(source)
    else
      for (const entry of readdirSync(join(root, source), { recursive: true, encoding: 'utf8' }).sort())
        if (/\.(tsx?|css|html|svg)$/.test(entry) && !entry.startsWith('dist')) read(join(source, entry))
  }
  return hash.digest('hex')
}

/**
 * The contract's modules make TypeBox schemas as they load. The page needs their constants and types only, and 40 kB of
 * schema builder would be most of what a phone loads: here every schema is an empty object.
 */
const withoutSchemas: Plugin = {
  name: 'without-schemas',
  enforce: 'pre',
  resolveId: id => (id === 'typebox' ? '\0typebox' : null),
  load: id => (id === '\0typebox' ? 'export const Type = new Proxy({}, { get: () => () => ({}) })' : null),
}

/** Whether the page was built from what stands here now. */
export function isBuilt(): boolean {
  const mark = join(pageFolder, MARK)
  return existsSync(mark) && readFileSync(mark, 'utf8') === sourcesHash()
}

/**
 * Builds the page unless it is fresh; about 0.3 s. Where Vite is not installed (packages carry the built page only) an
 * existing build is used as it is. Throws where there is neither. Returns whether it built.
 */
export async function buildPageIfStale(): Promise<boolean> {
  if (isBuilt()) return false
  const vite = await import('vite').catch(() => null)
  if (vite === null) {
    if (existsSync(join(pageFolder, 'index.html'))) return false
    throw new Error('The page is not built and Vite, which builds it, is not installed: run npm ci')
  }
  // Two processes may start at once: each builds beside, the last rename wins, nobody serves half a page.
  const own = `${pageFolder}.${process.pid}`
  await vite.build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: 'error',
    base: '/',
    mode: 'production',
    plugins: [withoutSchemas],
    // Said out loud: under a test runner Vite would build for development, with the paths of this machine inside.
    define: { 'process.env.NODE_ENV': '"production"' },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
    build: {
      outDir: own,
      emptyOutDir: true,
      // Phones of 2021: volunteers cannot all afford a new one.
      target: ['chrome94', 'firefox93', 'safari15.4'],
      modulePreload: { polyfill: false },
      // Data URLs would need a looser content policy.
      assetsInlineLimit: 0,
    },
  })
  writeFileSync(join(own, MARK), sourcesHash())
  rmSync(pageFolder, { recursive: true, force: true })
  renameSync(own, pageFolder)
  return true
}
