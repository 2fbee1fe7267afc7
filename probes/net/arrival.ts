import { CAP, FROZEN_SECONDS } from '../../measurement/judge/throttle.ts'
import { transferMarks } from '../../measurement/step.ts'
import type { Note } from './trace.ts'

/** Milliseconds between two looks at the bytes, of one entry of the series, and most entries a step may hold. */
const LOOK = 20
const TICK = 100
const MAX_TICKS = 256

/**
 * Bytes against time, kept in the note of a step as they come, so that a transfer that is given up keeps what it saw:
 * `reached` and `gap` from the first byte on, `series` from the start of the step. Bytes are looked at every 20 ms and
 * whenever `look` is called; `bytes` gives how many have come so far.
 */
export class Arrival {
  private readonly note: Note
  private readonly bytes: () => number
  private readonly start = performance.now()
  private readonly timer: NodeJS.Timeout
  private readonly end = Promise.withResolvers<'cap'>()
  private first: number | null = null
  private last = 0
  private seen = 0
  private longest = 0

  constructor(note: Note, bytes: () => number) {
    this.note = note
    this.bytes = bytes
    note.reached = transferMarks.map(() => null)
    note.series = []
    note.gap = 0
    this.timer = setInterval(() => {
      this.look()
      if (performance.now() - (this.first ?? this.start) >= CAP * 1000) this.end.resolve('cap')
    }, LOOK)
    this.look()
  }

  /** Time is up: `CAP` after the first byte, or where none came after the start. */
  get over(): Promise<'cap'> {
    return this.end.promise
  }

  look(): void {
    const now = performance.now()
    const { series, reached } = this.note
    // What had come by the end of a tick that is over is what was seen last.
    while (series!.length < Math.min(MAX_TICKS, Math.floor((now - this.start) / TICK))) series!.push(this.seen)
    const bytes = this.bytes()
    if (bytes > this.seen) {
      this.first ??= now
      this.longest = Math.max(this.longest, this.last && now - this.last)
      this.last = now
      this.seen = bytes
      transferMarks.forEach((mark, at) => {
        if (bytes >= mark) reached![at] ??= (now - this.first!) / 1000
      })
    }
    this.note.gap = Math.max(this.longest, this.last && now - this.last) / 1000
  }

  /** Seconds from the first byte to the last that came. */
  span(): number {
    return this.first === null ? 0 : (this.last - this.first) / 1000
  }

  /** Whether nothing has come for so long that the flow is frozen. */
  frozen(): boolean {
    return (performance.now() - (this.last || this.start)) / 1000 > FROZEN_SECONDS
  }

  /** Stops, and forgets the silence since the last byte: whoever waited on did so for what may have been lost. */
  stopAtLast(): void {
    this.stop()
    this.note.gap = this.longest / 1000
    this.note.series!.length = Math.min(
      this.note.series!.length,
      Math.max(0, Math.ceil((this.last - this.start) / TICK)),
    )
  }

  stop(): void {
    clearInterval(this.timer)
    this.look()
  }
}
