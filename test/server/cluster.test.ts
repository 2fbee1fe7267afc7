import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbedded } from '../../server/store/chdb.ts'
import { openClickHouse } from '../../server/store/clickhouse.ts'
import { clustered } from '../../server/store/cluster.ts'
import { migrations } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { storeContract } from './store-contract.ts'

/** The schema for a cluster. Here the engine's parser alone sees it; a cluster does in .github/workflows/cluster.yml. */

let store: Store
beforeAll(async () => {
  store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
})
afterAll(() => store.close())

const statements = migrations.flat().flatMap(sql => clustered(sql, 'peyk'))

test.each(statements.map(sql => [sql.slice(0, 70).replace(/\s+/g, ' '), sql]))('%s is SQL', async (_, sql) => {
  expect((await store.query<{ explain: string }>(`EXPLAIN AST ${sql}`)).length).toBeGreaterThan(0)
})

test('every table is replicated and spread, doubles of a row on one shard; every statement goes to all servers', () => {
  for (const sql of statements) if (!sql.startsWith('INSERT')) expect(sql).toContain("ON CLUSTER 'peyk'")
  const made = statements.filter(sql => /ENGINE =/.test(sql))
  const tables = migrations.flat().filter(sql => /^CREATE TABLE/.test(sql))
  expect(made.filter(sql => /ENGINE = Replicated(Replacing)?MergeTree\('/.test(sql)).length).toBe(tables.length)
  expect(made.filter(sql => /ENGINE = Distributed\(/.test(sql)).length).toBe(tables.length)
  expect(made.find(sql => sql.includes('TABLE IF NOT EXISTS measurements_raw_local'))).toContain("'{replica}', first)")
  expect(clustered('RENAME TABLE a TO b, c TO a', 'peyk')).toEqual([
    "RENAME TABLE a_local TO b_local, c_local TO a_local ON CLUSTER 'peyk'",
    "DROP TABLE IF EXISTS c ON CLUSTER 'peyk' SYNC",
  ])
  expect(clustered('INSERT INTO facts SELECT 1', 'peyk')).toEqual(['INSERT INTO facts SELECT 1'])
})

const url = process.env['PEYK_TEST_CLICKHOUSE_URL']
const cluster = process.env['PEYK_TEST_CLICKHOUSE_CLUSTER'] || null

describe.skipIf(!url)('a real ClickHouse (skipped unless PEYK_TEST_CLICKHOUSE_URL names an empty one)', () => {
  storeContract('real', () => openClickHouse(url!, cluster))
})
