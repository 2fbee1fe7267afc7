import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { dataPage, metricsPage } from './data-page.ts'
import { allSettings, between, serverSettings, settingsPage } from './settings-tables.ts'

/** The repository. */
export const root = join(import.meta.dirname, '..')

/** A page written by hand, with a table of settings between marks. */
const withSettings = (path: string, table: () => string) => (): string =>
  between(readFileSync(join(root, path), 'utf8'), 'settings', table())

/** Pages that are written from the code, by path in the repository. */
export const pages: Readonly<Record<string, () => string>> = {
  'docs/data.md': dataPage,
  'docs/metrics.md': metricsPage,
  'docs/settings.md': settingsPage,
  'README.md': withSettings('README.md', allSettings),
  'docs/server.md': withSettings('docs/server.md', serverSettings),
}

if (import.meta.main) {
  for (const [path, page] of Object.entries(pages)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), page())
    console.log(path)
  }
}
