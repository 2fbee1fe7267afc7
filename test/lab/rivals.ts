import type { Leg, Pair } from '../../measurement/judge/throttle.ts'
import type { Arrivals } from './flow.ts'

/** What others' rules would have said on the very same transfers, and what each would have cost. Ours after their texts (reference detection.md §1). */

export type Timed = Pair & { timeline: { app: Arrivals; control: Arrivals } }

/** OONI's Web Connectivity asks whether it came: slow is fine, what breaks off or never begins is an anomaly. */
export const yesNo = ([first]: readonly Timed[]): boolean =>
  first !== undefined && first.app.end !== 'whole' && first.app.end !== 'cap' && first.control.end === 'whole'

/** A single flow, judged by a number: under 1 Mbit/s an app is called throttled. */
export const singleFlow = ([first]: readonly Timed[]): boolean =>
  first !== undefined && first.app.got / Math.max(first.app.span, 1e-3) < 1e6 / 8

/**
 * Wehe (reference §1.3): 100 samples of throughput of each replay; the area between their distributions over the larger
 * throughput 0.5 (0.3 above 10 Mbit/s), and Kolmogorov-Smirnov below 1 %; both on a replay and on its confirmation.
 */
export const wehe = (pairs: readonly Timed[]): boolean =>
  pairs.length >= 2 &&
  pairs.slice(0, 2).every(({ app, control, timeline }) => {
    const [a, b] = [samples(timeline.app, app), samples(timeline.control, control)]
    const most = Math.max(...a, ...b)
    const mean = (of: readonly number[]): number => of.reduce((sum, x) => sum + x, 0) / of.length
    const least = Math.max(mean(a), mean(b)) > 1.25e6 ? 0.3 : 0.5
    const faster = mean(b) > mean(a)
    return most > 0 && faster && area(a, b) / most >= least && kolmogorov(a, b) < 0.01
  })

const SAMPLES = 100

const samples = (arrivals: Arrivals, leg: Leg): number[] => {
  const [first] = arrivals
  if (!first || leg.span <= 0) return Array.from({ length: SAMPLES }, () => 0)
  let at = 0
  let before = 0
  return Array.from({ length: SAMPLES }, (_, i) => {
    const until = first.at + ((i + 1) * leg.span) / SAMPLES
    while (at + 1 < arrivals.length && arrivals[at + 1]!.at <= until) at++
    const bytes = arrivals[at]!.bytes - before
    before = arrivals[at]!.bytes
    return (bytes * SAMPLES) / leg.span
  })
}

/** Integral of the difference of the two distribution functions; for equal counts the mean distance of sorted samples. */
const area = (a: readonly number[], b: readonly number[]): number => {
  const [x, y] = [a.toSorted((p, q) => p - q), b.toSorted((p, q) => p - q)]
  return x.reduce((sum, value, i) => sum + Math.abs(value - y[i]!), 0) / x.length
}

/** p of the two-sample Kolmogorov-Smirnov test, asymptotic. */
const kolmogorov = (a: readonly number[], b: readonly number[]): number => {
  const share = (of: readonly number[], x: number): number => of.filter(value => value <= x).length / of.length
  const distance = Math.max(...[...a, ...b].map(x => Math.abs(share(a, x) - share(b, x))))
  const root = Math.sqrt((a.length * b.length) / (a.length + b.length))
  const scaled = (root + 0.12 + 0.11 / root) * distance
  let sum = 0
  for (let k = 1; k < 100; k++) sum += 2 * (-1) ** (k - 1) * Math.exp(-2 * k * k * scaled * scaled)
  return Math.min(1, Math.max(0, sum))
}
