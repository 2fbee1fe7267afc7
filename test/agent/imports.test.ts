import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { settings } from '../../probes/agent/config.ts'

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
  const packages = new Set(files.map(file => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean))
  // What a development install brings along, ws then uses; packages for volunteers do not carry them.
  for (const extra of ['bufferutil', 'node-gyp-build']) packages.delete(extra)
  expect([...packages].sort()).toEqual([
    '@leichtgewicht/ip-codec',
    '@noble/ciphers',
    'dns-packet',
    'ipaddr.js',
    'jose',
    'long',
    'protobufjs',
    'typebox',
    'undici',
    'ws',
  ])
  expect(rss).toBeLessThan(150e6)
})

test('docs/agent.md has the table of settings as it is', () => {
  const page = readFileSync(join(root, 'docs/agent.md'), 'utf8')
  for (const [name, { default: fallback, text }] of Object.entries(settings)) {
    const row = `| \`${name}\` | ${fallback ? `\`${fallback}\`` : ''} | ${text} |`
    expect(page.includes(row), row).toBe(true)
  }
})
