import { median } from '../../measurement/judge/statistics.ts'
import type { Recurrence } from '../../measurement/verdict.ts'
import { DETECTOR_BIN_SECONDS } from '../../measurement/windows.ts'
import { type Episode, type Kind, withoutOutages } from './detector.ts'
import { llr, type MixtureRule } from './mixture.ts'
import { splitOfRatio, splitOfReach } from './onset.ts'
import { insideRecurrence, recurrenceOf } from './recurrence.ts'
import { type HeldTest, PAIRED_SECONDS, type Paired, pairedAt, type Throttled, throttledOf } from './throttling.ts'
import { failedShare, type Trial } from './trial.ts'
import type { Tally } from './trust.ts'

/** From the episodes of one network to stretches of trouble that can be told: joined, dated, counted. Pure. */

export type Series = Trial & { failures: Readonly<Record<string, number>> }

/** Times are Unix seconds; `seen` is the last bin in which it was seen. */
export type Part = {
  kind: Kind | 'throttled'
  asn: number
  onset: number
  seen: number
  open: boolean
  recurring: Recurrence[] | null
  trials: Series[]
  tallies: Tally[]
  /** ln of how many times slower, for those hit; 0 for lost reach. */
  slower: number
  /** By agent, the ln ratio of target to control before the onset of a slow-down. */
  usual: ReadonlyMap<string, number>
  /** What paired transfers say of it; null where there are none. */
  paired: Paired | null
  /** Seconds by which the onset may be late: tests are rarer than trials. */
  late: number
}

/** Paired tests of the app on one network, oldest first; `own`: of this feature, so that they can show throttling alone. */
export type Transfers = { own: boolean; tests: readonly HeldTest[] }

/** Episodes this close are looked at together for a weekly pattern: the longest pause a weekly pattern makes. */
export const WEEK_SECONDS = 7 * 86_400
/** A degradation nobody has seen failing for so long has ended, whoever fell silent. */
const STALE_SECONDS = WEEK_SECONDS
/** Trouble that comes back within a day did not end (reference detection.md §5.4, refractory). */
const REFRACTORY_SECONDS = 86_400
/** Changes this close together are one (reference detection.md §5.5). */
export const TOGETHER_SECONDS = 2 * 3_600
/** The usual share of failures when nothing is known of the series (reference detection.md §5.4 C). */
const NORMAL: MixtureRule['floor'] = 0.03
/** An agent is hit by lost reach from this log likelihood ratio on, by a slow-down from this factor on. */
const HIT_EVIDENCE = 2
export const HIT_SLOWER = Math.log(1.15)

export type Span = { kind: Kind; onset: number; alarm: number; seen: number; end: number | null; episodes: Episode[] }

/** Episodes of one kind no further apart than this. */
export const joined = (episodes: readonly Episode[], within: number): Span[] => {
  const spans: Span[] = []
  for (const episode of episodes) {
    const last = spans.at(-1)
    const until = last && Math.max(last.seen, last.end ?? episode.onset)
    if (last && episode.onset - until! <= within) {
      last.seen = episode.seen
      last.end = episode.end
      last.episodes.push(episode)
    } else spans.push({ ...episode, episodes: [episode] })
  }
  return spans
}

/** Parts of one network. `now` bounds what is still open. */
export const partsOf = (
  asn: number,
  unordered: readonly Series[],
  episodes: readonly Episode[],
  tz: string,
  now: number,
  transfers: Transfers = { own: false, tests: [] },
): Part[] => {
  const trials = withoutOutages(unordered).filter(({ attempts, foreign }) => attempts > 0 && foreign !== false)
  const within = (from: number, to: number): Series[] => trials.filter(({ at }) => at >= from && at <= to)
  const reach = joined(
    episodes.filter(({ kind }) => kind === 'reach'),
    WEEK_SECONDS,
  ).flatMap((span): Part[] => {
    const first = splitOfReach(trials, span.alarm, true) ?? span.onset
    const recurring = recurrenceOf(within(first, span.seen), tz)
    if (!recurring) return joined(span.episodes, REFRACTORY_SECONDS).map(of => lasting(asn, of, trials, now))
    // What failed at other hours before is not the beginning of what comes at these.
    const hours = trials.filter(({ at }) => insideRecurrence(recurring, at))
    const onset = splitOfReach(hours, span.alarm, true) ?? first
    const inside = hours.filter(({ at }) => at >= onset && at <= span.seen)
    const open = now - span.seen < STALE_SECONDS
    const { seen } = span
    const tallies = reachTallies(asn, inside)
    const reach = { kind: 'reach', slower: 0, usual: new Map(), paired: null, late: 0 } as const
    return [{ ...reach, asn, onset, seen, open, recurring, trials: inside, tallies }]
  })
  const slow = joined(
    episodes.filter(({ kind }) => kind === 'slow'),
    REFRACTORY_SECONDS,
  ).map(of => lasting(asn, of, trials, now))
  const held = throttledOf(transfers.tests, now)
  const shown = slow.map(part => explained(part, held, transfers.tests))
  const alone = transfers.own ? held.filter(of => !slow.some(part => overlap(part, of))) : []
  return [...reach, ...[...shown, ...alone.map(of => byTests(asn, of, trials))].flatMap(part => beside(part, reach))]
}

