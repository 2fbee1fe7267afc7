import type { Relocation } from '../../measurement/judge/relocation.ts'
import { median } from '../../measurement/judge/statistics.ts'
import { BLOCKED_AT_MOST, cause, PARTIAL_BELOW, SLOW_FROM } from '../../measurement/judge/verdict.ts'
import type { Layer } from '../../measurement/step.ts'
import type { Mechanism, Recurrence, State, Verdict } from '../../measurement/verdict.ts'
import { DETECTOR_BIN_SECONDS } from '../../measurement/windows.ts'
import { isConfirmed, isSlower, losesReach, type Test, type Tested, tested } from './confirm.ts'
import { type Episode, episodesOf } from './detector.ts'
import { HIT_SLOWER, type Part, partsOf, type Series, TOGETHER_SECONDS, type Transfers } from './parts.ts'
import { insideRecurrence, recurrenceOf } from './recurrence.ts'
import type { Paired } from './throttling.ts'
import { stateOf } from './trust.ts'

/** From trials to degradations: what happened on each network of a country, told as one finding per cause. Pure. */

/** Of the agents whose tests say something, and of those held back: how many, how much, at which rate (bytes/s). */
export type TransfersSaid = {
  agents: number
  throttled: number
  slower: { low: number; high: number; coverage: number } | null
  rate: number | null
}

/** What was found, before it has a name and a history. Times are Unix seconds; `end` is when trouble was last seen. */
export type Finding = {
  networks: number[]
  verdict: Verdict
  layer: Layer | null
  mechanism: Mechanism | null
  state: State
  onset: number
  /** The last bin in which trouble was seen. */
  seen: number
  end: number | null
  recurring: Recurrence[] | null
  share: number
  /**
   * How many times slower than usual, against the controls; of throttling, how many times slower than a paired transfer, null
   * where what is sent is dropped and nothing else was measured.
   */
  slower: number | null
  /** What paired transfers say; null where there are none. */
  transfers: TransfersSaid | null
  /** Where a slow app is served from now, where that is abroad and was not; null where it is not so, or not known. */
  moved: Relocation | null
  agents: number
  control: string
  /** Confirmation tests that say something, and those that agree. */
  tests: Tested
  /** Other apps whose trouble began on networks of this at the same time. */
  together: string[]
}

/** Recurring ones belong together when their windows overlap at least by this share of the hours of either. */
const SAME_HOURS = 0.5

/** What is known beside the trials: episodes found before, which need not be found again, and confirmation tests. */
export type Beside = {
  episodes?: (asn: number, trials: readonly Series[]) => readonly Episode[]
  tests?: readonly Test[]
  transfers?: (asn: number) => Transfers
}

/**
 * Degradations of one (app, feature, country) from the trials of each of its networks. `now` bounds what is still open.
 */
