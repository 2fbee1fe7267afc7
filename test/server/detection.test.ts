import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findingsOf } from '../../server/analysis/degradations.ts'
import { episodesOf } from '../../server/analysis/detector.ts'
import { noIsolation, stepIsolation } from '../../server/analysis/isolation.ts'
import type { Series } from '../../server/analysis/parts.ts'
import { recurrenceOf } from '../../server/analysis/recurrence.ts'
import { besideEachOther, incidentsOf } from '../../server/analysis/together.ts'
import type { Trial } from '../../server/analysis/trial.ts'
import { pathsOf } from '../bench/detection/paths.ts'
import { type Event, seriesOf, type World as World2 } from '../bench/detection/series.ts'

const HOUR = 3_600
const DAY = 86_400
/** A Monday, 00:00 UTC. */
const START = Date.parse('2024-01-01T00:00:00Z') / 1000

/** A generator of its own for every seed: the same numbers every time (mulberry32). */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

type World = { agents: number; days: number; every: number; noise: number; bad: (at: number) => number }

/** Trials of `agents` over `days`, one every `every` seconds each; `bad` is the share of endpoints that fail at a time. */
const trials = ({ agents, days, every, noise, bad }: World, seed: number): Series[] => {
  const next = random(seed)
  const made: Series[] = []
  for (let agent = 0; agent < agents; agent++) {
    for (let at = START + next() * every; at < START + days * DAY; at += every * (0.8 + 0.4 * next())) {
      const answered = Array.from({ length: 12 }, () => next() >= Math.max(noise, bad(at))).filter(Boolean).length
      const failures: Record<string, number> = answered < 12 ? { 'tcp/generic_timeout_error': 12 - answered } : {}
      const bin = Math.floor(at / 900) * 900
      const unknown = { prefix: 0, ratio: null, foreign: null, domestic: null }
      made.push({ at: bin, agent: `a${agent}`, attempts: 12, answered, failures, ...unknown })
    }
  }
  return made
}

const quiet = { agents: 5, days: 14, every: HOUR, noise: 0.02, bad: () => 0 }
const between = (from: number, to: number, share: number) => (at: number) => (at >= from && at < to ? share : 0)

describe('lost reach', () => {
  test('nothing is found in quiet weeks, of few agents or many, sure or flaky', () => {
    let weeks = 0
    let found = 0
    for (let seed = 1; seed <= 60; seed++) {
      const noise = [0.005, 0.02, 0.08][seed % 3]!
      const agents = [2, 5, 20][seed % 3]!
      found += episodesOf(trials({ ...quiet, agents, noise }, seed)).length
      weeks += 2
    }
    // Reference detection.md §5.8: at most 0.1 per series-week, first tier.
    expect(found / weeks).toBeLessThanOrEqual(0.1)
  })

  test.each([
    ['a full block', 1, 0.5],
    ['a block of 80 %', 0.8, 1],
    ['a block of 40 %', 0.4, 4],
  ])('%s is found within hours, its onset and end within one', (_, share, hours) => {
    for (let seed = 1; seed <= 20; seed++) {
      const onset = START + 7 * DAY + 5 * HOUR
      const end = onset + 30 * HOUR
      const all = trials({ ...quiet, every: 900, bad: between(onset, end, share) }, seed)
      const found = episodesOf(all)
      expect(found.length, `seed ${seed}`).toBe(1)
      expect(Math.abs(found[0]!.onset - onset), `seed ${seed}`).toBeLessThanOrEqual(HOUR)
      expect(Math.abs(found[0]!.end! - end), `seed ${seed}`).toBeLessThanOrEqual(2 * HOUR)
      // Known early: with the rows of the first hours only it is already there.
      expect(episodesOf(all.filter(({ at }) => at < onset + hours * HOUR)).length, `seed ${seed}`).toBe(1)
    }
  })

  test('one agent alone, however steadily it fails, opens nothing; nor one liar among ten', () => {
    const alone = trials({ ...quiet, agents: 1, bad: between(START + 7 * DAY, START + 14 * DAY, 1) }, 1)
    expect(episodesOf(alone)).toEqual([])
    const honest = trials({ ...quiet, agents: 9, every: 900 }, 2)
    const liar: Trial[] = alone.map(trial => ({ ...trial, agent: 'liar' }))
    expect(episodesOf([...honest, ...liar])).toEqual([])
  })

  test('the order of arrival does not matter, and rows that never came raise nothing', () => {
    const all = trials({ ...quiet, bad: between(START + 7 * DAY, START + 9 * DAY, 1) }, 3)
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }), shuffled => {
        expect(episodesOf(shuffled)).toEqual(episodesOf(all))
      }),
      { numRuns: 20 },
    )
    fc.assert(
      fc.property(fc.subarray(trials(quiet, 4)), some => {
        expect(episodesOf(some)).toEqual([])
      }),
      { numRuns: 50 },
    )
  })
})

