import { createHash } from 'node:crypto'
import { strToU8, zipSync } from 'fflate'
import type { PolicyEvent } from '../events/event.ts'
import { wording } from '../events/select.ts'
import { spanOf } from '../events/when.ts'
import type { Degradation, Point, Series, Source } from '../measurement/answers.ts'
import { operations } from '../measurement/step.ts'
import type { RollupLevel } from '../measurement/windows.ts'
import { iso, seriesAnswer } from './answers.ts'
import { drawFinding, type Language } from './drawing.ts'
import { measurementsQuery } from './measurements.ts'
import type { Store } from './store/store.ts'

/** All that a finding rests on, to be cited, checked and kept: rows, picture, sentence, licences, and what names them. */

export type EvidenceParts = {
  store: Store
  events: readonly PolicyEvent[]
  networkName: (asn: number) => string | undefined
}

export type Evidence = {
  degradation: Degradation
  /** Unix seconds, [from, to). */
  from: number
  to: number
  step: '1h' | '1d'
  level: RollupLevel
  /** The country's, then those of its networks. */
  series: Series[]
  sources: Source[]
}

const DAY = 86_400
/** More networks than this are in the rows and not in the picture. */
const MOST_SERIES = 12
const MOST_LANES = 6
/** Longer findings are told by the day. */
const HOURLY_SECONDS = 60 * DAY
/** More rows than this make a bundle that a browser cannot hold and a server should not pack: they are fetched by their query. */
const MOST_ROWS = 20_000

/**
 * What is public about a revision of a finding, with a quarter of its length to either side, two days at least. What
 * lasts reaches to when the revision became known, so that the same revision has the same range for ever.
 */
export const evidenceOf = async (
  { store, networkName }: EvidenceParts,
  degradation: Degradation,
  coarse = false,
): Promise<Evidence> => {
  const { app, feature, country, onset, end, known, networks } = degradation
  const first = Date.parse(onset) / 1000
  const last = Math.max(first + 3_600, Date.parse(end ?? known) / 1000)
  const margin = Math.max((last - first) / 4, 2 * DAY)
  const from = Math.floor((first - margin) / DAY) * DAY
  const to = end === null ? Math.ceil(last / 3_600) * 3_600 : Math.ceil((last + margin) / DAY) * DAY
  const step = !coarse && to - from <= HOURLY_SECONDS ? '1h' : '1d'
  const level = step === '1h' ? 3_600 : DAY
  const series: Series[] = []
  for (const asn of [undefined, ...networks.slice(0, MOST_SERIES)]) {
    series.push(await seriesAnswer(store, { app, feature, country, asn, from, to, level, step }, networkName))
  }
  const sources = new Map(series.flatMap(of => of.sources).map(source => [source.origin, source]))
  return { degradation, from, to, step, level, series, sources: [...sources.values()] }
}

const place = (code: string, language: Language): string =>
  new Intl.DisplayNames([language], { type: 'region' }).of(code) ?? code

/** The finding as SVG. */
export const pictureOf = ({ events, networkName }: EvidenceParts, evidence: Evidence, language: Language): string => {
  const { degradation, series, from, to, level, sources } = evidence
  const lanes = series.slice(0, MOST_LANES + 1).map(({ asn, points }) => {
    const name = asn === undefined ? undefined : networkName(asn)
    return {
      name: asn === undefined ? place(degradation.country, language) : [`AS${asn}`, name].filter(Boolean).join(' '),
      points,
    }
  })
  const near = degradation.events.flatMap(({ id, distance }) => {
    const event = events.find(of => of.id === id)
    return event ? [{ title: wording(event.title, language).text, distance, at: spanOf(event).start.from }] : []
  })
  return drawFinding({ degradation, language, from, to, step: level, lanes, near, sources })
}

