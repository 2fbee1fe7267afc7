import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { wilson } from '../../measurement/judge/statistics.ts'
import {
  type Abroad,
  cause,
  judge,
  judgeCountry,
  type Transfers,
  type Witness,
} from '../../measurement/judge/verdict.ts'
import { type verdicts, worse } from '../../measurement/verdict.ts'

const witness = (answered: number, attempts: number, more: Partial<Witness> = {}): Witness => ({
  attempts,
  answered,
  failures: answered < attempts ? { 'tcp/generic_timeout_error': attempts - answered } : {},
  foreign: true,
  domestic: true,
  ...more,
})
const many = (count: number, of: Witness): Witness[] => Array.from({ length: count }, () => of)

const works = (asn: number, country: string): Abroad => ({ asn, country, works: true })
const fails = (asn: number, country: string): Abroad => ({ asn, country, works: false })

/** The truth table: what agents saw, what control agents abroad saw, and the verdict. */
const table: [string, Witness[], Abroad[], Partial<ReturnType<typeof judge>>][] = [
  ['nothing measured', [], [], { verdict: 'insufficient' }],
  ['one name failed once', [witness(0, 1)], [], { verdict: 'insufficient' }],
  ['everything answers', many(3, witness(12, 12)), [], { verdict: 'ok', layer: null, state: 'unconfirmed' }],
  ['two take twice as long as usual', many(2, witness(12, 12, { slower: 2 })), [], { verdict: 'slow', layer: null }],
  ['one alone takes ten times as long', [witness(12, 12, { slower: 10 })], [], { verdict: 'ok' }],
  ['a little longer than usual', many(5, witness(12, 12, { slower: 1.3 })), [], { verdict: 'ok' }],
  [
    'most are as fast as usual',
    [...many(2, witness(12, 12, { slower: 4 })), ...many(3, witness(12, 12, { slower: 1 }))],
    [],
    { verdict: 'ok' },
  ],
  ['nobody knows what is usual', many(5, witness(12, 12, { slower: null })), [], { verdict: 'ok' }],
  ['slow and partly blocked', many(3, witness(4, 6, { slower: 3 })), [], { verdict: 'partial' }],
  [
    'slow because the line is dead',
    many(3, witness(12, 12, { slower: 3, foreign: false, domestic: false })),
    [],
    { verdict: 'network_down' },
  ],
  ['one lost packet of twelve', many(3, witness(11, 12)), [], { verdict: 'ok' }],
  ['two of six data centres down', many(3, witness(4, 6)), [], { verdict: 'partial', layer: 'tcp', mechanism: 'drop' }],
  ['nothing answers one agent', [witness(0, 12)], [], { verdict: 'blocked', layer: 'tcp', state: 'unconfirmed' }],
  ['nothing answers ten agents', many(10, witness(0, 12)), [], { verdict: 'blocked', state: 'confirmed', agents: 10 }],
  [
    'nothing answers ten agents of five prefixes',
    many(5, witness(0, 12)).flatMap((of, prefix) => many(2, { ...of, prefix: 1 + prefix })),
    [],
    { verdict: 'blocked', state: 'confirmed', agents: 10 },
  ],
  [
    'nothing answers twelve agents of one prefix, and three elsewhere are fine',
    [...many(12, witness(0, 12, { prefix: 7 })), ...many(3, witness(12, 12))],
    [],
    { verdict: 'ok', agents: 5 },
  ],
  [
    'nor are the lines of one prefix those of the network',
    [...many(12, witness(0, 12, { prefix: 7, foreign: false, domestic: false })), ...many(3, witness(12, 12))],
    [],
    { verdict: 'ok', agents: 3 },
  ],
  [
    'most agents’ resolvers lead to false addresses',
    [...many(2, witness(0, 6, { misled: true })), witness(0, 6, { misled: false }), witness(0, 6)],
    [],
    { verdict: 'blocked', layer: 'dns', mechanism: 'injection' },
  ],
  [
    'one agent of three has a resolver that lies',
    [witness(0, 6, { misled: true }), ...many(2, witness(0, 6, { misled: false }))],
    [],
    { verdict: 'blocked', layer: 'tcp', mechanism: 'drop' },
  ],
  [
    'a resolver lies, and the app answers all the same',
    many(3, witness(12, 12, { misled: true })),
    [],
    { verdict: 'ok', layer: null },
  ],
  ['a stray answer of twelve', many(3, witness(1, 12)), [], { verdict: 'blocked' }],
  ['half of the agents blocked', [...many(2, witness(0, 12)), ...many(2, witness(12, 12))], [], { verdict: 'partial' }],
  [
    'no controls known: the app is judged',
    many(3, witness(0, 12, { foreign: null, domestic: null })),
    [],
    { verdict: 'blocked' },
  ],
  [
    'the line is dead',
    many(3, witness(0, 12, { foreign: false, domestic: false })),
    [],
    { verdict: 'network_down', layer: null },
  ],
  [
    'the line is dead, nothing of the app counted',
    many(3, witness(0, 0, { foreign: false, domestic: false })),
    [],
    { verdict: 'network_down' },
  ],
  [
    'only the country answers',
    many(3, witness(0, 12, { foreign: false })),
    [],
    { verdict: 'domestic_only', mechanism: 'isolation' },
  ],
  [
    'foreign controls fail, domestic unknown',
    many(3, witness(0, 12, { foreign: false, domestic: null })),
    [],
    { verdict: 'network_down' },
  ],
  [
    'one dead line among four',
    [witness(0, 12, { foreign: false, domestic: false }), ...many(3, witness(12, 12))],
    [],
    { verdict: 'ok', agents: 3 },
  ],
  [
    'controls abroad fail, two networks and countries',
    many(3, witness(0, 12)),
    [fails(1, 'DE'), fails(2, 'US')],
    { verdict: 'app_down' },
  ],
  [
    'controls abroad fail, one country',
    many(3, witness(0, 12)),
    [fails(1, 'DE'), fails(2, 'DE')],
    { verdict: 'blocked' },
  ],
  ['one control abroad fails', many(3, witness(0, 12)), [fails(1, 'DE')], { verdict: 'blocked' }],
  [
    'controls abroad disagree',
    many(3, witness(0, 12)),
    [fails(1, 'DE'), fails(2, 'US'), works(3, 'NL')],
    { verdict: 'blocked' },
  ],
  [
    'an outage abroad does not hide what works here',
    many(3, witness(12, 12)),
    [fails(1, 'DE'), fails(2, 'US')],
    { verdict: 'ok' },
  ],
]

