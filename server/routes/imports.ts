import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Stored } from '../../measurement/measurement.ts'
import type { App } from '../app.ts'
import { firstFault } from '../fault.ts'
import type { Sink } from '../ooni/import.ts'
import { Problem } from '../problem.ts'

/** Rows of one request at most, and bytes: what `import` sends at a time. */
const MOST_BYTES = 32 * 2 ** 20

const valid = Compile(Stored)
const NDJSON = 'application/x-ndjson'

/**
 * What `peyk import` hands to the server that holds the data folder: rows it has read, already in our shape. Only the
 * operator may; the rows are checked all the same.
 */
export const importRoutes = (app: App, sink: Sink): void => {
  app.addContentTypeParser(NDJSON, { parseAs: 'buffer', bodyLimit: MOST_BYTES }, (_, body, done) => done(null, body))
  app.post(
    '/v1/admin/measurements',
    {
      config: { right: 'admin' },
      bodyLimit: MOST_BYTES,
      schema: {
        summary: 'Store rows of an import, one JSON object a line',
        response: { 200: Type.Object({ stored: Type.Integer() }) },
      },
    },
    async request => {
      const rows = rowsOf(request.body as Buffer)
      await sink.insert(rows)
      return { stored: rows.length }
    },
  )
  app.post(
    '/v1/admin/settle',
    {
      config: { right: 'admin' },
      schema: {
        summary: 'Answers when all rows are rolled up and judged',
        response: { 200: Type.Object({ settled: Type.Boolean() }) },
      },
    },
    async () => {
      await sink.settle()
      return { settled: true }
    },
  )
}

const rowsOf = (body: Buffer): Stored[] =>
  body
    .toString()
    .split('\n')
    .filter(line => line !== '')
    .map((line, at) => {
      const value = parse(line, at + 1)
      if (valid.Check(value)) return value as Stored
      const { field, must } = firstFault(valid.Errors(value))
      throw new Problem('bad-request', `line ${at + 1}: ${must}`, { field: `body${field}` })
    })

const parse = (line: string, number: number): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    throw new Problem('bad-request', `line ${number}: must be JSON`, { field: 'body' })
  }
}
