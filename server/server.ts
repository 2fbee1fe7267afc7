import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import pino, { type DestinationStream, type Logger } from 'pino'
import { CATALOGUE_VERSION } from '../measurement/catalogue.ts'
import { RULE_VERSION } from '../measurement/judge/outcome.ts'
import type { Request } from '../measurement/report.ts'
import { SettingsError } from '../measurement/settings.ts'
import { Accept } from './accept.ts'
import { Agents } from './agents.ts'
import { type App, buildServer } from './app.ts'
import { Commit } from './commit.ts'
import { type Config, keysOf } from './config.ts'
import type { Whereabouts } from './confirmations.ts'
import { Exporter, type Meter, type PresentState } from './exporter.ts'
import { Facts } from './facts.ts'
import type { RouteLine } from './identity.ts'
import { type Locate, openLocate } from './locate/locate.ts'
import { Nonces } from './nonce.ts'
import { type AgentOrigin, labelsOf } from './origin.ts'
import type { SignedCatalogue } from './routes/catalogue.ts'
import { warningsOf } from './routes/health.ts'
import { serveMetrics } from './scrape.ts'
import { type OperatorKey, openSealing } from './sealing.ts'
import { readSecrets } from './secrets.ts'
import type { Store } from './store/store.ts'
import type { Touched } from './touched.ts'

/** What the server is made of beside its settings; the composer brings it. */
export type ServerParts = {
  /** Open and migrated; closing it is its opener's. */
  store: Store
  catalogue: () => SignedCatalogue
  /** Thumbprints admitted as `operator` at start: of the agent that runs beside this server. */
  operators?: readonly string[]
  /** Told after rows are durable, so that their windows are judged anew. */
  touched?: (touched: Touched) => void
  presentState?: PresentState
  /** What an agent is asked to measure now; never rejects. */
  requests?: (where: Whereabouts) => Promise<Request[]>
  /** Answers and page. */
  routes?: (app: App, shared: Shared) => void | Promise<void>
  /** Whose rows agents' reports are. */
  origin?: AgentOrigin
  /** Unix seconds; tests bring another clock. */
  now?: () => number
  /** Where the log goes; standard output otherwise. */
  logTo?: DestinationStream
  version: string
}

/** What answers may use of the server. */
type Shared = { config: Config; store: Store; facts: Facts; locate: Locate; meter: Meter; log: Logger }

export type Server = {
  url: string
  metricsUrl: string
  /** What agents pin, to seal what they keep to this server. */
  operatorKey: OperatorKey
  routes: RouteLine[]
  shared: Shared
  close(): Promise<void>
}

/** Open connections get this long to finish at the end. */
const GRACE_MS = 10_000

/** So long until a fact put by another process is known here. */
const LEARN_MS = 5_000

