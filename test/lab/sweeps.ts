import { agree } from '../../measurement/judge/agreement.ts'
import { dropUp, type PingPong } from '../../measurement/judge/drop-up.ts'
import { median } from '../../measurement/judge/statistics.ts'
import type { Throttling } from '../../measurement/judge/throttle.ts'
import { Random } from '../bench/detection/random.ts'
import { type Censor, type Generator, type Line, nobody } from './flow.ts'
import { singleFlow, wehe, yesNo } from './rivals.ts'
import { type Figure, goal, mean, shareOf } from './score.ts'
import { bytesOf, type Family, lineOf, type Trial, trialOf, wireOf } from './trial.ts'

/** What is swept through (reference detection.md §5.8), generator by generator. `share` of the runs are made. */
type Sweep = (generator: Generator, seed: number, share: number) => Figure[]

const kbit = (rate: number): number => (rate * 1_000) / 8

const trials = (count: number, share: number, make: (at: number) => Trial): Trial[] =>
  Array.from({ length: Math.max(4, Math.ceil(count * share)) }, (_, at) => make(at))

const says = (answer: Throttling['answer'], of: readonly Throttling[]): number =>
  of.filter(one => one.answer === answer).length

/** Nobody does anything: how often is it called throttling? */
export const clean: Sweep = (generator, seed, share) => {
  const random = new Random(seed)
  const all: Trial[] = []
  const rows = (['plain', 'congested', 'lossy', 'slow', 'fast'] as const).map((family: Family) => {
    const made = trials(800, share, () => trialOf(generator, lineOf(family, random), nobody, random, { full: true }))
    all.push(...made)
    return cleanRow(family, made)
  })
  return [...rows, cleanRow('all', all)]
}

const cleanRow = (family: string, made: readonly Trial[]): Figure => {
  const wrong = (of: (trial: Trial) => Throttling | null): number =>
    says(
      'throttled',
      made.flatMap(trial => of(trial) ?? []),
    )
  const bytes = made.map(({ bytes }) => bytes)
  const [spent, most] = [mean(bytes), Math.max(...bytes)]
  return {
    lines: family,
    'false, as run': shareOf(
      wrong(({ said }) => said),
      made.length,
    ),
    'goal <= 1 %': goal(
      wrong(({ said }) => said),
      made.length,
      { most: 0.01 },
    ),
    'false, three of 256 KB': shareOf(
      wrong(({ full }) => full),
      made.length,
    ),
    'a second pair; a third': [2, 3]
      .map(least => shareOf(made.filter(({ made }) => made.length >= least).length, made.length).replace(/ .*/, ' %'))
      .join('; '),
    'control too slow': shareOf(
      says(
        'control_slow',
        made.map(({ said }) => said),
      ),
      made.length,
    ),
    'mean MB': (spent / 1e6).toFixed(2),
    'most MB': (most / 1e6).toFixed(2),
    'goal mean <= 0.55, most <= 1.9': spent <= 0.55e6 && most <= 1.9e6 ? 'met' : 'MISSED',
  }
}

/** Frozen after so many bytes, and how often others are called frozen. */
export const freezes: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 1)
  const rows: Figure[] = [14, 16, 20, 34].map(size => {
    const made = trials(150, share, () =>
      trialOf(generator, lineOf('plain', random), { kind: 'freeze', after: size * 1_024 }, random),
    )
    const found = made.filter(({ said }) => said.mechanism === 'freeze').length
    const whole = made.filter(({ pairs }) => pairs.every(({ control }) => control.end === 'whole'))
    return {
      case: `freeze at ${size} KB`,
      frozen: shareOf(found, made.length),
      goal: goal(found, made.length, { least: 1 }),
      'where all controls came whole': shareOf(found, whole.length),
      throttled: shareOf(
        says(
          'throttled',
          made.map(({ said }) => said),
        ),
        made.length,
      ),
    }
  })
  const others: [string, (at: number) => Censor][] = [
    ['nobody', () => nobody],
    ['policed', at => ({ kind: 'police', rate: kbit([64, 128, 256][at % 3]!), burst: 16_000 })],
  ]
  for (const [name, censor] of others) {
    const made = trials(600, share, at => trialOf(generator, lineOf('plain', random), censor(at), random))
    const wrong = made.filter(({ said }) => said.mechanism === 'freeze').length
    rows.push({ case: name, frozen: shareOf(wrong, made.length), goal: goal(wrong, made.length, { most: 0 }) })
  }
  return rows
}

