import { createReadStream } from 'node:fs'
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { SettingsError } from '../../measurement/settings.ts'
import { clustered, clusterSettings } from './cluster.ts'
import { type Params, type Store, StoreAway } from './store.ts'

/** Longest statement: a rollup of a day that came late. */
const STATEMENT_MS = 300_000
/** Queries and inserts at a time; later ones wait. */
const MOST_CONNECTIONS = 32
/** Streams at a time. They have connections of their own, so that slow readers hold up neither queries nor inserts. */
const MOST_STREAMS = 8

/**
 * `async_insert` off, whatever the server's default is: Peyk groups its inserts itself, and its word that a report is
 * stored is the server's word that the part is written.
 */
const SETTINGS = {
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_denormals: 0,
  async_insert: 0,
} as const

const clientOf = (url: string, connections: number, cluster: string | null): ClickHouseClient =>
  createClient({
    url,
    application: 'peyk',
    request_timeout: STATEMENT_MS,
    max_open_connections: connections,
    clickhouse_settings: cluster === null ? SETTINGS : { ...SETTINGS, ...clusterSettings },
    // It would write to standard error what we tell in our own log, without addresses.
    log: { level: ClickHouseLogLevel.OFF },
  })

/** A ClickHouse server, by `PEYK_CLICKHOUSE_URL` (https://user:password@host:8443/database), or a cluster it is part of. */
export const openClickHouse = async (url: string, cluster: string | null = null): Promise<Store> => {
  const client = clientOf(url, MOST_CONNECTIONS, cluster)
  const answer = await client.ping()
  if (!answer.success) {
    await client.close()
    throw new SettingsError(`PEYK_CLICKHOUSE_URL: no ClickHouse answers there (${answer.error.message}).`)
  }
  return new Remote(client, clientOf(url, MOST_STREAMS, cluster), cluster)
}

/** What the server said of a statement is passed on; everything else happened on the way. */
const away = (error: unknown): never => {
  if (error instanceof ClickHouseError) throw error
  throw new StoreAway(`the store cannot be reached: ${(error as Error).message}`, { cause: error })
}

class Remote implements Store {
  readonly #client: ClickHouseClient
  readonly #streams: ClickHouseClient

  readonly #cluster: string | null

  constructor(client: ClickHouseClient, streams: ClickHouseClient, cluster: string | null) {
    this.#cluster = cluster
    this.#client = client
    this.#streams = streams
  }

  async query<Row extends object>(sql: string, params: Params = {}): Promise<Row[]> {
    const asked = this.#client.query({ query: sql, query_params: params, format: 'JSONEachRow' })
    return await asked.then(result => result.json<Row>()).catch(away)
  }

  async *stream<Row extends object>(sql: string, params: Params = {}): AsyncIterable<Row> {
    const asked = this.#streams.query({ query: sql, query_params: params, format: 'JSONEachRow' })
    const result = await asked.catch(away)
    for await (const rows of result.stream<Row>()) for (const row of rows) yield row.json() as Row
  }

  async *bytes(sql: string, format: string, params: Params = {}): AsyncIterable<Uint8Array> {
    const result = await this.#streams.exec({ query: `${sql} FORMAT ${format}`, query_params: params }).catch(away)
    for await (const chunk of result.stream) yield chunk as Uint8Array
  }

  async command(sql: string, params: Params = {}): Promise<void> {
    const statements = this.#cluster === null ? [sql] : clustered(sql, this.#cluster)
    for (const query of statements) await this.#client.command({ query, query_params: params }).catch(away)
  }

  async insert(table: string, rows: readonly object[]): Promise<void> {
    if (rows.length > 0) await this.#client.insert({ table, values: rows, format: 'JSONEachRow' }).catch(away)
  }

  async load(table: string, path: string): Promise<void> {
    const query = `INSERT INTO ${table} FORMAT Parquet`
    const { stream } = await this.#streams.exec({ query, values: createReadStream(path) }).catch(away)
    for await (const _ of stream);
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#streams.close()])
  }
}
