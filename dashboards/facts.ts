/**
 * What an alert says about itself: Prometheus templates that ask for the facts when it fires, one annotation each, so
 * that page, chat, mail and both languages can put them together (alertmanager.ts).
 */
import { gauge, over, promql, type Query } from './query.ts'

/** `{{ with … }}` over the answer to a query whose `%s` are the alert's labels, in order. */
const asked = (query: Query<string>, labels: readonly string[], found: string, none: string) => {
  const values = labels.map(label => ` $labels.${label}`).join('')
  return `{{ with printf ${JSON.stringify(query.promql)}${values} | query }}${found}{{ else }}${none}{{ end }}`
}
const plain = (query: { promql: string }): Query<string> => promql(query.promql)

const first = (format: string) => `{{ with first . }}{{ .Value | ${format} }}{{ end }}`
const LIST = 10
/** Up to ten labels, apart by commas. */
const listed = (label: string, prefix = '') =>
  `{{ range $i, $one := sortByLabel "${label}" . }}{{ if lt $i ${LIST} }}{{ if $i }}, {{ end }}${prefix}{{ $one.Labels.${label} }}{{ end }}{{ if eq $i ${LIST} }}, …{{ end }}{{ end }}`

const degradation = { app: '%s', feature: '%s', country: '%s', verdict: '%s', layer: '%s', state: 'confirmed' } as const
const ofDegradation = ['app', 'feature', 'country', 'verdict', 'layer'] as const

const control = (side: 'domestic' | 'foreign') =>
  asked(
    plain(over('last', '30m', 'peyk_control_reachability_ratio', { control: side, country: '%s', asn: '0' })),
    ['country'],
    `${side} ${first('humanizePercentage')}`,
    `${side} not measured`,
  )

/** Facts of a country. */
export const countryFacts = {
  control: `${control('domestic')}, ${control('foreign')}`,
  events: asked(
    plain(gauge('peyk_policy_event_active', { country: '%s' })),
    ['country'],
    listed('event'),
    'none known',
  ),
  deadlines: asked(
    // From a week ago to a month ahead.
    promql(
      `(${gauge('peyk:policy_event_deadline:timestamp_seconds', { country: '%s' }).promql} - time()) > -604800 < 2592000`,
    ),
    ['country'],
    '{{ range $i, $one := . }}{{ if $i }}, {{ end }}{{ $one.Labels.event }} ({{ $one.Value | humanizeDuration }}){{ end }}',
    'none near',
  ),
}

/** Facts of an open degradation: alerts on one carry app, feature, country, verdict and layer. */
export const degradationFacts = {
  networks: asked(
    plain(gauge('peyk_verdict', { app: '%s', feature: '%s', country: '%s', verdict: '%s', asn: { not: '0' } })),
    ['app', 'feature', 'country', 'verdict'],
    listed('asn', 'AS'),
    '{{ $value }} not public by name',
  ),
  since: asked(
    plain(gauge('peyk_degraded_since_timestamp_seconds', degradation)),
    ofDegradation,
    first('humanizeTimestamp'),
    'not known',
  ),
  agents: asked(plain(gauge('peyk_degraded_agents', degradation)), ofDegradation, first('humanize'), 'not known'),
  ...countryFacts,
  events: asked(
    // `*` is every app.
    plain(gauge('peyk_policy_event_active', { country: '%s', app: { like: '%s|[*]' } })),
    ['country', 'app'],
    listed('event'),
    'none known',
  ),
}

export type Facts = Partial<Record<keyof typeof degradationFacts, string>>
