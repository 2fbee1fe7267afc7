import { createHash } from 'node:crypto'
import type { App } from '../app.ts'

/** Where this server is and what to seal to, signed by its operator's key; agents that pinned the key ask for it daily. */
export const operatorRoutes = (app: App, { operatorDocument }: { operatorDocument: () => Promise<string> }): void => {
  app.get(
    '/v1/operator',
    {
      config: { right: 'anyone' },
      schema: { summary: 'Addresses and sealing keys of this server, a compact JWS by its operator' },
    },
    async (request, reply) => {
      const bytes = await operatorDocument()
      const tag = `"${createHash('sha256').update(bytes).digest('base64url')}"`
      void reply.header('etag', tag).header('cache-control', 'public, max-age=300')
      if (request.headers['if-none-match']?.split(/, */).includes(tag)) return await reply.status(304).send()
      return await reply.type('application/jose').send(bytes)
    },
  )
}
