import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { MAX_REPORT_BYTES, Receipt, Report } from '../../measurement/report.ts'
import type { Accept } from '../accept.ts'
import type { Agent } from '../agents.ts'
import type { App } from '../app.ts'
import type { Meter } from '../exporter.ts'
import { bodyIsSigned, type Identity } from '../identity.ts'
import type { Nonces } from '../nonce.ts'
import { Problem } from '../problem.ts'
import { type Held, Room } from '../room.ts'
import { bytesAsSent } from './agents.ts'

/** A report unpacked may be this large: 5,000 measurements with every series full. */
const MAX_UNPACKED_BYTES = 32 * 2 ** 20
/** The sealed batches of one report, opened, may be this large together. */
const MAX_UNSEALED_BYTES = 64 * 2 ** 20
/** All reports under way together, unpacked; beyond it agents are told to come again. */
const ROOM_BYTES = 256 * 2 ** 20

const unpackers: Record<string, (body: Buffer) => Promise<Buffer>> = {
  identity: async body => body,
  gzip: body => promisify(gunzip)(body, { maxOutputLength: MAX_UNPACKED_BYTES }),
  zstd: body => promisify(zstdDecompress)(body, { maxOutputLength: MAX_UNPACKED_BYTES }),
}

const unpack = async (body: Buffer, encoding: string): Promise<Buffer> => {
  const unpacker = unpackers[encoding]
  if (!unpacker) {
    throw new Problem('bad-encoding', 'must be gzip, zstd or absent', { field: 'content-encoding' })
  }
  try {
    return await unpacker(body)
  } catch (error) {
    const large = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    if (large) throw new Problem('too-large', `must be at most ${MAX_UNPACKED_BYTES} bytes unpacked`, { field: 'body' })
    throw new Problem('bad-request', 'cannot be unpacked', { field: 'body' })
  }
}

/** Takes room for what sealed batches hold; too much in one report, and its agent is told to send less at a time. */
const unsealing = (held: Held): ((bytes: number) => void) => {
  let total = 0
  return bytes => {
    total += bytes
    if (total > MAX_UNSEALED_BYTES) {
      throw new Problem('too-large', `must hold at most ${MAX_UNSEALED_BYTES} bytes once unsealed`, { field: 'body' })
    }
    held.take(bytes)
  }
}

export type ReportParts = {
  accept: Accept
  nonces: Nonces
  meter: Meter
  /** Reports a minute from one agent. */
  perAgent: number
}

/** How measurements come in. */
export const reportRoutes = (app: App, { accept, nonces, meter, perAgent }: ReportParts): void => {
  const rate = app.createRateLimit({
    max: perAgent,
    timeWindow: 60_000,
    keyGenerator: request => request.getDecorator<Identity>('identity').thumbprint,
  })
  const room = new Room(ROOM_BYTES)
  app.decorateRequest('held', null)
  app.post(
    '/v1/reports',
    {
      config: { right: 'agent' },
      bodyLimit: MAX_REPORT_BYTES,
      validatorCompiler: bytesAsSent,
      schema: {
        summary: 'Report measurements; the receipt says of each batch whether it is stored',
        description:
          'JSON, content-encoding gzip, zstd or none. The answer’s Replay-Nonce may be signed into the next proof.',
        body: Report,
        response: { 200: Receipt },
      },
      // Before the body is read: room for it, and the agent's own pace.
      preParsing: async (request, reply, payload) => {
        const limit = await rate(request)
        if (!limit.isAllowed && limit.isExceeded) {
          throw new Problem('too-many', 'Gather measurements into fewer reports.', { retryAfter: limit.ttlInSeconds })
        }
        const held = room.hold(reply.raw)
        held.take(Math.min(Number(request.headers['content-length'] ?? MAX_REPORT_BYTES), MAX_REPORT_BYTES))
        request.setDecorator('held', held)
        return payload
      },
    },
    async (request, reply) => {
      const begun = performance.now()
      const identity = request.getDecorator<Identity & { agent: Agent }>('identity')
      const body = request.body as unknown as Buffer
      bodyIsSigned(identity, body)
      meter.count('peyk_report_bytes_total', {}, body.length)
      const unpacked = await unpack(body, request.headers['content-encoding'] ?? 'identity')
      const held = request.getDecorator<Held>('held')
      held.take(unpacked.length)
      const receipt = await accept.report(identity, unpacked, request.ip, unsealing(held))
      meter.count('peyk_reports_total', { outcome: 'receipted' })
      meter.observe('peyk_accept_duration_seconds', {}, (performance.now() - begun) / 1000)
      void reply.header('replay-nonce', nonces.issue().nonce)
      return receipt
    },
  )
}
