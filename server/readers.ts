import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from './config.ts'
import { Problem } from './problem.ts'

/**
 * Whose pages may read: a server on a volunteer's own machine tells where it stands, so no web site may ask it, neither
 * across origins nor under a name of its own that it lets point here (DNS rebinding).
 */
export const guardReaders = ({ PEYK_HOST, PEYK_ORIGINS, PEYK_PROXIES }: Config) => {
  const local = isLoopback(PEYK_HOST) && PEYK_PROXIES.length === 0
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (local && !isLoopback(request.hostname)) {
      throw new Problem(
        'forbidden',
        'This server answers under a loopback name only: see PEYK_HOST and PEYK_PROXIES.',
        {
          field: 'host',
        },
      )
    }
    const { origin } = request.headers
    if (request.method !== 'GET' || origin === undefined) return
    if (PEYK_ORIGINS.length)
      void reply.header('access-control-expose-headers', 'content-disposition, etag, link, x-licence')
    if (PEYK_ORIGINS.includes('*')) void reply.header('access-control-allow-origin', '*')
    else if (PEYK_ORIGINS.includes(origin)) {
      void reply.header('access-control-allow-origin', origin).header('vary', 'origin')
    }
  }
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/i.test(host)
