import { VOTES_OF_PREFIX } from '../../measurement/judge/verdict.ts'

/** What one agent saw of one (app, feature) on one network within one detector bin. Imports: one report, one trial. */
export type Trial = {
  /** Start of the bin, Unix seconds. */
  at: number
  agent: string
  /** Token of its /24 or /48; 0 where unknown (imports, the operator's own). */
  prefix: number
  /** Runs on deciding endpoints, and how many answered. */
  attempts: number
  answered: number
  /** ln(seconds to an answer of the target / of the agent's foreign control), medians of the bin; null unless both answered. */
  ratio: number | null
  /** Whether its foreign and domestic controls answered in the bin; null where none was tried. */
  foreign: boolean | null
  domestic: boolean | null
}

/** Share of the endpoints that did not answer. */
export const failedShare = ({ attempts, answered }: Pick<Trial, 'attempts' | 'answered'>): number =>
  1 - answered / attempts

/** A trial in which at least half of the endpoints fail is a hit of its agent. */
export const HIT = 0.5

/** Trials in order of time, then agent: whatever order they came in, they are judged in this one. */
export const ordered = <T extends Pick<Trial, 'at' | 'agent'>>(trials: readonly T[]): T[] =>
  trials.toSorted((a, b) => a.at - b.at || (a.agent < b.agent ? -1 : a.agent > b.agent ? 1 : 0))

/**
 * One vote per agent and bin, at most two per prefix; of more, those whose names sort first, so that the same rows
 * always elect the same. Takes the trials of one bin in order of agent.
 */
export const voters = (bin: readonly Trial[]): readonly Trial[] => {
  let kept: Trial[] | null = null
  for (let i = 0; i < bin.length; i++) {
    const trial = bin[i]!
    if (bin[i - 1]?.agent !== trial.agent && isVote(kept ?? bin, kept?.length ?? i, trial)) kept?.push(trial)
    else kept ??= bin.slice(0, i)
  }
  return kept ?? bin
}

/** Whether fewer than two of the first `count` share the prefix; bins are small, and mostly nothing is to be left out. */
const isVote = (among: readonly Trial[], count: number, { prefix }: Trial): boolean => {
  if (prefix === 0) return true
  let votes = 0
  for (let i = 0; i < count; i++) if (among[i]!.prefix === prefix) votes++
  return votes < VOTES_OF_PREFIX
}
