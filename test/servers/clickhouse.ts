import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Session } from 'chdb'

/**
 * A ClickHouse server's HTTP interface over the engine of chDB, as much of it as @clickhouse/client speaks with us:
 * /ping, queries and statements in the body, inserts with the query in the URL, settings and `param_…` in the URL, errors
 * with their code, streams that break when the query fails half-way. Run with a folder and a port it is a process of its
 * own, since an engine holds one folder per process: `startClickHouse`.
 * https://clickhouse.com/docs/interfaces/http
 */

export type ClickHouse = {
  url: string
  /** Dies as in a power cut; what it acknowledged is on disk. */
  kill(): Promise<void>
}

/** Start it on a folder; `port` 0 takes a free one. */
export const startClickHouse = async (folder: string, port = 0): Promise<ClickHouse> => {
  const child = spawn(process.execPath, [import.meta.filename, folder, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const first = child.stdout.take(1).toArray() as Promise<Buffer[]>
  const [line] = await Promise.race([first, gone.then(() => [])])
  if (!line) throw new Error('The engine did not start.')
  return {
    url: line.toString().trim(),
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
  }
}

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** What stands in the URL beside the query, and is no setting. */
const OTHERS = new Set(['query', 'query_id', 'database', 'session_id', 'role', 'default_format'])
const EXCEPTION_TAG = 'peyktesttagpeykt'

class Front {
  readonly #folder: string
  readonly #idle: Session[] = []

  constructor(folder: string) {
    this.#folder = folder
    // The first connection opens the folder, and holds it.
    this.#idle.push(new Session(folder))
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://engine')
    if (pathname === '/ping') return void response.end('Ok.\n')
    const body = await buffer(request)
    const session = this.#idle.pop() ?? new Session(this.#folder)
    try {
      for (const [name, value] of searchParams) if (!OTHERS.has(name)) session.query(`SET ${name} = ${quote(value)}`)
      const sql = searchParams.get('query')
      if (sql === null) await this.#run(session, body.toString(), response)
      else await this.#insert(session, sql, body)
      response.end()
    } catch (error) {
      fail(response, (error as Error).message.replace(/^Query failed: /, ''))
    } finally {
      this.#idle.push(session)
    }
  }

  async #run(session: Session, sql: string, response: ServerResponse): Promise<void> {
    if (!/^\s*(SELECT|WITH)\b/i.test(sql)) {
      await session.queryAsync(sql, { format: 'TabSeparated' })
      return
    }
    const [, format = ''] = /FORMAT (\w+)\s*$/.exec(sql) ?? []
    if (/Parquet|WithNames/.test(format))
      return await this.#whole(session, sql.replace(/FORMAT \w+\s*$/, ''), format, response)
    for await (const chunk of session.queryStream(sql, { format: 'TabSeparated' })) {
      if (response.destroyed) break
      if (!response.headersSent) response.setHeader('x-clickhouse-exception-tag', EXCEPTION_TAG)
      if (!response.write(chunk.raw())) await Promise.race([once(response, 'drain'), once(response, 'close')])
    }
  }

  /** The engine's streams have a header for each chunk. */
  async #whole(session: Session, sql: string, format: string, response: ServerResponse): Promise<void> {
    const path = join(this.#folder, randomUUID())
    await session.queryAsync(`INSERT INTO FUNCTION file(${quote(path)}, ${format}) ${sql}`, { format: 'Null' })
    await pipeline(createReadStream(path), response)
    rmSync(path)
  }

  async #insert(session: Session, sql: string, values: Buffer): Promise<void> {
    const [, table, format] = /^\s*INSERT INTO ([\w.]+)\s+FORMAT (\w+)\s*$/i.exec(sql) ?? []
    if (!table || !format)
      throw new Error(`Code: 48. DB::Exception: The front knows no such insert: ${sql}. (NOT_IMPLEMENTED)`)
    if (format === 'Parquet') {
      const path = join(this.#folder, randomUUID())
      writeFileSync(path, values)
      await session.queryAsync(`INSERT INTO ${table} SELECT * FROM file(${quote(path)}, Parquet)`, { format: 'Null' })
      return rmSync(path)
    }
    await session.insert({ table, values, format: format as 'JSONEachRow' })
  }
}

/** Before the first byte a status and the error as text; after it, the error in its frame and then a broken connection. */
const fail = (response: ServerResponse, message: string): void => {
  const [, code = '0'] = /Code: (\d+)/.exec(message) ?? []
  if (!response.headersSent) {
    response.writeHead(500, { 'x-clickhouse-exception-code': code, 'content-type': 'text/plain' }).end(`${message}\n`)
    return
  }
  const frame = `__exception__\r\n${EXCEPTION_TAG}\r\n${message}\n${Buffer.byteLength(message) + 1} ${EXCEPTION_TAG}\r\n__exception__\r\n`
  response.write(`\r\n${frame}`, () => response.destroy())
}

if (import.meta.main) {
  const [folder = '', port = '0'] = process.argv.slice(2)
  mkdirSync(folder, { recursive: true })
  const front = new Front(folder)
  // Ends with the one who started it.
  process.stdin.resume().once('end', () => process.exit())
  // As long an address as the real one takes: http_max_uri_size.
  const server = createServer(
    { maxHeaderSize: 2 ** 20, keepAliveTimeout: 30_000 },
    (request, response) => void front.answer(request, response),
  )
  server.listen(Number(port), '127.0.0.1', () =>
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
  )
}
