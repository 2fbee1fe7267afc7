import { agree } from '../../measurement/judge/agreement.ts'
import { dropUp, type PingPong } from '../../measurement/judge/drop-up.ts'
import { median } from '../../measurement/judge/statistics.ts'
import { rateOf, type Throttling } from '../../measurement/judge/throttle.ts'
import { Random } from '../bench/detection/random.ts'
import { type Censor, type Generator, type Line, nobody } from './flow.ts'
import { singleFlow, wehe, yesNo } from './rivals.ts'
import { type Figure, goal, mean, shareOf } from './score.ts'
import { type Family, lineOf, type Trial, trialOf } from './trial.ts'

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
  const rows = (['plain', 'congested', 'lossy', 'slow'] as const).map((family: Family) => {
    const made = trials(800, share, () => trialOf(generator, lineOf(family, random), nobody, random))
    all.push(...made)
    return cleanRow(family, made)
  })
  return [...rows, cleanRow('all', all)]
}

const cleanRow = (family: string, made: readonly Trial[]): Figure => {
  const full = says(
    'throttled',
    made.map(({ full }) => full),
  )
  const adaptive = says(
    'throttled',
    made.map(({ adaptive }) => adaptive),
  )
  const bytes = made.map(({ bytes }) => bytes)
  const [spent, most] = [mean(bytes), Math.max(...bytes)]
  return {
    lines: family,
    'false, three pairs': shareOf(full, made.length),
    'false, as run': shareOf(adaptive, made.length),
    'goal <= 1 %': goal(full, made.length, { most: 0.01 }),
    'went on': shareOf(made.filter(({ suspicious }) => suspicious).length, made.length),
    'control too slow': shareOf(
      says(
        'control_slow',
        made.map(({ full }) => full),
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
    const found = made.filter(({ adaptive }) => adaptive.mechanism === 'freeze').length
    const whole = made.filter(({ pairs }) => pairs.every(({ control }) => control.end === 'whole'))
    return {
      case: `freeze at ${size} KB`,
      frozen: shareOf(found, made.length),
      goal: goal(found, made.length, { least: 1 }),
      'where all controls came whole': shareOf(found, whole.length),
      throttled: shareOf(
        says(
          'throttled',
          made.map(({ adaptive }) => adaptive),
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
    const wrong = made.filter(({ full }) => full.mechanism === 'freeze').length
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
        trialOf(generator, faster(rate, random), { kind: 'police', rate: kbit(rate), burst }, random),
      ),
    )
    rows.push(gridRow(`${rate} kbit/s`, of))
    return { rate, of }
  })
  const below = (most: number): Trial[] => made.flatMap(({ rate, of }) => (rate <= most ? of : []))
  const recall = (name: string, of: readonly Trial[], least: number): Figure => ({
    ...gridRow(name, of),
    goal: goal(of.filter(({ adaptive }) => adaptive.answer === 'throttled').length, of.length, { least }),
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
  const found = of.filter(({ adaptive }) => adaptive.answer === 'throttled')
  const by = (test: (trial: Trial) => boolean): string => {
    const some = of.filter(test)
    return shareOf(some.filter(({ adaptive }) => adaptive.answer === 'throttled').length, some.length).replace(
      / of.*/,
      '',
    )
  }
  const burst = (size: number) => by(({ censor }) => 'burst' in censor && censor.burst === size)
  return {
    'policed to': name,
    'found, as run': shareOf(found.length, of.length),
    'three pairs': shareOf(
      says(
        'throttled',
        of.map(({ full }) => full),
      ),
      of.length,
    ).replace(/ of.*/, ''),
    'burst 8 KB': burst(8_000),
    '32 KB': burst(32_000),
    '100 KB': burst(100_000),
    'lines that lose < 0.5 %': by(({ line }) => line.loss < 0.005),
    'lose more': by(({ line }) => line.loss >= 0.005),
    'rate said / true':
      found.length > 0 ? median(found.map(({ adaptive, censor }) => adaptive.rate! / heldAt(censor))).toFixed(2) : '',
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
      return { asRun: agree(agents.map(({ adaptive }) => adaptive)), full: agree(agents.map(({ full }) => full)) }
    })
    const clustered = made.filter(({ full }) => full.rate !== null && Math.abs(full.rate / kbit(rate) - 1) <= 0.25)
    return {
      'all five': rate > 0 ? `policed to ${rate} kbit/s` : 'merely congested',
      'confirmed, as run': shareOf(made.filter(({ asRun }) => asRun.confirmed).length, made.length),
      'three pairs each, as on request': shareOf(made.filter(({ full }) => full.confirmed).length, made.length),
      'with one rate, true within a quarter': rate > 0 ? shareOf(clustered.length, made.length) : '',
    }
  })
}

/** Which single pair should ask for three more: what each way would find, and cost. Policed to 512 kbit/s and below. */
export const screens: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 7)
  const quiet = trials(800, share, () => trialOf(generator, lineOf('plain', random), nobody, random))
  const policed = trials(800, share, at => {
    const rate = RATES[at % 4]!
    const burst = [8_000, 32_000, 100_000][Math.floor(at / 4) % 3]!
    return trialOf(generator, faster(rate, random), { kind: 'police', rate: kbit(rate), burst }, random)
  })
  const over = ({ screen: { app, control } }: Trial, from: number, factor: number): boolean =>
    (rateOf(control, from, SCREEN) ?? 0) > factor * (rateOf(app, from, SCREEN) ?? Number.POSITIVE_INFINITY)
  const ways: [string, (trial: Trial) => boolean, number][] = [
    ['128 KB, twice as slow (as run)', ({ suspicious }) => suspicious, 0],
    ['128 KB, 1.5 times', trial => over(trial, 0, 1.5), 0],
    ['or its last 32 KB twice as slow', trial => trial.suspicious || over(trial, LATE, 2), 0],
    ['all three pairs at once', () => true, 1],
  ]
  return ways.map(([way, goesOn, free]) => {
    const found = (of: readonly Trial[], most: number): string => {
      const counted = of.filter(({ censor }) => censor.kind === 'none' || heldAt(censor) <= kbit(most))
      return shareOf(counted.filter(one => goesOn(one) && one.full.answer === 'throttled').length, counted.length)
    }
    const cost = (one: Trial): number => (free ? 0 : bytesOf([one.screen])) + (goesOn(one) ? bytesOf(one.pairs) : 0)
    return {
      'goes on if': way,
      false: found(quiet, 512),
      'found <= 256 kbit/s': found(policed, 256),
      'found <= 512': found(policed, 512),
      'mean MB, quiet': (mean(quiet.map(cost)) / 1e6).toFixed(2),
      'mean MB, policed': (mean(policed.map(cost)) / 1e6).toFixed(2),
    }
  })
}

