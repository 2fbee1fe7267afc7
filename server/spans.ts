import { verdicts } from '../measurement/verdict.ts'
import { ROLLUP_SECONDS, rollupLevels } from '../measurement/windows.ts'
import { rollups } from './rollup.ts'
import type { Store } from './store/store.ts'
import { type Touched, touchAll } from './touched.ts'

/** Times as long as it took that it rests, and milliseconds at most: every fifth second goes there, a minute late. */
const REST = 4
const LONGEST_REST_MS = 60_000
const levels = rollupLevels.filter(level => level !== ROLLUP_SECONDS)

/**
 * Hours and days, on a slower beat than windows: they are made of all rows of theirs and not of the touched windows only, so
 * the more there are, the longer it takes, and the rarer it is done.
 */
export class Spans {
  readonly #store: Store
  /** Asks for another `settle`. */
  readonly #again: () => void
  #touched: Touched = new Map()
  /** Not before, on the process's clock. */
  #rested = 0
  #resting: NodeJS.Timeout | undefined

  constructor(store: Store, again: () => void) {
    this.#store = store
    this.#again = again
  }

  /** These windows were rolled up: their hours and days are to be made anew. */
  add(judged: Touched): void {
    touchAll(this.#touched, judged)
  }

  /** Makes what is to be made, unless it rests. Returns whether something was made. */
  async settle(): Promise<boolean> {
    clearTimeout(this.#resting)
    if (this.#touched.size === 0) return false
    const began = performance.now()
    if (began < this.#rested) {
      this.#resting = setTimeout(this.#again, this.#rested - began).unref()
      return false
    }
    const touched = this.#touched
    this.#touched = new Map()
    try {
      await rollups(this.#store, touched, verdicts, levels)
    } catch (error) {
      this.add(touched)
      throw error
    }
    const ended = performance.now()
    this.#rested = ended + Math.min(REST * (ended - began), LONGEST_REST_MS)
    return true
  }

  /** The next `settle` is not to rest. */
  hurry(): void {
    this.#rested = 0
  }

  stop(): void {
    clearTimeout(this.#resting)
  }
}
