import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exportStore, importStore } from '../../server/backup.ts'
import { readConfig } from '../../server/config.ts'
import { type Dump, dumpCommand } from '../../server/dump.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { openClickHouse } from '../../server/store/clickhouse.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate, migrations } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { parquetRows } from '../parquet.ts'
import { type ClickHouse, startClickHouse } from '../servers/clickhouse.ts'
import { CATALOGUE } from './live.ts'
import { world } from './world.ts'

/** A store as files: everything for its operator, public rows for everybody. */

const DAY = 86_400
const START = 1_750_032_000 - (1_750_032_000 % DAY)
const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
const settings = { PEYK_DATA: join(folder, 'data'), PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent' }
const config = readConfig(settings)
const said: string[] = []
const say = (text: string) => void said.push(text)

let server: Server
let clickhouse: ClickHouse
beforeAll(async () => {
  // Over the end of a month, so that there are several parts; each row twice, as agents send them.
  const rows = [...world({ from: START + 14 * DAY, to: START + 17 * DAY, step: 14_400, agents: 3 }, () => null)]
  const store = await openEmbedded(config.PEYK_DATA)
  await migrate(store)
  for (const _ of [1, 2]) await store.insert('measurements_raw', rows.map(toRow))
  await store.close()
  server = await runServer(config, { events: [], catalogue: () => CATALOGUE, version: '0.1.0' })
  const authorization = `Bearer ${readFileSync(join(config.PEYK_DATA, 'admin-token'), 'utf8').trim()}`
  const headers = { authorization, 'content-type': 'application/json' }
  await fetch(`${server.url}/v1/admin/settle`, { method: 'POST', body: '{}', headers })
  clickhouse = await startClickHouse(join(folder, 'engine'))
}, 120_000)
afterAll(() => clickhouse.kill())

/** Count and checksum of every table, doubles left out. */
const sums = async (store: Store) => {
  const tables = await store.query<{ name: string; engine: string }>(
    `SELECT name, engine FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations' ORDER BY name`,
  )
  const found: Record<string, unknown> = {}
  for (const { name, engine } of tables) {
    const final = engine === 'ReplacingMergeTree' ? 'FINAL' : ''
    const [row] = await store.query<{ rows: number; sum: string }>(
      `SELECT count() AS rows, toString(sum(cityHash64(toString(tuple(*))))) AS sum FROM ${name} ${final}`,
    )
    found[name] = row
  }
  return found
}

test('a store that is in use is exported, and taken in by ClickHouse with equal counts and sums', async () => {
  const backup = join(folder, 'backup')
  expect(await exportStore(backup, config, [], say)).toBe(0)
  const files = readdirSync(backup)
  expect(files.filter(file => file.startsWith('measurements_raw.')).length).toBe(2)
  const there = { ...config, PEYK_DATA: join(folder, 'other'), PEYK_CLICKHOUSE_URL: new URL(clickhouse.url) }
  expect(await importStore(backup, there, say)).toBe(0)
  const wanted = await sums(server.shared.store)
  const store = await openClickHouse(clickhouse.url)
  expect(await sums(store)).toEqual(wanted)
  await store.close()
  // Nothing is mixed into what is there.
  await expect(importStore(backup, there, say)).rejects.toThrow(/The store is not empty/)
})

test('an export of a newer schema, a changed file and a folder that is none are refused before anything is stored', async () => {
  const backup = join(folder, 'backup')
  const there = { ...config, PEYK_DATA: join(folder, 'third') }
  await expect(importStore(folder, there, say)).rejects.toThrow(/has no manifest.json/)
  const manifest = join(backup, 'manifest.json')
  const text = readFileSync(manifest, 'utf8')
  writeFileSync(manifest, text.replace(`"schema": ${migrations.length}`, '"schema": 999'))
  await expect(importStore(backup, there, say)).rejects.toThrow(/has schema 999, this program knows/)
  writeFileSync(manifest, text)
  const [file = ''] = readdirSync(backup)
  writeFileSync(join(backup, file), 'other')
  await expect(importStore(backup, there, say)).rejects.toThrow(/is not the file that was exported/)
})

test('the dump has a file of public rows for each day, with counts and hashes, and is made anew without harm', async () => {
  const dump = join(folder, 'dump')
  const day = (at: number) => new Date(at * 1000).toISOString().slice(0, 10)
  const args = [dump, '--from', day(START + 14 * DAY), '--to', day(START + 17 * DAY)]
  expect(await dumpCommand(args, config, [], say)).toBe(0)
  // The last day alone, as the next night: the others stay.
  expect(
    await dumpCommand([dump, '--from', day(START + 16 * DAY), '--to', day(START + 17 * DAY)], config, [], say),
  ).toBe(0)
  const { files } = JSON.parse(readFileSync(join(dump, 'manifest.json'), 'utf8')) as Dump
  expect(files.map(({ file }) => file)).toEqual([14, 15, 16].map(at => `peyk-${day(START + at * DAY)}.parquet`))
  for (const { file, rows, bytes, sha256 } of files) {
    const content = readFileSync(join(dump, file))
    const found = await parquetRows(content)
    expect([content.length, found.length]).toEqual([bytes, rows])
    expect(createHash('sha256').update(content).digest('hex')).toBe(sha256)
    expect(Object.keys(found[0]!)).not.toEqual(expect.arrayContaining(['agent']))
  }
  await expect(dumpCommand([dump, '--from', 'yesterday'], config, [], say)).rejects.toThrow(/peyk dump FOLDER/)
})

test('without a running server the commands bring one of their own', async () => {
  await server.close()
  expect(await exportStore(join(folder, 'again'), config, [], say)).toBe(0)
  expect(said.at(-1)).toMatch(/rows, in /)
  expect(readdirSync(config.PEYK_DATA)).not.toContain('lock')
})
