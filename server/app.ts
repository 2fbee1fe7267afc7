import compress from '@fastify/compress'
import etag from '@fastify/etag'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import type { Logger } from 'pino'
import type { Accept } from './accept.ts'
import type { Agents } from './agents.ts'
import type { Config } from './config.ts'
import type { Meter } from './exporter.ts'
import { authorise, createAuthenticate } from './identity.ts'
import { prefixOf } from './locate/address.ts'
import type { Locate } from './locate/locate.ts'
import type { Nonces } from './nonce.ts'
import { answerProblems, Problem } from './problem.ts'
import { guardReaders } from './readers.ts'
import { adminRoutes } from './routes/admin.ts'
import { agentRoutes } from './routes/agents.ts'
import { catalogueRoutes, type SignedCatalogue } from './routes/catalogue.ts'
import { healthRoutes } from './routes/health.ts'
import { ledgerRoutes } from './routes/ledger.ts'
import { operatorRoutes } from './routes/operator.ts'
import { reportRoutes } from './routes/reports.ts'
import { spoolRoutes } from './routes/spool.ts'
import { storeRoutes } from './routes/store.ts'
import type { OperatorKey } from './sealing.ts'
import type { Secrets } from './secrets.ts'
import type { Store } from './store/store.ts'

/**
 * Slow clients: headers within 10 s, the whole request within 2 minutes (8 MB at half a megabit), between requests a
 * minute; and nobody holds a connection, or a stream of rows, on which nothing moves for 2 minutes.
 */
const slow = { headersTimeout: 10_000, requestTimeout: 120_000, keepAliveTimeout: 60_000, connectionTimeout: 120_000 }
const MOST_CONNECTIONS = 10_000
const MOST_HEADER_BYTES = 16 * 1024

/** Everything from here, nothing inline, no frame around it: the page is files, and so is its style. */
const contentSecurity = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    manifestSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
}

export type AppParts = {
  config: Config
  secrets: Secrets
  store: Store
  agents: Agents
  nonces: Nonces
  accept: Accept
  locate: Locate
  meter: Meter
  log: Logger
  now: () => number
  catalogue: () => SignedCatalogue
  /** Where agents reach this server, best first. */
  addresses: () => readonly string[]
  operatorKey: OperatorKey
  operatorDocument: () => Promise<string>
  /** Routes of other parts: the answers, the page. Each names its right. */
  routes?: ((app: App) => void | Promise<void>) | undefined
}

/** The server as routes see it: schemas are types. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** The whole server, not yet listening: limits, the one authorisation hook, then every route in order. */
export const buildServer = async (parts: AppParts) => {
  const { config, secrets, agents, nonces, meter, log } = parts
  const refused = (reason: string) => meter.count('peyk_refused_total', { reason })
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: config.PEYK_PROXIES.length ? [...config.PEYK_PROXIES] : false,
    bodyLimit: 64 * 1024,
    requestTimeout: slow.requestTimeout,
    connectionTimeout: slow.connectionTimeout,
    keepAliveTimeout: slow.keepAliveTimeout,
    http: { headersTimeout: slow.headersTimeout, maxHeaderSize: MOST_HEADER_BYTES, connectionsCheckingInterval: 2_000 },
    ajv: { customOptions: { removeAdditional: false, allErrors: false } },
    frameworkErrors: (error, request, reply) => {
      answerProblems(refused)(error, request as FastifyRequest, reply as FastifyReply)
    },
    clientErrorHandler: (error, socket) => {
      // The default would log the packet. Where a response is under way the connection is past saving.
      if (socket.writable && error.code !== 'ECONNRESET') {
        socket.write(`HTTP/1.1 ${statusOf(error.code)}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      }
      socket.destroySoon()
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = MOST_CONNECTIONS

  app.setErrorHandler(answerProblems(refused))
  app.decorateRequest('identity', null)

  await app.register(helmet, {
    contentSecurityPolicy: contentSecurity,
    crossOriginResourcePolicy: { policy: config.PEYK_ORIGINS.length ? 'cross-origin' : 'same-origin' },
  })
  await app.register(rateLimit, {
    max: config.PEYK_RATE_NETWORK,
    timeWindow: 60_000,
    cache: 50_000,
    // By /24 or /48: an address of one's own is cheap there. The key stays in memory.
    keyGenerator: request => prefixOf(request.ip),
    errorResponseBuilder: (_, { ttl }) =>
      new Problem('too-many', 'Wait before asking again.', { retryAfter: Math.ceil(ttl / 1000) }),
  })
  // Before compression, so that an answer has one tag however it is packed.
  await app.register(etag, { weak: true })
  await app.register(compress, { globalDecompression: false })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Peyk',
        version: '1',
        description:
          'Whether messaging apps work, where, and since when they do not. Times are UTC, ranges [from, to).',
      },
    },
  })

  app.addHook('onRequest', guardReaders(config))
  const table = authorise(app, createAuthenticate({ agents, nonces, adminToken: secrets.adminToken }))
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, () => {
    throw new Problem('not-found', 'See /openapi.json for what there is.')
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    log.debug({
      method,
      route: routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    })
  })

  healthRoutes(app, parts)
  adminRoutes(app, parts)
  storeRoutes(app, parts.store)
  if (config.PEYK_ROLES.includes('web')) ledgerRoutes(app, parts)
  if (config.PEYK_ROLES.includes('collector')) await collectorRoutes(app, parts)
  await parts.routes?.(app)
  app.get('/openapi.json', { config: { right: 'anyone' }, schema: { hide: true } }, async () => app.swagger())
  await app.ready()
  const routes = table()
  return { app, routes }
}

/** What agents ask. */
const collectorRoutes = async (app: App, parts: AppParts): Promise<void> => {
  const { config, agents, nonces } = parts
  catalogueRoutes(app, parts)
  operatorRoutes(app, parts)
  spoolRoutes(app, parts)
  await app.register(async signed => {
    // Bodies are compared with their proofs as they were sent, so here they stay bytes.
    signed.removeAllContentTypeParsers()
    signed.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    agentRoutes(signed.withTypeProvider<TypeBoxTypeProvider>(), {
      agents,
      nonces,
      open: config.PEYK_ENROLMENT === 'open',
    })
    reportRoutes(signed.withTypeProvider<TypeBoxTypeProvider>(), { ...parts, perAgent: config.PEYK_RATE_AGENT })
  })
}

const statusOf = (code: string | undefined): string => {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
}
