/**
 * Alertmanager: one notification per country and incident, what contains silences what is contained, and routes for page,
 * chat, mail and webhook with their secrets in files. The texts are templates, in English and in Persian.
 */
import { looks } from '../measurement/look.ts'
import { verdicts } from '../measurement/verdict.ts'

export const receivers = ['page', 'chat', 'mail', 'webhook'] as const
export type Receiver = (typeof receivers)[number]

/** Who is told, besides Alertmanager's own page. Secrets are never here: they are files in `secrets`. */
export type Delivery = {
  to: readonly Receiver[]
  mail: { to: string; from: string; smarthost: string; user: string }
  webhookUrl: string
  /** Folder of page-key, chat-url, mail-password, webhook-token. */
  secrets: string
}

const messengerAlerts = 'Messenger.*|CallsPathDegraded'

const inhibitions = [
  // A shutdown explains every app of the country, and its silence.
  { source: 'alertname="DomesticOnly"', target: `alertname=~"${messengerAlerts}|NetworkSilent"`, equal: ['country'] },
  // An app that is down everywhere is blocked nowhere. It needs two controls in two countries, so no country is asked.
  { source: 'alertname="AppDown"', target: `alertname=~"${messengerAlerts}"`, equal: ['app', 'feature'] },
  // A country's silences its networks'.
  {
    source: [`alertname=~"${messengerAlerts}"`, 'scope="country"'],
    target: [`alertname=~"${messengerAlerts}"`, 'scope="network"'],
    equal: ['app', 'feature', 'country'],
  },
  {
    source: ['alertname="NetworkSilent"', 'scope="country"'],
    target: ['alertname="NetworkSilent"', 'scope="network"'],
    equal: ['country'],
  },
  // The worse silences the lesser it grew out of.
  {
    source: 'alertname="MessengerBlocked"',
    target: 'alertname=~"MessengerPartlyBlocked|MessengerThrottled|MessengerSlow"',
    equal: ['app', 'feature', 'country'],
  },
  {
    source: 'alertname="MessengerThrottled"',
    target: 'alertname="MessengerSlow"',
    equal: ['app', 'feature', 'country'],
  },
  // Where we are blind ourselves, silence says nothing.
  {
    source: 'alertname=~"PeykServerDown|PeykDetectorBehind"',
    target: 'alertname=~"NetworkSilent|PeykFleetShrinking|PeykRollupBehind"',
    equal: [],
  },
]

/** What each receiver wants to hear. */
const wants: Record<Receiver, string> = {
  page: 'severity="critical"',
  chat: 'severity=~"critical|warning"',
  mail: 'severity=~"critical|warning"',
  webhook: 'severity=~"critical|warning|info"',
}

const TITLE = '{{ template "peyk.title" . }}'
const BOTH = '{{ template "peyk.en" . }}\n\n{{ template "peyk.fa" . }}'

const configOf: Record<Receiver, (delivery: Delivery) => object> = {
  page: ({ secrets }) => ({
    pagerduty_configs: [
      {
        routing_key_file: `${secrets}/page-key`,
        description: TITLE,
        severity: 'critical',
        details: { text: '{{ template "peyk.en" . }}' },
      },
    ],
  }),
  // Slack's format, which Mattermost, Rocket.Chat and Discord (/slack) take as well.
  chat: ({ secrets }) => ({
    slack_configs: [{ api_url_file: `${secrets}/chat-url`, send_resolved: true, title: TITLE, text: BOTH }],
  }),
  mail: ({ mail, secrets }) => ({
    email_configs: [
      {
        to: mail.to,
        from: mail.from,
        smarthost: mail.smarthost,
        auth_username: mail.user,
        auth_password_file: `${secrets}/mail-password`,
        send_resolved: true,
        headers: { Subject: TITLE },
        text: BOTH,
        html: '',
      },
    ],
  }),
  webhook: ({ webhookUrl, secrets }) => ({
    webhook_configs: [
      {
        url: webhookUrl,
        send_resolved: true,
        http_config: { authorization: { credentials_file: `${secrets}/webhook-token` } },
      },
    ],
  }),
}

/** Every chosen receiver that wants a severity gets it; nobody else does. */
const branches = (to: readonly Receiver[]) =>
  to.map(receiver => ({ receiver, matchers: [wants[receiver]], continue: true }))

