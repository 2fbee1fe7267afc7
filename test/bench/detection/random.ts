/** Seeded random numbers (mulberry32): the same seed, the same world, on every machine. */
export class Random {
  #state: number
  #spare: number | null = null

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) | 0
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** Normal with mean 0 and deviation 1 (Box and Muller). */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()))
    const angle = 2 * Math.PI * this.next()
    this.#spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  /** Whether something that comes once in `mean` bins comes in this one. */
  once(mean: number): boolean {
    return this.next() < 1 / mean
  }
}
