/**
 * Noise that a network shares outlasts a bin, and the more agents it has, the less of their own noise hides it. Of noise
 * with memory, sums vary by (1 + r) / (1 − r) more than of noise without, r the correlation of one bin with the next; a
 * CUSUM of it is to be compared with as much more. Its thresholds are for networks of few agents, where r is about 0.6.
 */
export type Memory = {
  before: number
  /** Of deviations, products of each with the one before, and squares; forgotten over days. */
  products: number
  squares: number
}

/** What sums vary by anyway (`usual`), and the greatest correlation that is believed. */
const RULE = { forget: 0.998, prior: 48, usual: 5, most: 0.92 } as const

export const noMemory = (): Memory => ({ before: 0, products: 0, squares: RULE.prior })

export const remember = (memory: Memory, z: number): void => {
  memory.products = RULE.forget * memory.products + z * memory.before
  memory.squares = RULE.forget * memory.squares + z * z
  memory.before = z
}

/** How many times more must have come together than where few agents measure. */
export const inertia = ({ products, squares }: Memory): number => {
  const r = Math.max(0, Math.min(RULE.most, products / squares))
  return Math.max(1, (1 + r) / (1 - r) / RULE.usual)
}
