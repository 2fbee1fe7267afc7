/** Largest of 1, 2, 5 times a power of ten that is not above `value`. */
export function niceBelow(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const lead = value / power
  return power * (lead >= 5 ? 5 : lead >= 2 ? 2 : 1)
}

/** Adds an empty value wherever two neighbours lie further apart than `most`. */
export function withBreaks(times: number[], values: (number | null)[], most: number): [number[], (number | null)[]] {
  const x: number[] = []
  const y: (number | null)[] = []
  times.forEach((at, index) => {
    const last = times[index - 1]
    if (last !== undefined && at - last > most) {
      x.push((at + last) / 2)
      y.push(null)
    }
    x.push(at)
    y.push(values[index] ?? null)
  })
  return [x, y]
}
