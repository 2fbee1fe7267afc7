import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { probeKinds } from '../measurement/step.ts'
import { measurementsQuery } from '../server/measurements.ts'
import { openEmbedded } from '../server/store/chdb.ts'
import { migrate } from '../server/store/schema.ts'
import { publicColumns, undescribed } from './data-page.ts'
import { pages, root } from './docs.ts'

test.each(Object.entries(pages))('%s is what the code says; `npm run docs` writes it', (path, page) => {
  expect(readFileSync(join(root, path), 'utf8')).toBe(page())
})

const here = (folder: string, ending: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => ending.test(path))
    .map(path => join(folder, path))

const written = [
  ...readdirSync(root).filter(path => path.endsWith('.md')),
  ...here('docs', /\.md$/),
  ...here('events', /\.md$/),
]

test('every link of a page leads to a file that is there', () => {
  const broken = written.flatMap(page =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)]
      .map(([, to = '']) => to)
      .filter(to => !existsSync(join(root, dirname(page), to)))
      .map(to => `${page} -> ${to}`),
  )
  expect(broken).toEqual([])
})

const folders = ['measurement', 'events', 'probes', 'server', 'dashboards', 'package', 'test']

test('every file that the architecture names is there', () => {
  // The house has no index.ts, and says so.
  const names = new Set([
    'peyk.ts',
    'index.ts',
    ...folders.flatMap(folder => here(folder, /\.ts$/)).map(path => basename(path)),
  ])
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  // `a/{b,c}.ts` names two.
  const named = [...page.matchAll(/`(?:[\w.-]+\/)*(?:\{([\w,-]+)\}|([\w-]+))\.ts`/g)].flatMap(([, several, one]) =>
    (several ?? one!).split(',').map(name => `${name}.ts`),
  )
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter(name => !names.has(name))).toEqual([])
})

test('every setting that code reads from the environment stands in README', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const code = ['peyk.ts', ...['probes', 'server', 'dashboards'].flatMap(folder => here(folder, /\.tsx?$/))]
  const read = code.flatMap(path =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/\benv(?:\.|\[')(PEYK_[A-Z_]+)/g)].map(([, name = '']) => name),
  )
  expect(read.length).toBeGreaterThan(1)
  expect([...new Set(read)].filter(name => !readme.includes(`\`${name}`))).toEqual([])
})

test.each([...probeKinds])('the probe kind %s has its page', kind => {
  expect(existsSync(join(root, 'docs/probes', `${kind}.md`)), `docs/probes/${kind}.md`).toBe(true)
})

test('every field of the data dictionary says what it means', () => {
  expect(undescribed(), 'Give the field a description in its schema.').toEqual([])
})

test('the columns of public rows are those that the dictionary tells', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-docs-'))
  const store = await openEmbedded(folder)
  try {
    await migrate(store)
    const { sql, params } = measurementsQuery({ from: 0, to: 1 })
    const parts: Uint8Array[] = []
    for await (const part of store.bytes(sql, 'CSVWithNames', params)) parts.push(part)
    const [header = ''] = Buffer.concat(parts).toString().split('\n')
    expect(header.replaceAll('"', '').split(',')).toEqual(Object.keys(publicColumns))
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
