import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Stored } from '../../measurement/measurement.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate, migrations } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { parquetRows, whole } from '../parquet.ts'

export const stored = (more: Partial<Stored> = {}): Stored => ({
  id: '01890000-0000-7000-8000-000000000001',
  boot: '0123456789abcdef',
  mono: 12.5,
  sequence: 1,
  app: 'telegram',
  feature: 'text',
  target: 'telegram.dc1.v4.443.mtproto',
  kind: 'mtproto',
  family: 'v4',
  route: 'direct',
  country: 'KE',
  asn: 33771,
  access: 'wifi',
  at: 1_700_000_000.25,
  steps: [
    { operation: 'connect', start: 0, duration: 0.1, sent: 0, received: 0, failure: null },
    {
      operation: 'protocol_handshake',
      start: 0.1,
      duration: 0.2,
      sent: 105,
      received: 0,
      failure: 'generic_timeout_error',
    },
  ],
  failure: 'generic_timeout_error',
  served: { asn: 0, country: 'ZZ', rtt_floor: null, dc: null },
  origin_proof: 'none',
  marks: [],
  software: 'peyk/0.1.0',
  catalogue: 1,
  origin: 'agent',
  agent: 'a',
  role: 'vantage',
  seen_country: 'KE',
  seen_asn: 33771,
  trust: 'claimed',
  arrived: 1_700_000_010,
  offset: 0,
  source: { report: '', licence: '' },
  prefix_token: 7,
  rule: 1,
  ...more,
})