describe('weekly recurrence', () => {
  const tz = 'Asia/Tehran'
  /** Local time in Iran, where the week-end is Thursday and Friday. */
  const local = (at: number) => new Date((at + 3.5 * HOUR) * 1000)
  const curfew = (at: number) => (local(at).getUTCHours() >= 16 ? 1 : 0)
  const school = (at: number) =>
    local(at).getUTCHours() >= 7 && local(at).getUTCHours() < 12 && ![4, 5].includes(local(at).getUTCDay()) ? 1 : 0

  test('a curfew of every evening and school hours on working days are told by their hours', () => {
    expect(recurrenceOf(trials({ ...quiet, bad: curfew }, 5), tz)).toEqual([
      { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '16:00', to: '24:00', tz },
    ])
    expect(recurrenceOf(trials({ ...quiet, bad: school }, 6), tz)).toEqual([
      { days: ['mon', 'tue', 'wed', 'sat', 'sun'], from: '07:00', to: '12:00', tz },
    ])
  })

  test('a lasting block, and a single day of trouble, do not recur', () => {
    expect(recurrenceOf(trials({ ...quiet, bad: () => 1 }, 7), tz)).toBeNull()
    expect(recurrenceOf(trials({ ...quiet, bad: between(START + DAY, START + DAY + 8 * HOUR, 1) }, 8), tz)).toBeNull()
  })
})

describe('one finding per cause', () => {
  const later = START + 40 * DAY
  const onset = START + 7 * DAY

  test('apps whose trouble begins on one network at one time name each other; the network itself is no app', () => {
    const of = (app: string, delay: number, asn = 1) => {
      const bad = between(onset + delay, onset + 3 * DAY, 1)
      return { app, findings: findingsOf(new Map([[asn, trials({ ...quiet, every: 900, bad }, 1)]]), 'UTC', later) }
    }
    const apps = [of('telegram', 0), of('signal', HOUR), of('whatsapp', DAY), of('viber', 0, 2), of('control', 0)]
    const named = besideEachOther(apps).map(({ app, findings }) => [app, findings[0]?.together])
    expect(named).toEqual([
      ['telegram', ['signal']],
      ['signal', ['telegram']],
      ['whatsapp', []],
      ['viber', []],
      ['control', []],
    ])
  })

  test('what began together on a network has one name, which stays', () => {
    const of = (id: string, app: string, at: number, networks: number[], incident?: string) => ({
      ...{ id, app, onset: onset + at, networks },
      ...(incident === undefined ? {} : { incident }),
    })
    const five = ['telegram', 'signal', 'whatsapp', 'viber', 'line'].map((app, i) =>
      of(app, app, i * 900, [1, 2, 3 + i]),
    )
    const alone = [of('later', 'telegram', DAY, [1]), of('elsewhere', 'signal', 0, [99]), of('cut', 'control', 0, [1])]
    const names = incidentsOf([...alone, ...five.toReversed()])
    expect([...names].sort()).toEqual(five.map(({ id }) => [id, 'telegram']).sort())
    // One that was told already gives the name, and keeps it when it is alone again.
    expect(incidentsOf([five[0]!, { ...five[1]!, incident: 'signal' }]).get('telegram')).toBe('signal')
    expect(incidentsOf([{ ...five[1]!, incident: 'signal' }]).get('signal')).toBe('signal')
  })

  test('networks that change together are one finding; one that changes a day later is another', () => {
    const world = (delay: number): World => ({
      ...quiet,
      every: 900,
      bad: between(onset + delay, onset + 3 * DAY + delay, 1),
    })
    const networks = new Map([
      [1, trials(world(0), 1)],
      [2, trials(world(20 * 60), 2)],
      [3, trials(world(DAY), 3)],
      [4, trials(quiet, 4)],
    ])
    const found = findingsOf(networks, 'UTC', later)
    expect(found.map(of => of.networks)).toEqual([[1, 2], [3]])
    expect(found[0]).toMatchObject({
      verdict: 'blocked',
      layer: 'tcp',
      state: 'confirmed',
      control: 'other networks of the country',
    })
  })

  test('what still fails is open; what nobody has seen for a week has ended', () => {
    const networks = new Map([[1, trials({ ...quiet, bad: between(onset, later, 1) }, 1)]])
    expect(findingsOf(networks, 'UTC', START + 14 * DAY)[0]?.end).toBeNull()
    expect(findingsOf(networks, 'UTC', later)[0]?.end).toBeGreaterThan(START + 13 * DAY)
  })
})

