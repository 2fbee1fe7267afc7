import { randomBytes } from 'node:crypto'
import { appendFile, type FileHandle, open, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Measurement } from '../../measurement/measurement.ts'
import { type Batch, MAX_BATCH_MEASUREMENTS } from '../../measurement/report.ts'
import { FILE_MODE, privateFolder, readIfThere, readJson, syncFolder, writeDurably } from './files.ts'
import { encodeRecord, type Found, type Header, intact, scan } from './segment.ts'

/** A measurement before the spool has numbered it. */
export type Unnumbered = Omit<Measurement, 'sequence'>

/** Why measurements were lost here. `refused` ones were delivered, and refused by the server. */
export type DropReason = 'full' | 'old' | 'torn' | 'damaged' | 'disk' | 'refused'
type Dropped = Record<DropReason, number>

/** Makes the bytes of a batch from its lines; the place of sealing. */
export type Seal = (lines: string) => Promise<Pick<Batch, 'encoding' | 'bytes'>>

/**
 * What was measured and not yet receipted, on disk. Its laws:
 * - `append` answers true when the measurement is durable (written and fsynced), false when it had to be dropped; it
 *   never rejects. Appends are gathered and written as one batch, one fsync, at most `flushSeconds` later.
 * - What was durable is, after a crash at any byte, either still here, or receipted, or counted in `dropped`.
 * - A sequence number that was on disk is never given again. A batch keeps its id at every sending.
 * - Size and age are bounded, oldest first; age counts the time this agent ran, since its wall clock may lie.
 */
export interface Spool {
  append(measurement: Unnumbered): Promise<boolean>
  /** Writes now what is gathered. */
  flush(): Promise<void>
  /** The oldest batches that wait, in order: at most `count`, and at most `bytes` of batch bytes, but at least one; without `except`. */
  peek(count: number, bytes: number, except?: ReadonlySet<string>): Promise<Batch[]>
  /** The server has the batch durably: forget it. An unknown id is nothing to do. */
  acknowledge(id: string): Promise<void>
  /** The server will never take the batch: set it aside (`refused/`, the newest 20) and count it. */
  refuse(id: string, reason: string): Promise<void>
  /** For the report: newest sequence number, and how many measurements were lost here. */
  ledger(): { measured: number; dropped: number }
  status(): { measurements: number; batches: number; bytes: number; gathered: number; dropped: Dropped }
  /** Writes what is gathered and closes; nothing may be appended afterwards. */
  close(): Promise<void>
}

export type SpoolOptions = {
  maxBytes: number
  /** Seconds of the agent's running time after which a batch is dropped. */
  maxAge: number
  flushSeconds: number
  mono: () => number
  seal?: Seal
}

/** A batch this large is written at once; it also bounds the size of a report's smallest piece. */
const BATCH_MEASUREMENTS = Math.min(1_000, MAX_BATCH_MEASUREMENTS)
/** Measurements held in memory while the disk takes none; beyond it the oldest are dropped and counted. */
const MAX_GATHERED = 5_000
const KEPT_REFUSED = 20

type Segment = { number: number; size: number; waiting: Map<string, Found>; newest: number }
type State = { sequence: number; clock: number; oldest: number; dropped: Dropped }
type Gathered = { measurement: Unnumbered; settle: (durable: boolean) => void }

const noDrops = (): Dropped => ({ full: 0, old: 0, torn: 0, damaged: 0, disk: 0, refused: 0 })

const isState = (value: unknown): value is State => {
  const state = value as Partial<State> | null
  return [state?.sequence, state?.clock, state?.oldest].every(n => typeof n === 'number') && !!state?.dropped
}

const plain: Seal = async lines => ({ encoding: 'ndjson', bytes: lines })
const countOf = ({ first, last }: Pick<Header, 'first' | 'last'>): number => last - first + 1
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, n) => total + n, 0)

/** A disk that is nearly full takes a part and says no only to the next one. */
const writeWhole = async (handle: FileHandle, bytes: Buffer, at: number): Promise<void> => {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  }
}

export const openSpool = async (folder: string, options: SpoolOptions): Promise<Spool> => {
  const spool = new DiskSpool(await privateFolder(folder), options)
  await spool.open()
  return spool
}

