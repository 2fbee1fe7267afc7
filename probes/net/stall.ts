import { performance } from 'node:perf_hooks'

/** Milliseconds between two ticks, and the delay of one tick, or of anything, that counts as a stall. */
const TICK = 20
const STALL = 50
/**
 * Milliseconds for which a step's answer may have waited in this process and still tell the network's time, or a share of
 * the step where that is more. A twentieth changes no verdict (the least slow-down told is 1.25); 10 ms is what the smallest
 * machines need for a handshake's own arithmetic, which is no wait: with less they would never tell the seconds of a near host.
 */
const MAX_WAIT = 10
const MAX_SHARE = 0.05

let users = 0
let timer: NodeJS.Timeout | undefined
let lastTick = 0
let lastStall = Number.NEGATIVE_INFINITY
let lastLook = { at: 0, idle: 0 }
let awake = 0
let turnWatched = false

/** What happens while the loop sleeps wakes it: nothing can have waited longer than since it last did. */
const look = (): number => {
  const [at, idle] = [performance.now(), performance.nodeTiming.idleTime]
  const slept = idle - lastLook.idle
  const ran = at - lastLook.at - slept
  awake = slept > 0 ? ran : awake + ran
  lastLook = { at, idle }
  if (awake > STALL) lastStall = at
  return awake
}

const tick = (): void => {
  const at = performance.now()
  // Sleep that lasts too long is no sleep: the machine gave this process no processor.
  if (at - lastTick > TICK + STALL) lastStall = at
  lastTick = at
  look()
}

/**
 * Milliseconds that the event being handled may have waited in this process, at most: what the loop has run since it
 * last slept. Asks for a look at the end of this turn too, so that the next answer holds little of this one.
 */
export const mayHaveWaited = (): number => {
  if (!turnWatched) {
    turnWatched = true
    setImmediate(() => {
      turnWatched = false
      look()
    })
  }
  return look()
}

/** Whether an event that ends a step may have waited too long for the step's seconds to be the network's. */
export const cameLate = (seconds: number): boolean => mayHaveWaited() > Math.max(MAX_WAIT, seconds * 1000 * MAX_SHARE)

/**
 * Watch the event loop while a run lasts. One timer serves every run in flight.
 * @returns a function that ends the watch and says whether the loop stalled for more than 50 ms since it began.
 */
export const watchLoop = (): (() => boolean) => {
  const start = performance.now()
  if (users++ === 0) {
    lastTick = start
    lastLook = { at: start, idle: performance.nodeTiming.idleTime }
    awake = 0
    timer = setInterval(tick, TICK)
  }
  return () => {
    // A stall that has just ended may not have been ticked yet: timers run before sockets only in the next turn.
    tick()
    if (--users === 0) clearInterval(timer)
    return lastStall >= start
  }
}
