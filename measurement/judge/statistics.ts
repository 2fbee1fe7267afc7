/** Median; NaN of nothing. */
export const median = (values: readonly number[]): number => {
  // The commonest lengths, millions of times in a rebuilt week; then a sort that needs no comparison of ours.
  if (values.length === 1) return values[0]!
  if (values.length === 2) return (values[0]! + values[1]!) / 2
  const sorted = values.length <= FEW ? inserted(values) : new Float64Array(values).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** So few values are sorted by insertion in half the time. */
const FEW = 28

const inserted = (values: readonly number[]): number[] => {
  const sorted = values.slice()
  for (let i = 1; i < sorted.length; i++) {
    const value = sorted[i]!
    let at = i
    while (at > 0 && sorted[at - 1]! > value) sorted[at] = sorted[--at]!
    sorted[at] = value
  }
  return sorted
}

/** Normal quantile of a two-sided 95 % interval. */
const Z = 1.96

/** Wilson score interval, 95 %, of a share seen on n independent agents (Wilson 1927; reference detection.md §3.2). */
export const wilson = (share: number, n: number): { low: number; high: number } => {
  if (n <= 0) return { low: 0, high: 1 }
  const z2 = (Z * Z) / n
  const centre = (share + z2 / 2) / (1 + z2)
  const half = (Z / (1 + z2)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n))
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}
