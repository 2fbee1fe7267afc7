import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Analyst } from '../../server/analyst.ts'
import { Facts } from '../../server/facts.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Touched, touch } from '../../server/touched.ts'
import { world } from '../server/world.ts'
import type { Bench } from './bench.ts'

/** Rows that come late, all at once, and the windows (network and 5 minutes) they fall into. */
const ROWS = Number(process.env['PEYK_BENCH_ROWS'] || 1_000_000)
const WINDOWS = 2_000
const IDLE_SECONDS = 10

/** A day of 7 networks: rows of a small world, copied by the engine to more agents and windows. */
const fill = async (store: Store, start: number): Promise<Touched> => {
  const seed = [...world({ from: start, to: start + 300, step: 300, agents: 1 }, () => null)].filter(
    ({ asn }) => asn === 12_455,
  )
  await store.insert('measurements_raw', seed.map(toRow))
  const networks = Math.ceil(WINDOWS / 288)
  const copies = Math.ceil(ROWS / seed.length / WINDOWS)
  const columns = await store.query<{ name: string }>(
    `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'measurements_raw' AND default_kind = '' ORDER BY position`,
  )
  const names = columns.map(({ name }) => `\`${name}\``)
  const value: Record<string, string> = {
    '`id`': 'generateUUIDv4()',
    '`agent`': "concat('agent', toString(copy), '-', toString(network))",
    '`asn`': 'toUInt32(64512 + network)',
    '`at`': 'at + toIntervalSecond(300 * window + copy % 290)',
    '`arrived`': 'arrived + toIntervalDay(1)',
    '`prefix_token`': 'toUInt32(copy + 1)',
  }
  await store.command(
    `INSERT INTO measurements_raw (${names.join(', ')})
     SELECT ${names.map(name => value[name] ?? name).join(', ')} FROM measurements_raw
     ARRAY JOIN range(${copies}) AS copy ARRAY JOIN range(${networks}) AS network ARRAY JOIN range(${Math.ceil(WINDOWS / networks)}) AS window
     WHERE asn = 12455`,
  )
  await store.command('DELETE FROM measurements_raw WHERE asn = 12455')
  const touched: Touched = new Map()
  for (let network = 0; network < networks; network++)
    for (let window = 0; window < Math.ceil(WINDOWS / networks); window++)
      touch(touched, 'KE', 64_512 + network, start + 300 * window)
  return touched
}

const processorSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** Late rows folded into windows, verdicts, rollups and findings; and what an idle analyst costs. */
export const bench: Bench = async figure => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-bench-'))
  const start = Math.floor(Date.now() / 86_400_000) * 86_400 - 2 * 86_400
  const store = await openEmbedded(folder)
  await migrate(store)
  const touched = await fill(store, start)
  const [row] = await store.query<{ n: number }>('SELECT count() AS n FROM measurements_raw')
  let engine = 0
  const timing: Store = {
    ...{
      stream: (...of) => store.stream(...of),
      bytes: (...of) => store.bytes(...of),
      load: (...of) => store.load(...of),
    },
    query: async (...of) => (await timed(store.query(...of))) as never,
    command: async (...of) => await timed(store.command(...of)),
    insert: async (...of) => await timed(store.insert(...of)),
    close: () => store.close(),
  }
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const from = performance.now()
    const done = await work
    engine += (performance.now() - from) / 1000
    return done
  }
  const analyst = new Analyst({
    ...{ store: timing, facts: await Facts.open(store), events: [], networkName: () => undefined },
    ...{ leastAgents: 3, now: () => Date.now() / 1000 },
  })
  const worked = process.cpuUsage()
  const begun = performance.now()
  analyst.touch(touched)
  await analyst.idle()
  figure({
    rows: row!.n,
    windows: [...touched.values()].reduce((sum, of) => sum + of.size, 0),
    seconds: Number(((performance.now() - begun) / 1000).toFixed(2)),
    // What it worked, whatever else this machine was doing.
    processor_seconds: Number(processorSince(worked).toFixed(2)),
    engine_seconds: Number(engine.toFixed(2)),
    resident_megabytes: Math.round(process.memoryUsage.rss() / 2 ** 20),
  })
  const before = process.cpuUsage()
  await wait(IDLE_SECONDS * 1000)
  figure({ case: 'idle', processor_share: Number((processorSince(before) / IDLE_SECONDS).toFixed(4)) })
  await analyst.stop()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
}
