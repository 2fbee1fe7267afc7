import { describe, expect, test } from 'vitest'
import { dropUp } from '../../measurement/judge/drop-up.ts'
import { compare, type Pair } from '../../measurement/judge/throttle.ts'
import { type Deed, type Done, noNamespaces, openNamespaces, type WireLine } from './namespace.ts'

/** Censors that drop packets, against the kernel's own TCP and the real probe: what a relay cannot show. */

const skipped = await noNamespaces()
const line = (port: number, more: Partial<WireLine> = {}): WireLine => ({
  ...{ ports: [port, port + 1], rtt: 0.08, capacity: 1.25e6, queue: 0.15, jitter: 0.002, loss: 0, wander: 0.1 },
  ...more,
})

/** App on an even port, its control on the next; what is done, and what should be said. */
const cases: {
  name: string
  port: number
  line?: Partial<WireLine>
  deeds: Deed[]
  trains?: number
  timeout?: number
  says: Partial<ReturnType<typeof compare>>
}[] = [
  { name: 'nothing', port: 7_000, deeds: [], trains: 2, timeout: 45, says: { answer: 'same' } },
  {
    name: 'policed to 512 kbit/s',
    port: 7_010,
    deeds: [{ port: 7_010, kind: 'police', rate: 64_000, burst: 16_000 }],
    says: { answer: 'throttled', strength: 'strong' },
  },
  {
    name: 'shaped to 512 kbit/s',
    port: 7_020,
    deeds: [{ port: 7_020, kind: 'shape', rate: 64_000, burst: 16_000 }],
    says: { answer: 'throttled', strength: 'strong', mechanism: 'shape' },
  },
  {
    name: 'shaped to 512 kbit/s, in a queue that nothing beside it meets',
    port: 7_060,
    deeds: [{ port: 7_060, kind: 'shape_flow', rate: 64_000, burst: 16_000 }],
    says: { answer: 'throttled', strength: 'strong' },
  },
  {
    name: 'a line of 1 Mbit/s that loses 2 %, both ways',
    port: 7_030,
    line: { capacity: 125_000, loss: 0.02 },
    deeds: [],
    says: { answer: 'same' },
  },
  {
    name: 'SYN dropped',
    port: 7_040,
    timeout: 4,
    deeds: [{ port: 7_040, kind: 'drop_syn' }],
    says: { answer: 'too_few' },
  },
  // Of loss that only the app has no more is said than that it is slower: not how, but for a rate that is steady by chance.
  ...[0.1, 0.3].map((share, at) => ({
    name: `${share * 100} % of what the app sends is dropped`,
    port: 7_070 + 10 * at,
    deeds: [{ port: 7_070 + 10 * at, kind: 'drop_down' as const, share }],
    says: { answer: 'throttled' as const, strength: 'strong' as const },
  })),
  {
    name: '40 % dropped on the way up',
    port: 7_050,
    trains: 2,
    timeout: 45,
    deeds: [{ port: 7_050, kind: 'drop_up', share: 0.4 }],
    says: {},
  },
]

const pairsOf = ({ pairs }: Done): Pair[] =>
  pairs.flatMap(({ app, control }) => (app && control ? [{ app, control }] : []))

describe.skipIf(skipped !== null)(`namespaces${skipped ? `: ${skipped}` : ''}`, () => {
  test('netns: real TCP behind real censors, all at once', { timeout: 150_000, retry: 1 }, async () => {
    await using net = await openNamespaces(
      cases.map(({ port, line: more }) => line(port, more)),
      cases.flatMap(({ deeds }) => deeds),
      { congestion: 'cubic', seed: 1 },
    )
    const jobs = cases.map(({ port, trains = 0, timeout = 12 }) => ({
      ...{ id: port, app: port, control: port + 1, screen: false },
      ...{ trains, timeout },
    }))
    const done = await net.run(jobs, jobs.length)
    const of = (port: number): Done => done.find(({ id }) => id === port)!
    for (const { name, port, says } of cases) expect(compare(pairsOf(of(port))), name).toMatchObject(says)
    expect(compare(pairsOf(of(7_010))).rate! / 64_000).toBeGreaterThan(0.75)
    expect(compare(pairsOf(of(7_010))).rate! / 64_000).toBeLessThan(1.25)
    // Nothing that met no queue is called shaped: on a machine with time, `police` and no name.
    for (const port of [7_010, 7_060, 7_070, 7_080])
      expect(compare(pairsOf(of(port))).mechanism, `${port}`).not.toBe('shape')
    expect(of(7_040).failure).toBe('generic_timeout_error')
    expect(dropUp([[of(7_050).trips]]).found, 'upstream drop').toBe(true)
    expect(dropUp([[of(7_000).trips]]).found, 'no upstream drop').toBe(false)
  })
})