const lasting = (asn: number, span: Span, trials: readonly Series[], now: number): Part => {
  const { kind } = span
  const split = kind === 'reach' ? splitOfReach : splitOfRatio
  const onset = split(trials, span.alarm, true) ?? span.onset
  const open = span.end === null && now - span.seen < STALE_SECONDS
  const seen = span.end === null ? span.seen : lastSeen(span, span.end, trials)
  const inside = trials.filter(({ at }) => at >= onset && at <= seen)
  const part = { kind, asn, onset, seen, open, recurring: null, trials: inside, paired: null, late: 0 }
  if (kind === 'reach') return { ...part, tallies: reachTallies(asn, inside), slower: 0, usual: new Map() }
  return { ...part, ...slowTallies(asn, inside, trials, onset) }
}

/** The last bin of what has ended: of lost reach the last hit one before it worked again, of a slow-down the best split. */
const lastSeen = ({ kind, alarm, seen }: Span, end: number, trials: readonly Series[]): number => {
  const last = end - DETECTOR_BIN_SECONDS
  if (kind === 'reach') return Math.min(seen, last)
  const split = splitOfRatio(
    trials.filter(({ at }) => at > alarm),
    end + TOGETHER_SECONDS,
    false,
  )
  return Math.max(alarm, split === null ? last : split - DETECTOR_BIN_SECONDS)
}

const reachTallies = (asn: number, inside: readonly Series[]): Tally[] =>
  [...Map.groupBy(inside, ({ agent }) => agent)].map(([agent, of]) => {
    const failed = of.reduce((sum, trial) => sum + failedShare(trial), 0)
    const share = Math.min(0.98, failed / of.length)
    const evidence = share > NORMAL ? llr(failed, of.length, share, NORMAL) : 0
    return { asn, agent, prefix: prefixOf(of), hit: evidence > HIT_EVIDENCE, evidence }
  })

/** Tokens of a prefix change by the week and are forgotten after two: the newest that is known. */
const prefixOf = (of: readonly Trial[]): number => of.findLast(({ prefix }) => prefix !== 0)?.prefix ?? 0

const slowTallies = (asn: number, inside: readonly Series[], all: readonly Series[], onset: number) => {
  const before = Map.groupBy(
    all.filter(({ at, ratio }) => ratio !== null && at >= onset - WEEK_SECONDS && at < onset),
    ({ agent }) => agent,
  )
  const usual = new Map([...before].map(([agent, of]) => [agent, median(of.map(({ ratio }) => ratio!))]))
  const moved = [...Map.groupBy(inside, ({ agent }) => agent)].flatMap(([agent, of]) => {
    const now = of.flatMap(({ ratio }) => ratio ?? [])
    const then = usual.get(agent)
    if (now.length === 0 || then === undefined) return []
    return [{ agent, prefix: prefixOf(of), by: median(now) - then, bins: now.length }]
  })
  const risen = moved.filter(({ by }) => by > HIT_SLOWER)
  const slower = risen.length > 0 ? median(risen.map(({ by }) => by)) : 0
  const tallies = moved.map(({ agent, prefix, by, bins }): Tally => {
    const hit = by > Math.max(HIT_SLOWER, slower / 2)
    // As many bins at this factor as one hit trial each (SLOW_TRIAL); what stands without a prefix must stand by bins.
    return { asn, agent, prefix, hit, evidence: hit ? bins : 0 }
  })
  return { tallies, slower, usual }
}

const overlap = (part: Part, of: Throttled): boolean =>
  of.onset <= untilOf(part) + TOGETHER_SECONDS && (of.end ?? Number.POSITIVE_INFINITY) >= part.onset

/** A slow-down that paired transfers confirm is throttling; else what they say of it stands beside it. */
const explained = (part: Part, held: readonly Throttled[], tests: readonly HeldTest[]): Part => {
  const [first, ...rest] = held.filter(of => overlap(part, of))
  if (!first) {
    const during = tests.filter(({ start }) => start >= part.onset)
    const at = part.open ? (during.at(-1)?.start ?? part.seen) : part.seen
    return during.length > 0 ? { ...part, paired: pairedAt(during, at) } : part
  }
  const last = rest.at(-1) ?? first
  const paired = [first, ...rest].reduce((a, b) => (b.paired.throttled > a.paired.throttled ? b : a)).paired
  const open = part.open || last.end === null
  return { ...part, kind: 'throttled', paired, open, seen: Math.max(part.seen, last.seen) }
}

/** Throttling that tests alone show: what decides reach answers as quickly as ever. */
const byTests = (asn: number, { onset, seen, end, paired }: Throttled, trials: readonly Series[]): Part => ({
  ...{ kind: 'throttled', asn, onset, seen, open: end === null, recurring: null, paired, late: PAIRED_SECONDS },
  ...{ trials: trials.filter(({ at }) => at >= onset && at <= seen), tallies: [], usual: new Map() },
  slower: Math.log(paired.slower?.value ?? 1),
})

const untilOf = (part: Part): number => (part.open ? Number.POSITIVE_INFINITY : part.seen)

/**
 * A slow-down beside lost reach of the same network is the same trouble, the worse leading, where both began together
 * or it began within; where it came first it ends, as a finding of its own, when reach is lost.
 */
const beside = (slow: Part, reach: readonly Part[]): Part[] => {
  const over = reach.find(of => of.onset <= untilOf(slow) && untilOf(of) >= slow.onset)
  if (!over) return [slow]
  if (over.onset - slow.onset <= TOGETHER_SECONDS) return []
  const seen = Math.min(slow.seen, over.onset - DETECTOR_BIN_SECONDS)
  return [{ ...slow, seen, open: false, trials: slow.trials.filter(({ at }) => at <= seen) }]
}
