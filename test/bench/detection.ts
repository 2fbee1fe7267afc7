import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from './bench.ts'
import { arrivals, cost, costOfStore, liars } from './detection/hard.ts'
import { kenya } from './detection/kenya.ts'
import { pathsOf } from './detection/paths.ts'
import { fixedThreshold, ooniCusum } from './detection/rivals.ts'
import { cells, type Generator, quiet, recall, rivalry } from './detection/score.ts'
import { seriesOf } from './detection/series.ts'

/**
 * The detector against simulated series (reference detection.md §5.4, §5.8, §6): false alarms, recall, delay and onset of
 * each cell of the table, beside two rivals on the same trials; liars; late arrival; cost. All in virtual time, and
 * simulated but for Kenya's. `npm run bench -- detection 20` makes 20 runs of each cell in place of 100;
 * `npm run bench -- detection 20 liars` one part of it: kenya, table, liars, arrivals or cost.
 */

const { scoring } = JSON.parse(readFileSync(join(import.meta.dirname, 'detection/seeds.json'), 'utf8')) as {
  scoring: { lines: number; paths: number }
}
const generators: [string, Generator, number][] = [
  ['lines', seriesOf, scoring.lines],
  ['paths', pathsOf, scoring.paths],
]
/** Agents a network has, and quiet series-weeks counted for so many of a hundred runs. */
const fleets: [number, number][] = [
  [2, 400],
  [3, 1_000],
  [5, 1_000],
  [10, 1_000],
  [30, 200],
  [100, 60],
  [200, 28],
]
const TABLE = [3, 5, 10]
/** The cells whose onsets have a goal (within 30 min in 95 %). */
const DATED = ['slow x2', 'block 40 %']

export const bench: Bench = async figure => {
  const runs = Number(process.argv[3] ?? 100)
  const parts = { kenya: real, table, liars: lies, arrivals: late, cost: costs }
  for (const [name, part] of Object.entries(parts)) {
    if ((process.argv[4] ?? name) === name) await part(runs, figure)
  }
}

type Part = (runs: number, figure: Parameters<Bench>[0]) => void | Promise<void>

const table: Part = (runs, figure) => {
  for (const [name, generator, seed] of generators) {
    const of = { simulated: name, detector: 'peyk' }
    for (const [agents, weeks] of fleets) {
      figure({ ...of, figure: 'false alarms', ...quiet(generator, seed, agents, Math.ceil((weeks * runs) / 400) * 4) })
    }
    for (const agents of TABLE) {
      for (const cell of cells) figure({ ...of, figure: 'recall', ...recall(generator, seed, agents, cell, runs) })
    }
    // Tests every five minutes, as agents make them: three tries a bin, which `paths` does not draw.
    for (const agents of name === 'lines' ? TABLE : []) {
      for (const cell of cells.filter(of => DATED.includes(of.name))) {
        figure({ ...of, figure: 'recall', ...recall(generator, seed, agents, cell, runs, 3) })
      }
    }
    for (const cell of cells) {
      const rivals = { threshold: fixedThreshold(cell.kind), 'ooni cusum': ooniCusum }
      for (const [detector, rival] of Object.entries(rivals)) {
        const found = rivalry(generator, seed, 5, cell, Math.min(runs, 50), rival)
        figure({ simulated: name, detector, figure: 'recall', ...found })
      }
    }
  }
}

const ours = { simulated: 'lines', detector: 'peyk' }

const lies: Part = (runs, figure) => {
  for (const found of liars(scoring.lines, Math.min(runs, 50))) figure({ ...ours, ...found })
}

const late: Part = (runs, figure) => {
  for (const found of arrivals(scoring.lines, Math.min(runs, 20))) figure({ ...ours, ...found })
}

const real: Part = async (_, figure) => {
  for await (const found of kenya()) figure({ detector: 'peyk', ...found })
}

/** By default without the largest store. */
const costs: Part = async (_, figure) => {
  for (const found of cost(scoring.lines)) figure({ ...ours, ...found })
  for await (const found of costOfStore(Number(process.argv[5] ?? 10_000)))
    figure({ ...ours, simulated: 'store', ...found })
}
