import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEmbedded } from '../../server/store/chdb.ts'
import { retain } from '../../server/store/retention.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { uuid7 } from './agent.ts'
import { stored } from './store-contract.ts'

let store: Store
beforeAll(async () => {
  store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
  await migrate(store)
})
afterAll(() => store.close())

const DAY = 86_400
const now = Date.now() / 1000
const put = async (arrived: number, more: object = {}) => {
  const row = stored({ id: uuid7(), arrived, at: now - 400 * DAY, prefix_token: 7, ...more })
  await store.insert('measurements_raw', [toRow(row)])
}
const kept = async () => {
  await store.command('OPTIMIZE TABLE measurements_raw FINAL')
  return await store.query<{ origin: string; age: number; token: number }>(
    `SELECT origin, round((${now} - toUnixTimestamp64Milli(arrived) / 1000) / ${DAY}) AS age, prefix_token AS token
     FROM measurements ORDER BY age`,
  )
}

test('rows go by when they arrived, imports stay, prefix tokens are forgotten after two weeks', async () => {
  await put(now - 1 * DAY)
  await put(now - 20 * DAY)
  await put(now - 100 * DAY)
  await put(now - 200 * DAY, { origin: 'ooni' })
  await retain(store, null)
  expect(await kept()).toEqual([
    { origin: 'agent', age: 1, token: 7 },
    { origin: 'agent', age: 20, token: 0 },
    { origin: 'agent', age: 100, token: 0 },
    { origin: 'ooni', age: 200, token: 0 },
  ])
  await retain(store, 90 * DAY)
  expect((await kept()).map(({ age }) => age)).toEqual([1, 20, 200])
  // Said again it changes nothing; shortened it drops more; unset it keeps what is left.
  await retain(store, 90 * DAY)
  await retain(store, 15 * DAY)
  expect((await kept()).map(({ age }) => age)).toEqual([1, 200])
  await retain(store, null)
  await put(now - 300 * DAY)
  expect((await kept()).map(({ age }) => age)).toEqual([1, 200, 300])
})
