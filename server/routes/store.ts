import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { App } from '../app.ts'
import { Problem } from '../problem.ts'
import { sliceFile, slicesOf } from '../store/slices.ts'
import type { Store } from '../store/store.ts'

const Word = Type.String({ pattern: '^[A-Za-z0-9_-]{1,80}$' })

/** The store as files, for a backup by its operator while the server runs. */
export const storeRoutes = (app: App, store: Store): void => {
  app.get(
    '/v1/admin/store',
    {
      config: { right: 'admin' },
      schema: {
        summary: 'Tables of the store, in the parts in which they are exported',
        response: {
          200: Type.Object({
            schema: Type.Integer(),
            slices: Type.Array(Type.Object({ table: Type.String(), partition: Type.String(), rows: Type.Integer() })),
          }),
        },
      },
    },
    async () => await slicesOf(store),
  )
  app.get(
    '/v1/admin/store/:table/:partition',
    {
      config: { right: 'admin' },
      schema: {
        summary: 'Part of a table as Parquet, private columns included',
        params: Type.Object({ table: Word, partition: Word }),
      },
    },
    async (request, reply) => {
      // A month of a large fleet is packed for minutes before its first byte.
      request.raw.socket.setTimeout(0)
      const { table, partition } = request.params
      const file = await sliceFile(store, table, partition)
      if (!file) throw new Problem('not-found', 'There is no such table.', { field: 'params/table' })
      return reply.type('application/vnd.apache.parquet').send(Readable.from(file, { objectMode: false }))
    },
  )
}
