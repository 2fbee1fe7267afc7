/** Writes boards, rules, alerts and the configuration of the stack as JSON and YAML. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { loadEvents } from '../events/load.ts'
import { SettingsError } from '../measurement/settings.ts'
import { alertmanager, type Delivery, type Receiver, receivers, templates } from './alertmanager.ts'
import { alertRule, alertSpecs } from './alerts.ts'
import type { Settings } from './board.ts'
import { boards } from './boards/boards.ts'
import { ownAlertSpecs } from './own-alerts.ts'
import { ruleGroups } from './rules.ts'
import { boardProvider, datasources, prometheus, type Stack } from './stack.ts'

export type RenderSettings = Settings & { delivery: Delivery; stack: Stack }

/** Settings of rendering: name, what it is by default, what it is for. README prints the table. */
export const renderSettings = {
  PEYK_URL: ['http://127.0.0.1:8400', 'Where people reach Peyk’s page; boards and alerts link to it.'],
  PEYK_GRAFANA_URL: ['http://127.0.0.1:3000', 'Where people reach Grafana; alerts link to it.'],
  PEYK_RUNBOOK_URL: ['docs/runbooks', 'Folder or URL of the runbooks that alerts name.'],
  PEYK_ALERT_TO: [receivers.join(','), `Who is told: any of ${receivers.join(', ')}, or nobody.`],
  PEYK_ALERT_MAIL_TO: ['oncall@example.org', 'Address that gets mails.'],
  PEYK_ALERT_MAIL_FROM: ['peyk@example.org', 'Address mails come from, and user at the mail server.'],
  PEYK_ALERT_MAIL_HOST: ['mail.example.org:587', 'Mail server and port.'],
  PEYK_ALERT_WEBHOOK_URL: ['http://webhook.example.org/alerts', 'Address of the webhook.'],
  PEYK_ALERT_SECRETS: ['/run/secrets', 'Folder where Alertmanager finds the receivers’ secrets, a file each.'],
} as const

/** For `peyk dashboards --help`. */
export const renderUsage = `peyk dashboards [FOLDER]                  write boards, rules, alerts and configuration (dashboards/dist)
Settings:
${Object.entries(renderSettings)
  .map(([name, [fallback, text]]) => `  ${name.padEnd(25)} ${text} (${fallback})`)
  .join('\n')}
Exit codes: 0 done, 2 a setting or the usage is wrong.
`

/** Reads them; throws a SettingsError that names the setting which is wrong. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Omit<RenderSettings, 'events'> {
  const value = (name: keyof typeof renderSettings) => env[name] || renderSettings[name][0]
  const url = (name: keyof typeof renderSettings) => {
    const text = value(name).replace(/\/$/, '')
    if (!/^https?:\/\//.test(text))
      throw new SettingsError(`${name} must be an http:// or https:// URL, not "${text}".`)
    return text
  }
  const named = value('PEYK_ALERT_TO')
    .split(',')
    .map(one => one.trim())
  const unknown = named.find(one => one !== 'nobody' && !receivers.includes(one as Receiver))
  if (unknown !== undefined)
    throw new SettingsError(
      `PEYK_ALERT_TO must list ${receivers.join(', ')}, or be nobody; "${unknown}" is none of them.`,
    )
  const from = value('PEYK_ALERT_MAIL_FROM')
  return {
    peykUrl: url('PEYK_URL'),
    grafanaUrl: url('PEYK_GRAFANA_URL'),
    runbookUrl: value('PEYK_RUNBOOK_URL').replace(/\/$/, ''),
    delivery: {
      to: receivers.filter(receiver => named.includes(receiver)),
      mail: { to: value('PEYK_ALERT_MAIL_TO'), from, smarthost: value('PEYK_ALERT_MAIL_HOST'), user: from },
      webhookUrl: url('PEYK_ALERT_WEBHOOK_URL'),
      secrets: value('PEYK_ALERT_SECRETS').replace(/\/$/, ''),
    },
    stack: {
      server: 'server:8401',
      agent: 'agent:8402',
      prometheus: 'prometheus:9090',
      alertmanager: 'alertmanager:9093',
      boards: '/etc/peyk/dashboards',
    },
  }
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
const yaml = (value: unknown) =>
  `# Made by \`npm run dashboards\`; do not edit.\n${stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })}`

/** Every generated file: path inside the folder, and text. The same input gives the same text. */
export function files(settings: RenderSettings): Map<string, string> {
  const { events, delivery, stack } = settings
  const rulesOf = (specs: typeof alertSpecs) => specs.map(spec => alertRule(spec, settings))
  const alerts = [
    { name: 'peyk-messengers', interval: '30s', rules: rulesOf(alertSpecs) },
    { name: 'peyk-itself', interval: '30s', rules: rulesOf(ownAlertSpecs) },
  ]
  return new Map([
    ...boards(settings).map(board => [`dashboards/${board.uid}.json`, json(board)] as const),
    ['rules.yaml', yaml({ groups: ruleGroups(events) })],
    ['alerts.yaml', yaml({ groups: alerts })],
    ['alertmanager.yml', yaml(alertmanager(delivery, 'templates/*.tmpl'))],
    ...Object.entries(templates()).map(([name, text]) => [`templates/${name}`, text] as const),
    ['prometheus.yml', yaml(prometheus(stack))],
    ['provisioning/datasources/peyk.yaml', yaml(datasources(stack))],
    ['provisioning/dashboards/peyk.yaml', yaml(boardProvider(stack))],
  ])
}

/** Replaces what the folder holds by the generated files; resolves to their paths. */
export async function renderAll(folder: string, settings = settingsFrom(process.env)): Promise<string[]> {
  const made = files({ ...settings, events: loadEvents() })
  for (const part of new Set([...made.keys()].map(path => path.split('/')[0]!)))
    await rm(join(folder, part), { recursive: true, force: true })
  return Promise.all(
    [...made].map(async ([path, text]) => {
      const whole = join(folder, path)
      await mkdir(dirname(whole), { recursive: true })
      await writeFile(whole, text)
      return whole
    }),
  )
}
