import { type TSchema, Type } from 'typebox'
import { Degradation, Place, Point, Reachability, Series, Source } from '../measurement/answers.ts'
import { EffectMeasure, EventEffect } from '../measurement/effect.ts'
import { Evidence } from '../measurement/evidence.ts'
import { FailureName } from '../measurement/failure.ts'
import { Added, Measurement } from '../measurement/measurement.ts'
import { type Metric, metrics, SERIES_BUDGET } from '../measurement/metrics.ts'
import { Batch, Receipt, Report } from '../measurement/report.ts'
import { deepest, layerOf, operations, probeKinds, Step } from '../measurement/step.ts'
import { type Mechanism, mechanisms, Recurrence, type Verdict, verdicts } from '../measurement/verdict.ts'

/** `docs/data.md` and `docs/metrics.md`: every field, word and metric, written from the schemas that validate them. */

/** What a schema holds, as JSON Schema says it. */
type Shape = {
  type?: string
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Shape[]
  items?: Shape
  properties?: Readonly<Record<string, Shape>>
  patternProperties?: Readonly<Record<string, Shape>>
  required?: readonly string[]
  description?: string
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  maxItems?: number
}

const shape = (schema: TSchema): Shape => schema as Shape

/** A cell of a table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
const table = (head: readonly string[], rows: readonly string[]): string =>
  [row(...head), row(...head.map(() => '---')), ...rows].join('\n')

const notNull = ({ anyOf = [] }: Shape): readonly Shape[] => anyOf.filter(({ type }) => type !== 'null')

/** The one shape that is not null, or the shape itself. */
const bare = (of: Shape): Shape => (of.anyOf && notNull(of).length === 1 ? notNull(of)[0]! : of)

const words = (values: readonly unknown[]): string => values.map(value => `\`${value}\``).join(' ')

const typeOf = (of: Shape): string => {
  const nullable = of.anyOf?.some(({ type }) => type === 'null') ? ' or null' : ''
  const { type = 'value', enum: values, items, patternProperties, properties } = bare(of)
  const named = apart.get(bare(of))
  if (named) return `[${named}](#${named.toLowerCase()})${nullable}`
  if (values) return `word${nullable}`
  if (type === 'array')
    return `list of ${items?.enum ? 'words' : apart.has(items) ? typeOf(items!) : plural(typeOf(items ?? {}))}${nullable}`
  if (type === 'object' && !properties && patternProperties) return `map${nullable}`
  return `${type}${nullable}`
}

const plural = (type: string): string => (type === 'value' ? 'values' : `${type}s`)

/** Large limits as powers of two, which they are. */
const round = (value: number): string => {
  const power = Math.round(Math.log2(value))
  if (value < 1e6) return String(value)
  if (value % 2 === 1) return `2^${power} - 1`
  return value === 2 ** power ? `2^${power}` : String(value)
}

const limitsOf = (of: Shape): string => {
  const one = bare(of)
  const { enum: values, pattern, format, minimum, maximum, maxLength, maxItems, items } = one
  const listed = values ?? items?.enum
  const parts = [
    listed ? words(listed) : '',
    pattern && pattern === shape(FailureName).pattern ? 'a name of [failures](failures.md)' : '',
    pattern && pattern !== shape(FailureName).pattern ? `\`${pattern}\`` : '',
    format === 'date-time' ? 'UTC, ISO 8601' : '',
    minimum !== undefined && maximum !== undefined ? `${round(minimum)} to ${round(maximum)}` : '',
    minimum !== undefined && maximum === undefined ? `at least ${round(minimum)}` : '',
    maxLength !== undefined ? `at most ${maxLength} characters` : '',
    maxItems !== undefined ? `at most ${maxItems}` : '',
  ]
  return parts.filter(part => part !== '').join('; ')
}

const meaningOf = (of: Shape): string => of.description ?? bare(of).description ?? bare(of).items?.description ?? ''

/** Objects told of on their own, so that they are not spelt out inside others. */
const apart = new Map<unknown, string>(
  Object.entries({ Step, Batch, Point, Place, Recurrence, EffectMeasure, Series, Source }).map(([name, of]) => [
    of,
    name,
  ]),
)

/** A row per field; fields of objects inside follow, with their path. */
const fields = ({ properties = {}, required = [] }: Shape, path = ''): string[] =>
  Object.entries(properties).flatMap(([name, of]) => {
    const optional = required.includes(name) ? '' : ' (optional)'
    const inner = bare(of)
    const object = inner.type === 'array' ? inner.items : inner
    const spelt = object?.properties && !apart.has(object) && !isMap(object) ? object : null
    const full = `${path}${name}`
    return [
      row(`\`${full}\`${optional}`, typeOf(of), limitsOf(of), meaningOf(of)),
      ...(spelt ? fields(spelt, `${full}${inner.type === 'array' ? '[]' : ''}.`) : []),
    ]
  })

/** A closed map by operation: its keys are words told of elsewhere. */
const isMap = ({ properties = {} }: Shape): boolean => operations.every(operation => operation in properties)

