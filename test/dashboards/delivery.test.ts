/** A finding on its way to people: real Prometheus with the committed rules, real Alertmanager, real HTTP receivers. */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { files, settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'
import {
  alertmanagerPath,
  prometheusPath,
  type Running,
  scratch,
  startAlertmanager,
  startPrometheus,
} from '../servers/prometheus.ts'

const missing =
  prometheusPath === null || alertmanagerPath === null ? ' (skipped: prometheus or alertmanager is not installed)' : ''

type Alert = { status: string; labels: Record<string, string>; annotations: Record<string, string> }
type Webhook = {
  version: string
  status: string
  groupKey: string
  groupLabels: Record<string, string>
  alerts: Alert[]
}
type Chat = { attachments: { title: string; text: string }[] }

const bodyOf = async (request: IncomingMessage) => {
  let text = ''
  for await (const chunk of request) text += chunk
  return JSON.parse(text)
}

async function listening(answer: (path: string, request: IncomingMessage) => Promise<string>) {
  const server = createServer((request, response) => {
    answer(request.url!, request).then(
      text => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text),
      () => response.writeHead(500).end(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, host: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const until = async (what: string, done: () => boolean, seconds = 40) => {
  for (const end = Date.now() + seconds * 1000; !done(); await new Promise(resolve => setTimeout(resolve, 100)))
    if (Date.now() > end) throw new Error(`Nothing after ${seconds} s: ${what}`)
}

const onset = 1_699_509_600
const finding = (feature: string, verdict: string, country = 'KE', app = 'telegram') =>
  `app="${app}",feature="${feature}",country="${country}",verdict="${verdict}",layer="tcp",state="confirmed",incident="${country}-1"`
const degradation = (labels: string, networks: number) => `peyk_degraded{${labels}} 1
peyk_degraded_networks{${labels}} ${networks}
peyk_degraded_agents{${labels}} 85
peyk_degraded_since_timestamp_seconds{${labels}} ${onset}
`
/** A national block of text and web; a slow-down on one network of the same, which it contains. */
const blocked = `${degradation(finding('text', 'blocked'), 2)}${degradation(finding('web', 'blocked'), 3)}${degradation(finding('text', 'slow'), 1)}
peyk_verdict{app="telegram",feature="text",country="KE",asn="12455",verdict="blocked"} 1
peyk_verdict{app="telegram",feature="text",country="KE",asn="33771",verdict="blocked"} 1
peyk_policy_event_active{event="ke-2023-11-08-telegram-exam-block",kind="block",country="KE",app="telegram"} 1
peyk_control_reachability_ratio{control="domestic",country="KE",asn="0"} 1
peyk_control_reachability_ratio{control="foreign",country="KE",asn="0"} 0.98
`
/** A shutdown elsewhere: the per-app alert of that country stays unheard. */
const shutdown =
  degradation(finding('text', 'domestic_only', 'IR'), 4) + degradation(finding('text', 'blocked', 'IR'), 4)
/** Five apps at once, on all three networks of a country. */
const apps = ['telegram', 'whatsapp', 'signal', 'viber', 'line']
const five = apps.map(app => degradation(finding('text', 'blocked', 'PK', app), 3)).join('')

describe.skipIf(missing !== '')(`from a finding to people${missing}`, () => {
  let metrics = ''
  const webhooks: Webhook[] = []
  const chats: Chat[] = []
  const pages: { payload: { summary: string }; event_action: string }[] = []
  const closing: AsyncDisposable[] = []
  let alertmanager: Running

  beforeAll(async () => {
    const { server, host } = await listening(async (path, request) => {
      if (path === '/metrics') return metrics
      const body = await bodyOf(request)
      if (path === '/alerts') {
        expect(request.headers.authorization).toBe('Bearer a-token')
        webhooks.push(body)
      } else if (path === '/chat') chats.push(body)
      else pages.push(body)
      return '{"status":"success"}'
    })
    closing.push({ [Symbol.asyncDispose]: async () => void server.close() })
    const folder = await scratch('delivery')
    closing.push(folder)
    const secrets = join(folder.path, 'secrets')
    await mkdir(secrets)
    await writeFile(join(secrets, 'webhook-token'), 'a-token')
    await writeFile(join(secrets, 'chat-url'), `http://${host}/chat`)
    await writeFile(join(secrets, 'page-key'), 'a-key')

    const settings = settingsFrom({
      PEYK_ALERT_TO: 'page,chat,webhook',
      PEYK_ALERT_WEBHOOK_URL: `http://${host}/alerts`,
    })
    const made = files({ ...settings, delivery: { ...settings.delivery, secrets }, events: loadEvents() })
    for (const [path, text] of made)
      if (!path.startsWith('dashboards/')) {
        await mkdir(join(folder.path, path, '..'), { recursive: true })
        await writeFile(join(folder.path, path), text)
      }

    // As committed, but in seconds instead of minutes.
    const config = parse(made.get('alertmanager.yml')!)
    config.global = { pagerduty_url: `http://${host}/page` }
    Object.assign(config.route, { group_wait: '3s', group_interval: '1s' })
    await writeFile(join(folder.path, 'alertmanager.yml'), stringify(config))
    alertmanager = await startAlertmanager(folder.path, join(folder.path, 'alertmanager.yml'))
    closing.push(alertmanager)

    const alerts = made.get('alerts.yaml')!
    const quick = alerts
      .replaceAll(/interval: \w+/g, 'interval: 1s')
      .replaceAll(/keep_firing_for: \w+/g, 'keep_firing_for: 2s')
    await writeFile(join(folder.path, 'alerts.yaml'), quick)
    const prometheus = await startPrometheus(
      folder.path,
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: ['rules.yaml', 'alerts.yaml'],
        alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.url.slice('http://'.length)] }] }] },
        scrape_configs: [{ job_name: 'peyk', static_configs: [{ targets: [host] }] }],
      }),
      // The first notification can come before Alertmanager is found; the next only after this delay.
      ['--rules.alert.resend-delay=1s'],
    )
    closing.push(prometheus)
    metrics = blocked + shutdown + five
  })

  afterAll(async () => {
    for (const one of closing.toReversed()) await one[Symbol.asyncDispose]()
  })

  const about = (country: string) => webhooks.filter(({ groupLabels }) => groupLabels['country'] === country)

  test('a national block is one notification, with every fact', async () => {
    await until('the block at the webhook', () => about('KE').length > 0)
    const [first] = about('KE')
    expect(first).toMatchObject({ version: '4', status: 'firing', groupLabels: { country: 'KE', incident: 'KE-1' } })
    expect(first!.alerts.map(({ labels }) => [labels['alertname'], labels['feature'], labels['scope']]).sort()).toEqual(
      [
        ['MessengerBlocked', 'text', 'country'],
        ['MessengerBlocked', 'web', 'country'],
      ],
    )
    const text = first!.alerts.find(({ labels }) => labels['feature'] === 'text')!
    expect(text.annotations).toEqual({
      summary: 'A messenger is blocked.',
      summary_fa: 'یک پیام‌رسان مسدود است.',
      description: 'telegram (text) in KE: blocked on 2 network(s), at the layer tcp.',
      networks: 'AS12455, AS33771',
      since: '2023-11-09 06:00:00 +0000 UTC',
      agents: '85',
      control: 'domestic 100%, foreign 98%',
      events: 'ke-2023-11-08-telegram-exam-block',
      deadlines: 'none near',
      dashboard_url: 'http://127.0.0.1:3000/d/peyk-app?var-app=telegram&var-country=KE&var-feature=text',
      runbook_url: 'docs/runbooks/MessengerBlocked.md',
    })
  })

  test('the chat has it in English and Persian, the page its title', async () => {
    await until('the chat', () => chats.some(({ attachments }) => attachments[0]!.title.includes('KE')))
    const [said] = chats.find(({ attachments }) => attachments[0]!.title.includes('KE'))!.attachments
    expect(said!.title).toBe('[FIRING:2] MessengerBlocked: telegram in KE')
    for (const words of [
      'A messenger is blocked.',
      'Networks: AS12455, AS33771',
      'Verdict: blocked',
      'Agents behind it: 85',
    ])
      expect(said!.text).toContain(words)
    for (const words of ['یک پیام‌رسان مسدود است.', 'شبکه‌ها: \u2068AS12455, AS33771\u2069', 'حکم: مسدود'])
      expect(said!.text).toContain(words)
    await until('the page', () => pages.some(({ payload }) => payload.summary.includes('telegram in KE')))
  })

  test('a block of five apps on all networks of a country is one notification', async () => {
    await until('the five at the page', () => pages.some(({ payload }) => payload.summary.includes('PK')))
    expect(about('PK').map(({ alerts }) => alerts.map(({ labels }) => labels['app']).sort())).toEqual([apps.toSorted()])
    expect(pages.map(({ payload }) => payload.summary).filter(summary => summary.includes('PK'))).toEqual([
      '[FIRING:5] MessengerBlocked: several messengers in PK',
    ])
  })

  test('what is contained stays unheard: a network under its country, apps under a shutdown', async () => {
    await until('the shutdown', () => about('IR').length > 0)
    const names = webhooks.flatMap(({ alerts }) =>
      alerts.map(({ labels }) => `${labels['country']} ${labels['alertname']}`),
    )
    expect(names).toContain('IR DomesticOnly')
    expect(names).not.toContain('KE MessengerSlow')
    expect(names).not.toContain('IR MessengerBlocked')
    // It was inhibited, not absent.
    const active = (await (await fetch(`${alertmanager.url}/api/v2/alerts?active=true&inhibited=true`)).json()) as {
      labels: Record<string, string>
      status: { inhibitedBy: string[] }
    }[]
    const silent = active.filter(({ status }) => status.inhibitedBy.length > 0).map(({ labels }) => labels['alertname'])
    expect(silent.sort()).toEqual(['MessengerBlocked', 'MessengerSlow'])
  })

  test('it is told once, and told when it is over', async () => {
    await new Promise(resolve => setTimeout(resolve, 3_000))
    expect(about('KE').filter(({ status }) => status === 'firing')).toHaveLength(1)
    expect(about('IR').filter(({ status }) => status === 'firing')).toHaveLength(1)
    metrics = 'peyk_build_info 1\n'
    await until('the end', () => about('KE').some(({ status }) => status === 'resolved'))
    const over = about('KE').find(({ status }) => status === 'resolved')!
    expect(over.groupKey).toBe(about('KE')[0]!.groupKey)
    expect(over.alerts.every(({ status }) => status === 'resolved')).toBe(true)
    // What was silenced ends with it, so the end is of several alerts.
    const end = '[RESOLVED] several alerts: telegram in KE'
    await until('the end in the chat', () => chats.some(({ attachments }) => attachments[0]!.title === end))
    if (process.env['PEYK_PRINT'])
      console.log(
        JSON.stringify(about('KE')[0], null, 2),
        chats.map(({ attachments }) => attachments[0]!.text).join('\n---\n'),
      )
  })
})
