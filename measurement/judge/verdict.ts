import type { Layer } from '../step.ts'
import type { Mechanism, State, Verdict } from '../verdict.ts'
import { median } from './statistics.ts'

/** Results that fewer endpoints answered than this share are `blocked`: one stray answer of a dozen does not open an app. */
export const BLOCKED_AT_MOST = 0.1
/**
 * Below this share an app is `partial`. A single lost packet among a dozen endpoints (11/12) is not yet partial; two of
 * six data centres (OONI's false negative in Brazil 2023, ooni/probe#2466) are.
 */
export const PARTIAL_BELOW = 0.9
/** Answers that take this many times as long as usual, against the agents' own controls, are `slow` (reference detection.md §5.4 B). */
export const SLOW_FROM = 1.5
/** One agent that is slower has a slow line or another route; two have the same trouble. */
export const SLOW_AGENTS = 2
/** Fewer results than this say nothing: one name that fails once is no verdict. */
export const LEAST_RESULTS = 3
/** Share of agents whose foreign controls fail from which the network, not the app, is the matter (reference detection.md §5.4 D). */
export const ISOLATED_FROM = 0.5
/** Agents that make a verdict confirmed (DESIGN §3; reference detection.md §5.6). */
export const CONFIRMING_AGENTS = 10
/** Networks that do. */
export const CONFIRMING_NETWORKS = 2
/** Votes of one prefix (a /24 or /48): a household or a rented rack is not a network (reference detection.md §5.6). */
export const VOTES_OF_PREFIX = 2
/** Controls abroad that must fail, in as many networks and countries, before an app is called down (DESIGN §3). */
export const CONTROLS_DOWN = 2

/** Whether something worked: null where it was not tried. */
export type Worked = boolean | null

/** What one agent saw of one app and feature within the window: its latest result of each deciding target. */
export type Witness = {
  attempts: number
  answered: number
  /** Token of its /24 or /48; none or 0 where unknown. */
  prefix?: number
  /** Failures by `layer/failure`. */
  failures: Readonly<Record<string, number>>
  foreign: Worked
  domestic: Worked
  /**
   * How many times as long as usual for this agent the answers took, against its foreign control in the same window;
   * null where that is not known. Pairing takes out hour and weekday, which target and control share.
   */
  slower?: number | null
  /** Whether the system's resolver gave the app's name a false address (probe dns, `dns_inconsistent`); null where nobody looked. */
  misled?: Worked
}

/** Control agents on unfiltered networks that asked the same app in the same window. */
export type Abroad = { asn: number; country: string; works: boolean }

export type Judgement = {
  verdict: Verdict
  layer: Layer | null
  mechanism: Mechanism | null
  state: State
  agents: number
}

const reachOf = (witnesses: readonly Witness[]): number =>
  median(witnesses.map(({ attempts, answered }) => answered / attempts))

/** Of one prefix those that come first; where it is unknown, everybody. */
const voters = (witnesses: readonly Witness[]): Witness[] => {
  const votes = new Map<number, number>()
  return witnesses.filter(({ prefix = 0 }) => {
    const cast = votes.get(prefix) ?? 0
    votes.set(prefix, cast + 1)
    return prefix === 0 || cast < VOTES_OF_PREFIX
  })
}

/** Share of witnesses for whom it failed, among those who tried; null where nobody did. */
const failing = (tried: readonly Worked[]): number | null => {
  const known = tried.filter(worked => worked !== null)
  return known.length === 0 ? null : known.filter(worked => !worked).length / known.length
}

/**
 * What paired transfers of the network's agents say (throttle.ts, `agree`). `own`: of this very feature; those of another
 * feature of the app tell only why this one is slow.
 */
export type Transfers = { own: boolean; confirmed: boolean | null; layer: Layer | null; mechanism: Mechanism | null }

/**
 * The verdict over (app, feature, network) in one window: a pure function, its truth table is its test. Order matters
 * and follows reference detection.md §2.3: first whether the line or the country is cut off, then whether the app is
 * down everywhere, and only then the app on this network.
 */
export const judge = (
  everybody: readonly Witness[],
  abroad: readonly Abroad[] = [],
  transfers: Transfers | null = null,
): Judgement => {
  const all = voters(everybody)
  const foreign = failing(all.map(witness => witness.foreign))
  const domestic = failing(all.map(witness => witness.domestic))
  const said = (
    verdict: Verdict,
    of: readonly Witness[],
    layer: Layer | null = null,
    mechanism: Mechanism | null = null,
  ): Judgement => ({
    verdict,
    layer,
    mechanism,
    state: of.length >= CONFIRMING_AGENTS ? 'confirmed' : 'unconfirmed',
    agents: of.length,
  })
  if (foreign !== null && foreign >= ISOLATED_FROM) {
    const inside = domestic !== null && domestic < ISOLATED_FROM
    return said(inside ? 'domestic_only' : 'network_down', all, null, inside ? 'isolation' : null)
  }
  // An agent whose own line is dead says nothing about the app.
  const witnesses = all.filter(({ attempts, foreign }) => attempts > 0 && foreign !== false)
  const results = witnesses.reduce((sum, { attempts }) => sum + attempts, 0)
  const few = results < LEAST_RESULTS
  const reach = few ? 1 : reachOf(witnesses)
  if (reach >= PARTIAL_BELOW && transfers?.confirmed && (transfers.own || isSlow(witnesses))) {
    // Three agents' tests that agree have confirmed it, however many others only looked.
    return { ...said('throttled', witnesses, transfers.layer, transfers.mechanism), state: 'confirmed' }
  }
  if (few) return said('insufficient', witnesses)
  if (reach >= PARTIAL_BELOW) return said(isSlow(witnesses) ? 'slow' : 'ok', witnesses)
  const { layer, mechanism } = isMisled(witnesses) ? MISLED : cause(witnesses)
  if (isDown(abroad)) return said('app_down', witnesses, layer)
  return said(reach <= BLOCKED_AT_MOST ? 'blocked' : 'partial', witnesses, layer, mechanism)
}

