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

test('a folder in use is refused, with the process and its address; a stale lock is taken over', () => {
  const data = folder()
  writeFileSync(join(data, 'lock'), JSON.stringify({ pid: 1, url: 'http://127.0.0.1:8400' }))
  expect(() => lock(data)).toThrow(Held)
  expect(() => lock(data)).toThrow(/process 1 \(http:\/\/127\.0\.0\.1:8400\): stop it, or choose/)
  writeFileSync(join(data, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, url: null }))
  lock(data).release()
  lock(data).release()
})
