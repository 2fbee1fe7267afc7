/**
 * Detection of lost reach in one series (app, feature, network): the reach branch of reference detection.md §5.4, a
 * Bernoulli mixture CUSUM, with an end found the same way backwards. Pure and deterministic: the same trials give the
 * same episodes, in whatever order they arrived.
 */

/** What one agent saw within one detector bin: the share of deciding endpoints that did not answer. */
export type Trial = {
  /** Start of the bin, Unix seconds. */
  at: number
  agent: string
  attempts: number
  answered: number
}

/** A stretch in which reach was lost: [onset, end), `end` null while it lasts, `seen` its last failing trial. */
export type Episode = { onset: number; end: number | null; seen: number }

/** Shares of failing trials the mixture looks for: a tenth, nearly half, all (reference §3.2). */
const ALTERNATIVES = [0.15, 0.4, 0.9] as const
/** Least share of failures taken as normal, and how far above the usual share the null lies (reference §5.4 C). */
const NULL_FLOOR = 0.02
const NULL_FACTOR = 1.5
/** An alternative must differ from the null by this to be looked for. */
const LEAST_GAP = 0.1
/** Alarm threshold of the log likelihood ratio (reference §5.4 C). */
const ALARM_AT = 9
/** Prior of the usual share, Beta(1, 30), and its forgetting per bin (reference §5.4 B). */
const PRIOR = { failed: 1, tried: 31 } as const
const FORGET = 0.9995
/** Breadth: so many, and such a share, of the agents active within these seconds must be hit themselves (reference §5.4). */
const BREADTH = { agents: 2, share: 0.34, seconds: 3 * 3_600 } as const
/** A trial in which at least half of the endpoints fail is a hit of its agent. */
const HIT = 0.5
/** An alarm closes when a return to normal is this much likelier (100 to 1) than that it lasts. */
const CLOSE_AT = Math.log(100)

const llr = (share: number, q: number, p: number): number =>
  share * Math.log(q / p) + (1 - share) * Math.log((1 - q) / (1 - p))

const shareOf = ({ attempts, answered }: Trial): number => 1 - answered / attempts

/** Episodes of lost reach in a series. Trials are taken in order of time, then agent. */
export const episodesOf = (unordered: readonly Trial[]): Episode[] => {
  const trials = unordered.toSorted((a, b) => a.at - b.at || (a.agent < b.agent ? -1 : 1))
  const episodes: Episode[] = []
  let usual: { failed: number; tried: number } = { ...PRIOR }
  let sums = ALTERNATIVES.map(() => ({ sum: 0, onset: 0 }))
  let open: { episode: Episode; failed: number; tried: number; back: number; backFrom: number } | null = null
  for (const [index, trial] of trials.entries()) {
    const share = shareOf(trial)
    const normal = Math.max(NULL_FLOOR, (NULL_FACTOR * usual.failed) / usual.tried)
    if (open) {
      // The usual share is frozen meanwhile.
      open.failed += share
      open.tried++
      if (share >= HIT) open.episode.seen = trial.at
      const lasting = Math.min(0.98, Math.max(normal + LEAST_GAP, open.failed / open.tried))
      const before = open.back
      open.back = Math.max(0, open.back - llr(share, lasting, normal))
      if (before === 0 && open.back > 0) open.backFrom = trial.at
      if (open.back > CLOSE_AT) {
        open.episode.end = open.backFrom
        open = null
        sums = ALTERNATIVES.map(() => ({ sum: 0, onset: 0 }))
      }
      continue
    }
    sums = sums.map(({ sum, onset }, j) => {
      const q = ALTERNATIVES[j]!
      const next = q < normal + LEAST_GAP ? 0 : Math.max(0, sum + llr(share, q, normal))
      return { sum: next, onset: sum === 0 ? trial.at : onset }
    })
    const best = sums.reduce((a, b) => (b.sum > a.sum ? b : a))
    if (best.sum > ALARM_AT && broad(trials, index)) {
      const since = trials.filter(({ at }, i) => i <= index && at >= best.onset)
      const failed = since.reduce((sum, of) => sum + shareOf(of), 0)
      const episode = { onset: best.onset, end: null, seen: trial.at }
      episodes.push(episode)
      open = { episode, failed, tried: since.length, back: 0, backFrom: trial.at }
    } else if (best.sum === 0 || share < HIT) {
      usual = { failed: usual.failed * FORGET + share, tried: usual.tried * FORGET + 1 }
    }
  }
  return episodes
}

/** Whether enough different agents, of those active lately, are hit themselves. */
const broad = (trials: readonly Trial[], index: number): boolean => {
  const from = trials[index]!.at - BREADTH.seconds
  const active = new Set<string>()
  const hit = new Set<string>()
  for (let i = index; i >= 0 && trials[i]!.at >= from; i--) {
    active.add(trials[i]!.agent)
    if (shareOf(trials[i]!) >= HIT) hit.add(trials[i]!.agent)
  }
  return hit.size >= Math.max(BREADTH.agents, Math.ceil(BREADTH.share * active.size))
}
