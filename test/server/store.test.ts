import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openEmbedded } from '../../server/store/chdb.ts'
import { openClickHouse } from '../../server/store/clickhouse.ts'
import { Held, lock } from '../../server/store/lock.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate, migrations } from '../../server/store/schema.ts'
import { type ClickHouse, startClickHouse } from '../servers/clickhouse.ts'
import { storeContract, stored } from './store-contract.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'peyk-'))

storeContract('embedded', () => openEmbedded(folder()))

describe('over HTTP', () => {
  let server: ClickHouse
  beforeAll(async () => {
    server = await startClickHouse(folder())
  })
  afterAll(() => server.kill())

  storeContract('ClickHouse', () => openClickHouse(server.url))

  test('a server that is not there is told by its setting', async () => {
    await expect(openClickHouse('http://127.0.0.1:1')).rejects.toThrow(
      'PEYK_CLICKHOUSE_URL: no ClickHouse answers there',
    )
  })
})

test('rows of before transfers were timed are read as those of today, without a pair', async () => {
  const data = folder()
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const store = await openEmbedded(data)
  await store.command(
    'CREATE TABLE migrations (version UInt32, at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version',
  )
  for (const [at, statements] of migrations.slice(0, 3).entries()) {
    for (const sql of statements) await store.command(sql)
    await store.insert('migrations', [{ version: at + 1 }])
  }
  const added = ['steps.reached', 'steps.gap']
  const old = Object.entries(toRow(stored())).filter(([column]) => !added.includes(column))
  await store.insert('measurements_raw', [Object.fromEntries(old)])
  await migrate(store)
  expect(
    await store.query(
      'SELECT pair, pair_first, `steps.operation` AS steps, `steps.reached` AS reached, `steps.gap` AS gap FROM measurements',
    ),
  ).toEqual([{ pair: '', pair_first: false, steps: ['connect', 'protocol_handshake'], reached: [[], []], gap: [0, 0] }])
  await store.close()
})

test('what was made of rows outlives a new order of theirs, wherever the first attempt was killed', async () => {
  const data = folder()
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const store = await openEmbedded(data)
  await store.command(
    'CREATE TABLE migrations (version UInt32, at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version',
  )
  const order = migrations.findIndex(of => of.some(sql => sql.startsWith('RENAME')))
  for (const [at, statements] of migrations.slice(0, order).entries()) {
    for (const sql of statements) await store.command(sql)
    await store.insert('migrations', [{ version: at + 1 }])
  }
  const place = { app: 'telegram', feature: 'text', country: 'KE', asn: 1, at: 1_700_000_100, revision: 1 }
  const tables = ['agent_windows', 'rollups', 'verdicts']
  for (const table of tables) {
    const row = table === 'rollups' ? { ...place, level: 300 } : place
    await store.insert(table, [row, { ...row, asn: 2 }])
  }
  const statements = migrations[order]!.map(sql => sql.replace('CREATE TABLE ', 'CREATE TABLE IF NOT EXISTS '))
  // Each table is done alike: the last is begun again after each of its statements.
  const last = statements.length - statements.length / tables.length
  for (const sql of statements.slice(0, last)) await store.command(sql)
  for (let done = last + 1; done <= statements.length; done++) {
    for (const sql of statements.slice(last, done)) await store.command(sql)
  }
  await migrate(store)
  for (const table of tables) {
    expect(await store.query(`SELECT asn FROM ${table} FINAL ORDER BY asn`), table).toEqual([{ asn: 1 }, { asn: 2 }])
  }
  const left = "SELECT name FROM system.tables WHERE database = currentDatabase() AND match(name, '_(before|next)$')"
  expect(await store.query(left)).toEqual([])
  const [made] = await store.query<{ sql: string }>(
    "SELECT create_table_query AS sql FROM system.tables WHERE database = currentDatabase() AND name = 'agent_windows'",
  )
  expect(made!.sql).toMatch(/`prefix` UInt32 TTL at \+ toIntervalDay\(14\)[\s\S]*ORDER BY \(toStartOfHour\(at\)/)
  await store.close()
})

test('what agents measured before trials were paired as they come is paired when the store is opened', async () => {
  const data = folder()
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const store = await openEmbedded(data)
  await migrate(store)
  const before = migrations.findIndex(of => of.some(sql => sql.startsWith('CREATE TABLE agent_trials')))
  await store.command('DROP TABLE agent_trials')
  await store.command('DELETE FROM migrations WHERE version > {before:UInt32}', { before })
  const place = { app: 'control', feature: 'web', country: 'KE', asn: 1, agent: 'a', at: 1_700_000_400 }
  await store.insert('agent_windows', [{ ...place, control_tried: 3, control_answered: 2, revision: 1 }])
  await migrate(store)
  expect(
    await store.query(
      'SELECT app, asn, agent, toUnixTimestamp(at) AS at, attempts, answered, abroad, home FROM agent_trials',
    ),
  ).toEqual([{ app: 'control', asn: 1, agent: 'a', at: 1_700_000_100, attempts: 3, answered: 2, abroad: 1, home: 2 }])
  await store.close()
})

test('a folder in use is refused, with the process and its address; a stale lock is taken over', () => {
  const data = folder()
  writeFileSync(join(data, 'lock'), JSON.stringify({ pid: 1, url: 'http://127.0.0.1:8400' }))
  expect(() => lock(data)).toThrow(Held)
  expect(() => lock(data)).toThrow(/process 1 \(http:\/\/127\.0\.0\.1:8400\): stop it, or choose/)
  writeFileSync(join(data, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, url: null }))
  lock(data).release()
  lock(data).release()
})