const RATES = [64, 128, 256, 512, 1_024, 2_048]

/** Policers by rate, burst and congestion control, on lines at least four times as fast, as the reference scored them. */
export const grid: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 2)
  const rows: Figure[] = []
  const made = RATES.map(rate => {
    const of = [8_000, 32_000, 100_000].flatMap(burst =>
      trials(100, share, () =>
        trialOf(generator, faster(rate, random), { kind: 'police', rate: kbit(rate), burst }, random, { full: true }),
      ),
    )
    rows.push(gridRow(`${rate} kbit/s`, of))
    return { rate, of }
  })
  const below = (most: number): Trial[] => made.flatMap(({ rate, of }) => (rate <= most ? of : []))
  const recall = (name: string, of: readonly Trial[], least: number): Figure => ({
    ...gridRow(name, of),
    goal: goal(of.filter(({ said }) => said.answer === 'throttled').length, of.length, { least }),
  })
  return [...rows, recall('<= 256, goal 97 %', below(256), 0.97), recall('<= 512, goal 95 %', below(512), 0.95)]
}

const faster = (rate: number, random: Random): Line => {
  for (;;) {
    const line = lineOf('plain', random)
    if (line.capacity >= 4 * kbit(rate)) return line
  }
}

const gridRow = (name: string, of: readonly Trial[]): Figure => {
  const found = of.filter(({ said }) => said.answer === 'throttled')
  const by = (test: (trial: Trial) => boolean): string => {
    const some = of.filter(test)
    return shareOf(some.filter(({ said }) => said.answer === 'throttled').length, some.length).replace(/ of.*/, '')
  }
  const burst = (size: number) => by(({ censor }) => 'burst' in censor && censor.burst === size)
  return {
    'policed to': name,
    'found, as run': shareOf(found.length, of.length),
    'three of 256 KB': shareOf(
      says(
        'throttled',
        of.flatMap(({ full }) => full ?? []),
      ),
      of.length,
    ).replace(/ of.*/, ''),
    'burst 8 KB': burst(8_000),
    '32 KB': burst(32_000),
    '100 KB': burst(100_000),
    'lines that lose < 0.5 %': by(({ line }) => line.loss < 0.005),
    'lose more': by(({ line }) => line.loss >= 0.005),
    'rate said / true':
      found.length > 0 ? median(found.map(({ said, censor }) => said.rate! / heldAt(censor))).toFixed(2) : '',
    minutes: found.length > 0 ? (median(found.map(({ seconds }) => seconds)) / 60).toFixed(1) : '',
    'mean MB': (mean(of.map(({ bytes }) => bytes)) / 1e6).toFixed(2),
  }
}

const heldAt = (censor: Censor): number => ('rate' in censor ? censor.rate : Number.NaN)

/** Five agents of one network, each on a line of its own, under one censor: confirmed by 60 % of them, at least three. */
export const networks: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 8)
  return [0, ...RATES].map(rate => {
    const made = Array.from({ length: Math.max(4, Math.ceil(100 * share)) }, () => {
      const agents = Array.from({ length: 5 }, () => {
        const censor: Censor = rate > 0 ? { kind: 'police', rate: kbit(rate), burst: 32_000 } : nobody
        return trialOf(generator, rate > 0 ? faster(rate, random) : lineOf('congested', random), censor, random)
      })
      return agree(agents.map(({ said }) => said))
    })
    const clustered = made.filter(said => said.rate !== null && Math.abs(said.rate / kbit(rate) - 1) <= 0.25)
    return {
      'all five': rate > 0 ? `policed to ${rate} kbit/s` : 'merely congested',
      confirmed: shareOf(made.filter(({ confirmed }) => confirmed).length, made.length),
      'with one rate, true within a quarter': rate > 0 ? shareOf(clustered.length, made.length) : '',
    }
  })
}

/** What a difference is called, by what made it: a row for each truth. */
export const named: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 3)
  const truths: [string, (rate: number) => Censor][] = [
    ['nobody', () => nobody],
    ['police', rate => ({ kind: 'police', rate: kbit(rate), burst: 32_000 })],
    ['shape', rate => ({ kind: 'shape', rate: kbit(rate), burst: 32_000 })],
    ['freeze', () => ({ kind: 'freeze', after: 16_384 })],
  ]
  return truths.map(([truth, censor]) => {
    const made = trials(300, share, at => {
      const rate = RATES[at % 4]!
      return trialOf(generator, faster(rate, random), censor(rate), random)
    })
    const called = (name: string): number =>
      made.filter(({ said }) => (said.answer === 'throttled' ? (said.mechanism ?? 'no name') : said.answer) === name)
        .length
    return {
      truth,
      ...Object.fromEntries(
        ['same', 'control_slow', 'no name', 'police', 'shape', 'freeze'].map(name => [name, called(name)]),
      ),
    }
  })
}