/** Fields without a meaning: a gap in the dictionary (test/docs.test.ts). */
export const undescribed = (): string[] =>
  sections.flatMap(({ title, schema }) =>
    fields(shape(schema))
      .filter(line => line.endsWith('|  |'))
      .map(line => `${title}: ${line}`),
  )

/** Columns of the public rows, in their order, and what they mean (server/measurements.ts; test/docs.test.ts compares). */
export const publicColumns = {
  window: 'Start of the 5-minute window of the measurement in true time, UTC.',
  app: 'Slug of the app.',
  feature: 'Use of the app that the target serves.',
  target: 'Id of the target in the catalogue.',
  kind: 'Probe kind.',
  family: '`v4` or `v6`.',
  route: 'How the probe reached out.',
  role: '`vantage`, `control` or `operator`.',
  country: 'Country of the agent, as it found it.',
  asn: 'Its network; 0 where unknown or not public (k-anonymity).',
  access: 'Kind of access.',
  failure: 'Empty where the endpoint answered.',
  operations: 'Operations of the steps, in order.',
  seconds: 'Duration of each step; 0 where an import does not say.',
  failures: 'Failure of each step, empty for success.',
  served_asn: 'Network of the address that answered; 0 unknown.',
  served_country: 'Country of that address; ZZ unknown.',
  served_dc: 'Data centre, where the app names it.',
  origin_proof: 'What the answer proves of where it came from.',
  marks:
    '`loop_stalled`: its machine was busy, so its seconds say nothing of the network. `time_uncertain`: nor does its window of when.',
  origin: '`agent`, `ooni` or `simulated`.',
  trust: '`corroborated`, `claimed` or `operator`.',
  software: 'Program and version that measured.',
  catalogue: 'Version of the catalogue.',
  rule: 'Version of the rules that judged the row.',
  licence: 'Licence of the row.',
} as const

type Section = { title: string; schema: TSchema; text: string }

/** What a place has beside its point. */
const PlaceAlone = Type.Omit(Place, Object.keys(Point.properties) as (keyof typeof Point.properties)[])

const sections: readonly Section[] = [
  {
    title: 'Measurement',
    schema: Measurement,
    text: 'One run of one probe on one target, as an agent sends it: a line of JSON. Fields not listed are refused. Units are seconds and bytes; times are Unix seconds on the clock that is named.',
  },
  {
    title: 'Step',
    schema: Step,
    text: 'One network operation of a measurement. The schema is closed so that no body, header, name or address can leave the probe in it.',
  },
  {
    title: 'What the server adds',
    schema: Added,
    text: 'Together with the measurement, the row that is kept (`measurements_raw`). An import has sequence 0. `agent`, `id`, `boot`, `mono`, `sequence`, `seen_country`, `seen_asn` and `prefix_token` never leave the server.',
  },
  {
    title: 'Report',
    schema: Report,
    text: 'Body of `POST /v1/reports`: JSON, as it is or under gzip or zstd. Who sends it stands in the `Authorization` header (docs/server.md).',
  },
  { title: 'Batch', schema: Batch, text: 'A piece of an agent’s spool, opaque to whoever carries it.' },
  {
    title: 'Receipt',
    schema: Receipt,
    text: 'Answer to a report. `stored` is said when the rows are durable; `refused` is final.',
  },
  {
    title: 'Point',
    schema: Point,
    text: 'What is known of (app, feature, place) over one span. The formulas are in [method.md](method.md).',
  },
  { title: 'Series', schema: Series, text: 'Answer of `GET /v1/series`.' },
  {
    title: 'Place',
    schema: PlaceAlone,
    text: 'An entry of `places` in `GET /v1/reachability`: these, and every field of [Point](#point).',
  },
  { title: 'Reachability', schema: Reachability, text: 'Answer of `GET /v1/reachability`.' },
  { title: 'Degradation', schema: Degradation, text: 'A finding: `GET /v1/degradations`, `GET /v1/degradations/:id`.' },
  {
    title: 'Evidence',
    schema: Evidence,
    text: '`evidence` of `GET /v1/degradations/:id`, which also gives `degradation` (the newest revision, or that of `?revision=`) and `revisions`. The bundle holds a `manifest.json` with the SHA-256 of every file in it; the same rows and revision give the same bytes.',
  },
  { title: 'Recurrence', schema: Recurrence, text: 'A weekly window of a degradation, in local time.' },
  {
    title: 'EventEffect',
    schema: EventEffect,
    text: 'Answer of `GET /v1/events/:id/effect`: what followed a policy event. `first` is its first day, `whole` the event itself, four weeks at most. How it is reckoned stands in [method.md](method.md#11-effect-of-an-event-servereffectsts-serveranalysis).',
  },
  {
    title: 'EffectMeasure',
    schema: EffectMeasure,
    text: 'One measure over one span of an effect.',
  },
  { title: 'Source', schema: Source, text: 'Whose data stands behind an answer, and under which licence.' },
]