/** The laws of `Store`, run on every adapter. */
export const storeContract = (name: string, open: () => Promise<Store>): void => {
  describe(`store: ${name}`, () => {
    let store: Store
    beforeAll(async () => {
      store = await open()
      await migrate(store)
    })
    afterAll(() => store.close())

    test('migrating twice changes nothing; a newer schema is refused', async () => {
      await migrate(store)
      expect(await store.query('SELECT count() AS n FROM migrations')).toEqual([{ n: migrations.length }])
      await store.insert('migrations', [{ version: 999 }])
      await expect(migrate(store)).rejects.toThrow('The store has schema 999')
      await store.command('ALTER TABLE migrations DELETE WHERE version = 999 SETTINGS mutations_sync = 1')
    })

    test('values reach SQL as parameters only', async () => {
      const hostile = "'; DROP TABLE facts; --\n\\"
      expect(await store.query('SELECT {x:String} AS x', { x: hostile })).toEqual([{ x: hostile }])
      expect(
        await store.query('SELECT {a:Array(String)} AS a, {n:UInt64} AS n', { a: [hostile, 'b'], n: 2 ** 53 - 1 }),
      ).toEqual([{ a: [hostile, 'b'], n: 2 ** 53 - 1 }])
    })

    test('a measurement comes back as it went in; sent twice it is there once, the first arrival wins', async () => {
      const first = stored()
      await store.insert('measurements_raw', [toRow(first)])
      await store.insert('measurements_raw', [toRow({ ...first, arrived: first.arrived + 60, seen_country: 'UG' })])
      const rows = await store.query<Record<string, unknown>>(
        'SELECT seen_country, toUnixTimestamp64Milli(placed) / 1000 AS placed, `steps.failure` AS f FROM measurements',
      )
      expect(rows).toEqual([{ seen_country: 'KE', placed: first.at, f: ['', 'generic_timeout_error'] }])
    })

    test('a leg of a pair keeps its pair and its timeline', async () => {
      const leg = stored({
        id: '01890000-0000-7000-8000-000000000002',
        target: 'leg',
        kind: 'transfer',
        steps: [
          {
            ...{ operation: 'transfer', start: 0.1, duration: 8, sent: 0, received: 70_000, failure: null },
            ...{ reached: [0.5, 7.1, null, null, null], gap: 0.25 },
          },
        ],
        pair: { id: '00112233445566ff', leg: 'app', round: 2, test: 'confirm', differs: 'name', first: true },
      })
      await store.insert('measurements_raw', [toRow(leg)])
      const columns = 'pair, pair_leg, pair_round, pair_test, pair_differs, pair_first'
      const rows = await store.query(
        `SELECT ${columns}, \`steps.reached\` AS reached, \`steps.gap\` AS gap FROM measurements WHERE target = 'leg'`,
      )
      expect(rows).toEqual([
        {
          ...{ pair: '00112233445566ff', pair_leg: 'app', pair_round: 2, pair_test: 'confirm', pair_differs: 'name' },
          ...{ pair_first: true, reached: [[0.5, 7.1, -1, -1, -1]], gap: [0.25] },
        },
      ])
      expect(await store.query(`SELECT pair FROM measurements WHERE target != 'leg'`)).toEqual([{ pair: '' }])
    })

    test('rows stream in constant memory, two streams at once', async () => {
      const count = async () => {
        let n = 0
        for await (const row of store.stream<{ number: number }>('SELECT number FROM numbers(200000)'))
          n += row.number >= 0 ? 1 : 0
        return n
      }
      expect(await Promise.all([count(), count()])).toEqual([200_000, 200_000])
    })

    test('a stream is whole while others query, insert and stream, and a slow reader holds nobody up', async () => {
      const slow = store.stream<{ number: number }>('SELECT number FROM numbers(300000)')[Symbol.asyncIterator]()
      expect(await slow.next()).toMatchObject({ value: { number: 0 } })
      const others = Array.from({ length: 20 }, async (_, at) => {
        await store.insert('facts', [{ kind: 'stream', key: `${at}`, version: 1, json: '{}' }])
        for await (const row of store.stream<{ n: number }>('SELECT count() AS n FROM numbers(10000)'))
          expect(row.n).toBe(10_000)
        expect(await store.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
      })
      await Promise.all(others)
      let rest = 1
      for (let next = await slow.next(); !next.done; next = await slow.next()) rest++
      expect(rest).toBe(300_000)
    })

    test('many slow readers hold up neither queries nor inserts', async () => {
      const slow = Array.from({ length: 12 }, () =>
        store.stream('SELECT number FROM numbers(1000000)')[Symbol.asyncIterator](),
      )
      const first = slow.map(reader => reader.next())
      await Promise.race(first)
      await store.insert('facts', [{ kind: 'stream', key: 'slow', version: 1, json: '{}' }])
      expect(await store.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
      // Those that wait have their turn as others end.
      for (const [at, reader] of slow.entries()) {
        expect(await first[at]).toMatchObject({ value: { number: 0 } })
        await reader.return?.()
      }
    })

    test('a stream left early leaves the store usable', async () => {
      for await (const _ of store.stream('SELECT number FROM numbers(1000000)')) break
      expect(await store.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    test('bytes come in the format asked for', async () => {
      const parts: Uint8Array[] = []
      for await (const part of store.bytes('SELECT 1 AS a, 2 AS b', 'CSVWithNames')) parts.push(part)
      expect(Buffer.concat(parts).toString()).toBe('"a","b"\n1,2\n')
    })

    test('a stream that fails half-way fails its reader, however much came before', async () => {
      const sql = 'SELECT number, throwIf(number = 200000) FROM numbers(300000)'
      const rows = async () => {
        for await (const _ of store.stream(sql));
      }
      const bytes = async () => {
        for await (const _ of store.bytes(sql, 'CSV'));
      }
      await expect(rows()).rejects.toThrow()
      await expect(bytes()).rejects.toThrow()
      expect(await store.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    test('a format with a header or an end is one whole, however many rows', async () => {
      const sql = 'SELECT number AS n, toString(number) AS text FROM numbers(300000)'
      const csv = (await whole(store.bytes(sql, 'CSVWithNames'))).toString().trimEnd().split('\n')
      expect([csv[0], csv.length, csv.filter(line => line.includes('n')).length]).toEqual(['"n","text"', 300_001, 1])
      const rows = await parquetRows(await whole(store.bytes(sql, 'Parquet')))
      expect(rows.length).toBe(300_000)
      expect(rows.reduce((sum, { n }) => sum + Number(n), 0)).toBe((300_000 * 299_999) / 2)
    })

    test('what the store cannot keep is refused, not lost', async () => {
      await expect(store.insert('measurements_raw', [{ id: 'not a uuid' }])).rejects.toThrow()
      await expect(store.query('SELECT nonsense')).rejects.toThrow()
    })
  })
}