describe('slow-downs', () => {
  const series = (seed: number, event?: Event, more: Partial<World2> = {}): Series[] =>
    seriesOf({ seed, agents: 5, days: 13, ...(event ? { event } : {}), ...more }).map(of => ({ ...of, failures: {} }))
  const onset = START + 10.5 * DAY

  test('twice as slow is told, dated and sized; it ends', () => {
    const found = findingsOf(new Map([[1, series(45, { day: 10.5, hours: 30, slower: 2 })]]), 'UTC', START + 13 * DAY)
    expect(found).toMatchObject([{ verdict: 'slow', networks: [1], layer: null, recurring: null }])
    expect(Math.abs(found[0]!.onset - onset)).toBeLessThanOrEqual(HOUR)
    expect(Math.abs(found[0]!.end! - onset - 30 * HOUR)).toBeLessThanOrEqual(2 * HOUR)
    expect(found[0]!.slower).toBeGreaterThan(1.7)
    expect(found[0]!.slower).toBeLessThan(2.4)
  })

  test('one that lasts for 28 days is the new usual: it ends, and does not begin again', () => {
    const all = series(46, { day: 5.5, hours: 40 * 24, slower: 2 }, { days: 50 })
    const over = START + 33.5 * DAY
    for (const now of [over + 2 * DAY, over + 10 * DAY, START + 50 * DAY]) {
      const found = findingsOf(new Map([[1, all.filter(({ at }) => at < now)]]), 'UTC', now)
      expect(found).toMatchObject([{ verdict: 'slow' }])
      expect(Math.abs(found[0]!.end! - over)).toBeLessThanOrEqual(2 * DAY)
    }
  })

  test('a slow-down that turns into a block is two findings; both at once are one, the worse leading', () => {
    const slow = series(42, { day: 10.5, hours: 24, slower: 2 })
    const blocked = series(42, { day: 11.5, hours: 30, lost: 1 })
    const then = [...slow.filter(({ at }) => at < onset + DAY), ...blocked.filter(({ at }) => at >= onset + DAY)]
    expect(findingsOf(new Map([[1, then]]), 'UTC', START + 13 * DAY).map(({ verdict }) => verdict)).toEqual([
      'slow',
      'blocked',
    ])
    const both = series(43, { day: 10.5, hours: 30, slower: 3, lost: 0.5 })
    expect(findingsOf(new Map([[1, both]]), 'UTC', START + 13 * DAY).map(({ verdict }) => verdict)).toEqual(['partial'])
  })

  test('what is slow in target and control alike is no slow-down, however slow', () => {
    // Pairs are ratios: a scale common to both legs is in none of them; another scale of one agent is its usual.
    const all = series(44).map(of => ({
      ...of,
      ratio: of.ratio === null ? null : of.ratio + (of.agent === 'a000' ? 3 : 0),
    }))
    expect(episodesOf(all)).toEqual(episodesOf(series(44)))
  })
})

