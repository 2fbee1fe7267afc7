import { expect, test } from 'vitest'
import {
  compare,
  goesOn,
  isSuspicious,
  type Leg,
  type Pair,
  type Throttling,
} from '../../measurement/judge/throttle.ts'

/** A stream of datagrams of which so many were lost, in a first round and in the two others. */
const stream = (lost: number, tries = 525): Leg => {
  const [got, span] = [(tries - lost) * 500, tries / 100]
  return {
    reached: [],
    got,
    span,
    gap: 0.1,
    end: 'whole',
    idle: 0.05,
    first: 3,
    trips: [],
    lost: { hits: lost, tries },
  }
}
const streams = (...lost: [number, number, number]): Leg[] => lost.map((one, i) => stream(one, i === 0 ? 328 : 525))

const three = (app: readonly Leg[], control: readonly Leg[]): Pair[] =>
  [0, 1, 2].map(i => ({ app: app[i]!, control: control[i]! }))

const table: [string, Pair[], Partial<Throttling>][] = [
  [
    'half a per cent lost of both',
    three(streams(1, 3, 2), streams(2, 2, 4)),
    { answer: 'same', mechanism: null, rate: null },
  ],
  ['two per cent lost of both', three(streams(9, 8, 14), streams(4, 12, 10)), { answer: 'same' }],
  ['one lost of the app', three(streams(1, 0, 0), streams(0, 0, 0)), { answer: 'same' }],
  ['one lost of the control', three(streams(0, 0, 0), streams(1, 0, 0)), { answer: 'same' }],
  ['60 % lost of both', three(streams(197, 310, 320), streams(190, 322, 305)), { answer: 'same' }],
  [
    'a burst of a third of a second in each round of the app',
    three(streams(31, 33, 30), streams(0, 0, 0)),
    { answer: 'same' },
  ],
  [
    'a fifth lost of the app',
    three(streams(66, 104, 99), streams(1, 3, 2)),
    { answer: 'throttled', strength: 'weak', mechanism: null },
  ],
  [
    'one round of three in which the control lost as many',
    three(streams(66, 104, 99), streams(1, 90, 2)),
    { answer: 'same' },
  ],
]

test.each(table)('datagrams, %s', (_, pairs, said) => {
  expect(compare(pairs)).toMatchObject(said)
})

test('of datagrams the first pair that loses alike ends a test, and each loss has its rate', () => {
  const held = { app: stream(66, 328), control: stream(2, 328) }
  expect(goesOn([held])).toBe(true)
  expect(goesOn([{ app: stream(1, 328), control: stream(0, 328) }])).toBe(false)
  expect(isSuspicious({ app: stream(26, 132), control: stream(1, 132) })).toBe(true)
  expect(isSuspicious({ app: stream(4, 132), control: stream(1, 132) })).toBe(false)
  const { rate, slower } = compare(three(streams(66, 105, 105), streams(0, 0, 0)))
  expect(rate).toBeCloseTo(40_000, 0)
  expect(slower!.value).toBeCloseTo(1.25)
})
