import { mkdirSync } from 'node:fs'
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
  process.env['JE_MALLOC_CONF'] ??= 'dirty_decay_ms:200,muzzy_decay_ms:0'
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
  return new Embedded(new Session(path, { connectionArgs: CONNECTION }), drainPending)
}

class Embedded implements Store {
  readonly #session: Session
  readonly #drain: () => Promise<void>
  /** chDB has one active stream per session: later ones wait their turn. */
  #streaming: Promise<unknown> = Promise.resolve()

  constructor(session: Session, drain: () => Promise<void>) {
    this.#session = session
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

  async *bytes(sql: string, format: string, params: Params = {}): AsyncIterable<Uint8Array> {
    for await (const chunk of this.#chunks(sql, format, params)) yield chunk.raw()
  }

  async *#chunks(sql: string, format: string, params: Params) {
    const before = this.#streaming
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    this.#streaming = ended
    await before
    try {
      yield* this.#session.queryStreamBind(sql, params, { format })
    } finally {
      end()
    }
  }

  async command(sql: string, params: Params = {}): Promise<void> {
    await this.#session.queryBindAsync(sql, params, { format: 'Null' })
  }

  async insert(table: string, rows: readonly object[]): Promise<void> {
    if (rows.length === 0) return
    const lines = Buffer.from(rows.map(row => JSON.stringify(row)).join('\n'))
    await this.#session.insert({ table, values: lines, format: 'JSONEachRow' })
  }

  async close(): Promise<void> {
    this.#session.close()
    await this.#drain()
  }
}