describe('the verdict over one window', () => {
  test.each(table)('%s', (_, witnesses, abroad, expected) => {
    expect(judge(witnesses, abroad)).toMatchObject(expected)
  })

  test('the order of witnesses does not matter, and a dead line never blocks an app', () => {
    const any = fc.record({
      attempts: fc.integer({ min: 0, max: 20 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      foreign: fc.constantFrom(true, false, null),
      domestic: fc.constantFrom(true, false, null),
    })
    fc.assert(
      fc.property(fc.array(any, { maxLength: 20 }), list => {
        const witnesses = list.map(({ attempts, share, foreign, domestic }) =>
          witness(Math.round(attempts * share), attempts, { foreign, domestic }),
        )
        const said = judge(witnesses)
        expect(judge(witnesses.toReversed())).toEqual(said)
        if (witnesses.length > 0 && witnesses.every(({ foreign }) => foreign === false)) {
          expect(['network_down', 'domestic_only']).toContain(said.verdict)
        }
      }),
    )
  })

  test('layer and mechanism are the commonest failure’s; a failure without a known mechanism names none', () => {
    expect(cause([{ failures: { 'tls/connection_reset': 3, 'tcp/generic_timeout_error': 2 } }])).toEqual({
      layer: 'tls',
      mechanism: 'rst',
    })
    expect(cause([{ failures: { 'dns/dns_servfail_error': 1 } }])).toEqual({ layer: 'dns', mechanism: null })
    expect(cause([])).toEqual({ layer: null, mechanism: null })
  })
})

describe('the headline of a country', () => {
  const network = (verdict: (typeof verdicts)[number], state: 'confirmed' | 'unconfirmed' = 'unconfirmed') =>
    ({ verdict, state, layer: null, mechanism: null, agents: 2 }) as const

  test('is the worst that is confirmed, or that two networks share', () => {
    expect(judgeCountry([network('ok'), network('ok'), network('blocked', 'confirmed')], worse).verdict).toBe('blocked')
    expect(judgeCountry([network('ok'), network('ok'), network('blocked'), network('blocked')], worse).verdict).toBe(
      'blocked',
    )
    expect(judgeCountry([network('ok'), network('ok'), network('blocked')], worse)).toMatchObject({
      verdict: 'ok',
      state: 'confirmed',
    })
  })
  test('is the commonest where nothing stands firmly, the worse on a tie; nothing known is insufficient', () => {
    expect(judgeCountry([network('ok'), network('blocked')], worse)).toMatchObject({
      verdict: 'blocked',
      state: 'unconfirmed',
    })
    expect(judgeCountry([network('insufficient')], worse).verdict).toBe('insufficient')
    expect(judgeCountry([], worse).verdict).toBe('insufficient')
  })
})

test('Wilson’s interval: values of the literature, and it stays inside 0 and 1', () => {
  // scipy.stats.binomtest(0, 2).proportion_ci(method='wilson') and (5, 10).
  expect(wilson(0, 2).high).toBeCloseTo(0.6576, 4)
  expect(wilson(0.5, 10).low).toBeCloseTo(0.2366, 4)
  expect(wilson(0.5, 10).high).toBeCloseTo(0.7634, 4)
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 1e6 }), (share, n) => {
      const { low, high } = wilson(share, n)
      expect(low).toBeGreaterThanOrEqual(0)
      expect(high).toBeLessThanOrEqual(1)
      expect(low).toBeLessThanOrEqual(share + 1e-9)
      expect(high).toBeGreaterThanOrEqual(share - 1e-9)
    }),
  )
})

describe('paired transfers', () => {
  const held: Transfers = { own: true, confirmed: true, layer: 'tls', mechanism: 'police' }
  const fine = many(3, witness(12, 12))
  const slow = many(3, witness(12, 12, { slower: 3 }))
  test.each([
    [
      'show throttling where everything answers in time',
      fine,
      held,
      { verdict: 'throttled', layer: 'tls', mechanism: 'police' },
    ],
    ['confirm it, of three agents too', fine, held, { state: 'confirmed' }],
    ['say nothing where most are as fast', fine, { ...held, confirmed: false }, { verdict: 'ok' }],
    ['say nothing where too few tested', slow, { ...held, confirmed: null }, { verdict: 'slow' }],
    ['of another feature explain a slow-down', slow, { ...held, own: false }, { verdict: 'throttled' }],
    ['of another feature make none', fine, { ...held, own: false }, { verdict: 'ok' }],
    ['show it where nothing else was asked', [], held, { verdict: 'throttled', agents: 0 }],
    ['do not soften a block', many(3, witness(0, 12)), held, { verdict: 'blocked' }],
    ['say nothing of a dead line', many(3, witness(12, 12, { foreign: false })), held, { verdict: 'domestic_only' }],
  ] as const)('%s', (_, witnesses, transfers, said) => expect(judge(witnesses, [], transfers)).toMatchObject(said))
})
