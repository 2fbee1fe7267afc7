import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findingsOf } from '../../server/analysis/degradations.ts'
import { binsOf, episodesOf } from '../../server/analysis/detector.ts'
import { noIsolation, stepIsolation } from '../../server/analysis/isolation.ts'
import type { Series } from '../../server/analysis/parts.ts'
import type { Trial } from '../../server/analysis/trial.ts'
import { outliersOf, stateOf, type Tally } from '../../server/analysis/trust.ts'
import { describeCuts } from '../../server/describe.ts'
import { seriesOf } from '../bench/detection/series.ts'

/** Agents that lie, are broken, or are fewer than they say. */

const HOUR = 3_600
const DAY = 86_400
/** A Monday, 00:00 UTC. */
const START = Date.parse('2024-01-01T00:00:00Z') / 1000

describe('trust', () => {
  const fail = (trial: Trial): Trial => ({ ...trial, answered: 0, ratio: null, foreign: true })
  /** A network where nothing ever fails, so that what is found is what liars make. */
  const honest = (agents: number): Trial[] =>
    seriesOf({ seed: 7, agents, days: 12 }).map(of => ({ ...of, answered: 1, foreign: true, domestic: true, ratio: 0 }))

  test('below a third of the agents no lie opens a finding, and none closes one', () => {
    const onset = START + 10 * DAY
    const [one] = honest(1)
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 24 }), fc.double({ min: 0, max: 1, noNaN: true }), (agents, share) => {
        const liars = Math.min(Math.floor(share * agents), Math.ceil(0.34 * agents) - 1)
        const names = new Set(Array.from({ length: liars }, (_, i) => `a${String(i).padStart(3, '0')}`))
        // Everybody is there in every bin, so that the share of liars is what it is said to be.
        const all = Array.from({ length: 2 * 96 }, (_, i) => onset - DAY + i * 900).flatMap(at =>
          Array.from({ length: agents }, (_, i) => ({
            ...one!,
            at,
            agent: `a${String(i).padStart(3, '0')}`,
            prefix: i + 1,
          })),
        )
        const opened = all.map(of => (names.has(of.agent) && of.at >= onset ? fail(of) : of))
        expect(episodesOf(opened)).toEqual([])
        // The honest are blocked, the liars say that all is well.
        const denied = all.map(of => (!names.has(of.agent) && of.at >= onset ? fail(of) : of))
        expect(episodesOf(denied)).toMatchObject([{ kind: 'reach', end: null }])
      }),
      { numRuns: 25 },
    )
  })

  test('of one prefix two agents vote, however many it has', () => {
    const onset = START + 10 * DAY
    const all = honest(5)
    const rack = all
      .filter(({ agent, at }) => agent === 'a000' && at >= onset)
      .flatMap(of => Array.from({ length: 30 }, (_, i) => fail({ ...of, agent: `z${i}`, prefix: 99 })))
    const series = [...all, ...rack].map(of => ({ ...of, failures: {} }))
    const state = findingsOf(new Map([[1, series]]), 'UTC', START + 12 * DAY)
    expect(state.filter(of => of.state === 'confirmed')).toEqual([])
    const apart = rack.map((of, i) => ({ ...of, prefix: 100 + (i % 30) }))
    expect(episodesOf([...all, ...apart]).length).toBeGreaterThan(0)
  })

  test('a finding is confirmed by ten agents or two networks, by most of those asked, and without any one prefix', () => {
    const tally = (asn: number, at: number, hit: boolean, prefix = 1_000 * asn + at): Tally => ({
      asn,
      agent: `${asn}-${at}`,
      prefix,
      hit,
      evidence: hit ? 5 : 0,
    })
    const of = (asn: number, hit: number, not: number, prefix?: number) =>
      Array.from({ length: hit + not }, (_, i) => tally(asn, i, i < hit, prefix))
    expect(stateOf(of(1, 10, 0))).toBe('confirmed')
    expect(stateOf(of(1, 9, 0))).toBe('unconfirmed')
    expect(stateOf([...of(1, 3, 0), ...of(2, 3, 0)])).toBe('confirmed')
    expect(stateOf([...of(1, 3, 0), ...of(2, 1, 2)])).toBe('unconfirmed')
    // Thirty of a hundred may be lies, and then some honest agents fail by chance.
    expect(stateOf(of(1, 40, 60))).toBe('unconfirmed')
    expect(stateOf(of(1, 60, 40))).toBe('confirmed')
    expect(stateOf(of(1, 10, 0, 4))).toBe('unconfirmed')
    // Two on one line are one household, on whatever network.
    expect(stateOf([...of(1, 2, 0, 4), ...of(2, 2, 0, 5)])).toBe('unconfirmed')
    expect(stateOf([...of(1, 2, 0), ...of(2, 2, 0)])).toBe('confirmed')
    // Whoever reports what another network showed from the line at home is one of the four still.
    expect(stateOf([...of(1, 2, 0), tally(2, 0, true), tally(2, 1, true, 1_000), tally(2, 2, true)])).toBe('confirmed')
    expect(stateOf([...of(1, 2, 0), tally(2, 0, true), tally(2, 1, true, 1_000)])).toBe('unconfirmed')
  })

  test('two or three keys confirm nothing by claiming many networks; their tests are no more than they', () => {
    const onset = START + 2 * DAY
    const [one] = honest(1)
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 3 }), fc.integer({ min: 2, max: 6 }), (keys, networks) => {
        const claimed = (asn: number, line: boolean): Series[] =>
          Array.from({ length: 3 * 96 }, (_, i) => START + i * 900).flatMap(at =>
            Array.from({ length: keys }, (_, key) => {
              const trial = { ...one!, at, agent: `${asn}-${key}`, prefix: 1 + key, failures: {} }
              if (at < onset) return trial
              return line ? { ...trial, foreign: false } : { ...fail(trial), failures: {} }
            }),
          )
        const all = Array.from({ length: networks }, (_, i) => 1 + i)
        const asked = all.flatMap(asn =>
          Array.from({ length: keys }, (_, key) => ({
            ...{ asn, agent: `${asn}-${key}`, prefix: 1 + key, asked: onset + DAY / 2, attempts: 3, answered: 0 },
            ...{ layer: null, line: true, ratio: null },
          })),
        )
        const series = new Map(all.map(asn => [asn, claimed(asn, false)]))
        const found = (tests: typeof asked) => findingsOf(series, 'UTC', onset + DAY, { tests })
        expect(found([])).toMatchObject([{ networks: all, state: 'unconfirmed' }])
        expect(found(asked)[0]!.tests).toEqual({ answered: keys, agreed: keys })
        const seen = new Map(
          all.map(asn => {
            const state = noIsolation()
            for (const [at, bin] of binsOf(claimed(asn, true))) stepIsolation(state, at, bin, () => true)
            return [asn, { series: new Map(), cuts: state.cuts }]
          }),
        )
        expect(describeCuts(seen, () => 0).findings).toMatchObject([{ networks: all, state: 'unconfirmed' }])
      }),
      { numRuns: 6 },
    )
  })

  test('lines are lost, or silent, for sure on two networks by people of their own, and not where half do well', () => {
    const bins = (asn: number, agents: number, lost: number, silent = false) =>
      Array.from({ length: 5 * 96 }, (_, i) => START + i * 900).map((at): [number, Trial[]] => {
        const out = at >= START + 4 * DAY && at < START + 4 * DAY + 6 * HOUR
        const all = Array.from({ length: agents }, (_, i) => ({
          ...{ at, agent: `${asn}-${i}`, prefix: 100 * asn + i, attempts: 1, answered: 1, ratio: null },
          ...{ foreign: !(out && i < lost), domestic: true },
        }))
        return [at, out && silent ? [] : all]
      })
    const stateIn = (...networks: [number, Trial[]][][]) => {
      const seen = new Map(
        networks.map((of, i) => {
          const state = noIsolation()
          for (const [at, bin] of of) if (bin.length > 0) stepIsolation(state, at, bin, () => true)
          return [1 + i, { series: new Map(), cuts: state.cuts }]
        }),
      )
      return describeCuts(seen, () => 0).findings.map(({ verdict, agents, state }) => [verdict, agents, state])
    }
    expect(stateIn(bins(1, 2, 2), bins(2, 2, 2))).toEqual([['domestic_only', 4, 'confirmed']])
    expect(stateIn(bins(1, 10, 10))).toEqual([['domestic_only', 10, 'confirmed']])
    expect(stateIn(bins(1, 20, 10))).toEqual([['domestic_only', 10, 'unconfirmed']])
    expect(stateIn(bins(1, 6, 6, true), bins(2, 6, 6, true))).toEqual([['network_down', 12, 'confirmed']])
  })

  test('agents that say otherwise than their network are pointed out, with the reason', () => {
    const counted = (agent: string, failed: number, tried = 200) => ({ agent, asn: 1, tried, failed })
    const fine = ['a', 'b', 'c', 'd', 'e'].map(agent => counted(agent, 2))
    expect(outliersOf(fine)).toEqual([])
    expect(outliersOf([...fine, counted('x', 190)])).toMatchObject([
      { agent: 'x', reason: expect.stringMatching('fails where') },
    ])
    const blocked = ['a', 'b', 'c', 'd', 'e'].map(agent => counted(agent, 199))
    expect(outliersOf([...blocked, counted('v', 0)])).toMatchObject([
      { agent: 'v', reason: expect.stringMatching('VPN') },
    ])
    expect(outliersOf([...fine, counted('y', 20, 20)])).toEqual([])
  })
})
