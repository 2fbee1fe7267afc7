import { isDeepStrictEqual } from 'node:util'
import { findingsOf } from '../../../server/analysis/degradations.ts'
import { binsOf, episodesOf, noState, step } from '../../../server/analysis/detector.ts'
import type { Trial } from '../../../server/analysis/trial.ts'
import { Random } from './random.ts'
import { confirmedIn } from './score.ts'
import { BIN, DAY, START, seriesOf, type World } from './series.ts'

type Figure = Record<string, string | number>

/** Share of runs in which fakes open a finding within two days, and in which one becomes public (confirmed). */
export function* liars(seed: number, runs: number): Generator<Figure> {
  for (const agents of [5, 10, 20, 50]) {
    for (const share of [0.1, 0.2, 0.3]) {
      // `share` of all agents lie.
      const fakes = Math.floor(share * agents)
      if (fakes === 0) continue
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

/** Bins judged a second, and what states weigh: the detector alone, without the store. */
export async function* cost(seed: number): AsyncGenerator<Figure> {
  const made = Array.from({ length: 50 }, (_, i) => [...binsOf(seriesOf({ seed: seed + i, agents: 3, days: 21 }))])
  for (const series of [1_000, 10_000, 100_000]) {
    const kept = Math.min(series, 10_000)
    const before = process.memoryUsage().heapUsed
    const states = Array.from({ length: kept }, noState)
    for (const [index, state] of states.entries())
      for (const [at, bin] of weekOf(made[index % 50]!, 0)) step(state, at, bin)
    const began = performance.now()
    for (const [index, state] of states.entries())
      for (const [at, bin] of weekOf(made[index % 50]!, 1)) step(state, at, bin)
    const week = performance.now() - began
    const window = performance.now()
    for (const [index, state] of states.entries()) {
      const [at, bin] = made[index % 50]![1_400]! as [number, Trial[]]
      step(state, at, bin)
    }
    const scale = series / kept / 1_000
    yield {
      figure: 'cost of the detector alone, one core',
      series,
      measured_series: kept,
      agents: 3,
      week_seconds: Number((week * scale).toFixed(2)),
      window_seconds: Number(((performance.now() - window) * scale).toFixed(3)),
      state_megabytes: Math.round(((process.memoryUsage().heapUsed - before) / 1e6) * (series / kept)),
    }
  }
}

const weekOf = (bins: readonly [number, Trial[]][], week: number): readonly [number, Trial[]][] => {
  const from = START + week * 7 * DAY
  return bins.filter(([at]) => at >= from && at < from + ((7 * DAY) / BIN) * BIN)
}