/** Start taking reports and answering; resolves when both ports listen. */
export const startServer = async (config: Config, parts: ServerParts): Promise<Server> => {
  mkdirSync(config.PEYK_DATA, { recursive: true, mode: 0o700 })
  const { store, catalogue, origin = 'agent', now = () => Date.now() / 1000 } = parts
  const log = createLog(config.PEYK_LOG, parts.logTo)
  const secrets = readSecrets(keysOf(config))
  const sealing = openSealing(keysOf(config), now)
  const locate = await openLocate(config.PEYK_DATA, config.PEYK_ASN_DB)
  const others = config.PEYK_CLICKHOUSE_URL !== null
  const facts = await Facts.open(store, others)
  const agents = new Agents(facts, now)
  for (const thumbprint of parts.operators ?? []) await agents.grant(thumbprint, 'operator')
  const exporter = new Exporter(parts.presentState, labelsOf(origin))
  present(exporter, locate, catalogue, parts.version)
  const commit = new Commit(store, {
    stored: (table, rows, seconds) => {
      exporter.count('peyk_store_rows_total', { table }, rows)
      exporter.observe('peyk_store_insert_duration_seconds', {}, seconds)
    },
    failed: error => {
      exporter.count('peyk_store_failures_total', { operation: 'insert' })
      log.error({ reason: String((error as Error).message).slice(0, 200) }, 'the store refused an insert')
    },
  })
  const accept = new Accept({
    agents,
    commit,
    locate,
    secrets,
    origin,
    meter: exporter,
    now,
    retention: config.PEYK_RETENTION,
    catalogueVersion: () => catalogue().version,
    unseal: jwe => sealing.unseal(jwe),
    touched: parts.touched ?? (() => undefined),
    requests: parts.requests ?? (async () => []),
  })
  const learning = others
    ? learn(facts, error => log.error({ reason: error.message.slice(0, 200) }, 'facts not read'))
    : null
  const nonces = new Nonces(secrets.derive('nonce'), now)
  const shared: Shared = { config, store, facts, locate, meter: exporter, log }
  // Unset, this server is for the agents of its own machine.
  const addresses = () =>
    config.PEYK_ADDRESSES.length ? config.PEYK_ADDRESSES : [`http://127.0.0.1:${portOf(app.server.address())}/`]
  const { app, routes } = await buildServer({
    ...{ config, secrets, store, agents, nonces, accept, locate, meter: exporter, log, now, catalogue },
    ...{ addresses, operatorKey: sealing.operatorKey },
    operatorDocument: () => sealing.document(addresses()),
    routes: app => parts.routes?.(app, shared),
  })
  const metricsPage = await serveMetrics(exporter, config.PEYK_METRICS_HOST, config.PEYK_METRICS_PORT, error =>
    log.error({ reason: error.message.slice(0, 200) }, 'a scrape failed'),
  ).catch(cannotListen('PEYK_METRICS_PORT'))
  const close = async (): Promise<void> => {
    // Connections kept alive become idle one by one as their reports are answered.
    const idle = setInterval(() => app.server.closeIdleConnections(), 50)
    const late = setTimeout(() => app.server.closeAllConnections(), GRACE_MS)
    await app.close()
    clearInterval(idle)
    clearTimeout(late)
    clearInterval(learning ?? undefined)
    await commit.idle()
    await metricsPage.close()
    exporter.close()
  }
  try {
    await app.listen({ host: config.PEYK_HOST, port: config.PEYK_PORT, listenTextResolver: () => 'listening' })
  } catch (error) {
    await close()
    return cannotListen('PEYK_PORT')(error as NodeJS.ErrnoException)
  }
  for (const warning of warningsOf(locate, now())) log.warn(warning)
  return {
    ...{ url: urlOf(app.server.address() as AddressInfo), metricsUrl: metricsPage.url },
    ...{ operatorKey: sealing.operatorKey, routes, shared, close },
  }
}

const cannotListen =
  (setting: 'PEYK_PORT' | 'PEYK_METRICS_PORT') =>
  (error: NodeJS.ErrnoException): never => {
    throw new SettingsError(
      error.code === 'EADDRINUSE'
        ? `${setting}: another program has port ${(error as { port?: number }).port}; set another one, or stop that program.`
        : `${setting}, ${setting.replace('PORT', 'HOST')}: cannot listen there (${error.code}).`,
    )
  }

/** What other processes put, such as an agent that was revoked, is known here soon. */
const learn = (facts: Facts, failed: (error: Error) => void): NodeJS.Timeout =>
  setInterval(() => void facts.refresh().catch(failed), LEARN_MS).unref()

const portOf = (address: unknown): number => (address as AddressInfo).port

const urlOf = ({ address, family, port }: AddressInfo): string =>
  `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`

/** What a scrape says once for the life of the process. */
const present = (meter: Meter, locate: Locate, catalogue: () => SignedCatalogue, version: string): void => {
  meter.set(
    'peyk_build_info',
    {
      version,
      node: process.versions.node,
      rule: String(RULE_VERSION),
      catalogue: String(catalogue().version || CATALOGUE_VERSION),
    },
    1,
  )
  if (locate.networks?.date) meter.set('peyk_asn_database_timestamp_seconds', {}, locate.networks.date)
}

/** The log has no serializer that could name a request's address, headers or URL. */
const createLog = (level: Config['PEYK_LOG'], to?: DestinationStream): Logger => {
  const options = {
    level,
    base: null,
    serializers: {
      req: () => undefined,
      res: () => undefined,
      err: ({ name, code }: Error & { code?: string }) => ({ name, code }),
    },
  }
  return to ? pino(options, to) : pino(options)
}
