import type { Clock } from '../../probes/agent/clock.ts'

type Sleeper = { until: number; wake: () => void }

/**
 * Time that passes only while everybody sleeps: real agents live weeks in minutes, and what they measure takes as long as it
 * really takes. `loops` is how many loops share the clock (an agent has two: it measures and it reports). Time moves by whole
 * ticks, as long as the hour asks for, so that many wake up together and measure at the same time.
 */
export class StillClock implements Clock {
  readonly #start: number
  readonly #tick: (at: number) => number
  readonly #loops: number
  readonly #sleepers = new Set<Sleeper>()
  /** Told before time moves on to `until` (Unix seconds); where it answers false, time stands still for good. */
  readonly #passing: (until: number) => Promise<boolean>
  #now: number
  #moving = false

  constructor(
    start: number,
    tick: (at: number) => number,
    loops: number,
    passing: (until: number) => Promise<boolean>,
  ) {
    this.#start = start
    this.#now = start
    this.#tick = tick
    this.#loops = loops
    this.#passing = passing
  }

  readonly wall = (): number => this.#now
  /** The machines of a laboratory booted an hour before it began. */
  readonly mono = (): number => this.#now - this.#start + 3_600

  readonly sleep = async (seconds: number, signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = () => resolve()
    const sleeper = { until: this.#now + Math.max(seconds, 0.001), wake }
    this.#sleepers.add(sleeper)
    signal.addEventListener('abort', wake)
    void this.#pass()
    await promise
    this.#sleepers.delete(sleeper)
    signal.removeEventListener('abort', wake)
  }

  async #pass(): Promise<void> {
    if (this.#moving || this.#sleepers.size < this.#loops) return
    this.#moving = true
    const first = Math.min(...[...this.#sleepers].map(({ until }) => until))
    const tick = this.#tick(this.#now)
    const next = Math.ceil(first / tick) * tick
    if (!(await this.#passing(next))) return
    this.#now = next
    this.#moving = false
    // Whoever wakes up stops counting as asleep at once, so that time cannot pass it by.
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > next) continue
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
}
