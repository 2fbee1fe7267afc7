import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import { setTimeout } from 'node:timers/promises'

/** The two clocks of an agent: the wall clock may lie and jump, the other only runs. */
export type Clock = {
  /** Unix seconds, as this machine believes. */
  wall(): number
  /** Seconds since the machine booted; never jumps, counts sleep where the system does. */
  mono(): number
  /** Waits so many seconds, or until `signal` aborts; never rejects. */
  sleep(seconds: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  wall: () => Date.now() / 1000,
  mono: uptime,
  sleep: (seconds, signal) => setTimeout(seconds * 1000, undefined, { signal }).catch(() => {}),
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/**
 * Name of this boot, 16 hex digits. On Linux it is the same for every process of one boot, so that what was measured
 * before a restart of the agent can still be placed in time, and it is keyed, so that two agents of one machine (or
 * one before and after `rotate`) do not share it. Elsewhere it lasts as long as the process.
 */
export const bootName = (keyed: (text: string) => Buffer): string => {
  try {
    return keyed(`boot ${readFileSync(BOOT_ID, 'utf8').trim()}`)
      .toString('hex')
      .slice(0, 16)
  } catch {
    return randomBytes(8).toString('hex')
  }
}