export const findingsOf = (
  networks: ReadonlyMap<number, readonly Series[]>,
  tz: string,
  now: number,
  { episodes = (_, trials) => episodesOf(trials), tests = [], transfers }: Beside = {},
): Finding[] => {
  const parts = [...networks].flatMap(([asn, trials]) =>
    partsOf(asn, trials, episodes(asn, trials), tz, now, transfers?.(asn)),
  )
  return cluster(parts).map(group => finding(group, networks, tz, tests))
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
  if (a.kind !== b.kind || a.asn === b.asn || layerOfPart(a) !== layerOfPart(b)) return false
  if (a.recurring && b.recurring) {
    const overlap = Math.min(a.seen, b.seen) - Math.max(a.onset, b.onset)
    return overlap > 0 && sameHours(a.recurring, b.recurring)
  }
  const within = Math.max(TOGETHER_SECONDS, a.late, b.late)
  return !a.recurring && !b.recurring && Math.abs(a.onset - b.onset) <= within
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

/** Of a slow-down the layer is open: what fails beside it is chance. Of throttling the tests say it. */
const causeOf = ({
  kind,
  trials,
  paired,
}: Pick<Part, 'kind' | 'trials' | 'paired'>): { layer: Layer | null; mechanism: Mechanism | null } => {
  if (kind === 'reach') return cause(failing(trials))
  if (kind === 'slow' || !paired) return { layer: null, mechanism: null }
  return { layer: paired.layer, mechanism: paired.mechanism }
}

const layerOfPart = (part: Part): Layer | null => causeOf(part).layer

const finding = (
  group: readonly Part[],
  networks: ReadonlyMap<number, readonly Series[]>,
  tz: string,
  tests: readonly Test[],
): Finding => {
  const { kind } = group[0]!
  const asns = [...new Set(group.map(({ asn }) => asn))].sort((a, b) => a - b)
  const onset = Math.min(...group.map(part => part.onset))
  const seen = Math.max(...group.map(part => part.seen))
  const pooled = asns.flatMap(asn => (networks.get(asn) ?? []).filter(({ at }) => at >= onset && at <= seen))
  // Several networks tell the hours better than one.
  const recurring = group[0]!.recurring && (recurrenceOf(pooled, tz) ?? group[0]!.recurring)
  const trials = group.flatMap(part => part.trials)
  const tallies = group.flatMap(part => part.tallies)
  const attempts = trials.reduce((sum, trial) => sum + trial.attempts, 0)
  const answered = trials.reduce((sum, trial) => sum + trial.answered, 0)
  const transfers = transfersOf(group)
  const times = group.flatMap(({ paired, slower }) =>
    kind !== 'throttled' ? slower : paired?.slower ? Math.log(paired.slower.value) : [],
  )
  const slower = times.length > 0 ? Math.exp(median(times)) : null
  const share = attempts === 0 ? 0 : 1 - answered / attempts
  const borne = testedOf(group, recurring, share, tests)
  // A little slower on every agent is a busy evening as likely as anything: only a paired transfer can confirm that.
  const doubtful = kind === 'slow' && slower !== null && slower < SLOW_FROM
  const shown = kind === 'throttled' || (kind === 'slow' && group.some(({ paired }) => paired?.slowed))
  return {
    networks: asns,
    verdict: kind !== 'reach' ? kind : reachOf(trials) <= BLOCKED_AT_MOST ? 'blocked' : 'partial',
    ...causeOf({ kind, trials, paired: loudest(group) }),
    state: shown ? 'confirmed' : doubtful ? 'unconfirmed' : isConfirmed(borne) ? 'confirmed' : stateOf(tallies),
    onset,
    seen,
    end: group.some(({ open }) => open) ? null : seen + DETECTOR_BIN_SECONDS,
    recurring,
    share,
    slower: kind === 'reach' ? null : slower,
    transfers,
    moved: null,
    agents: Math.max(tallies.filter(({ hit }) => hit).length, kind === 'throttled' ? (transfers?.throttled ?? 0) : 0),
    control: controlOf(kind, asns, networks, onset, seen),
    tests: borne,
    together: [],
  }
}

/** Of several networks' tests those of most agents: layer and mechanism are said as they say. */
const loudest = (group: readonly Part[]): Paired | null =>
  group.map(({ paired }) => paired).reduce((a, b) => ((b?.throttled ?? -1) > (a?.throttled ?? -1) ? b : a), null)

const transfersOf = (group: readonly Part[]): TransfersSaid | null => {
  const said = group.flatMap(({ paired }) => paired ?? []).filter(({ agents }) => agents > 0)
  if (said.length === 0) return null
  const sum = (of: (paired: Paired) => number) => said.reduce((total, paired) => total + of(paired), 0)
  const slower = said.flatMap(({ slower }) => slower ?? [])
  const rates = said.flatMap(({ rate }) => rate ?? [])
  return {
    agents: sum(({ agents }) => agents),
    throttled: sum(({ throttled }) => throttled),
    // Of several networks: as wide as any says.
    slower:
      slower.length === 0
        ? null
        : {
            low: Math.min(...slower.map(({ low }) => low)),
            high: Math.max(...slower.map(({ high }) => high)),
            coverage: Math.min(...slower.map(({ coverage }) => coverage)),
          },
    rate: rates.length > 0 ? median(rates) : null,
  }
}

/** The tests made on the finding's networks while it was in force, inside its hours. */
const testedOf = (
  group: readonly Part[],
  recurring: Recurrence[] | null,
  share: number,
  tests: readonly Test[],
): Tested => {
  const parts = new Map(group.map(part => [part.asn, part]))
  const during = tests.filter(({ asn, asked }) => {
    const part = parts.get(asn)
    if (!part || asked < part.onset || (!part.open && asked > part.seen + DETECTOR_BIN_SECONDS)) return false
    return recurring === null || insideRecurrence(recurring, asked)
  })
  if (group[0]!.kind === 'reach') return tested(during, losesReach(share))
  const size = median(group.map(part => part.slower))
  // Pseudonyms differ from network to network.
  const usual = (agent: string) => group.find(part => part.usual.has(agent))?.usual.get(agent)
  return tested(during, isSlower(size, HIT_SLOWER, usual))
}

/** Median over agents of the share that answered. */
const reachOf = (trials: readonly Series[]): number => {
  const shares = [...Map.groupBy(trials, ({ agent }) => agent).values()].flatMap(of => {
    const attempts = of.reduce((sum, trial) => sum + trial.attempts, 0)
    return attempts === 0 ? [] : of.reduce((sum, trial) => sum + trial.answered, 0) / attempts
  })
  return shares.length === 0 ? 1 : median(shares)
}

/** What it was compared with: of seconds the agents' own controls, of reach the other networks of the country at the time. */
const controlOf = (
  kind: Part['kind'],
  asns: readonly number[],
  networks: ReadonlyMap<number, readonly Series[]>,
  from: number,
  to: number,
): string => {
  if (kind === 'slow') return 'neutral controls of the same agents'
  if (kind === 'throttled') return 'paired transfers of the same agents'
  const others = [...networks]
    .filter(([asn]) => !asns.includes(asn))
    .map(([, trials]) => trials.filter(({ at }) => at >= from && at <= to))
    .filter(trials => trials.length > 0)
  if (others.some(trials => reachOf(trials) >= PARTIAL_BELOW)) return 'other networks of the country'
  return others.length === 0 ? 'none' : 'none: other networks of the country fail too'
}