const cell = (value: unknown): string => {
  const text = value === null || value === undefined ? '' : String(value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
const csv = (columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string =>
  [columns, ...rows.map(row => columns.map(name => row[name]))].map(row => `${row.map(cell).join(',')}\r\n`).join('')
const lines = (rows: readonly object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('')

const flat = ({ app, feature, country, asn, step }: Series, { latency, failures, networks, ...point }: Point) => ({
  ...{ app, feature, country, asn: asn ?? 0, step, ...point },
  ...Object.fromEntries(operations.map(operation => [`${operation}_seconds`, latency[operation] ?? null])),
  failures: JSON.stringify(failures),
  networks: networks ? JSON.stringify(networks) : null,
})

/** Public rows of the finding's networks, as they were when the revision became known; null where there are too many. */
const rowsOf = async (store: Store, { degradation, from, to }: Evidence): Promise<Record<string, unknown>[] | null> => {
  const { app, country, feature, networks, known } = degradation
  const { sql, params } = measurementsQuery({ app, country, feature, from, to, known: Date.parse(known) / 1000 + 1 })
  const rows = await store.query<Record<string, unknown>>(
    `SELECT * FROM (${sql}) WHERE asn IN {networks:Array(UInt32)} ORDER BY ALL LIMIT ${MOST_ROWS + 1}`,
    { ...params, networks },
  )
  return rows.length > MOST_ROWS ? null : rows
}

/** Where the same rows are asked for. */
export const queriesOf = ({ degradation, from, to, step, series }: Evidence) => {
  const { app, country, feature, networks } = degradation
  const query = (more: Record<string, string>) =>
    new URLSearchParams({ app, country, feature, ...more, from: iso(from), to: iso(to) })
  return {
    series: series.map(
      ({ asn }) => `/v1/series?${query({ ...(asn === undefined ? {} : { asn: String(asn) }), step })}`,
    ),
    measurements: networks.map(asn => `/v1/measurements?${query({ asn: String(asn) })}`),
  }
}

const citation = ({ degradation, sources }: Evidence): string => {
  const { id, revision, known, sentence, events } = degradation
  return [
    `Peyk, finding ${id}, revision ${revision}, known since ${known}: “${sentence.en}”`,
    `/finding/${id} of the server this came from; the numbers are in manifest.json, whose hashes name every file here.`,
    '',
    sentence.en,
    sentence.fa,
    '',
    ...(events.length > 0
      ? [`Near in time, not because of: ${events.map(of => `${of.id} (${of.distance})`).join(', ')}`, '']
      : []),
    ...sources.map(({ origin, attribution, licence }) => `Rows of ${origin}: ${attribution}. Licence: ${licence}.`),
    '',
  ].join('\n')
}

const files = {
  'CITATION.txt': 'How to cite it, its sentence in English and Persian, and the licences of the rows.',
  'finding.json': 'The finding, as /v1/degradations/:id tells this revision.',
  'series.csv': 'Public rollups of the country (asn 0) and the networks, one row a span. Columns: docs/data.md, Point.',
  'series.jsonl': 'The same, as /v1/series answers them, one line a series.',
  'measurements.csv': 'Public rows behind them, lists joined by commas. Columns: docs/data.md, Public rows.',
  'measurements.jsonl': 'The same, one line a row.',
  'chart-en.svg': 'The finding as one picture, in English.',
  'chart-fa.svg': 'The same in Persian.',
} as const

/** Zip holds local times and knows no zones: one that is the same everywhere. */
const NO_TIME = new Date(1980, 0, 1)

/** The bundle. The same rows and the same revision give the same bytes. */
export const bundleOf = async (parts: EvidenceParts, evidence: Evidence, rule: number): Promise<Uint8Array> => {
  const { degradation, series, sources, from, to, step } = evidence
  const rows = await rowsOf(parts.store, evidence)
  const points = series.flatMap(of => of.points.map(point => flat(of, point)))
  const texts: Partial<Record<keyof typeof files, string>> = {
    'CITATION.txt': citation(evidence),
    'finding.json': `${JSON.stringify(degradation, null, 2)}\n`,
    'series.csv': csv(Object.keys(points[0] ?? {}), points),
    'series.jsonl': lines(series),
    ...(rows ? { 'measurements.csv': csv(Object.keys(rows[0] ?? {}), rows), 'measurements.jsonl': lines(rows) } : {}),
    'chart-en.svg': pictureOf(parts, evidence, 'en'),
    'chart-fa.svg': pictureOf(parts, evidence, 'fa'),
  }
  const packed = Object.entries(texts).map(([name, text]) => ({ name, bytes: strToU8(text) }))
  const manifest = {
    ...{ finding: degradation.id, revision: degradation.revision, known: degradation.known, rule },
    sentence: degradation.sentence,
    ...{ from: iso(from), to: iso(to), step, queries: queriesOf(evidence), licences: sources },
    ...(rows ? {} : { left_out: `measurements: more than ${MOST_ROWS} rows; fetch them by their queries` }),
    files: packed.map(({ name, bytes }) => ({
      ...{ name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
      what: files[name as keyof typeof files],
    })),
  }
  const all = [...packed, { name: 'manifest.json', bytes: strToU8(`${JSON.stringify(manifest, null, 2)}\n`) }]
  return zipSync(Object.fromEntries(all.map(({ name, bytes }) => [name, bytes])), { mtime: NO_TIME, level: 6 })
}
