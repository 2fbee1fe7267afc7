import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { allTargets, CONTROL } from '../../../measurement/catalogue.ts'
import { median } from '../../../measurement/judge/statistics.ts'
import type { Target } from '../../../measurement/target.ts'
import { findingsOf } from '../../../server/analysis/degradations.ts'
import { binsOf, episodesOf, noState, type State, step } from '../../../server/analysis/detector.ts'
import { detect, look } from '../../../server/findings.ts'
import { openEmbedded } from '../../../server/store/chdb.ts'
import { migrate } from '../../../server/store/schema.ts'
import type { Store } from '../../../server/store/store.ts'
import { Watch } from '../../../server/watch.ts'
import { Random } from './random.ts'
import { confirmedIn } from './score.ts'
import { BIN, DAY, START, seriesOf, type World } from './series.ts'

type Figure = Record<string, string | number>

/** Share of runs in which fakes open a finding within two days, and in which one becomes public (confirmed). */
export function* liars(seed: number, runs: number): Generator<Figure> {
  for (const agents of [5, 10, 20, 50]) {
    const numbers = new Set([0.1, 0.2, 0.3].map(share => Math.floor(share * agents)))
    for (const fakes of numbers.difference(new Set([0]))) {
      for (const lie of ['blocked', 'slow'] as const) {
        let opened = 0
        let open = 0
        for (let i = 0; i < runs; i++) {
          const event = { day: 10, hours: 48, agents: 0 }
          const world: World = {
            seed: seed + 31 * i + agents,
            agents: agents - fakes,
            liars: fakes,
            lie,
            days: 12,
            event,
          }
          const trials = seriesOf(world)
          const episodes = episodesOf(trials).filter(({ alarm }) => alarm >= START + 10 * DAY)
          if (episodes.length > 0) opened++
          if (confirmedIn(trials, episodes).length > 0) open++
        }
        yield { figure: 'liars', lie, agents, fakes, runs, unconfirmed: opened / runs, public: open / runs }
      }
    }
  }
}

const shuffled = <T>(of: readonly T[], random: Random): T[] =>
  of
    .map(one => ({ one, by: random.next() }))
    .toSorted((a, b) => a.by - b.by)
    .map(({ one }) => one)

/** Whether findings are the same however late rows come: up to 14 days, and in any order. */
export function* arrivals(seed: number, runs: number): Generator<Figure> {
  let same = 0
  let found = 0
  for (let i = 0; i < runs; i++) {
    const event = { day: 10.3, hours: 30, ...[{ lost: 1 }, { slower: 2 }, { lost: 0.4, agents: 0.5 }][i % 3] }
    const series = seriesOf({ seed: seed + i, agents: 5, days: 20, event }).map(of => ({ ...of, failures: {} }))
    const at = (trials: typeof series) => findingsOf(new Map([[1, trials]]), 'UTC', START + 20 * DAY)
    const ordered = at(series)
    found += ordered.length
    if (isDeepStrictEqual(ordered, at(shuffled(series, new Random(seed + i))))) same++
  }
  yield { figure: 'shuffled arrival', runs, findings: found, same: same / runs }
}

/** Processor seconds (one core) of the detector alone, and what its states weigh as kept: linear in series. */
export function* cost(seed: number): Generator<Figure> {
  const made = Array.from({ length: 50 }, (_, i) => [...binsOf(seriesOf({ seed: seed + i, agents: 3, days: 14 }))])
  for (const series of [1_000, 3_000, 10_000]) {
    let bytes = 0
    let week = 0
    let window = 0
    for (let i = 0; i < series; i++) {
      const bins = made[i % made.length]!
      const half = bins.length >> 1
      const state = noState()
      for (const [at, bin] of bins.slice(0, half)) step(state, at, bin)
      const rest = bins.slice(half)
      week += processor(() => {
        for (const [at, bin] of rest) step(state, at, bin)
      })
      const [at, bin] = bins.at(-1)!
      const written = serialize(state)
      window += processor(() => {
        // As a new window is judged: from the kept state, over its own bin and the two before it.
        const kept = deserialize(written) as State
        for (let again = 1; again <= 3; again++) step(kept, at + again * BIN, bin)
      })
      bytes += written.length
    }
    yield {
      figure: 'cost of the detector alone',
      series,
      agents: 3,
      week_processor_seconds: Number(week.toFixed(2)),
      window_processor_seconds: Number(window.toFixed(3)),
      states_megabytes: Number((bytes / 1e6).toFixed(1)),
    }
  }
}

