import { type Agreement, agree } from '../../measurement/judge/agreement.ts'
import { dropUpOf } from '../../measurement/judge/drop-up.ts'
import type { Counted } from '../../measurement/judge/ranks.ts'
import { LEAST_TRIP, type Throttling } from '../../measurement/judge/throttle.ts'
import { CONTROLS_DOWN, VOTES_OF_PREFIX } from '../../measurement/judge/verdict.ts'
import type { Pair } from '../../measurement/measurement.ts'
import type { Layer } from '../../measurement/step.ts'
import { DETECTOR_BIN_SECONDS } from '../../measurement/windows.ts'

/** From paired tests of several agents on one network to whether, how and since when an app is throttled. Pure. */

/** One judged test of one agent; `start` is the window it began in, Unix seconds. */
export type PairTest = Throttling & {
  app: string
  feature: string
  country: string
  asn: number
  agent: string
  prefix: number
  start: number
  test: Pair['test']
  differs: Pair['differs']
  /** Seconds to connect to the app's address, median of the rounds. */
  idle: number | null
  /** Stalls among the small requests of the trains. */
  trains: { app: Counted; control: Counted }
}
/** `held`: slower by somebody's doing. */
export type HeldTest = PairTest & { held: boolean }

/** An agent's newest test counts for so long: tests of the third tier are daily, and on suspicion (reference §5.1, T3). */
export const PAIRED_SECONDS = 86_400
/** How far back an agent's own tests say that it was otherwise. */
export const PAST_SECONDS = 28 * 86_400
/** Throttling that nobody has tested again for so long has ended: three daily tests were missed. */
const STALE_SECONDS = 3 * PAIRED_SECONDS
/** What TCP sends into a clean line before the first answer (RFC 6928): who gets less a round trip is held back. */
const FIRST_WINDOW_BYTES = 10 * 1_448
/** A round trip longer by this is another path (reference §5.4 A, gate on effect). */
const FARTHER = 1.35
/** An app that gives a control agent at most so many times as much is as slow there, whatever it was before. */
const AS_SLOW = 1.5
/** Of the networks of control agents that could tell, so many must find the app slow. */
const SLOW_ABROAD = 0.5
/** Upstream drop is said of a network by as many agents as any other throttling. */
const LEAST_UP = 3

/** What the agents of a network say together as of a time, and how they know. */
export type Paired = Agreement & {
  /** Where the filter looks, where flows that differ in one thing only fare differently. */
  layer: Layer | null
  /** The app's transfers are slower beyond chance, whoever's doing that is; null where too few tested. */
  slowed: boolean | null
}

const layerOfDifference = { place: null, name: 'tls', protocol: 'protocol', port: 'tcp' } as const

/**
 * Whether slower transfers are somebody's doing, by tests of any networks, oldest first. Flows that differ in one
 * thing only leave no other answer. Of another place everything differs, and one far away is slower by itself: there it
 * must freeze, get less in a round trip than TCP begins with, or have been as fast as its control for this agent, over a
 * path no shorter. A policer proves nothing there: a server that holds its own flows looks the same.
 */
export const heldOf = (tests: readonly PairTest[]): HeldTest[] => {
  const fast = new Map<string, PairTest>()
  return tests.map(test => {
    const { country, asn, agent, app, feature, differs, answer, mechanism, rate, idle, start } = test
    const flow = `${country} ${asn} ${agent} ${app} ${feature} ${differs}`
    const before = fast.get(flow)
    if (answer === 'same') fast.set(flow, test)
    const known = before !== undefined && before.idle !== null && start - before.start < PAST_SECONDS
    const changed = known && idle !== null && idle < FARTHER * before.idle!
    const starved = rate !== null && idle !== null && rate * Math.max(LEAST_TRIP, idle) < FIRST_WINDOW_BYTES
    const sure = differs !== 'place' || mechanism === 'freeze'
    return { ...test, held: answer === 'throttled' && (sure || starved || changed) }
  })
}

/** Whether what is held may be the app's own doing: everything differs between two places. */
export const isOpen = ({ held, differs }: HeldTest): boolean => held && differs === 'place'

/**
 * With what control agents, where nobody filters, say of the same app within a day, earlier or later: where they find it
 * slow, in as many networks and countries as call an app down, it is slow by itself (reference §5.2, the abroad vantage).
 */
export const withoutAppsOwn = (tests: readonly HeldTest[], abroad: readonly HeldTest[]): HeldTest[] => {
  const series = Map.groupBy(abroad, ({ app, feature }) => `${app} ${feature}`)
  return tests.map(test => {
    const near = (series.get(`${test.app} ${test.feature}`) ?? []).filter(
      ({ start }) => Math.abs(start - test.start) < PAIRED_SECONDS,
    )
    return isOpen(test) && isSlowAbroad(test, near) ? { ...test, held: false } : test
  })
}

const isSlowAbroad = (test: HeldTest, abroad: readonly HeldTest[]): boolean => {
  const told = abroad.filter(({ answer }) => answer === 'same' || answer === 'throttled')
  const slow = told.filter(of => isAsSlow(of, test))
  const networks = (of: readonly HeldTest[]): number => new Set(of.map(({ asn }) => asn)).size
  return (
    networks(slow) >= Math.max(CONTROLS_DOWN, SLOW_ABROAD * networks(told)) &&
    new Set(slow.map(({ country }) => country)).size >= CONTROLS_DOWN
  )
}

/**
 * A control agent close to its pair and far from the app has slow tests every day. One counts where on a network it would
 * be somebody's doing (and strong, if the test is), or where the app gives it hardly more.
 */
const isAsSlow = (of: HeldTest, test: HeldTest): boolean =>
  of.answer === 'throttled' &&
  ((of.held && (of.strength === 'strong' || test.strength !== 'strong')) ||
    (of.rate !== null && test.rate !== null && of.rate <= AS_SLOW * test.rate))