const isSlow = (witnesses: readonly Witness[]): boolean => {
  const slower = witnesses.flatMap(witness => witness.slower ?? [])
  return slower.length >= SLOW_AGENTS && median(slower) >= SLOW_FROM
}

/** Who is sent to a false address fails there in any way: it is the name that is blocked. */
const MISLED = { layer: 'dns', mechanism: 'injection' } as const
const isMisled = (witnesses: readonly Witness[]): boolean => {
  const known = witnesses.flatMap(({ misled }) => misled ?? [])
  return known.length > 0 && known.filter(Boolean).length * 2 > known.length
}

/** Whether it fails for all control agents, in enough networks and countries. */
export const isDown = (abroad: readonly Abroad[]): boolean => {
  const down = abroad.filter(({ works }) => !works)
  return (
    down.length === abroad.length &&
    new Set(down.map(({ asn }) => asn)).size >= CONTROLS_DOWN &&
    new Set(down.map(({ country }) => country)).size >= CONTROLS_DOWN
  )
}

/** How a failure comes about, where the failure alone says it. A lone timeout says no more than that packets were dropped. */
const mechanismOf: Readonly<Record<string, Mechanism>> = {
  dns_nxdomain_error: 'nxdomain',
  dns_refused_error: 'refuse',
  dns_bogon_error: 'injection',
  dns_injected: 'injection',
  dns_inconsistent: 'injection',
  connection_refused: 'refuse',
  connection_reset: 'rst',
  generic_timeout_error: 'drop',
  http_blockpage: 'blockpage',
}

/** The commonest layer of failure, and the commonest mechanism in it. */
export const cause = (
  witnesses: readonly Pick<Witness, 'failures'>[],
): { layer: Layer | null; mechanism: Mechanism | null } => {
  const layers = new Map<string, Map<string, number>>()
  for (const { failures } of witnesses) {
    for (const [key, count] of Object.entries(failures)) {
      const [layer = '', failure = ''] = key.split('/')
      const counts = layers.get(layer) ?? new Map<string, number>()
      counts.set(failure, (counts.get(failure) ?? 0) + count)
      layers.set(layer, counts)
    }
  }
  const sum = (counts: Map<string, number>) => counts.values().reduce((a, b) => a + b, 0)
  const [layer, counts] = [...layers].toSorted(([, a], [, b]) => sum(b) - sum(a))[0] ?? []
  const [failure] = [...(counts ?? [])].toSorted(([, a], [, b]) => b - a)[0] ?? []
  return { layer: (layer as Layer | undefined) ?? null, mechanism: mechanismOf[failure ?? ''] ?? null }
}

/** The headline of a country: of its networks’ verdicts the worst that stands firmly enough, else the commonest. */
export const judgeCountry = (
  networks: readonly {
    verdict: Verdict
    state: State
    layer: Layer | null
    mechanism: Mechanism | null
    agents: number
  }[],
  order: (a: Verdict, b: Verdict) => Verdict,
): Judgement => {
  const known = networks.filter(({ verdict }) => verdict !== 'insufficient')
  const counts: Record<string, number> = {}
  for (const { verdict } of known) counts[verdict] = (counts[verdict] ?? 0) + 1
  const agents = known.reduce((sum, { agents }) => sum + agents, 0)
  if (known.length === 0) {
    return { verdict: 'insufficient', layer: null, mechanism: null, state: 'unconfirmed', agents }
  }
  const firm = (verdict: Verdict): boolean =>
    (counts[verdict] ?? 0) >= CONFIRMING_NETWORKS ||
    known.some(network => network.verdict === verdict && network.state === 'confirmed')
  const candidates = [...new Set(known.map(({ verdict }) => verdict))]
  const confirmed = candidates.filter(firm)
  const verdict =
    confirmed.length > 0
      ? confirmed.reduce(order)
      : candidates.reduce((a, b) => {
          const difference = (counts[b] ?? 0) - (counts[a] ?? 0)
          return difference > 0 ? b : difference < 0 ? a : order(a, b)
        })
  const example = known.find(network => network.verdict === verdict)
  return {
    verdict,
    layer: example?.layer ?? null,
    mechanism: example?.mechanism ?? null,
    state: confirmed.length > 0 ? 'confirmed' : 'unconfirmed',
    agents,
  }
}
