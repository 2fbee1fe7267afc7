import { randomUUID } from 'node:crypto'
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Session } from 'chdb'
import type { Params, Store } from './store.ts'

/** Settings of the engine for a machine that does other things too: less memory held, no machine code compiled per query. */
const CONNECTION = [
  '--output_format_json_quote_64bit_integers=0',
  '--output_format_json_quote_denormals=0',
  '--async_load_databases=0',
  '--input_format_parallel_parsing=0',
  '--compile_expressions=0',
  '--compile_aggregate_expressions=0',
  '--compile_sort_description=0',
]

/** Loaded on first use: the library is large, absent in packages for volunteers, and missing on some platforms. */
const load = async (): Promise<typeof import('chdb')> => {
  // Read by the engine's allocator as it loads: memory that is free goes back to the system soon.
  process.env['JE_MALLOC_CONF'] ??= 'dirty_decay_ms:2000,muzzy_decay_ms:0'
  try {
    return await import('chdb')
  } catch (cause) {
    throw new Error(
      'The embedded store (chdb) is not installed here: set PEYK_CLICKHOUSE_URL to a ClickHouse server, or run `npm ci` on Linux or macOS with optional dependencies.',
      { cause },
    )
  }
}

/** The engine in this process, its files in `folder`. One folder per process (chDB's rule). */
export const openEmbedded = async (folder: string): Promise<Store> => {
  const { Session, drainPending } = await load()
  const path = join(folder, 'store')
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const passing = join(folder, 'passing')
  // What a process that was killed was about to send.
  rmSync(passing, { recursive: true, force: true })
  mkdirSync(passing, { mode: 0o700 })
  return new Embedded(() => new Session(path, { connectionArgs: CONNECTION }), drainPending, passing)
}

/** Formats whose parts put together are the whole. */
const LINES: ReadonlySet<string> = new Set(['JSONEachRow', 'CSV'])

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** Streams at a time, each on a connection of its own; later ones wait. */
const MOST_STREAMS = 8

class Embedded implements Store {
  readonly #connect: () => Session
  /** Inserts do not wait for queries: each of the two has its connection to the one engine. */
  readonly #session: Session
  readonly #inserting: Session
  readonly #drain: () => Promise<void>
  /** Folder of files that only pass through. */
  readonly #passing: string
  #streams = 0
  readonly #waiting: (() => void)[] = []

  constructor(connect: () => Session, drain: () => Promise<void>, passing: string) {
    this.#passing = passing
    this.#connect = connect
    this.#session = connect()
    this.#inserting = connect()
    this.#drain = drain
  }

  async query<Row extends object>(sql: string, params: Params = {}): Promise<Row[]> {
    const result = await this.#session.queryBindAsync(sql, params, { format: 'JSONEachRow' })
    const text = result.text()
    return text === '' ? [] : (JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`) as Row[])
  }

  async *stream<Row extends object>(sql: string, params: Params = {}): AsyncIterable<Row> {
    for await (const chunk of this.#chunks(sql, 'JSONEachRow', params)) yield* chunk.rows<Row>()
  }

  /** The engine writes each chunk of a stream as a text of its own: what has a header or an end goes by way of a file. */
  async *bytes(sql: string, format: string, params: Params = {}): AsyncIterable<Uint8Array> {
    if (LINES.has(format)) for await (const chunk of this.#chunks(sql, format, params)) yield chunk.raw()
    else yield* this.#viaFile(sql, format, params)
  }

  async *#viaFile(sql: string, format: string, params: Params): AsyncIterable<Uint8Array> {
    await using _ = await this.#turn()
    const session = this.#connect()
    const path = join(this.#passing, randomUUID())
    try {
      await session.queryBindAsync(`INSERT INTO FUNCTION file(${quoted(path)}, ${format}) ${sql}`, params, {
        format: 'Null',
      })
      yield* createReadStream(path)
    } finally {
      rmSync(path, { force: true })
      session.close()
    }
  }

  /** A query on a connection that streams ends the stream, so that each has one of its own. */
  async *#chunks(sql: string, format: string, params: Params) {
    await using _ = await this.#turn()
    const session = this.#connect()
    try {
      yield* session.queryStreamBind(sql, params, { format })
    } finally {
      session.close()
    }
  }

  async #turn(): Promise<AsyncDisposable> {
    if (this.#streams >= MOST_STREAMS) await new Promise<void>(resolve => this.#waiting.push(resolve))
    else this.#streams++
    return {
      [Symbol.asyncDispose]: async () => {
        // Handed on, so that nobody slips in between.
        const next = this.#waiting.shift()
        if (next) next()
        else this.#streams--
      },
    }
  }

  async command(sql: string, params: Params = {}): Promise<void> {
    await this.#session.queryBindAsync(sql, params, { format: 'Null' })
  }

  async insert(table: string, rows: readonly object[]): Promise<void> {
    if (rows.length === 0) return
    const lines = Buffer.from(rows.map(row => JSON.stringify(row)).join('\n'))
    await this.#inserting.insert({ table, values: lines, format: 'JSONEachRow' })
  }

  async load(table: string, path: string): Promise<void> {
    const file = `file(${quoted(path)}, Parquet)`
    const columns = await this.query<{ name: string }>(`DESCRIBE ${file}`)
    const names = columns.map(({ name }) => `\`${name}\``).join(', ')
    await this.#inserting.queryAsync(`INSERT INTO ${table} (${names}) SELECT ${names} FROM ${file}`, { format: 'Null' })
  }

  async close(): Promise<void> {
    this.#inserting.close()
    this.#session.close()
    await this.#drain()
  }
}