describe('a line that is down', () => {
  const line = (at: number, foreign: boolean, domestic: boolean, agents = 6): Trial[] =>
    Array.from({ length: agents }, (_, i) => ({
      at,
      agent: `a${i}`,
      prefix: i + 1,
      attempts: 1,
      answered: foreign ? 1 : 0,
      ratio: null,
      foreign,
      domestic,
    }))
  const days = (count: number) => Array.from({ length: count * 96 }, (_, i) => START + i * 900)
  const cutsOf = (bins: [number, Trial[]][], alive = true) => {
    const state = noIsolation()
    for (const [at, bin] of bins) stepIsolation(state, at, bin, () => alive)
    return state.cuts
  }
  const outage = (from: number, hours: number, bad: (at: number) => Trial[]): [number, Trial[]][] =>
    days(8).map(at => [at, at >= from && at < from + hours * HOUR ? bad(at) : line(at, true, true)])
  const from = START + 5 * DAY

  test('the country’s own works and nothing abroad: cut off; neither works: no network', () => {
    expect(cutsOf(outage(from, 5, at => line(at, false, true)))).toMatchObject([
      { verdict: 'domestic_only', onset: from, end: from + 5 * HOUR },
    ])
    expect(cutsOf(outage(from, 5, at => line(at, false, false)))).toMatchObject([
      { verdict: 'network_down', onset: from },
    ])
    expect(cutsOf(outage(from, 5, at => [...line(at, true, true, 5), ...line(at, false, false, 1)]))).toEqual([])
  })

  test('silence of most is a finding, unless nobody else was heard either', () => {
    const silent = outage(from, 5, () => []).filter(([, bin]) => bin.length > 0)
    expect(cutsOf(silent)).toMatchObject([{ verdict: 'network_down', onset: from, end: from + 5 * HOUR }])
    expect(cutsOf(silent, false)).toEqual([])
  })

  test('what lasts longer than a week is one cut still, as long as somebody tells of it', () => {
    const bins = days(18).map((at): [number, Trial[]] => [at, line(at, at < from, true)])
    expect(cutsOf(bins)).toMatchObject([{ verdict: 'domestic_only', onset: from, end: null }])
  })

  test('where few are cut off it goes on while nobody, or one alone, is there to tell', () => {
    const during = (at: number) => line(at, false, true, [2, 2, 1, 0][((at - from) / 900) % 4])
    const bins = days(8).map((at): [number, Trial[]] => [
      at,
      at >= from && at < from + 5 * HOUR ? during(at) : line(at, true, true, 3),
    ])
    expect(cutsOf(bins)).toMatchObject([{ verdict: 'domestic_only', onset: from, end: from + 4.5 * HOUR }])
  })

  test('where people switch off at night nothing is silent then, but by day it is', () => {
    const hour = (at: number) => ((at - START) / HOUR) % 24
    const awake = (at: number) => hour(at) >= 7 && hour(at) < 23
    const weeks = (on: (at: number) => boolean) =>
      Array.from({ length: 28 * 96 }, (_, i) => START + i * 900)
        .filter(on)
        .map((at): [number, Trial[]] => [at, line(at, true, true, 12)])
    expect(cutsOf(weeks(awake))).toEqual([])
    // The night after says nothing, so it was last seen in the evening.
    const days = cutsOf(weeks(at => awake(at) && !(at >= START + 15 * DAY && at < START + 16 * DAY)))
    expect(days).toMatchObject([{ onset: START + 15 * DAY + 7 * HOUR, end: START + 15 * DAY + 23 * HOUR }])
  })

  test('and nothing is said about an app then', () => {
    const bins = outage(from, 5, at => line(at, false, false)).flatMap(([, bin]) => bin)
    expect(episodesOf(bins)).toEqual([])
  })
})

test('both generators are found in, shuffled as in order', () => {
  for (const made of [seriesOf, pathsOf]) {
    const all = made({ seed: 51, agents: 5, days: 13, event: { day: 10.5, hours: 30, slower: 2.5 } })
    const found = episodesOf(all)
    expect(found.map(({ kind }) => kind)).toContain('slow')
    expect(episodesOf(all.toReversed())).toEqual(found)
  }
})