export const alertmanager = (delivery: Delivery, templates: string): object => ({
  templates: [templates],
  route: {
    receiver: 'nobody',
    // What fell into trouble together is one notification, whatever its apps, features, networks and layers.
    group_by: ['country', 'incident'],
    group_wait: '30s',
    group_interval: '5m',
    repeat_interval: '12h',
    routes: [
      {
        // The heartbeat: to the webhook alone, often, so that its absence is noticed there.
        matchers: ['alertname="PeykWatchdog"'],
        receiver: delivery.to.includes('webhook') ? 'webhook' : 'nobody',
        group_by: ['alertname'],
        repeat_interval: '15m',
      },
      { matchers: ['about="messengers"'], receiver: 'nobody', routes: branches(delivery.to) },
      { matchers: ['about="peyk"'], receiver: 'nobody', group_by: ['alertname'], routes: branches(delivery.to) },
    ],
  },
  inhibit_rules: inhibitions.map(({ source, target, equal }) => ({
    source_matchers: [source].flat(),
    target_matchers: [target].flat(),
    equal,
  })),
  receivers: [
    { name: 'nobody' },
    ...delivery.to.map(receiver => ({ name: receiver, ...configOf[receiver](delivery) })),
  ],
})

/** Latin names inside Persian text keep their own direction. */
const isolated = (text: string) => `\u2068${text}\u2069`

/** What facts.ts says where there is nothing to say, in Persian. */
const orNone = (text: string) => `{{ if eq . "none known" "none near" }}هیچ{{ else }}${isolated(text)}{{ end }}`

const faVerdict: Record<(typeof verdicts)[number], string> = {
  insufficient: 'دادهٔ ناکافی',
  ok: 'سالم',
  slow: 'کند',
  throttled: 'کندسازی‌شده',
  partial: 'بخشی مسدود',
  blocked: 'مسدود',
  app_down: 'از کار افتاده',
  domestic_only: 'فقط شبکهٔ داخلی',
  network_down: 'شبکه قطع',
}

const verdictIn = (words: (verdict: (typeof verdicts)[number]) => string) =>
  verdicts
    .map((verdict, index) => `{{ ${index === 0 ? 'if' : 'else if'} eq . "${verdict}" }}${words(verdict)}`)
    .concat('{{ end }}')
    .join('')

const line = (words: string, annotation: string, wrap = (text: string) => text) =>
  `{{ with .Annotations.${annotation} }}\n${words}: ${wrap('{{ . }}')}{{ end }}`

/** The texts of notifications. `peyk.en` and `peyk.fa` say the same, alert by alert. */
export const templates = (): Record<'peyk.en.tmpl' | 'peyk.fa.tmpl', string> => ({
  'peyk.en.tmpl': `{{ define "peyk.title" }}[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ with .CommonLabels.alertname }}{{ . }}{{ else }}several alerts{{ end }}{{ with .CommonLabels.app }}: {{ . }}{{ else }}{{ if .GroupLabels.incident }}: several messengers{{ end }}{{ end }}{{ with .GroupLabels.country }} in {{ . }}{{ end }}{{ end }}

{{ define "peyk.verdict.en" }}${verdictIn(verdict => looks[verdict].word)}{{ end }}

{{ define "peyk.en" }}{{ range .Alerts }}
{{ if eq .Status "resolved" }}Over: {{ end }}{{ .Annotations.summary }}
{{ .Annotations.description }}{{ with .Labels.verdict }}
Verdict: {{ template "peyk.verdict.en" . }}{{ end }}${[
    line('Networks', 'networks'),
    line('Since', 'since'),
    line('Agents behind it', 'agents'),
    line('Controls', 'control'),
    line('Policy events in force (near in time, not because of)', 'events'),
    line('Deadlines', 'deadlines'),
    line('Board', 'dashboard_url'),
    line('Runbook', 'runbook_url'),
  ].join('')}
{{ end }}{{ end }}
`,
  'peyk.fa.tmpl': `{{ define "peyk.verdict.fa" }}${verdictIn(verdict => faVerdict[verdict])}{{ end }}

{{ define "peyk.fa" }}{{ range .Alerts }}
{{ if eq .Status "resolved" }}پایان یافت: {{ end }}{{ .Annotations.summary_fa }}{{ with .Labels.app }}
پیام‌رسان: ${isolated('{{ . }}')}{{ end }}{{ with .Labels.country }}
کشور: ${isolated('{{ . }}')}{{ end }}{{ with .Labels.verdict }}
حکم: {{ template "peyk.verdict.fa" . }}{{ end }}${[
    line('شبکه‌ها', 'networks', isolated),
    line('از', 'since', isolated),
    line('سنجشگرهای پشت آن', 'agents', isolated),
    line('شاهدها (داخلی، خارجی)', 'control', isolated),
    line('رویدادهای جاری (هم‌زمان، نه لزوماً علت)', 'events', orNone),
    line('ضرب‌الاجل‌ها', 'deadlines', orNone),
    line('نمودار', 'dashboard_url', isolated),
    line('راهنما', 'runbook_url', isolated),
  ].join('')}
{{ end }}{{ end }}
`,
})
