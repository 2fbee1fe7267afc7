/**
 * Bernoulli mixture CUSUM (reference detection.md §3.2): looks in a stream of tries, of which a few usually fail, for the
 * moment from which more do, by a tenth, by half, or all. Holds beside it what each agent contributed since then, for
 * the breadth gate.
 */
export type Mixture = {
  /** Log likelihood ratio and the bin it began at, for each alternative. */
  sums: { sum: number; onset: number }[]
  /** Discounted counts of the usual share, Beta prior included. */
  failed: number
  tried: number
  /** By agent, since the oldest sum began: failed, tried, newest bin. */
  agents: Map<string, [number, number, number]>
}

export type MixtureRule = {
  /** Shares looked for. */
  alternatives: readonly number[]
  /** Least share of failures taken as normal. */
  floor: number
}

/** How far above the usual share the null lies (reference detection.md §5.4). */
const NULL_FACTOR = 1.5
/** An alternative must differ from the null by this to be looked for. */
const LEAST_GAP = 0.1
/** Alarm threshold of the log likelihood ratio. */
export const ALARM_AT = 9
/** Prior of the usual share, Beta(1, 30), and its forgetting per bin. */
const PRIOR = { failed: 1, tried: 31 } as const
const FORGET = 0.9995
/** Agents of one network are not independent: n of them weigh n / (1 + (n - 1) / 5). */
const CORRELATION = 0.2
/** An agent is hit itself when its own tries say so by this log likelihood ratio. */
const OWN_EVIDENCE = 2
/** Breadth: so many, and such a share, of the agents active within these seconds must be hit themselves. */
export const BREADTH = { agents: 2, share: 0.34, seconds: 3 * 3_600 } as const

export const weightOf = (votes: number): number => 1 / (1 + (votes - 1) * CORRELATION)

export const noMixture = (rule: MixtureRule): Mixture => ({
  sums: rule.alternatives.map(() => ({ sum: 0, onset: 0 })),
  ...PRIOR,
  agents: new Map(),
})

export const normalShare = ({ failed, tried }: Mixture, { floor }: MixtureRule): number =>
  Math.min(0.8, Math.max(floor, (NULL_FACTOR * failed) / tried))

export const llr = (failed: number, tried: number, q: number, p: number): number =>
  failed * Math.log(q / p) + (tried - failed) * Math.log((1 - q) / (1 - p))

export type Vote = { agent: string; failed: number }

/** Take the votes of one bin; gives the greatest sum. */
export const take = (mixture: Mixture, rule: MixtureRule, at: number, votes: readonly Vote[], line = 0): number => {
  let failed = 0
  for (const vote of votes) failed += vote.failed
  // Mostly: nothing failed, and nothing had.
  if (failed === 0 && mixture.sums.every(({ sum }) => sum === 0)) {
    for (const of of mixture.sums) of.onset = at
    mixture.agents.clear()
    return 0
  }
  const normal = Math.min(0.9, 1 - (1 - normalShare(mixture, rule)) * (1 - line))
  const weight = weightOf(votes.length)
  let best = 0
  for (let j = 0; j < mixture.sums.length; j++) {
    const of = mixture.sums[j]!
    const q = rule.alternatives[j]!
    const next = q < normal + LEAST_GAP ? 0 : Math.max(0, of.sum + weight * llr(failed, votes.length, q, normal))
    if (of.sum === 0) of.onset = at
    of.sum = next
    best = Math.max(best, next)
  }
  if (best === 0) mixture.agents.clear()
  else for (const { agent, failed: of } of votes) contribute(mixture.agents, agent, of, at)
  return best
}

const contribute = (agents: Mixture['agents'], agent: string, failed: number, at: number): void => {
  const own = agents.get(agent)
  if (!own) agents.set(agent, [failed, 1, at])
  else {
    own[0] += failed
    own[1]++
    own[2] = at
  }
}

/** What is learned of the usual share, from bins outside trouble. */
export const usually = (mixture: Mixture, votes: readonly Vote[]): void => {
  mixture.failed *= FORGET
  mixture.tried *= FORGET
  for (const { failed } of votes) mixture.failed += failed
  mixture.tried += votes.length
}

/** Agents that are hit themselves, and those active lately. */
export const breadthOf = (mixture: Mixture, rule: MixtureRule, at: number): { hit: number; active: number } => {
  const normal = normalShare(mixture, rule)
  let hit = 0
  let active = 0
  for (const [failed, tried, seen] of mixture.agents.values()) {
    if (seen < at - BREADTH.seconds) continue
    active++
    const share = Math.min(0.98, failed / tried)
    if (share > normal && llr(failed, tried, share, normal) > OWN_EVIDENCE) hit++
  }
  return { hit, active }
}

export const isBroad = ({ hit, active }: { hit: number; active: number }): boolean =>
  hit >= Math.max(BREADTH.agents, Math.ceil(BREADTH.share * active))

export const reset = (mixture: Mixture): void => {
  for (const of of mixture.sums) of.sum = 0
  mixture.agents.clear()
}

/** Since when, by the sum that is greatest. */
export const onsetOf = ({ sums }: Mixture): number => sums.reduce((a, b) => (b.sum > a.sum ? b : a)).onset
