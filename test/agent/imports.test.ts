import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** Loads the agent in a process of its own and tells every file that was loaded, and the memory it took. */
const loaded = (): { files: string[]; rss: number } => {
  const script = `
    const { registerHooks } = require('node:module')
    const files = []
    registerHooks({ load: (url, context, next) => (files.push(url), next(url, context)) })
    Promise.all(['agent/command.ts', 'agent/baseline.ts', 'all.ts'].map(file => import(${JSON.stringify(`file://${root}/probes/`)} + file)))
      .then(() => console.log(JSON.stringify({ files, rss: process.memoryUsage.rss() })))`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as { files: string[]; rss: number }
}

test('the agent stays small: no server framework, logger or schema compiler in its import graph', () => {
  const { files, rss } = loaded()
  const heavy =
    /node_modules\/(@?fastify|find-my-way|ajv|pino|prom-client|@prometheus-io|chdb|@clickhouse|maxmind)\b|typebox\/build\/compile\//
  expect(files.filter(file => heavy.test(file))).toEqual([])
  expect(files.some(file => file.includes('node_modules/undici'))).toBe(true)
  expect(rss).toBeLessThan(200e6)
})