const verdictMeanings: Record<Verdict, string> = {
  insufficient: 'Too little was measured to say anything. Never zero, never fine.',
  ok: 'It works.',
  slow: 'Slower than usual, cause open.',
  throttled: 'Slower than a control on the same path, confirmed by paired transfer.',
  partial: 'Some of its endpoints answer and some do not.',
  blocked: 'Hardly any of its endpoints answers.',
  app_down: 'Control agents in other countries cannot reach it either.',
  domestic_only: 'The network reaches its own country and not the world.',
  network_down: 'The network reaches nothing.',
}

const mechanismMeanings: Record<Mechanism, string> = {
  injection: 'Forged DNS answers.',
  nxdomain: 'The resolver says that the name does not exist.',
  rst: 'The connection is reset.',
  refuse: 'The connection, or the DNS query, is refused.',
  drop: 'Packets vanish: nothing comes in time.',
  sni: 'The name in the TLS handshake decides. Not given yet.',
  blockpage: 'A known block page comes.',
  protocol_filter: 'The app’s protocol is recognised and cut. Not given yet.',
  police: 'Packets over a rate are dropped.',
  shape: 'Packets over a rate are delayed.',
  freeze: 'The connection stalls after some bytes.',
  drop_up: 'Packets from the agent are dropped.',
  relocation: 'The app is served from farther away.',
  isolation: 'Only the network of the country is reached.',
}

const section = ({ title, schema, text }: Section): string =>
  `## ${title}\n\n${text}\n\n${table(['field', 'type', 'values and limits', 'meaning'], fields(shape(schema)))}\n`

export const dataPage = (): string => `# Data dictionary

Written by \`npm run docs\` from the TypeBox schemas in \`measurement/\`, which validate what comes in and what goes out. A field
that is not here does not exist. Field names are those of the JSON; \`steps[].failure\` is a field of each element of a list.

Licences: rows of agents CC BY 4.0, rows of OONI CC BY-NC-SA 4.0, simulated rows CC0 1.0; each public row names its own.

${sections.map(section).join('\n')}
## Public rows

Columns of \`GET /v1/measurements\` (jsonl, csv, parquet), one row a measurement. Quarantined agents are left out. Rows are ordered by
window and then by what they say, never by when or from whom they came.

\`limit\` gives a page of about so many rows, always of whole windows; the header \`Link\` names the next one (\`rel="next"\`). Pages join
without gaps and doubles; a row that comes late into a window already read is in none of them. A Parquet file holds 31 days at
most. The header \`X-Licence\` names the licences of what is in a file, the column \`licence\` that of each row. In CSV a list is
one field: \`['connect','http_round_trip']\` here, joined by commas in the bundle of a finding.

\`\`\`sh
curl 'http://127.0.0.1:8400/v1/measurements?app=telegram&country=KE&from=2023-11-09&to=2023-11-10&format=csv' > day.csv
curl 'http://127.0.0.1:8400/v1/measurements?app=telegram&country=KE&from=2023-11-09&to=2023-11-10&format=parquet' > day.parquet
curl 'http://127.0.0.1:8400/v1/series?app=telegram&country=KE&asn=12455&from=2023-11-01&to=2023-11-30&step=1d'
curl 'http://127.0.0.1:8400/v1/events/ke-2023-11-08-telegram-exam-block/effect'
\`\`\`

${table(
  ['column', 'meaning'],
  Object.entries(publicColumns).map(([name, meaning]) => row(`\`${name}\``, meaning)),
)}

## Words

### Verdicts, from best to worst

${table(
  ['verdict', 'meaning'],
  verdicts.map(name => row(`\`${name}\``, verdictMeanings[name])),
)}

### Mechanisms

${table(
  ['mechanism', 'meaning'],
  mechanisms.map(name => row(`\`${name}\``, mechanismMeanings[name])),
)}

### Operations and layers

${table(
  ['operation', 'layer'],
  operations.map(name => row(`\`${name}\``, `\`${layerOf[name]}\``)),
)}

### Probe kinds

An endpoint answered when the deepest operation of its kind succeeded and no step failed.

${table(
  ['kind', 'deepest operation'],
  probeKinds.map(name => row(`\`${name}\``, `\`${deepest[name]}\``)),
)}
`

const on: Record<Metric['on'], string> = { server: 'server', agent: 'agent', rollup: 'rollup, at measured time' }

export const metricsPage = (): string => {
  const all = Object.entries(metrics as Record<string, Metric>)
  const rows = all.map(([name, { type, help, labels, cap, on: where }]) =>
    row(`\`${name}\``, type, labels.map(label => `\`${label}\``).join(' '), String(cap), on[where], help),
  )
  return `# Metrics

Written by \`npm run docs\` from \`measurement/metrics.ts\`. \`cap\` is the most series a family may have on /metrics; the caps sum
to at most ${SERIES_BUDGET}. What does not fit is folded into its country, fewest agents first, and counted in
\`peyk_series_folded\`. No label ever holds an agent, an address, a host, or text that came from the network.

${table(['metric', 'type', 'labels', 'cap', 'exported by', 'help'], rows)}
`
}
