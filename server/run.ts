import { mkdirSync } from 'node:fs'
import type { PolicyEvent } from '../events/event.ts'
import type { Stored } from '../measurement/measurement.ts'
import { Analyst } from './analyst.ts'
import type { Config } from './config.ts'
import { Confirmations } from './confirmations.ts'
import type { Sink } from './ooni/import.ts'
import { type AgentOrigin, claimOrigin } from './origin.ts'
import { type Outgoing, outgoingOf } from './outgoing.ts'
import { presentOf } from './present.ts'
import { Problem } from './problem.ts'
import { answerRoutes } from './routes/answers.ts'
import type { SignedCatalogue } from './routes/catalogue.ts'
import { evidenceRoutes } from './routes/evidence.ts'
import { importRoutes } from './routes/imports.ts'
import { pageRoutes } from './routes/page.ts'
import { type Server, type ServerParts, startServer } from './server.ts'
import { openEmbedded } from './store/chdb.ts'
import { openClickHouse } from './store/clickhouse.ts'
import { lock } from './store/lock.ts'
import { retain } from './store/retention.ts'
import { toRow } from './store/rows.ts'
import { migrate } from './store/schema.ts'
import type { Store } from './store/store.ts'
import { type Touched, touch } from './touched.ts'

export type RunParts = {
  events: readonly PolicyEvent[]
  catalogue: () => SignedCatalogue
  operators?: readonly string[]
  /** Folder of the built page; absent, there is none. */
  page?: string
  version: string
  /** Whose rows these are; `simulated` in a laboratory only. */
  origin?: AgentOrigin | null
  /** Unix seconds; a laboratory brings another clock. */
  now?: () => number
  /** Milliseconds that rows are gathered before they are judged, where its days are seconds. */
  gather?: number
}

/** The store of a data folder, held by this process alone. */
export const openStore = async (
  config: Config,
  wanted: AgentOrigin | null = 'agent',
): Promise<{ store: Store; origin: AgentOrigin; announce: (url: string) => void; close: () => Promise<void> }> => {
  mkdirSync(config.PEYK_DATA, { recursive: true, mode: 0o700 })
  const held = lock(config.PEYK_DATA)
  try {
    const store = await (config.PEYK_CLICKHOUSE_URL
      ? openClickHouse(config.PEYK_CLICKHOUSE_URL.href, config.PEYK_CLICKHOUSE_CLUSTER)
      : openEmbedded(config.PEYK_DATA))
    await migrate(store)
    const origin = await claimOrigin(store, wanted).catch(async error => {
      await store.close()
      throw error
    })
    await retain(store, config.PEYK_RETENTION)
    const close = async () => {
      await store.close()
      held.release()
    }
    return { store, origin, announce: held.announce, close }
  } catch (error) {
    held.release()
    throw error
  }
}

/** An import ends by asking to settle; one that is killed is settled after so long. */
const IMPORT_WITHIN_MS = 60_000

/** Where imports go when this process holds the store. */
export const sinkOf = (store: Store, analyst: Analyst): Sink => ({
  insert: async (rows: readonly Stored[]) => {
    await store.insert('measurements_raw', rows.map(toRow))
    const touched: Touched = new Map()
    for (const { country, asn, at, offset } of rows) touch(touched, country, asn, at + offset)
    analyst.touch(touched, IMPORT_WITHIN_MS)
  },
  settle: () => analyst.idle(),
})

const refuse = (): never => {
  throw new Problem('bad-request', 'This server holds simulated data and takes no imports.')
}

/** The whole server: store, analyst, API, page, metrics. Resolves when it listens. */
export const runServer = async (config: Config, parts: RunParts): Promise<Server> => {
  const { store, origin, announce, close } = await openStore(config, parts.origin)
  const { now = () => Date.now() / 1000 } = parts
  const roles = new Set(config.PEYK_ROLES)
  let analyst: Analyst | undefined
  let outgoing: Outgoing | undefined
  let confirmations: Confirmations | undefined
  // The present state is told by the one who makes it: told by each process, every alert would come as often.
  const judging: Partial<ServerParts> = {
    touched: touched => analyst?.touch(touched, parts.gather),
    presentState: presentOf(store, parts.events, {
      now,
      lag: () => analyst?.lag() ?? 0,
      rollups: !config.PEYK_REMOTE_WRITE_URL,
    }),
  }
  try {
    const server = await startServer(config, {
      ...{ store, origin, now },
      catalogue: parts.catalogue,
      operators: parts.operators ?? [],
      version: parts.version,
      requests: async where => (await confirmations?.ask(where)) ?? [],
      ...(roles.has('analyst') ? judging : {}),
      routes: async (app, { facts, locate, meter, log }) => {
        const networkName = (asn: number) => locate.networkName(asn)
        if (roles.has('web')) {
          answerRoutes(app, { store, events: parts.events, networkName, now })
          evidenceRoutes(app, { store, events: parts.events, networkName, now })
          if (parts.page) await pageRoutes(app, parts.page, store)
        }
        if (roles.has('collector')) {
          confirmations = new Confirmations({
            ...{ store, meter, now },
            failed: error => log.error({ reason: error.message.slice(0, 300) }, 'nobody could be asked to confirm'),
          })
        }
        if (!roles.has('analyst')) return
        outgoing = outgoingOf({ config, store, origin, facts, meter, now, log })
        const { remoteWrite, notifier } = outgoing
        analyst = new Analyst({
          ...{ store, facts, events: parts.events, networkName, now },
          leastAgents: config.PEYK_MIN_AGENTS,
          follow: config.PEYK_CLICKHOUSE_URL !== null,
          failed: error => {
            meter.count('peyk_store_failures_total', { operation: 'settle' })
            log.error({ reason: error.message.slice(0, 300) }, 'windows could not be settled; trying again')
          },
          settled: judged => {
            const windows = [...judged.values()].reduce((sum, of) => sum + of.size, 0)
            meter.count('peyk_windows_total', { stage: 'verdict' }, windows)
            remoteWrite?.touch(judged)
          },
          changed: changes => {
            for (const { change } of changes) meter.count('peyk_degradations_total', { change })
            void confirmations?.refresh()
            return notifier.changed(changes)
          },
        })
        importRoutes(app, origin === 'agent' ? sinkOf(store, analyst) : { ...sinkOf(store, analyst), insert: refuse })
      },
    })
    await analyst?.start()
    outgoing?.start()
    confirmations?.start()
    announce(server.url)
    return {
      ...server,
      close: async () => {
        await server.close()
        await confirmations?.stop()
        await analyst?.stop()
        await outgoing?.stop()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