/** The tests of a day before `at`, that time included, of one app (and feature) on one network, oldest first. */
export const pairedAt = (tests: readonly HeldTest[], at: number): Paired => {
  const agents = newest(tests.filter(({ start }) => start <= at && start > at - PAIRED_SECONDS))
  const votes = agents.map(({ full }) => voteOf(full))
  const agreement = agree(votes.flatMap(({ held }) => held ?? []))
  const slowed = agree(votes.flatMap(({ slowed }) => slowed ?? [])).confirmed
  const shown = agents.flatMap(({ full }) => full.filter(({ held }) => held))
  const paired = { ...agreement, layer: agreement.confirmed ? layerOf(shown) : null, slowed }
  if (paired.confirmed && paired.mechanism) return paired
  const up = agents.flatMap(({ trains }) => (trains.app.tries > 0 ? [trains] : []))
  if (!isLossy(up) || !dropUpOf(up).found) return paired
  return {
    ...paired,
    confirmed: true,
    mechanism: 'drop_up',
    agents: Math.max(paired.agents, up.length),
    throttled: Math.max(paired.throttled, up.length),
    // Transfers that are no slower have no size.
    ...(paired.confirmed ? {} : { rate: null, slower: null }),
  }
}

/** Before the exact test, which is dear: enough agents, and stalls that are twice as likely to the app. */
const isLossy = (of: readonly { app: Counted; control: Counted }[]): boolean => {
  const share = (counted: readonly Counted[]) =>
    counted.reduce((sum, { hits }) => sum + hits, 0) / counted.reduce((sum, { tries }) => sum + tries, 0)
  return of.length >= LEAST_UP && share(of.map(({ app }) => app)) > 2 * share(of.map(({ control }) => control))
}

const together = (of: readonly Counted[]): Counted => ({
  hits: of.reduce((sum, { hits }) => sum + hits, 0),
  tries: of.reduce((sum, { tries }) => sum + tries, 0),
})

/** The newest full tests of each agent, one per difference, and its trains pooled; two agents of a prefix at most. */
const newest = (tests: readonly HeldTest[]) => {
  const votes = new Map<number, number>()
  const agents = [...Map.groupBy(tests, ({ agent }) => agent)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return agents.flatMap(([, of]) => {
    const { prefix } = of.at(-1)!
    const cast = votes.get(prefix) ?? 0
    if (prefix !== 0 && cast >= VOTES_OF_PREFIX) return []
    votes.set(prefix, cast + 1)
    const full = of.filter(({ test }) => test !== 'shape')
    const trains = {
      app: together(of.map(({ trains }) => trains.app)),
      control: together(of.map(({ trains }) => trains.control)),
    }
    return [{ full: [...new Map(full.map(test => [`${test.feature} ${test.differs}`, test])).values()], trains }]
  })
}

/** One vote an agent: slowed in any way is slowed; held back likewise, but slower for reasons unknown is no vote there. */
const voteOf = (full: readonly HeldTest[]) => {
  const same = full.find(({ answer }) => answer === 'same')
  const slower = full.find(({ answer }) => answer === 'throttled')
  return { held: full.find(({ held }) => held) ?? (slower ? undefined : same), slowed: slower ?? same }
}

/** Where most tests that differ in one thing only say the filter looks. */
const layerOf = (held: readonly HeldTest[]): Layer | null => {
  const layers = Map.groupBy(held, ({ differs }) => layerOfDifference[differs])
  layers.delete(null)
  const [layer = null] = [...layers].toSorted(([, a], [, b]) => b.length - a.length)[0] ?? []
  return layer
}

/** A stretch of throttling: since the first test that showed it, until tests no longer do. Unix seconds. */
export type Throttled = { onset: number; seen: number; end: number | null; paired: Paired }

/**
 * Stretches of throttling on one network, by its tests, oldest first. It begins when at least three agents and 60 % of
 * those tested say so within a day (judge/throttle.ts), and is over when they no longer do, or nobody tests.
 */
export const throttledOf = (tests: readonly HeldTest[], now: number): Throttled[] => {
  const found: Throttled[] = []
  let open: Throttled | null = null
  const close = (of: Throttled): null => {
    of.end = of.seen + DETECTOR_BIN_SECONDS
    return null
  }
  let [first, next] = [0, 0]
  // Tests of one window are taken together.
  for (const [at, of] of Map.groupBy(tests, ({ start }) => start)) {
    if (open && at - open.seen > STALE_SECONDS) open = close(open)
    while (tests[first]!.start <= at - PAIRED_SECONDS) first++
    next += of.length
    const day = tests.slice(first, next)
    const paired = pairedAt(day, at)
    if (!open && paired.confirmed) {
      open = { onset: sinceWhen(day, at), seen: at, end: null, paired }
      found.push(open)
    } else if (open) {
      if (paired.confirmed && paired.throttled >= open.paired.throttled) open.paired = paired
      if (of.some(({ answer }) => answer === 'throttled') || paired.confirmed) open.seen = at
      if (paired.confirmed === false) open = close(open)
    }
  }
  if (open && now - open.seen > STALE_SECONDS) close(open)
  return found
}

/** The first test of the unbroken runs that lead here. */
const sinceWhen = (day: readonly HeldTest[], at: number): number => {
  let first = at
  const full = day.filter(({ test }) => test !== 'shape')
  for (const of of Map.groupBy(full, ({ agent, differs }) => `${agent} ${differs}`).values()) {
    const run = of.slice(of.findLastIndex(({ answer }) => answer === 'same') + 1)
    const shown = run.find(({ held }) => held)
    if (shown) first = Math.min(first, shown.start)
  }
  return first
}