/**
 * The batches that wait in a folder, oldest first, for looking at and for carrying them by hand. Reads only, so an agent may
 * be at work there; what it is just writing, and what is damaged, is passed over.
 */
export async function* readSpool(folder: string): AsyncGenerator<Batch> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter(name => /^\d{8}\.spool$/.test(name)).sort()) {
    const file = await readIfThere(join(folder, name))
    if (!file) continue
    const acked = new Set(
      (await readIfThere(join(folder, name.replace('.spool', '.acked'))))?.toString('latin1').split('\n'),
    )
    for (const { id, first, last, encoding, at, length } of scan(file).records) {
      if (!acked.has(id)) yield { id, first, last, encoding, bytes: file.toString('utf8', at, at + length) }
    }
  }
}

class DiskSpool implements Spool {
  private readonly folder: string
  private readonly options: SpoolOptions
  private readonly segmentBytes: number
  private readonly openedAt: number
  private clockAtOpen = 0
  private state: State = { sequence: 0, clock: 0, oldest: 1, dropped: noDrops() }
  /** Oldest first. Only the last is written to, and only while `handle` is open. */
  private segments: Segment[] = []
  private handle: FileHandle | null = null
  private gathered: Gathered[] = []
  private timer: NodeJS.Timeout | null = null
  private queue: Promise<unknown> = Promise.resolve()
  private closed = false

  constructor(folder: string, options: SpoolOptions) {
    this.folder = folder
    this.options = options
    this.segmentBytes = Math.max(16_384, Math.min(4 * 2 ** 20, Math.floor(options.maxBytes / 8)))
    this.openedAt = options.mono()
  }

  async open(): Promise<void> {
    const state = await readJson(this.path('state.json'), isState)
    if (state) this.state = { ...state, dropped: { ...noDrops(), ...state.dropped } }
    const numbers = (await readdir(this.folder))
      .map(name => Number(/^(\d{8})\.spool$/.exec(name)?.[1] ?? Number.NaN))
      .filter(number => !Number.isNaN(number))
      .sort((a, b) => a - b)
    for (const number of numbers.filter(number => number < this.state.oldest)) await this.unlink(number)
    for (const number of numbers.filter(number => number >= this.state.oldest)) {
      await this.read(number, number === numbers.at(-1))
    }
    this.clockAtOpen = Math.max(this.state.clock, ...this.segments.map(({ newest }) => newest))
    for (const segment of this.segments.filter(({ waiting }) => waiting.size === 0)) await this.remove(segment)
    await this.saveState()
  }

  append(measurement: Unnumbered): Promise<boolean> {
    if (this.closed) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.gathered.push({ measurement, settle: resolve })
    if (this.gathered.length % BATCH_MEASUREMENTS === 0) void this.flush()
    this.timer ??= setTimeout(() => void this.flush(), this.options.flushSeconds * 1000).unref()
    return promise
  }

  flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    return this.serially(async () => {
      await this.dropOld()
      while (this.gathered.length && (await this.writeBatch())) {}
      if (this.gathered.length && !this.closed) {
        this.timer ??= setTimeout(() => void this.flush(), this.options.flushSeconds * 1000).unref()
      }
    })
  }

  peek(count: number, bytes: number, except?: ReadonlySet<string>): Promise<Batch[]> {
    return this.serially(async () => {
      await this.dropOld()
      const batches: Batch[] = []
      let total = 0
      for (const [segment, found] of this.waiting()) {
        if (except?.has(found.id)) continue
        if (batches.length && (batches.length >= count || total + found.length > bytes)) break
        const batch = await this.load(segment, found)
        if (batch) batches.push(batch)
        total += found.length
      }
      return batches
    })
  }

  acknowledge(id: string): Promise<void> {
    return this.serially(() => this.settle(id))
  }

  refuse(id: string, reason: string): Promise<void> {
    return this.serially(async () => {
      const [segment, found] = this.waiting().find(([, { id: other }]) => other === id) ?? []
      if (!segment || !found) return
      const folder = await privateFolder(this.path('refused'))
      const name = `${String(found.first).padStart(16, '0')}-${id}.json`
      const batch = await this.load(segment, found)
      await writeDurably(join(folder, name), JSON.stringify({ reason, batch })).catch(() => {}) // Kept for people to read only.
      for (const old of (await readdir(folder)).sort().slice(0, -KEPT_REFUSED)) await rm(join(folder, old))
      this.state.dropped.refused += countOf(found)
      await this.settle(id)
      await this.saveState()
    })
  }

  ledger(): { measured: number; dropped: number } {
    const { refused: _, ...lost } = this.state.dropped
    return { measured: this.state.sequence, dropped: sum(Object.values(lost)) }
  }

  status(): ReturnType<Spool['status']> {
    const waiting = this.waiting().map(([, found]) => found)
    return {
      measurements: sum(waiting.map(countOf)),
      batches: waiting.length,
      bytes: this.bytes(),
      gathered: this.gathered.length,
      dropped: { ...this.state.dropped },
    }
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.flush()
    await this.serially(async () => {
      for (const { settle } of this.gathered.splice(0)) settle(false)
      await this.release()
      await this.saveState()
    })
  }

  /** One piece of work on the files at a time. */
  private serially<T>(work: () => Promise<T>): Promise<T> {
    const next = this.queue.then(work)
    this.queue = next.catch(() => {})
    return next
  }

  private path(name: string): string {
    return join(this.folder, name)
  }

  private file(number: number, suffix: 'spool' | 'acked' = 'spool'): string {
    return this.path(`${String(number).padStart(8, '0')}.${suffix}`)
  }

  /** Age of the spool: seconds its agents have run. */
  private clock(): number {
    return this.clockAtOpen + Math.max(0, this.options.mono() - this.openedAt)
  }

  private bytes(): number {
    return sum(this.segments.map(({ size }) => size))
  }

  private waiting(): (readonly [Segment, Found])[] {
    return this.segments.flatMap(segment => [...segment.waiting.values()].map(found => [segment, found] as const))
  }

  /** Reads a segment at start. Only the newest can hold a tail that was cut off while it was written. */
  private async read(number: number, newest: boolean): Promise<void> {
    const { records, damaged, good, torn } = scan(await readFile(this.file(number)))
    const acked = new Set((await readIfThere(this.file(number, 'acked')))?.toString('latin1').split('\n'))
    const lost = damaged.filter(({ id }) => !acked.has(id))
    const { dropped } = this.state
    dropped.damaged += sum(lost.map(countOf))
    let sequence = Math.max(this.state.sequence, ...[...records, ...damaged].map(({ last }) => last))
    if (torn && newest) {
      // Cut and counted; its numbers are spent, since they were on disk.
      const numbers = torn === 'unreadable' ? { first: sequence + 1, last: sequence + 1 } : torn
      if (numbers.last > sequence) dropped.torn += countOf(numbers)
      sequence = Math.max(sequence, numbers.last)
    }
    this.state.sequence = sequence
    this.segments.push({
      number,
      size: good,
      waiting: new Map(records.filter(({ id }) => !acked.has(id)).map(found => [found.id, found])),
      newest: Math.max(0, ...records.map(({ clock }) => clock)),
    })
    if (!torn && !lost.length) return
    await this.saveState()
    await this.markAcked(
      number,
      lost.map(({ id }) => id),
    )
    if (torn) await truncate(this.file(number), good)
  }

  /** Writes one batch of what is gathered, durably; false where the disk takes not even a small one. */
  private async writeBatch(most = BATCH_MEASUREMENTS): Promise<boolean> {
    const first = this.state.sequence + 1
    const lines: string[] = []
    let size = 0
    for (const { measurement } of this.gathered) {
      if (lines.length >= most || size > this.segmentBytes / 2) break
      const line = JSON.stringify({ ...measurement, sequence: first + lines.length } satisfies Measurement)
      size += line.length
      lines.push(line)
    }
    const id = randomBytes(16).toString('hex')
    const sealed = await (this.options.seal ?? plain)(lines.join('\n'))
    const batch: Batch = { id, first, last: first + lines.length - 1, ...sealed }
    if (!(await this.write(batch))) {
      if (lines.length > 1) return await this.writeBatch(Math.ceil(lines.length / 8))
      this.shed()
      return false
    }
    this.state.sequence = batch.last
    for (const { settle } of this.gathered.splice(0, lines.length)) settle(true)
    return true
  }

  private async write(batch: Batch): Promise<boolean> {
    const { record, header, offset } = encodeRecord(batch, this.clock())
    await this.makeRoom(record.length)
    let segment: Segment | null = null
    try {
      segment = await this.current(record.length)
      await writeWhole(this.handle!, record, segment.size)
      await this.handle!.datasync()
    } catch {
      // No space, or a disk that fails: what was written of it is cut off, and after a failed sync nothing is trusted.
      if (segment) await this.handle?.truncate(segment.size).catch(() => {})
      await this.release()
      if (segment?.waiting.size === 0) await this.remove(segment)
      return false
    }
    segment.waiting.set(batch.id, { ...header, at: segment.size + offset })
    segment.size += record.length
    segment.newest = header.clock
    return true
  }

  /** Too much is held in memory: the oldest go, counted, and their numbers are spent. */
  private shed(): void {
    const excess = this.gathered.splice(0, Math.max(0, this.gathered.length - MAX_GATHERED))
    this.state.dropped.disk += excess.length
    this.state.sequence += excess.length
    for (const { settle } of excess) settle(false)
  }

  /** The segment to write to; a new one where the last is full or was written by an earlier process. */
  private async current(length: number): Promise<Segment> {
    const last = this.segments.at(-1)
    if (this.handle && last && last.size + length <= this.segmentBytes) return last
    await this.release()
    const number = (last?.number ?? this.state.oldest - 1) + 1
    this.handle = await open(this.file(number), 'w', FILE_MODE)
    const segment: Segment = { number, size: 0, waiting: new Map(), newest: 0 }
    this.segments.push(segment)
    await syncFolder(this.folder)
    return segment
  }

  private async release(): Promise<void> {
    const handle = this.handle
    this.handle = null
    await handle?.close().catch(() => {})
  }

  private async makeRoom(length: number): Promise<void> {
    while (this.segments.length && this.bytes() + length > this.options.maxBytes)
      await this.drop(this.segments[0]!, 'full')
  }

  private async dropOld(): Promise<void> {
    const oldest = this.clock() - this.options.maxAge
    for (const segment of this.segments.filter(({ newest }) => newest < oldest)) await this.drop(segment, 'old')
  }

  private async drop(segment: Segment, reason: DropReason): Promise<void> {
    this.state.dropped[reason] += sum([...segment.waiting.values()].map(countOf))
    await this.remove(segment)
  }

  /** Forgets a segment. The state is saved first, so that what was dropped is not counted again after a crash. */
  private async remove(segment: Segment): Promise<void> {
    if (segment === this.segments.at(-1)) await this.release()
    const next = (this.segments.at(-1)?.number ?? 0) + 1
    this.segments = this.segments.filter(other => other !== segment)
    this.state.oldest = Math.max(this.state.oldest, this.segments[0]?.number ?? next)
    await this.saveState()
    await this.unlink(segment.number)
  }

  private async unlink(number: number): Promise<void> {
    await rm(this.file(number), { force: true })
    await rm(this.file(number, 'acked'), { force: true })
  }

  private async load(segment: Segment, found: Found): Promise<Batch | null> {
    const bytes = Buffer.alloc(found.length)
    const handle = await open(this.file(segment.number), 'r').catch(() => null)
    await handle?.read(bytes, 0, found.length, found.at).catch(() => {})
    await handle?.close()
    if (!intact(bytes, found)) {
      this.state.dropped.damaged += countOf(found)
      await this.settle(found.id)
      return null
    }
    const { id, first, last, encoding } = found
    return { id, first, last, encoding, bytes: bytes.toString('utf8') }
  }

  private async settle(id: string): Promise<void> {
    const segment = this.segments.find(({ waiting }) => waiting.delete(id))
    if (!segment) return
    if (segment.waiting.size === 0) await this.remove(segment)
    else await this.markAcked(segment.number, [id])
  }

  /** Not synced: an acknowledgement lost with the power means one more sending, and the server stores a batch once. */
  private async markAcked(number: number, ids: readonly string[]): Promise<void> {
    const lines = ids.map(id => `${id}\n`).join('')
    await appendFile(this.file(number, 'acked'), lines, { mode: FILE_MODE }).catch(() => {})
  }

  /** A full disk refuses this too; all but the counts of drops can be read from the records again. */
  private async saveState(): Promise<void> {
    const state: State = { ...this.state, clock: Math.round(this.clock()) }
    await writeDurably(this.path('state.json'), JSON.stringify(state)).catch(() => {})
  }
}
