import type { Clock } from './clock.ts'
import type { AgentConfig } from './config.ts'
import { idleMeter, isQuiet, onBattery, onMetered } from './manners.ts'
import { profiles } from './profiles.ts'

type Rest = 'quiet' | 'battery' | 'metered'

const told: Record<Rest, string> = {
  quiet: 'quiet hours (PEYK_QUIET): nothing is measured',
  battery: 'on battery: nothing is measured, unless PEYK_BATTERY is yes',
  metered: 'on a line paid by the byte: nothing is measured, unless PEYK_PROFILE is metered',
}

/** Below this share of idle processor time a round is put off, so many times at most. */
const LEAST_IDLE = 0.05
const MOST_POSTPONED = 8

export type RestraintOptions = {
  config: AgentConfig
  clock: Clock
  log: (line: string) => void
  /** Share of idle processor time since it was last asked. */
  idle?: (() => number) | undefined
}

/** When an agent keeps from measuring. What waits is sent all the same. */
export class Restraint {
  resting: Rest | null = null
  private readonly options: RestraintOptions
  private readonly idle: () => number
  private postponed = 0

  constructor(options: RestraintOptions) {
    this.options = options
    this.idle = options.idle ?? idleMeter()
  }

  /** Quiet hours, on battery, or on a metered line: told when it begins. */
  async rests(): Promise<boolean> {
    const rest = await this.rest()
    if (rest && rest !== this.resting) this.options.log(told[rest])
    this.resting = rest
    return rest !== null
  }

  /**
   * The machine has no time to spare, so that its own load would be measured as the network's: the round waits, but not for
   * ever (what stalls all the same is marked). A lab does not wait.
   */
  busy(): boolean {
    const idle = this.idle()
    const waits = idle < LEAST_IDLE && this.postponed < MOST_POSTPONED && !this.options.config.loopback
    this.postponed = waits ? this.postponed + 1 : 0
    return waits
  }

  private async rest(): Promise<Rest | null> {
    const { quiet, battery, profile, loopback } = this.options.config
    if (quiet && isQuiet(quiet, new Date(this.options.clock.wall() * 1000))) return 'quiet'
    if (!battery && onBattery()) return 'battery'
    const spare = profile.bytesPerDay > profiles.metered.bytesPerDay && !loopback
    return spare && (await onMetered()) ? 'metered' : null
  }
}
