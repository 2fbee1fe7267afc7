import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PassThrough, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { parse } from 'csv-parse'
import type { Stored } from '../../measurement/measurement.ts'
import { readRaw } from './raw.ts'
import { knowsTest, measurementsOf, type OoniReport } from './report.ts'
import { columns, faultOf, type Row, reportOf } from './rows.ts'

/** Where imported measurements go: this process's store, or the server that holds it. */
export type Sink = {
  /** Resolves when the rows are durable. */
  insert(measurements: readonly Stored[]): Promise<void>
  /** Resolves when every touched window is rolled up and judged. */
  settle(): Promise<void>
}

export type Tally = { reports: number; measurements: number; skipped: number; unknown: number; faults: Fault[] }
/** A line that could not be read. `line` counts from 1; 0 stands for the whole file. */
export type Fault = { file: string; line: number; reason: string }

type Progress = (file: string, read: number, size: number, tally: Tally) => void

const BATCH = 1_000
/** Rows are spread over files by their report, so that one file at a time fits in memory: some 4 MB of rows each. */
const PART_BYTES = { packed: 150_000, plain: 4_000_000 }
/** Open at the same time; also where 1,024 is the limit. */
const LEAST_PARTS = 16
const MOST_PARTS = 512

const partsFor = (file: string): number => {
  const each = file.endsWith('.gz') ? PART_BYTES.packed : PART_BYTES.plain
  return Math.min(MOST_PARTS, Math.max(LEAST_PARTS, Math.ceil(statSync(file).size / each)))
}

/**
 * Read OONI files (raw JSONL or observation CSV, plain or .gz) into the sink. Streaming: memory does not grow with the
 * files. A line that does not parse is a fault, and skipped. Importing again changes nothing.
 */
export const importOoni = async (files: readonly string[], sink: Sink, progress: Progress): Promise<Tally> => {
  const tally: Tally = { reports: 0, measurements: 0, skipped: 0, unknown: 0, faults: [] }
  let pending: Stored[] = []
  const flush = async () => {
    const batch = pending
    pending = []
    if (batch.length > 0) await sink.insert(batch)
  }
  const take = async (report: OoniReport): Promise<void> => {
    const { measurements, unknown } = measurementsOf(report, Date.now() / 1000)
    tally.reports++
    tally.unknown += unknown
    tally.measurements += measurements.length
    pending.push(...measurements)
    if (pending.length >= BATCH) await flush()
  }
  for (const file of files) {
    try {
      const source = open(file, (read, size) => progress(file, read, size, tally))
      await (/\.csv(\.gz)?$/.test(file) ? readCsv : readJsonl)(source, file, tally, take)
    } catch (error) {
      tally.faults.push({ file, line: 0, reason: reasonOf(error) })
    }
  }
  await flush()
  await sink.settle()
  return tally
}

const reasonOf = (error: unknown): string => (error as Error).message.split('\n')[0]!

const open = (file: string, report: (read: number, size: number) => void): Readable => {
  const size = statSync(file).size
  let read = 0
  const counted = createReadStream(file).on('data', chunk => report((read += chunk.length), size))
  // Errors pass down the chain, so that a broken archive is a fault of its file.
  const source = counted.pipe(file.endsWith('.gz') ? createGunzip() : new PassThrough())
  return forwardErrors(counted, source)
}

const forwardErrors = <T extends Readable>(from: Readable, to: T): T => {
  from.on('error', error => to.destroy(error))
  return to
}

const readJsonl = async (source: Readable, file: string, tally: Tally, take: (report: OoniReport) => Promise<void>) => {
  let line = 0
  const lines = createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })
  // readline does not pass on the errors of its input.
  const broken = new Promise<never>((_, reject) => source.once('error', reject))
  broken.catch(() => undefined)
  const reader = lines[Symbol.asyncIterator]()
  for (;;) {
    const next = await Promise.race([reader.next(), broken])
    if (next.done) return
    line++
    if (next.value.trim() === '') continue
    try {
      const report = readRaw(next.value)
      if (report) await take(report)
      else tally.skipped++
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error as Error).message.startsWith('/')) throw error
      tally.faults.push({ file, line, reason: reasonOf(error) })
    }
  }
}

/** Rows of one report may stand anywhere in the file, so they are first brought together on disk. */
const readCsv = async (source: Readable, file: string, tally: Tally, take: (report: OoniReport) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-import-'))
  try {
    const parts = Array.from({ length: partsFor(file) }, (_, at) =>
      createWriteStream(join(folder, `${at}`), { mode: 0o600 }),
    )
    await spread(source, file, tally, parts)
    for (const part of parts) await new Promise<void>(resolve => part.end(resolve))
    for (const at of parts.keys()) {
      const groups = new Map<string, Map<string, Row>>()
      for await (const text of createInterface({ input: createReadStream(join(folder, `${at}`)) })) {
        const row = JSON.parse(text) as string[]
        const key = `${row[0]} ${row[1]}`
        const group = groups.get(key) ?? new Map<string, Row>()
        // The same row twice is one row.
        group.set(text, Object.fromEntries(columns.map((column, i) => [column, row[i] ?? ''])) as Row)
        groups.set(key, group)
      }
      for (const group of groups.values()) await take(reportOf([...group.values()]))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const spread = async (source: Readable, file: string, tally: Tally, parts: NodeJS.WritableStream[]): Promise<void> => {
  const parser = forwardErrors(
    source,
    source.pipe(
      parse({
        columns: header => {
          const missing = columns.filter(column => !header.includes(column))
          if (missing.length > 0) throw new Error(`line 1: the header lacks ${missing.join(', ')}`)
          return header.map(name => (columns as readonly string[]).includes(name) && name)
        },
        on_record: (record: Row, { lines }) => ({ record, lines }),
        bom: true,
        skip_records_with_error: true,
        on_skip: error =>
          void (error && tally.faults.push({ file, line: Number(error['lines'] ?? 0), reason: reasonOf(error) })),
      }),
    ),
  )
  for await (const { record, lines } of parser as AsyncIterable<{ record: Row; lines: number }>) {
    if (!knowsTest(record.test_name)) {
      tally.skipped++
      continue
    }
    const fault = faultOf(record)
    if (fault) {
      tally.faults.push({ file, line: lines, reason: fault })
      continue
    }
    const part = parts[hash(record.report_id) % parts.length]!
    if (!part.write(`${JSON.stringify(columns.map(column => record[column]))}\n`)) {
      await new Promise(resolve => part.once('drain', resolve))
    }
  }
}

const hash = (text: string): number => {
  let sum = 0
  for (let at = 0; at < text.length; at++) sum = (sum * 31 + text.charCodeAt(at)) >>> 0
  return sum
}
