import { outcome } from '../../measurement/judge/outcome.ts'
import type { Operation, Step } from '../../measurement/step.ts'
import type { Target } from '../../measurement/target.ts'
import type { Run, RunOptions } from '../probe.ts'
import { classify, Failed } from './classify.ts'
import { cameLate, watchLoop } from './stall.ts'

/** What a step found besides its failure. `took` notes its duration where work goes on after the answer, and whether that may be too long. */
export type Note = Partial<
  Pick<Step, 'code' | 'hash' | 'mark' | 'count' | 'series' | 'reached' | 'gap' | 'duration'> & { late: boolean }
>

/** Bytes a socket has carried. */
export type Meter = () => { sent: number; received: number }

/** Something that must be closed when the run ends: a socket. */
export type Closable = { destroy(): void; closed: Promise<void> }

const proofs = ['none', 'certificate', 'protocol', 'key'] as const

/** Most steps a measurement may hold (measurement/measurement.ts). */
const MAX_STEPS = 64

/** One run being recorded: its steps, its sockets, its time limit. */
export class Trace {
  readonly target: Target
  readonly options: RunOptions
  /** Aborts with a `Failed` that says whether time ran out or the caller stopped the run. */
  readonly signal: AbortSignal
  readonly steps: Step[] = []
  connected: string | null = null
  private proof: Run['origin_proof'] = 'none'
  private readonly began = performance.now()
  private readonly abort = new AbortController()
  private readonly timer: NodeJS.Timeout
  private readonly stopWatch = watchLoop()
  private stalled = false
  private readonly open = new Map<Closable, Meter>()
  private readonly interrupt = (): void => this.abort.abort(new Failed('interrupted'))

  constructor(target: Target, options: RunOptions) {
    this.target = target
    this.options = options
    this.signal = this.abort.signal
    this.timer = setTimeout(() => this.abort.abort(new Failed('generic_timeout_error')), target.timeout * 1000)
    if (options.signal?.aborted) this.interrupt()
    options.signal?.addEventListener('abort', this.interrupt)
  }

  /** Seconds since the run began. */
  now(): number {
    return (performance.now() - this.began) / 1000
  }

  /** The answer is here: note how long it took, and whether this process may have kept it waiting. */
  took(note: Note, start: number): void {
    note.duration = this.now() - start
    note.late = cameLate(note.duration)
  }

  /** Seconds left. */
  left(): number {
    return Math.max(0, this.target.timeout - this.now())
  }

  keep(closable: Closable, meter: Meter): void {
    this.open.set(closable, meter)
    if (this.signal.aborted) closable.destroy()
  }

  /** The same run, for questions in service of one of its steps: their sockets are the run's, their own steps are not kept. */
  aside(): Trace {
    return Object.create(this, { steps: { value: [] } }) as Trace
  }

  /** Bytes on all sockets so far. */
  readonly carried: Meter = () => {
    const meters = [...this.open.values()].map(meter => meter())
    return {
      sent: meters.reduce((sum, meter) => sum + meter.sent, 0),
      received: meters.reduce((sum, meter) => sum + meter.received, 0),
    }
  }

  /** The strongest proof of origin seen counts. */
  prove(proof: Run['origin_proof']): void {
    if (proofs.indexOf(proof) > proofs.indexOf(this.proof)) this.proof = proof
  }

  /**
   * Run one operation and append its Step. Network trouble ends in the step's failure and gives null; anything else is a
   * bug and is thrown.
   */
  async step<T>(operation: Operation, meter: Meter, work: (note: Note) => Promise<T>): Promise<T | null> {
    if (this.steps.length >= MAX_STEPS)
      throw new Error(`A probe of kind ${this.target.kind} took more than ${MAX_STEPS} steps`)
    const note: Note = {}
    const start = this.now()
    const before = meter()
    let failure: string | null = null
    let value: T | null = null
    try {
      value = await this.within(work(note))
    } catch (error) {
      failure = classify(error)
      if (failure === null) throw error
      if (error instanceof Failed && error.code !== undefined) note.code = error.code
    }
    if (note.duration === undefined) this.took(note, start)
    const { duration = 0, late, ...rest } = note
    if (late && failure === null) this.stalled = true
    const after = meter()
    const sent = after.sent - before.sent
    const received = after.received - before.received
    this.steps.push({ operation, start, duration, sent, received, failure, ...rest })
    return value
  }

  /** The promise, or the abort's reason if that comes first. */
  within<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {})
    return new Promise<T>((resolve, reject) => {
      const stop = (): void => reject(this.signal.reason as Failed)
      if (this.signal.aborted) return stop()
      this.signal.addEventListener('abort', stop, { once: true })
      promise.then(resolve, reject).finally(() => this.signal.removeEventListener('abort', stop))
    })
  }

  /** Close every socket, and wait until they are closed. */
  async close(): Promise<void> {
    clearTimeout(this.timer)
    if (this.stopWatch()) this.stalled = true
    this.options.signal?.removeEventListener('abort', this.interrupt)
    for (const closable of this.open.keys()) closable.destroy()
    await Promise.all([...this.open.keys()].map(closable => closable.closed))
  }

  run(): Run {
    const { answered, failure } = outcome(this.target.kind, this.steps)
    return {
      steps: this.steps,
      failure,
      origin_proof: answered ? this.proof : 'none',
      connected: this.connected,
      dc: answered ? (this.target.dc ?? null) : null,
      ...this.carried(),
      stalled: this.stalled,
    }
  }
}
