import { createHash } from 'node:crypto'
import type { App } from '../app.ts'

/** The signed catalogue as it was signed offline; a server can choose from it and change nothing in it. */
export type SignedCatalogue = { bytes: Uint8Array; version: number }

export const catalogueRoutes = (app: App, { catalogue }: { catalogue: () => SignedCatalogue }): void => {
  app.get(
    '/v1/catalogue',
    {
      config: { right: 'anyone' },
      // A third of a day's bytes on a metered line, were it not compressed.
      compress: { customTypes: /^application\/jose$/ },
      schema: { summary: 'The signed catalogue of apps and targets, a compact JWS' },
    },
    async (request, reply) => {
      const { bytes } = catalogue()
      const tag = `"${createHash('sha256').update(bytes).digest('base64url')}"`
      void reply.header('etag', tag).header('cache-control', 'public, max-age=300')
      if (request.headers['if-none-match']?.split(/, */).includes(tag)) return await reply.status(304).send()
      return await reply.type('application/jose').send(Buffer.from(bytes))
    },
  )
}