const processor = (work: () => void): number => {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** Series, and days of them: a week takes the engine minutes to make for the largest. */
const STORES = [
  [1_000, 7],
  [10_000, 7],
  [100_000, 0.25],
] as const

/**
 * The same through the store: paired rows read, stepped, findings written; then a new window, its rows paired too. Networks
 * of 50 apps each, three agents. Processor seconds are of all threads, the engine's with them; the last column is the clock's.
 */
export async function* costOfStore(most: number): AsyncGenerator<Figure> {
  for (const [series, days] of STORES.filter(([series]) => series <= most)) {
    const store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
    await migrate(store)
    const bins = Math.floor((days * DAY) / BIN)
    await fill(store, series / APPS, bins)
    const networks = Array.from({ length: series / APPS }, (_, i) => `KE ${i + 1}`)
    const options = { events: [], networkName: () => undefined, salt: '', now: START + days * DAY }
    const watch = new Watch(store)
    // A country that is looked at for the first time is looked at from the start.
    const first = new Map([['KE 1', new Set([options.now - 300])]])
    const week = await spent(async () => detect(await look(watch, first, options.now), store, options))
    const newest = new Map(networks.map(network => [network, new Set([options.now - 300])]))
    // Several times over: one alone may meet the engine merging what the week left behind.
    const windows: Awaited<ReturnType<typeof spent>>[] = []
    for (let i = 0; i < WINDOWS; i++) {
      windows.push(await spent(async () => detect(await look(watch, newest, options.now), store, options)))
    }
    const clocks = windows.map(({ clock }) => clock)
    yield {
      figure: 'cost through the store',
      series,
      agents: 3,
      days,
      rebuilt_processor_seconds: week.processor,
      rebuilt_seconds: week.clock,
      window_processor_seconds: median(windows.map(({ processor }) => processor)),
      window_seconds: median(clocks),
      window_seconds_most: Math.max(...clocks),
      resident_megabytes: Math.round(process.memoryUsage.rss() / 1e6),
    }
    await store.close()
  }
}

const spent = async (work: () => Promise<unknown>): Promise<{ processor: number; clock: number }> => {
  const [processor, clock] = [process.cpuUsage(), performance.now()]
  await work()
  const { user, system } = process.cpuUsage(processor)
  return {
    processor: Number(((user + system) / 1e6).toFixed(2)),
    clock: Number(((performance.now() - clock) / 1_000).toFixed(2)),
  }
}

const APPS = 50
/** How often a new window is judged. */
const WINDOWS = 7
/** Bins of which there are agent windows too: those a new window is paired anew with. */
const UNPAIRED = 12

/** Quiet series, made by the store itself: one trial a bin, agent and app, one in a hundred failed, seconds that scatter. */
const fill = async (store: Store, networks: number, bins: number): Promise<void> => {
  const target = (wanted: (target: Target) => boolean): string =>
    allTargets().find(({ target }) => wanted(target))!.target.id
  for (const [app, id, apps] of [
    ["concat('app', toString(a))", target(of => of.decides === 'yes' && !of.experimental), APPS],
    [`'${CONTROL}'`, target(of => of.control === 'foreign'), 1],
  ] as const) {
    const at = `fromUnixTimestamp({start:UInt32} + b * ${BIN})`
    const rows = (from: number, to: number) =>
      `(SELECT number % ${apps} AS a, intDiv(number, ${apps}) % 3 AS g, intDiv(number, ${apps * 3}) % ${networks} AS n,
         ${from} + intDiv(number, ${apps * 3 * networks}) AS b FROM numbers(${apps * 3 * networks * (to - from)}))`
    // A day at a time, as they come: so that parts are many, as they are.
    for (let from = 0; from < bins; from += 96) {
      await store.command(
        `INSERT INTO agent_trials (country, asn, at, app, feature, agent, prefix, attempts, answered, ratio, abroad, home, revision)
         SELECT 'KE', 1 + n, ${at}, ${app}, ${apps === 1 ? "'web'" : "'text'"}, concat(toString(n), '-', toString(g)), 1 + g, 1, rand(1) % 100 != 0,
           ${apps === 1 ? 'NULL' : 'round(randNormal(0, 0.22), 5)'}, 1, 2, 1 FROM ${rows(from, Math.min(bins, from + 96))}`,
        { start: START },
      )
    }
    await store.command(
      `INSERT INTO agent_windows (app, feature, country, asn, target, agent, at, origin, role, trust, prefix, attempts, answered,
         failures, seconds, control_tried, control_answered, control_seconds, revision)
       SELECT ${app}, ${apps === 1 ? "'web'" : "'text'"}, 'KE', 1 + n, {id:String}, concat(toString(n), '-', toString(g)), ${at},
         'agent', 'vantage', 'corroborated', 1 + g, 1, rand(1) % 100 != 0, map(), map('connect', exp(randNormal(-1.6, 0.2))), 1, 1,
         map('connect', exp(randNormal(-1.6, 0.1, g))), 1
       FROM ${rows(bins - UNPAIRED, bins)}`,
      { id, start: START },
    )
  }
}
