import { median } from '../../measurement/judge/statistics.ts'
import { failedShare, type Trial } from './trial.ts'
import { MAD_TO_DEVIATION } from './usual.ts'

/** When a change came: the bin that best splits a stretch of trials in before and after (reference detection.md §5.4). */

/** The search covers so much before the bin that showed the change, and so much after. */
const BEFORE_SECONDS = 48 * 3_600
const AFTER_SECONDS = 2 * 3_600
/** Ratios further than this from their agent's median are one lost packet, not a level. */
const OUTLIER = 3

/** Start of the bin from which more (`up`) or fewer tries fail; null where no bin splits that way. */
export const splitOfReach = (trials: readonly Trial[], shown: number, up: boolean): number | null => {
  const bins = new Map<number, { tried: number; failed: number }>()
  for (const trial of inReach(trials, shown)) {
    if (trial.attempts === 0 || trial.foreign === false) continue
    const bin = bins.get(trial.at) ?? { tried: 0, failed: 0 }
    bin.tried++
    bin.failed += failedShare(trial)
    bins.set(trial.at, bin)
  }
  const starts = [...bins.keys()].sort((a, b) => a - b)
  const all = { tried: 0, failed: 0 }
  for (const { tried, failed } of bins.values()) {
    all.tried += tried
    all.failed += failed
  }
  const before = { tried: 0, failed: 0 }
  let best = { at: null as number | null, gain: 0 }
  for (const at of starts) {
    const after = { tried: all.tried - before.tried, failed: all.failed - before.failed }
    const rises = before.tried > 0 && after.failed / after.tried > before.failed / before.tried
    const gain = likelihood(before) + likelihood(after) - likelihood(all)
    if (before.tried > 0 && rises === up && gain > best.gain) best = { at, gain }
    before.tried += bins.get(at)!.tried
    before.failed += bins.get(at)!.failed
  }
  return best.at
}

const inReach = (trials: readonly Trial[], shown: number): Trial[] =>
  trials.filter(({ at }) => at >= shown - BEFORE_SECONDS && at <= shown + AFTER_SECONDS)

const likelihood = ({ tried, failed }: { tried: number; failed: number }): number => {
  if (tried === 0) return 0
  const share = Math.min(1 - 1e-3, Math.max(1e-3, failed / tried))
  return failed * Math.log(share) + (tried - failed) * Math.log(1 - share)
}

/** The same of seconds: each agent's ratios have a mean before and one after; the gains of all agents are added up. */
export const splitOfRatio = (trials: readonly Trial[], shown: number, up: boolean): number | null => {
  const paired = inReach(trials, shown).filter(({ ratio }) => ratio !== null)
  const starts = [...new Set(paired.map(({ at }) => at))].sort((a, b) => a - b)
  const place = new Map(starts.map((at, index) => [at, index]))
  const gains = new Float64Array(starts.length)
  for (const own of Map.groupBy(paired, ({ agent }) => agent).values()) addGains(gains, own, place, up)
  let best = 0
  let found: number | null = null
  for (const [index, gain] of gains.entries()) {
    if (gain <= best) continue
    best = gain
    found = starts[index]!
  }
  return found
}

const addGains = (
  gains: Float64Array,
  own: readonly Trial[],
  place: ReadonlyMap<number, number>,
  up: boolean,
): void => {
  const ratios = own.map(({ ratio }) => ratio!)
  const steps = ratios.slice(1).map((ratio, at) => Math.abs(ratio - ratios[at]!))
  if (steps.length < 3) return
  // Noise from one bin to the next: a level that changes once does not widen it.
  const deviation = Math.max(0.03, (MAD_TO_DEVIATION * median(steps)) / Math.SQRT2)
  const centre = median(ratios)
  const spread = Math.max(deviation, MAD_TO_DEVIATION * median(ratios.map(ratio => Math.abs(ratio - centre))))
  const calm = ratios.map(
    ratio => Math.max(-OUTLIER, Math.min(OUTLIER, (ratio - centre) / spread)) * (spread / deviation),
  )
  const total = calm.reduce((sum, ratio) => sum + ratio, 0)
  let sum = 0
  let from = 0
  for (const [index, ratio] of calm.entries()) {
    if (index > 0) {
      const [before, after] = [sum / index, (total - sum) / (calm.length - index)]
      const gain = ((index * (calm.length - index)) / calm.length) * (after - before) ** 2
      // The change may lie anywhere in the agent's pause before this trial.
      const until = place.get(own[index]!.at)!
      if (after > before === up) for (let i = from + 1; i <= until; i++) gains[i]! += gain
    }
    sum += ratio
    from = place.get(own[index]!.at)!
  }
}
