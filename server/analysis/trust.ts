import { CONFIRMING_AGENTS, CONFIRMING_NETWORKS, VOTES_OF_PREFIX } from '../../measurement/judge/verdict.ts'
import type { State } from '../../measurement/verdict.ts'
import { ALARM_AT, BREADTH, isBroad } from './mixture.ts'

/**
 * How far a finding may be trusted when some of its agents lie or are broken (reference detection.md §5.6). What one
 * agent can do is bounded four times: one vote a bin, two votes a prefix, those on one network, and the breadth gate.
 */

/** What one agent of one network contributed to a finding; `evidence` is its log likelihood ratio, 0 where not hit. */
export type Tally = { asn: number; agent: string; prefix: number; hit: boolean; evidence: number }

/** Share of the agents that may lie without a finding becoming confirmed (reference detection.md §5.8). */
export const LIARS = 0.3

/**
 * Confirmed: by ten agents that are hit, or on two networks at two prefixes each; and only while it would pass the
 * breadth gate still if the share of liars were all among those hit, and if any one prefix had said nothing. An agent's
 * network is its own claim, and its name differs from one to the other: a prefix counts for one network only.
 */
export const stateOf = (tallies: readonly Tally[]): State => {
  const hit = tallies.filter(tally => tally.hit)
  const enough = votesOf(hit) >= CONFIRMING_AGENTS || areApart(hit)
  return enough && standsLiars(hit.length, tallies.length) && standsWithoutAny(tallies) ? 'confirmed' : 'unconfirmed'
}

/** Where no prefix is known every agent has one of its own. */
const lineOf = ({ asn, agent, prefix }: Tally): number | string => prefix || `${asn} ${agent}`

const votesOf = (hit: readonly Tally[]): number =>
  [...Map.groupBy(hit, lineOf).values()].reduce((sum, of) => {
    const most = Math.max(
      ...Map.groupBy(of, ({ asn }) => asn)
        .values()
        .map(({ length }) => length),
    )
    return sum + Math.min(VOTES_OF_PREFIX, most)
  }, 0)

/** Whether two networks are hit at two prefixes each, none of them counted twice. */
const areApart = (hit: readonly Tally[]): boolean => {
  const networks = [...Map.groupBy(hit, ({ asn }) => asn).values()]
    .map(of => new Set(of.map(lineOf)))
    .filter(({ size }) => size >= BREADTH.agents)
  return networks.some((one, i) =>
    networks.slice(i + 1).some(other => one.union(other).size >= CONFIRMING_NETWORKS * BREADTH.agents),
  )
}

/** Whether the honest alone, were `LIARS` of all agents lying and among the hit, are broad. */
const standsLiars = (hit: number, all: number): boolean => {
  const liars = Math.floor(LIARS * all)
  return hit - liars >= Math.max(BREADTH.agents, Math.ceil(BREADTH.share * (all - liars)))
}

const standsWithoutAny = (tallies: readonly Tally[]): boolean => {
  const prefixes = new Set(tallies.filter(({ hit, prefix }) => hit && prefix !== 0).map(({ prefix }) => prefix))
  for (const prefix of prefixes) if (!stands(tallies.filter(tally => tally.prefix !== prefix))) return false
  return true
}

const stands = (tallies: readonly Tally[]): boolean => {
  const hit = tallies.filter(tally => tally.hit)
  const evidence = hit.reduce((sum, tally) => sum + tally.evidence, 0)
  return evidence > ALARM_AT && isBroad({ hit: hit.length, active: tallies.length })
}

/** An agent whose rows the operator should look at, and why; nobody is quarantined by this. */
export type Outlier = { agent: string; asn: number; share: number; others: number; reason: string }

/** So many trials before an agent is called an outlier, and so far from the median of the others in share of failures. */
const OUTLIER = { trials: 96, distance: 0.5, others: 4 } as const

type Counted = { agent: string; asn: number; tried: number; failed: number }

/**
 * Agents that say otherwise than the others of their network over a day or more: they fail where the others do not (a
 * broken line, a filter of their own, a lie), or work where the others fail (a VPN, a clock that is off, a lie).
 */
export const outliersOf = (agents: readonly Counted[]): Outlier[] => {
  const found: Outlier[] = []
  for (const of of Map.groupBy(agents, ({ asn }) => asn).values()) {
    const known = of.filter(({ tried }) => tried >= OUTLIER.trials)
    for (const { agent, asn, tried, failed } of known) {
      const rest = known.filter(other => other.agent !== agent).map(other => other.failed / other.tried)
      if (rest.length < OUTLIER.others) continue
      const others = rest.toSorted((a, b) => a - b)[rest.length >> 1]!
      const share = failed / tried
      if (Math.abs(share - others) < OUTLIER.distance) continue
      const reason =
        share > others
          ? 'It fails where most others of its network work: a line or filter of its own, or false rows.'
          : 'It works where most others of its network fail: behind a VPN or proxy, another place than it says, or false rows.'
      found.push({ agent, asn, share, others, reason })
    }
  }
  return found.toSorted((a, b) => (a.agent < b.agent ? -1 : 1))
}
