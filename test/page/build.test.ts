import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, expect, test } from 'vitest'
import { buildPageIfStale, isBuilt, pageFolder } from '../../server/page/build.ts'

/** What a phone on a slow line loads before it shows anything, gzipped. */
const MOST_BYTES = 100_000

beforeAll(async () => {
  await buildPageIfStale()
})

const files = () => readdirSync(pageFolder, { recursive: true, encoding: 'utf8' }).filter(name => /\.\w+$/.test(name))
const text = (name: string) => readFileSync(join(pageFolder, name), 'utf8')

test('a fresh build is not built again', async () => {
  expect(isBuilt()).toBe(true)
  expect(await buildPageIfStale()).toBe(false)
})

test('the whole page is smaller than 100 kB gzipped', () => {
  const sizes = files().map(
    name => [name, gzipSync(readFileSync(join(pageFolder, name)), { level: 9 }).length] as const,
  )
  const total = sizes.reduce((sum, [, size]) => sum + size, 0)
  console.log(`page: ${total} bytes gzipped (${sizes.map(([name, size]) => `${name} ${size}`).join(', ')})`)
  expect(total).toBeLessThan(MOST_BYTES)
})

test('schemas stay on the server', () => {
  const scripts = files().filter(name => name.endsWith('.js'))
  // A boolean, so that a failure does not print the bundle.
  for (const name of scripts) expect(text(name).includes('~kind'), name).toBe(false)
})

test('no path of the machine that built it is inside', () => {
  for (const name of files())
    expect(text(name).includes(import.meta.dirname.replace(/\/test\/page$/, '')), name).toBe(false)
})

test('nothing inline, nothing from elsewhere', () => {
  const html = text('index.html')
  expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/)
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(address).toMatch(/^\/[^/]/)
  for (const name of files().filter(file => file.endsWith('.css')))
    expect(text(name)).not.toMatch(/@import|url\((?!["']?data:|["']?\/assets)/)
})
