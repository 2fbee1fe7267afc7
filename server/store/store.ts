/**
 * Where the record is kept: ClickHouse SQL, embedded (chDB) or on a server; one schema and one SQL text for both.
 * - Values reach SQL as bound parameters only: `{name:Type}` in the text, `params` beside it.
 * - `insert` resolves when the rows are durable, power loss included; rejects when none is promised.
 * - A store on another machine that cannot be reached rejects with `StoreAway`.
 * - 64-bit integers come back as numbers; times are written by `sqlTime` and read as Unix seconds (columns DateTime64(3, 'UTC') are
 *   selected with `toUnixTimestamp64Milli(x) / 1000`).
 */
export interface Store {
  /** All rows of a SELECT. */
  query<Row extends object>(sql: string, params?: Params): Promise<Row[]>
  /** Rows of a SELECT as they come, in constant memory. */
  stream<Row extends object>(sql: string, params?: Params): AsyncIterable<Row>
  /** Rows of a SELECT as bytes in a ClickHouse format (`Parquet`, `CSVWithNames`, …), in constant memory where the format allows. */
  bytes(sql: string, format: string, params?: Params): AsyncIterable<Uint8Array>
  /** Statements that change: DDL, INSERT … SELECT. */
  command(sql: string, params?: Params): Promise<void>
  /** Durable insert of rows; keys are column names, nested columns are `steps.operation` and the like. */
  insert(table: string, rows: readonly object[]): Promise<void>
  /** Durable insert of the rows of a Parquet file that `bytes` wrote, by column name. */
  load(table: string, path: string): Promise<void>
  close(): Promise<void>
}

/** The store cannot be reached, or broke off; asked again later it may answer. */
export class StoreAway extends Error {
  override name = 'StoreAway'
}

export type Params = Record<string, string | number | boolean | null | readonly string[] | readonly number[]>
