import { median } from '../../measurement/judge/statistics.ts'
import {
  BLOCKED_AT_MOST,
  CONFIRMING_AGENTS,
  CONFIRMING_NETWORKS,
  cause,
  PARTIAL_BELOW,
} from '../../measurement/judge/verdict.ts'
import type { Layer } from '../../measurement/step.ts'
import type { Mechanism, Recurrence, State, Verdict } from '../../measurement/verdict.ts'
import { DETECTOR_BIN_SECONDS } from '../../measurement/windows.ts'
import { episodesOf, type Trial } from './reach.ts'
import { insideRecurrence, recurrenceOf } from './recurrence.ts'

/** From trials to degradations: episodes of each network, their recurrence, and one finding per cause. Pure. */

export type Series = Trial & { failures: Readonly<Record<string, number>> }

/** What was found, before it has a name and a history. Times are Unix seconds; `end` is when trouble was last seen. */
export type Finding = {
  networks: number[]
  verdict: Verdict
  layer: Layer | null
  mechanism: Mechanism | null
  state: State
  onset: number
  end: number | null
  recurring: Recurrence[] | null
  share: number
  agents: number
  control: string
}

/** Episodes this close are looked at together for a weekly pattern: the longest pause a weekly pattern makes. */
const WEEK_SECONDS = 7 * 86_400
/** A degradation nobody has seen failing for so long has ended, whoever fell silent. */
const STALE_SECONDS = WEEK_SECONDS
/** Networks whose onsets lie this close changed together (reference detection.md §5.5). */
const TOGETHER_SECONDS = 2 * 3_600
/** Recurring ones belong together when their windows overlap at least by this share of the hours of either. */
const SAME_HOURS = 0.5

type Part = {
  asn: number
  onset: number
  seen: number
  open: boolean
  recurring: Recurrence[] | null
  trials: Series[]
}

/** Degradations of one (app, feature, country) from the trials of each of its networks. `now` bounds what is still open. */
export const findingsOf = (networks: ReadonlyMap<number, readonly Series[]>, tz: string, now: number): Finding[] => {
  const parts = [...networks].flatMap(([asn, trials]) => partsOf(asn, trials, tz, now))
  return cluster(parts).map(group => finding(group, networks, tz))
}

const partsOf = (asn: number, trials: readonly Series[], tz: string, now: number): Part[] => {
  const episodes = episodesOf(trials)
  const spans: { onset: number; seen: number; end: number | null; episodes: typeof episodes }[] = []
  for (const episode of episodes) {
    const last = spans.at(-1)
    if (last && episode.onset - last.seen <= WEEK_SECONDS) {
      last.seen = episode.seen
      last.end = episode.end
      last.episodes.push(episode)
    } else spans.push({ ...episode, episodes: [episode] })
  }
  return spans.flatMap(span => {
    const within = (onset: number, seen: number): Series[] => trials.filter(({ at }) => at >= onset && at <= seen)
    const recurring = recurrenceOf(within(span.onset, span.seen), tz)
    return (recurring ? [span] : span.episodes).map(({ onset, seen, end }) => ({
      asn,
      onset,
      seen,
      open: now - seen < STALE_SECONDS && (recurring !== null || end === null),
      recurring,
      trials: within(onset, seen).filter(({ at }) => insideRecurrence(recurring, at)),
    }))
  })
}

/** Networks that changed together become one. */
const cluster = (parts: readonly Part[]): Part[][] => {
  const groups: Part[][] = []
  for (const part of parts.toSorted((a, b) => a.onset - b.onset || a.asn - b.asn)) {
    const group = groups.find(of => of.some(other => together(other, part)))
    if (group) group.push(part)
    else groups.push([part])
  }
  return groups
}

const together = (a: Part, b: Part): boolean => {
  if (a.asn === b.asn || layerOfPart(a) !== layerOfPart(b)) return false
  if (a.recurring && b.recurring) {
    const overlap = Math.min(a.seen, b.seen) - Math.max(a.onset, b.onset)
    return overlap > 0 && sameHours(a.recurring, b.recurring)
  }
  return !a.recurring && !b.recurring && Math.abs(a.onset - b.onset) <= TOGETHER_SECONDS
}

const hoursOf = (windows: readonly Recurrence[]): Set<string> =>
  new Set(
    windows.flatMap(({ days, from, to }) =>
      days.flatMap(day =>
        Array.from(
          { length: Number(to.slice(0, 2)) - Number(from.slice(0, 2)) },
          (_, i) => `${day} ${Number(from.slice(0, 2)) + i}`,
        ),
      ),
    ),
  )

const sameHours = (a: readonly Recurrence[], b: readonly Recurrence[]): boolean => {
  const [one, other] = [hoursOf(a), hoursOf(b)]
  return one.intersection(other).size >= SAME_HOURS * Math.min(one.size, other.size)
}

const failing = (trials: readonly Series[]): Series[] => trials.filter(({ attempts, answered }) => answered < attempts)

const layerOfPart = (part: Part): Layer | null => cause(failing(part.trials)).layer

const finding = (group: readonly Part[], networks: ReadonlyMap<number, readonly Series[]>, tz: string): Finding => {
  const asns = [...new Set(group.map(({ asn }) => asn))].sort((a, b) => a - b)
  const onset = Math.min(...group.map(part => part.onset))
  const seen = Math.max(...group.map(part => part.seen))
  const pooled = asns.flatMap(asn => (networks.get(asn) ?? []).filter(({ at }) => at >= onset && at <= seen))
  // Several networks tell the hours better than one.
  const recurring = group[0]!.recurring && (recurrenceOf(pooled, tz) ?? group[0]!.recurring)
  const trials = group.flatMap(part => part.trials)
  const reach = median(trials.map(({ attempts, answered }) => answered / attempts))
  const attempts = trials.reduce((sum, trial) => sum + trial.attempts, 0)
  const answered = trials.reduce((sum, trial) => sum + trial.answered, 0)
  const agents = new Set(failing(trials).map(({ agent }) => agent)).size
  const confirmed = agents >= CONFIRMING_AGENTS || asns.length >= CONFIRMING_NETWORKS
  return {
    networks: asns,
    verdict: reach <= BLOCKED_AT_MOST ? 'blocked' : 'partial',
    ...cause(failing(trials)),
    state: confirmed ? 'confirmed' : 'unconfirmed',
    onset,
    end: group.some(({ open }) => open) ? null : seen + DETECTOR_BIN_SECONDS,
    recurring,
    share: 1 - answered / attempts,
    agents,
    control: controlOf(asns, networks, onset, seen),
  }
}

/** What stands against the failing networks: in imports, the other networks of the country at the same time. */
const controlOf = (
  asns: readonly number[],
  networks: ReadonlyMap<number, readonly Series[]>,
  from: number,
  to: number,
): string => {
  const others = [...networks]
    .filter(([asn]) => !asns.includes(asn))
    .map(([, trials]) => trials.filter(({ at }) => at >= from && at <= to))
    .filter(trials => trials.length > 0)
  const work = others.some(
    trials => median(trials.map(({ attempts, answered }) => answered / attempts)) >= PARTIAL_BELOW,
  )
  if (work) return 'other networks of the country'
  return others.length === 0 ? 'none' : 'none: other networks of the country fail too'
}
