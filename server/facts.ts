import { setTimeout as wait } from 'node:timers/promises'
import type { Store } from './store/store.ts'

type Row = { kind: string; key: string; newest: number; latest: string }
type Entry = { kind: string; key: string; value: object }

/** Between two readings of what others put, where somebody waits for one. */
const CATCH_UP_MS = 1_000

/** The facts of one kind, by key. */
export type Shelf<T extends object> = {
  get(key: string): T | undefined
  all(): IterableIterator<[string, T]>
  /** What `Facts.put` takes. */
  entry(key: string, value: T): Entry
}

/**
 * Small state that changes: agents, invites, positions. Append-only in the store, the latest wins, held in memory; a
 * fact that matters no more gets a value that says so.
 */
export class Facts {
  readonly #store: Store
  readonly #known = new Map<string, Map<string, { version: number; value: object }>>()
  #newest = 0
  readonly #shared: boolean
  #catchingUp: Promise<void> | null = null
  #refreshed = 0

  private constructor(store: Store, shared: boolean) {
    this.#store = store
    this.#shared = shared
  }

  /** `shared`: other processes put facts into this store too. */
  static async open(store: Store, shared = false): Promise<Facts> {
    const facts = new Facts(store, shared)
    await facts.refresh()
    return facts
  }

  /** Before somebody is told that a fact is not there: what others have put until now, asked for once a second at most. */
  catchUp(): Promise<void> {
    if (!this.#shared) return Promise.resolve()
    this.#catchingUp ??= wait(Math.max(0, this.#refreshed + CATCH_UP_MS - Date.now())).then(() => {
      this.#catchingUp = null
      return this.refresh()
    })
    return this.#catchingUp
  }

  of<T extends object>(kind: string): Shelf<T> {
    const shelf = this.#shelf(kind)
    return {
      get: key => shelf.get(key)?.value as T | undefined,
      *all() {
        for (const [key, { value }] of shelf) yield [key, value as T]
      },
      entry: (key, value) => ({ kind, key, value }),
    }
  }

  /** Put facts, all or none; known here when durable. */
  async put(...entries: Entry[]): Promise<void> {
    const rows = entries.map(({ kind, key, value }) => {
      const version = Math.max(Date.now(), (this.#shelf(kind).get(key)?.version ?? 0) + 1)
      return { kind, key, version, json: JSON.stringify(value) }
    })
    await this.#store.insert('facts', rows)
    for (const [at, { kind, key, value }] of entries.entries()) this.#learn(kind, key, rows[at]!.version, value)
  }

  /** Learn what other processes have put since (versions are milliseconds; a minute allows for their clocks). */
  async refresh(): Promise<void> {
    this.#refreshed = Date.now()
    const rows = await this.#store.query<Row>(
      `SELECT kind, key, max(version) AS newest, argMax(json, version) AS latest FROM facts
       WHERE version >= {since:UInt64} GROUP BY kind, key`,
      { since: Math.max(0, this.#newest - 60_000) },
    )
    for (const { kind, key, newest, latest } of rows) this.#learn(kind, key, newest, JSON.parse(latest) as object)
  }

  #shelf(kind: string) {
    const shelf = this.#known.get(kind) ?? new Map<string, { version: number; value: object }>()
    this.#known.set(kind, shelf)
    return shelf
  }

  #learn(kind: string, key: string, version: number, value: object): void {
    const shelf = this.#shelf(kind)
    if ((shelf.get(key)?.version ?? 0) < version) shelf.set(key, { version, value })
    this.#newest = Math.max(this.#newest, version)
  }
}
