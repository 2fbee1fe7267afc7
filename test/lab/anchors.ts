import { median } from '../../measurement/judge/statistics.ts'
import { compare, type Pair } from '../../measurement/judge/throttle.ts'
import { Random } from '../bench/detection/random.ts'
import { type Censor, type Line, nobody } from './flow.ts'
import { type Deed, type Done, noNamespaces, openNamespaces } from './namespace.ts'
import { packets } from './packets.ts'
import { type Figure, shareOf } from './score.ts'
import { lineOf, trialOf } from './trial.ts'

/**
 * The simulated transfers held against real ones: the kernel's TCP in namespaces, policed by nft and shaped by tc, on
 * lines drawn as the generators draw theirs; beside each what the packet generator says of the very same line.
 */

type Run = { line: Line; censor: Censor; port: number; done?: Done }

const RATES = [64, 128, 256, 512, 1_024]
const AT_ONCE = 10

export const anchors = async (seed: number, share: number): Promise<Figure[] | string> => {
  const missing = await noNamespaces()
  if (missing) return `skipped: ${missing}`
  const random = new Random(seed)
  const runs: Run[] = []
  for (const congestion of ['cubic', 'bbr'] as const) {
    const planned = planOf(Math.ceil(150 * share), congestion, random)
    const lines = planned.map(({ line, port }) => ({ ...line, ports: [port, port + 1] }))
    await using net = await openNamespaces(lines, planned.flatMap(deedOf), { congestion, seed })
    const jobs = planned.map(({ port }) => ({
      ...{ id: port, app: port, control: port + 1, trains: 0, screen: true, timeout: 20 },
    }))
    const done = await net.run(jobs, AT_ONCE)
    runs.push(...planned.map(run => ({ ...run, done: done.find(({ id }) => id === run.port)! })))
  }
  const groups = Map.groupBy(runs, ({ censor, line }) => `${nameOf(censor)}, ${line.congestion}`)
  return [...groups].map(([name, of]) => row(name, of, random))
}

/** A third of the lines is left in peace, one in ten is shaped, the others are policed. */
const planOf = (count: number, congestion: Line['congestion'], random: Random): Run[] =>
  Array.from({ length: count }, (_, at) => {
    const rate = (RATES[Math.floor(random.next() * RATES.length)]! * 1_000) / 8
    const kind = at % 3 === 0 ? 'none' : at % 10 === 1 ? 'shape' : 'police'
    const censor: Censor = kind === 'none' ? nobody : { kind, rate, burst: at % 2 === 0 ? 16_000 : 64_000 }
    for (;;) {
      const line = { ...lineOf('plain', random), congestion }
      // Faster ones cost a machine more than they tell.
      if (line.capacity <= 1.25e6 && (kind === 'none' || line.capacity >= 4 * rate))
        return { line, censor, port: 8_000 + 2 * at }
    }
  })

const deedOf = ({ censor, port }: Run): Deed[] =>
  censor.kind === 'police' || censor.kind === 'shape' ? [{ port, ...censor }] : []

/** Shaped lines are few and stand together. */
const nameOf = (censor: Censor): string =>
  censor.kind === 'police'
    ? `policed to ${(censor.rate * 8) / 1_000} kbit/s`
    : censor.kind === 'shape'
      ? 'shaped'
      : 'in peace'

const row = (name: string, of: readonly Run[], random: Random): Figure => {
  const said = of.map(({ done, line, censor }) => {
    const whole = ({ app, control }: Done['pairs'][number]): Pair[] => (app && control ? [{ app, control }] : [])
    const [screen, ...pairs] = [done!.screen!, ...done!.pairs].map(whole)
    return {
      // A test that had not stopped says the same.
      asRun: compare([screen, ...pairs.slice(0, 2)].flatMap(pair => pair ?? [])),
      full: compare(pairs.flat()),
      simulated: trialOf(packets, line, censor, random).said,
    }
  })
  const held = said.flatMap(({ asRun }, i) => {
    const { censor } = of[i]!
    return 'rate' in censor && asRun.rate !== null ? [asRun.rate / censor.rate] : []
  })
  const throttled = (which: 'asRun' | 'full' | 'simulated'): string =>
    shareOf(said.filter(({ [which]: { answer } }) => answer === 'throttled').length, said.length)
  const called = (name: string | null): number =>
    said.filter(({ asRun: { answer, mechanism } }) => answer === 'throttled' && mechanism === name).length
  const trips = of.flatMap(({ done, line }) =>
    done!.pairs.flatMap(({ control }) => (control?.idle ? [control.idle / (line.rtt + line.jitter)] : [])),
  )
  return {
    'real TCP': name,
    'throttled, as run': throttled('asRun'),
    'three of 256 KB': throttled('full'),
    'the packet generator on the same lines': throttled('simulated'),
    'called police; shape; nothing': [called('police'), called('shape'), called(null)].join('; '),
    // How late the wire was: a starved machine makes other lines than were asked for.
    'idle trip / asked for': median(trips).toFixed(2),
    'rate said / true': held.length > 0 ? median(held).toFixed(2) : '',
  }
}
