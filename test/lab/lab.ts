import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { anchors } from './anchors.ts'
import { curves } from './curves.ts'
import type { Generator } from './flow.ts'
import { labels } from './labels.ts'
import { packets } from './packets.ts'
import { type Figure, shown } from './score.ts'
import { clean, farther, freezes, grid, named, networks, rivals, upstream } from './sweeps.ts'

/**
 * `npm run lab [-- --seed N --quick]`: the rule of paired transfers against simulated censors, on seeds frozen before it
 * was first run, with the goals of reference detection.md §5.8 beside the figures. All figures are of simulated transfers,
 * but for those of real TCP in network namespaces, which need root. Prints Markdown; what docs/benchmarks.md shows.
 */

const { values } = parseArgs({
  options: { seed: { type: 'string' }, quick: { type: 'boolean', default: false }, only: { type: 'string' } },
})
const { scoring } = JSON.parse(readFileSync(join(import.meta.dirname, 'seeds.json'), 'utf8')) as {
  scoring: { curves: number; packets: number }
}
const generators: [string, Generator, number][] = [
  ['curves', curves, Number(values.seed ?? scoring.curves)],
  ['packets', packets, Number(values.seed ?? scoring.packets)],
]
/** Runs of a cell, and the share of them `--quick` makes. */
const share = values.quick ? 0.1 : 1

const parts: Record<string, (generator: Generator, seed: number, share: number) => Figure[]> = {
  clean,
  freezes,
  grid,
  networks,
  named,
  upstream,
  farther,
  rivals,
}

const load = (): string => loadavg()[0]!.toFixed(1)
console.log(
  `${new Date().toISOString().slice(0, 10)}, node ${process.version}, ${cpus().length} cores, load ${load()}, ` +
    `seeds ${generators.map(([name, , seed]) => `${name} ${seed}`).join(', ')}${values.quick ? ', quick' : ''}`,
)
for (const [part, figures] of Object.entries(parts)) {
  if ((values.only ?? part) !== part) continue
  for (const [name, generator, seed] of generators)
    console.log(shown(`${part}: ${name}`, figures(generator, seed, share)))
}
/** In real time, with real sockets: not among what a quick look makes. */
const real = (part: string): boolean => values.only === part || (values.only === undefined && !values.quick)
if (real('labels')) console.log(shown('labels', await labels(share)))
if (real('anchors')) {
  const figures = await anchors(generators[1]![2], share)
  console.log(typeof figures === 'string' ? `\n**anchors**: ${figures}` : shown('anchors', figures))
}
console.log(`load at the end ${load()}`)
