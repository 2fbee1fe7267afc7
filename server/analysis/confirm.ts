import { VOTES_OF_PREFIX } from '../../measurement/judge/verdict.ts'
import type { Layer } from '../../measurement/step.ts'

/** Whether tests that the server asked for bear an alarm out (DESIGN §3; reference detection.md §5.4, confirm). Pure. */

/** What one agent measured because it was asked: each asked target's newest result between `asked` and the request's end. */
export type Test = {
  asn: number
  agent: string
  prefix: number
  /** Unix seconds. */
  asked: number
  attempts: number
  answered: number
  layer: Layer | null
  /** Whether its foreign control answered meanwhile; a test without one says nothing. */
  line: boolean
  /** ln(seconds of the targets / of the foreign control); null unless both answered. */
  ratio: number | null
}

/** Share of the tests that must agree, and how many at least. */
export const AGREEING = { share: 0.6, tests: 3 } as const

export type Tested = { answered: number; agreed: number }

/**
 * The newest test of each agent, two per prefix at most (those whose agents sort first), and those on one network, as
 * networks are claimed: three that agree stand in two prefixes. Those on a dead line are no tests. `agrees` is null where a test says nothing.
 */
export const tested = (tests: readonly Test[], agrees: (test: Test) => boolean | null): Tested => {
  const newest = new Map(tests.toSorted((a, b) => a.asked - b.asked).map(test => [test.agent, test]))
  const votes = new Map<number, { asn: number; cast: number }>()
  let answered = 0
  let agreed = 0
  for (const test of [...newest.values()].toSorted((a, b) => (a.agent < b.agent ? -1 : 1))) {
    const { asn, cast } = (test.prefix !== 0 && votes.get(test.prefix)) || { asn: test.asn, cast: 0 }
    const has = asn === test.asn && cast < VOTES_OF_PREFIX
    const said = has && test.line && test.attempts > 0 ? agrees(test) : null
    if (said === null) continue
    votes.set(test.prefix, { asn, cast: cast + 1 })
    answered++
    if (said) agreed++
  }
  return { answered, agreed }
}

export const isConfirmed = ({ answered, agreed }: Tested): boolean =>
  agreed >= AGREEING.tests && agreed >= AGREEING.share * answered

/** A lost-reach test agrees when it is nearer to the finding's share of failures than to none. */
export const losesReach =
  (share: number) =>
  ({ attempts, answered }: Test): boolean =>
    1 - answered / attempts >= share / 2

/** A test of seconds agrees when its agent is above half of the finding's size; `usual` is its own ln ratio. */
export const isSlower =
  (size: number, least: number, usual: (agent: string) => number | undefined) =>
  ({ agent, ratio }: Test): boolean | null => {
    const then = usual(agent)
    return ratio === null || then === undefined ? null : ratio - then > Math.max(least, size / 2)
  }
