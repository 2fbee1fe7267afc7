import { createHash } from 'node:crypto'

/** Resampling of days, deterministic: the same name gives the same draws on every machine. */

/** Uniform numbers of [0, 1) from a name: sfc32 (Doty-Humphrey, PractRand), seeded by SHA-256. */
export const randomFrom = (name: string): (() => number) => {
  const seed = createHash('sha256').update(name).digest()
  let [a, b, c] = [seed.readInt32LE(0), seed.readInt32LE(4), seed.readInt32LE(8)]
  let counter = 1
  return () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
}

/**
 * Positions of a circular block bootstrap (Politis & Romano 1992): blocks of consecutive positions, from anywhere, past
 * the end going on at the start; days that follow each other keep what they have in common.
 */
export const circularBlocks = (length: number, wanted: number, block: number, random: () => number): number[] => {
  const drawn: number[] = []
  while (drawn.length < wanted) {
    const first = Math.floor(random() * length)
    for (let i = 0; i < block && drawn.length < wanted; i++) drawn.push((first + i) % length)
  }
  return drawn
}

/** Quantile by linear interpolation (Hyndman & Fan's type 7, numpy's default) of values in order; NaN of nothing. */
export const quantile = (sorted: readonly number[], p: number): number => {
  const at = (sorted.length - 1) * p
  const low = sorted[Math.floor(at)]
  const high = sorted[Math.ceil(at)]
  return low === undefined || high === undefined ? Number.NaN : low + (high - low) * (at - Math.floor(at))
}