const SCREEN = 131_072
const LATE = 98_304

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
      made.filter(({ full }) => (full.answer === 'throttled' ? (full.mechanism ?? 'no name') : full.answer) === name)
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
    const throttled = made.filter(({ adaptive }) => adaptive.answer === 'throttled')
    return {
      "app's round trip": `x ${rtt}`,
      'said throttled': shareOf(throttled.length, made.length),
      'with a name': throttled.filter(({ adaptive }) => adaptive.mechanism !== null).length,
    }
  })
}

/** The rules of others on the same transfers: half of the runs are nobody's doing, half are censors of all kinds. */
export const rivals: Sweep = (generator, seed, share) => {
  const random = new Random(seed + 6)
  const quiet = (['plain', 'congested', 'lossy', 'slow'] as const).flatMap(family =>
    trials(150, share, () => trialOf(generator, lineOf(family, random), nobody, random)),
  )
  const censored = RATES.slice(0, 5).flatMap(rate =>
    trials(100, share, at => {
      const censor: Censor = { kind: at % 2 ? 'shape' : 'police', rate: kbit(rate), burst: 32_000 }
      return trialOf(generator, faster(rate, random), censor, random)
    }),
  )
  const frozen = trials(100, share, () =>
    trialOf(generator, lineOf('plain', random), { kind: 'freeze', after: 16_384 }, random),
  )
  const rules: [string, (trial: Trial) => boolean, (trial: Trial) => number][] = [
    ['peyk, as run', ({ adaptive }) => adaptive.answer === 'throttled', ({ bytes }) => bytes],
    ['yes or no, as OONI', ({ screen }) => yesNo([screen]), ({ screen }) => screen.app.got + screen.control.got],
    ['KS and area, as Wehe', ({ pairs }) => wehe(pairs), ({ pairs }) => bytesOf(pairs.slice(0, 2))],
    ['one flow under 1 Mbit/s', ({ pairs }) => singleFlow(pairs), ({ pairs }) => pairs[0]!.app.got],
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

const bytesOf = (pairs: Trial['pairs']): number =>
  pairs.reduce((sum, { app, control }) => sum + app.got + control.got, 0)
