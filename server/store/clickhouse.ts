import { type ClickHouseClient, createClient } from '@clickhouse/client'
import type { Params, Store } from './store.ts'

/** A ClickHouse server, by `PEYK_CLICKHOUSE_URL` (https://user:password@host:8443/database). */
export const openClickHouse = async (url: string): Promise<Store> => {
  const client = createClient({
    url,
    application: 'peyk',
    request_timeout: 60_000,
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0, output_format_json_quote_denormals: 0 },
  })
  const answer = await client.ping()
  if (!answer.success) {
    await client.close()
    throw new Error(`PEYK_CLICKHOUSE_URL: no ClickHouse answers there (${answer.error.message}).`)
  }
  return new Remote(client)
}

class Remote implements Store {
  readonly #client: ClickHouseClient

  constructor(client: ClickHouseClient) {
    this.#client = client
  }

  async query<Row extends object>(sql: string, params: Params = {}): Promise<Row[]> {
    const result = await this.#client.query({ query: sql, query_params: params, format: 'JSONEachRow' })
    return await result.json<Row>()
  }

  async *stream<Row extends object>(sql: string, params: Params = {}): AsyncIterable<Row> {
    const result = await this.#client.query({ query: sql, query_params: params, format: 'JSONEachRow' })
    for await (const rows of result.stream<Row>()) for (const row of rows) yield row.json() as Row
  }

  async *bytes(sql: string, format: string, params: Params = {}): AsyncIterable<Uint8Array> {
    const result = await this.#client.exec({ query: `${sql} FORMAT ${format}`, query_params: params })
    for await (const chunk of result.stream) yield chunk as Uint8Array
  }

  async command(sql: string, params: Params = {}): Promise<void> {
    await this.#client.command({ query: sql, query_params: params })
  }

  async insert(table: string, rows: readonly object[]): Promise<void> {
    if (rows.length > 0) await this.#client.insert({ table, values: rows, format: 'JSONEachRow' })
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}
