import { crc32 } from 'node:zlib'
import type { Batch } from '../../measurement/report.ts'

/**
 * A file of the spool is a row of records; a record is one line of JSON (the header), the batch's bytes, and a newline.
 * The header tells counts and sizes only. `clock` is the spool's age in seconds when the record was written.
 */
export type Header = Omit<Batch, 'bytes'> & { length: number; crc: number; clock: number }

/** Where a whole record stands in its file; `at` and `length` are of the batch's bytes. */
export type Found = Header & { at: number }

const NEWLINE = 10
/** A header is shorter than this; a longer line is damage. */
const MAX_HEADER = 512

export const encodeRecord = (batch: Batch, clock: number): { record: Buffer; header: Header; offset: number } => {
  const { bytes: text, ...rest } = batch
  const bytes = Buffer.from(text)
  const header: Header = { ...rest, length: bytes.length, crc: crc32(bytes), clock: Math.round(clock) }
  const line = Buffer.from(`${JSON.stringify(header)}\n`)
  return { record: Buffer.concat([line, bytes, Buffer.of(NEWLINE)]), header, offset: line.length }
}

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isHeader = (value: unknown): value is Header => {
  const header = value as Partial<Header> | null
  return (
    typeof header?.id === 'string' &&
    /^[0-9a-f]{32}$/.test(header.id) &&
    (header.encoding === 'ndjson' || header.encoding === 'jwe') &&
    whole(header.first) &&
    whole(header.last) &&
    header.first <= header.last &&
    whole(header.length) &&
    whole(header.crc) &&
    whole(header.clock)
  )
}

const headerAt = (file: Buffer, at: number): { header: Header; body: number } | null => {
  const end = file.subarray(at, at + MAX_HEADER).indexOf(NEWLINE)
  if (end < 0) return null
  try {
    const header: unknown = JSON.parse(file.toString('latin1', at, at + end))
    return isHeader(header) ? { header, body: at + end + 1 } : null
  } catch {
    return null
  }
}

/** Whether the batch's bytes are those that were written. */
export const intact = (bytes: Buffer, header: Header): boolean =>
  bytes.length === header.length && crc32(bytes) === header.crc

/**
 * Reads a file record by record up to its last whole one. What follows that one is torn (`good` is where to cut), and
 * `torn` is the header of the torn record where it can still be read. A record whose bytes were damaged in place is
 * passed over and stands in `damaged`.
 */
export const scan = (
  file: Buffer,
): { records: Found[]; damaged: Header[]; good: number; torn: Header | 'unreadable' | null } => {
  const records: Found[] = []
  const damaged: Header[] = []
  let at = 0
  while (at < file.length) {
    const found = headerAt(file, at)
    if (!found) return { records, damaged, good: at, torn: 'unreadable' }
    const { header, body } = found
    const next = body + header.length + 1
    if (next > file.length || file[next - 1] !== NEWLINE) return { records, damaged, good: at, torn: header }
    if (intact(file.subarray(body, next - 1), header)) records.push({ ...header, at: body })
    else damaged.push(header)
    at = next
  }
  return { records, damaged, good: at, torn: null }
}