/** Upstream drop by ping-pong: two rounds of 25 each side, one agent, and five together. */
export const upstream: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 4)
  const rounds = (family: Family, drop: number): PingPong[] => {
    const line = lineOf(family, random)
    const road = generator(line, random)
    return Array.from({ length: 2 }, () => ({
      app: road.pings(25, drop > 0 ? { kind: 'drop_up', share: drop } : nobody),
      control: road.pings(25, nobody),
    }))
  }
  return [0, 0.03, 0.05, 0.1, 0.2, 0.4].map(drop => {
    const count = Math.ceil((drop === 0 ? 1_500 : 300) * share)
    const family = (at: number): Family => (['plain', 'lossy'] as const)[at % 2]!
    const one = Array.from({ length: count }, (_, at) => dropUp([rounds(family(at), drop)]).found)
    const five = Array.from(
      { length: Math.ceil(count / 2) },
      () => dropUp(Array.from({ length: 5 }, (_, at) => rounds(family(at), drop))).found,
    )
    const found = (of: readonly boolean[]): number => of.filter(Boolean).length
    return {
      'dropped on the way up': `${drop * 100} %`,
      'one agent, p < .01': shareOf(found(one), one.length),
      'five agents, p < .001': shareOf(found(five), five.length),
    }
  })
}

/** No censor: the app's servers lie farther than the control's. What paired transfers then say is no throttling. */
export const farther: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 5)
  return [1, 1.25, 1.5, 2, 3].map(rtt => {
    const made = trials(200, share, () => trialOf(generator, lineOf('plain', random), nobody, random, { rtt }))
    const throttled = made.filter(({ said }) => said.answer === 'throttled')
    return {
      "app's round trip": `x ${rtt}`,
      'said throttled': shareOf(throttled.length, made.length),
      'with a name': throttled.filter(({ said }) => said.mechanism !== null).length,
    }
  })
}

/** The rules of others on the same transfers: half of the runs are nobody's doing, half are censors of all kinds. */
export const rivals: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 6)
  const quiet = (['plain', 'congested', 'lossy', 'slow'] as const).flatMap(family =>
    trials(150, share, () => trialOf(generator, lineOf(family, random), nobody, random, { full: true })),
  )
  const censored = RATES.slice(0, 5).flatMap(rate =>
    trials(100, share, at => {
      const censor: Censor = { kind: at % 2 ? 'shape' : 'police', rate: kbit(rate), burst: 32_000 }
      return trialOf(generator, faster(rate, random), censor, random, { full: true })
    }),
  )
  const frozen = trials(100, share, () =>
    trialOf(generator, lineOf('plain', random), { kind: 'freeze', after: 16_384 }, random, { full: true }),
  )
  const rules: [string, (trial: Trial) => boolean, (trial: Trial) => number][] = [
    ['peyk, as run', ({ said }) => said.answer === 'throttled', ({ bytes }) => bytes],
    ['yes or no, as OONI', ({ made }) => yesNo(made), ({ made }) => bytesOf(made.slice(0, 1))],
    ['KS and area, as Wehe', ({ pairs }) => wehe(pairs), ({ pairs }) => bytesOf(pairs.slice(0, 2))],
    ['one flow under 1 Mbit/s', ({ pairs }) => singleFlow(pairs), ({ pairs }) => wireOf(pairs[0]!.app)],
  ]
  return rules.map(([rule, test, cost]) => {
    const [wrong, right, stopped] = [quiet, censored, frozen].map(of => of.filter(test).length) as [
      number,
      number,
      number,
    ]
    const precision = (right + stopped) / Math.max(1, right + stopped + wrong)
    return {
      rule,
      'false of quiet lines': shareOf(wrong, quiet.length),
      'found, held at 64-1024 kbit/s': shareOf(right, censored.length),
      'found, frozen': shareOf(stopped, frozen.length),
      precision: precision.toFixed(3),
      'mean MB': (mean([...quiet, ...censored, ...frozen].map(cost)) / 1e6).toFixed(2),
    }
  })
}
