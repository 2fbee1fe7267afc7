import { Problem } from './problem.ts'
import type { Store } from './store/store.ts'

/** Rows of one insert at most: one part of the store, well under a second. */
const MOST_IN_INSERT = 50_000
/** Rows waiting at most, some 100 MB; beyond it reports are told to come again. */
const MOST_WAITING = 100_000
/** Months in one insert at most: each is a partition, and the engine refuses an insert that touches over 100. */
const MOST_PARTITIONS = 90
/** Seconds after which a report that found no room is to come again. */
const RETRY_SECONDS = 10

/** Rows by table; the tables are written in this order. `at` says which month a row of the record lies in. */
export type Rows = { measurements_raw: readonly { at: string }[]; deliveries: readonly object[] }

type Waiting = { rows: Rows; done: () => void; failed: (error: unknown) => void }

/** Told of every durable insert and of every one that failed. */
export type CommitMeter = {
  stored(table: string, rows: number, seconds: number): void
  failed(error: unknown): void
}

/**
 * Group commit: rows of many reports become durable by one insert, and each report is answered only then. While one
 * insert runs the next group gathers, so groups grow with the load and a lone report waits for nobody.
 */
export class Commit {
  readonly #store: Pick<Store, 'insert'>
  readonly #meter: CommitMeter
  #queue: Waiting[] = []
  #waiting = 0
  #running: Promise<void> | null = null

  constructor(store: Pick<Store, 'insert'>, meter: CommitMeter) {
    this.#store = store
    this.#meter = meter
  }

  /** Resolves when the rows are durable; rejects with a `busy` problem when they could not be made so. */
  add(rows: Rows): Promise<void> {
    const count = rows.measurements_raw.length
    if (count === 0) return Promise.resolve()
    if (this.#waiting + count > MOST_WAITING) {
      return Promise.reject(new Problem('busy', 'The store is behind.', { retryAfter: RETRY_SECONDS }))
    }
    this.#waiting += count
    return new Promise((done, failed) => {
      this.#queue.push({ rows, done, failed })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  async #run(): Promise<void> {
    // Let the reports that are being read in this turn join the first group.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#queue.length) {
      const group = this.#take()
      await this.#commit(group)
      for (const { rows } of group) this.#waiting -= rows.measurements_raw.length
    }
    this.#running = null
  }

  #take(): Waiting[] {
    const group: Waiting[] = []
    const months = new Set<string>()
    let rows = 0
    for (const waiting of this.#queue) {
      const { measurements_raw } = waiting.rows
      for (const row of measurements_raw) months.add(row.at.slice(0, 7))
      rows += measurements_raw.length
      if (group.length && (rows > MOST_IN_INSERT || months.size > MOST_PARTITIONS)) break
      group.push(waiting)
    }
    this.#queue = this.#queue.slice(group.length)
    return group
  }

  async #commit(group: Waiting[]): Promise<void> {
    try {
      for (const table of ['measurements_raw', 'deliveries'] as const) {
        await this.#insert(
          table,
          group.flatMap(({ rows }) => rows[table] as object[]),
        )
      }
      for (const { done } of group) done()
    } catch (error) {
      this.#meter.failed(error)
      // One report's rows must not cost the others theirs: each tries alone once.
      if (group.length > 1) for (const waiting of group) await this.#commit([waiting])
      else group[0]?.failed(new Problem('busy', 'The store could not be written.', { retryAfter: RETRY_SECONDS }))
    }
  }

  async #insert(table: string, rows: readonly object[]): Promise<void> {
    const begun = performance.now()
    await this.#store.insert(table, rows)
    this.#meter.stored(table, rows.length, (performance.now() - begun) / 1000)
  }
}
