import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../server/config.ts'
import { type Server, type ServerParts, startServer } from '../../server/server.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { jsonOf, type Sent, TestAgent } from './agent.ts'

export type Live = Server & {
  store: Store
  folder: string
  log: () => string
  metrics: () => Promise<string>
  admin: (method: string, path: string, body: unknown) => Promise<Sent>
  /** An agent that came in by an invitation. */
  enrolled: (role?: string) => Promise<TestAgent>
  stop: () => Promise<void>
}

export const CATALOGUE = { bytes: Buffer.from(`eyJhbGciOiJFZERTQSJ9.e30.${'c2ln'.repeat(500)}`), version: 7 }

/** The real server with the real store, on free ports, in a folder of its own. One per process: chDB holds one folder. */
export const live = async (
  env: Record<string, string> = {},
  parts: Partial<ServerParts> & { wrap?: (store: Store) => Store } = {},
): Promise<Live> => {
  const folder = env['PEYK_DATA'] ?? mkdtempSync(join(tmpdir(), 'peyk-'))
  const opened = await openEmbedded(folder)
  await migrate(opened)
  const store = parts.wrap?.(opened) ?? opened
  let written = ''
  const config = readConfig({ PEYK_DATA: folder, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'trace', ...env })
  const server = await startServer(config, {
    store,
    catalogue: () => CATALOGUE,
    version: '0.1.0',
    logTo: { write: line => (written += line) },
    ...parts,
  })
  const token = readFileSync(join(folder, 'admin-token'), 'utf8').trim()
  const admin: Live['admin'] = async (method, path, body) =>
    await jsonOf(
      await fetch(`${server.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      }),
    )
  return {
    ...server,
    store,
    folder,
    admin,
    log: () => written,
    metrics: async () => await (await fetch(server.metricsUrl)).text(),
    enrolled: async (role = 'vantage') => {
      const agent = await TestAgent.make(server.url)
      const { body } = await admin('POST', '/v1/admin/invites', { role })
      await agent.enrol(String(body['code']))
      return agent
    },
    stop: async () => {
      await server.close()
      await opened.close()
    },
  }
}
