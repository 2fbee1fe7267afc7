import type { App } from '../measurement/app.ts'
import { apps, CATALOGUE_VERSION, CONTROL, decides } from '../measurement/catalogue.ts'
import { type Feature, features, type Target } from '../measurement/target.ts'

/** `docs/apps.md`: every endpoint an agent may contact, so that nobody has to read the source to know. */

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const line = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`

const marksOf = ({ risk, experimental, confidence, countries, roles }: Target): string =>
  [
    risk === 'unusual' ? 'unusual' : '',
    experimental ? 'experimental' : '',
    confidence === 'source' ? '' : confidence,
    countries ? `in ${countries.join(', ')}` : '',
    roles ? `by ${roles.join(', ')}` : '',
  ]
    .filter(mark => mark !== '')
    .join('; ')

/** `host:port`, an IPv6 address in brackets. */
const place = ({ host, port, kind, ask }: Target): string => {
  if (kind === 'dns') {
    const { resolver } = ask
    return `${host} asked of ${resolver === 'system' ? 'the system’s resolver' : `${resolver.address} (${resolver.transport})`}`
  }
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

const decided: Record<Target['decides'], string> = { yes: 'yes', imports: 'imports only', no: '' }

const section = (app: App): string => {
  const head = `## ${app.name.en} (\`${app.id}\`)\n`
  const facts = [app.home && `Domestic app of ${app.home}.`, app.note].filter(Boolean).join(' ')
  // Endpoints asked in the same way share a row.
  const alike = Map.groupBy(app.targets, target =>
    line(target.kind, target.feature, decided[target.decides], marksOf(target), target.healthy, target.source),
  )
  const rows = [...alike].map(([told, targets]) => `| ${cell([...new Set(targets.map(place))].join(' · '))} ${told}`)
  const table = [
    line('endpoint', 'kind', 'feature', 'decides', 'marks', 'healthy answer', 'source'),
    line(...Array.from({ length: 7 }, () => '---')),
    ...rows,
  ].join('\n')
  const body = app.status === 'retired' ? 'Retired: not measured.' : table
  return [head, ...(facts ? [`${facts}\n`] : []), `${body}\n`].join('\n')
}

/** Apps on whose feature no target of our own agents decides: they get no verdict from agents. */
const undecided = (feature: Feature): string =>
  apps
    .filter(({ id, targets }) => id !== CONTROL && targets.some(target => target.feature === feature))
    .filter(({ targets }) => !targets.some(target => target.feature === feature && decides(target, 'agent')))
    .map(({ name }) => name.en)
    .join(', ')

export const appsPage = (): string => {
  const targets = apps.flatMap(app => app.targets)
  return `# Apps and endpoints

Written by \`npm run docs\` from \`measurement/apps/\`, catalogue version ${CATALOGUE_VERSION}: ${targets.length} targets of ${apps.length} apps. An agent
contacts these, the system's resolver and its server, and nothing else. Which of them, how often and when: [agent.md](agent.md).

**decides**: whether an answer counts for reachability ([method.md](method.md) §2). **unusual**: sent only with
\`PEYK_UNUSUAL=yes\`. **experimental**: measured, never part of a verdict. **third-party**, **unverified**: how well the target is known;
without a mark it was read in the app's own code or specification.

## Without a verdict

Apps that are measured, but on whose feature nothing that agents can ask decides yet. From agents alone they get no verdict.

${features
  .filter(feature => undecided(feature) !== '')
  .map(feature => `- ${feature}: ${undecided(feature)}`)
  .join('\n')}

${apps.map(section).join('\n')}`
}
