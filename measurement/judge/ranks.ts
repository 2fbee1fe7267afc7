/**
 * Rank and count statistics for few, skewed, untrustworthy numbers. No package in use has them all (reference
 * detection.md §5.9); every function is held against scipy in test/measurement/ranks.test.ts.
 */

/** A location with its interval; `coverage` is what the interval really covers: three pairs cannot give 95 %. */
export type Interval = { value: number; low: number; high: number; coverage: number }

/** An interval on natural logarithms as a ratio. */
export const asRatio = ({ value, low, high, coverage }: Interval): Interval => ({
  value: Math.exp(value),
  low: Math.exp(low),
  high: Math.exp(high),
  coverage,
})

/** Share an interval leaves out on each side, where the numbers are enough for it. */
const TAIL = 0.025
/** Above this many orders of ranks the exact distribution gives way to the normal one. */
const EXACT = 10_000

/**
 * Hodges-Lehmann shift of `after` against `before`, the median of all differences, with the interval that the
 * Mann-Whitney ranks give (Hodges, Lehmann 1963; reference detection.md §3.2). Null of nothing.
 */
export const shiftOf = (before: readonly number[], after: readonly number[]): Interval | null => {
  const [n, m] = [before.length, after.length]
  if (n === 0 || m === 0) return null
  const differences = after.flatMap(b => before.map(a => b - a))
  return around(differences, n * m > EXACT ? normal((n * m) / 2, (n * m * (n + m + 1)) / 12) : mannWhitney(n, m))
}

/** The same of one sample about zero: the median of all averages of two, with the interval of the signed ranks (Walsh, Wilcoxon). */
export const centreOf = (values: readonly number[]): Interval | null => {
  const n = values.length
  if (n === 0) return null
  const averages = values.flatMap((a, i) => values.slice(i).map(b => (a + b) / 2))
  const exact = averages.length <= EXACT
  return around(averages, exact ? signedRanks(n) : normal((n * (n + 1)) / 4, (n * (n + 1) * (2 * n + 1)) / 24))
}

/** P(statistic <= k) under no effect. */
type Below = (k: number) => number

const around = (values: readonly number[], below: Below): Interval => {
  const sorted = Float64Array.from(values).sort()
  const { length } = sorted
  const half = length >> 1
  let out = 0
  while (out + 1 < length / 2 && below(out + 1) <= TAIL) out++
  return {
    value: length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2,
    low: sorted[out]!,
    high: sorted[length - 1 - out]!,
    coverage: Math.max(0, 1 - 2 * below(out)),
  }
}

const normal =
  (mean: number, variance: number): Below =>
  k =>
    upperTail((mean - k - 0.5) / Math.sqrt(variance))

/** Numbers of ways, made a distribution. */
const cumulative = (ways: Float64Array): Below => {
  const sums = new Float64Array(ways.length)
  let sum = 0
  for (const [i, count] of ways.entries()) sums[i] = sum += count
  return k => sums[Math.min(k, sums.length - 1)]! / sum
}

/** Ways to get each U: the coefficients of the Gaussian binomial (n+m over n). */
const mannWhitney = (n: number, m: number): Below => {
  const ways = new Float64Array(n * m + 1)
  ways[0] = 1
  for (let i = 1; i <= n; i++) {
    for (let at = n * m; at >= m + i; at--) ways[at]! -= ways[at - m - i]!
    for (let at = i; at <= n * m; at++) ways[at]! += ways[at - i]!
  }
  return cumulative(ways)
}

/** Ways to get each sum of some of 1..n. */
const signedRanks = (n: number): Below => {
  const ways = new Float64Array((n * (n + 1)) / 2 + 1)
  ways[0] = 1
  for (let rank = 1; rank <= n; rank++) for (let at = ways.length - 1; at >= rank; at--) ways[at]! += ways[at - rank]!
  return cumulative(ways)
}

/** `hits` of `tries`. */
export type Counted = { hits: number; tries: number }

/** One-sided Fisher exact test: chance of so many hits among `here` or more, were hits as likely `there` (Fisher 1922). */
export const fisher = (here: Counted, there: Counted): number => {
  const hits = here.hits + there.hits
  const all = logChoose(here.tries + there.tries, hits)
  let sum = 0
  for (let k = here.hits; k <= Math.min(hits, here.tries); k++) {
    if (hits - k > there.tries) continue
    sum += Math.exp(logChoose(here.tries, k) + logChoose(there.tries, hits - k) - all)
  }
  return Math.min(1, sum)
}

const logChoose = (n: number, k: number): number => {
  let sum = 0
  for (let i = 1; i <= Math.min(k, n - k); i++) sum += Math.log((n - Math.min(k, n - k) + i) / i)
  return sum
}

/** Stouffer's combination of one-sided p-values of independent tests; 1 of none. */
export const stouffer = (ps: readonly number[]): number =>
  ps.length === 0 ? 1 : upperTail(ps.reduce((sum, p) => sum + quantile(p), 0) / Math.sqrt(ps.length))

/** P(Z > z) of the standard normal: series in the middle, continued fraction in the tail (Abramowitz, Stegun 26.2.11, .14). */
const upperTail = (z: number): number => {
  if (z < 0) return 1 - upperTail(-z)
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z > 3) {
    let fraction = z
    for (let i = 80; i > 0; i--) fraction = z + i / fraction
    return density / fraction
  }
  let [term, sum] = [z, z]
  for (let i = 3; i < 100; i += 2) sum += term *= (z * z) / i
  return 0.5 - density * sum
}

/** The z with P(Z > z) = p, by halving. */
const quantile = (p: number): number => {
  let [low, high] = [-37, 37]
  for (let i = 0; i < 70; i++) {
    const middle = (low + high) / 2
    if (upperTail(middle) > p) low = middle
    else high = middle
  }
  return (low + high) / 2
}
