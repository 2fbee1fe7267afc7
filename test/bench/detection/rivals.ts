import { ordered, type Trial } from '../../../server/analysis/trial.ts'

/** What others would say of the same trials. Each gives the ends of the bins in which it would alarm. */
export type Rival = (trials: readonly Trial[]) => number[]

const BIN = 900

/**
 * Blackbox style: the alert people write first, on probe_success and probe_duration_seconds, without controls: under
 * 90 % of the tries of half an hour answer, for 30 minutes; or the median of answers is above 1.5 times the day's.
 */
export const fixedThreshold =
  (what: 'reach' | 'slow'): Rival =>
  trials => {
    const bins = [...Map.groupBy(ordered(trials), ({ at }) => at)]
    const alarms: number[] = []
    const day: number[] = []
    let long = 0
    for (const [at, bin] of bins) {
      const seconds = bin.flatMap(({ ratio }) => ratio ?? []).sort((a, b) => a - b)
      const middle = seconds[seconds.length >> 1]
      const usual = day.toSorted((a, b) => a - b)[day.length >> 1]
      const answered = bin.reduce((sum, of) => sum + of.answered, 0) / bin.reduce((sum, of) => sum + of.attempts, 0)
      const bad =
        what === 'reach'
          ? answered < 0.9
          : middle !== undefined && usual !== undefined && middle - usual > Math.log(1.5)
      if (middle !== undefined) day.push(middle)
      if (day.length > 96) day.shift()
      long = bad ? long + 1 : 0
      if (long >= 2) alarms.push(at + BIN)
    }
    return alarms
  }

/**
 * OONI's detector (reference detection.md §3.1): hourly median score y of the failures, S = max(0, S + y - 0.35), alarm
 * at 3.5; two-sided, so it falls back the same way. It has no rule for seconds: a slow answer is an answer.
 */
export const ooniCusum: Rival = trials => {
  const hours = Map.groupBy(ordered(trials), ({ at }) => Math.floor(at / 3_600))
  const alarms: number[] = []
  let up = 0
  let down = 0
  let blocked = false
  for (const [hour, of] of hours) {
    const scores = of.map(({ attempts, answered }) => 1 - answered / attempts).sort((a, b) => a - b)
    const y = scores[scores.length >> 1]!
    up = Math.max(0, up + y - 0.35)
    down = Math.max(0, down + 0.35 - y)
    if (!blocked && up > 3.5) {
      blocked = true
      down = 0
    } else if (blocked && down > 3.5) {
      blocked = false
      up = 0
    }
    if (blocked) alarms.push((hour + 1) * 3_600)
  }
  return alarms
}
