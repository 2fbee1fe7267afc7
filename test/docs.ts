import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { failures } from '../measurement/failure.ts'
import { appsPage } from './apps-page.ts'
import { dataPage, metricsPage } from './data-page.ts'
import { agentSettings, allSettings, between, helperSettings, serverSettings } from './settings-tables.ts'

/** `docs/failures.md`: every failure, who is to blame, and its sentence. */
export const failuresPage = (): string => {
  const rows = Object.entries(failures).map(([name, { blame, sentence }]) => `| \`${name}\` | ${blame} | ${sentence} |`)
  return `# Failures

Every failure a step can end in, from \`measurement/failure.ts\`. Names without a protocol in front are OONI's
([df-007](https://github.com/ooni/spec/blob/master/data-formats/df-007-errors.md)), kept to the letter so that rows of both
compare. Blame says who is to blame as far as the failure alone can say: a failure of the agent's own is no attempt, and says
nothing of the app. An error without a name keeps its errno, as \`unknown_failure ECODE\`: the one thing in an error that can
hold no address.

| failure | blame | meaning |
| --- | --- | --- |
${rows.join('\n')}
`
}

/** The repository. */
export const root = join(import.meta.dirname, '..')

/** A page written by hand, with a table of settings between marks. */
const withSettings = (path: string, table: () => string) => (): string =>
  between(readFileSync(join(root, path), 'utf8'), 'settings', table())

/** Pages that are written from the code, by path in the repository. */
export const pages: Readonly<Record<string, () => string>> = {
  'docs/apps.md': appsPage,
  'docs/data.md': dataPage,
  'docs/failures.md': failuresPage,
  'docs/metrics.md': metricsPage,
  'README.md': withSettings('README.md', allSettings),
  'docs/agent.md': withSettings('docs/agent.md', agentSettings),
  'docs/helper.md': withSettings('docs/helper.md', helperSettings),
  'docs/server.md': withSettings('docs/server.md', serverSettings),
}

if (import.meta.main) {
  for (const [path, page] of Object.entries(pages)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), page())
    console.log(path)
  }
}
