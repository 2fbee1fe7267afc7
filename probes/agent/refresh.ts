import type { Clock } from './clock.ts'
import { type Dated, DocumentRefused, type Keeper } from './document.ts'
import { scrub } from './scrub.ts'
import type { Way } from './transport.ts'

export type RefreshOptions<T extends Dated> = {
  /** For people: `catalogue`. */
  name: string
  path: string
  keeper: Keeper<T>
  way: Way
  clock: Clock
  /** Seconds after which a document that is held is asked for again; null where the server tells of newer ones. */
  every: number | null
  onNew(document: T): void
  onRefused(reason: string): void
}

const LIMIT = 8 * 2 ** 20
/** Seconds until one that was refused, or is not there, is asked for again. */
const PAUSE = { first: 60, most: 6 * 3_600 }

/** Fetches a signed document when there is none, when the server named a newer one, or when it is time; what is no good is not asked for at once again. */
export class Refresh<T extends Dated> {
  private readonly options: RefreshOptions<T>
  private at = 0
  private pause = PAUSE.first
  private wanted = 0
  private etag = ''

  constructor(options: RefreshOptions<T>) {
    this.options = options
  }

  /** The server holds this version. */
  newest(version: number): void {
    this.wanted = version
  }

  /** Throws `Unanswered` where no answer came; everything else is told to `onRefused`. */
  async now(signal: AbortSignal): Promise<void> {
    const { name, path, keeper, way, clock, every } = this.options
    const held = keeper.current()
    const due = !held || this.wanted > held.version || every !== null
    if (!due || clock.mono() < this.at) return
    const headers = this.etag ? { 'if-none-match': this.etag } : {}
    const answer = await way.ask({ method: 'GET', path, headers, limit: LIMIT }, signal)
    this.at = clock.mono() + this.pause
    this.pause = Math.min(PAUSE.most, this.pause * 2)
    try {
      if (answer.status !== 304) {
        if (answer.status !== 200) throw new DocumentRefused(`The server answered ${answer.status}.`)
        this.etag = answer.headers['etag'] ?? ''
        const isNew = await keeper.offer(answer.body.toString('latin1'), clock.wall())
        if (!isNew && this.wanted > (held?.version ?? 0)) return // Promised, and not given: not at once again.
        if (isNew) this.options.onNew(keeper.current()!)
      }
      this.at = every === null ? 0 : clock.mono() + every
      this.pause = PAUSE.first
    } catch (error) {
      if (!(error instanceof DocumentRefused)) throw error
      this.options.onRefused(`${name}: ${scrub(error.message)}`)
    }
  }
}
