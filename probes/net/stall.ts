/** Milliseconds between two ticks, and the delay of one tick that counts as a stall (a network step is no shorter). */
const TICK = 20
const STALL = 50

let users = 0
let timer: NodeJS.Timeout | undefined
let lastTick = 0
let lastStall = Number.NEGATIVE_INFINITY

const tick = (): void => {
  const now = performance.now()
  if (now - lastTick > TICK + STALL) lastStall = now
  lastTick = now
}

/**
 * Watch the event loop while a run lasts. One timer serves every run in flight.
 * @returns a function that ends the watch and says whether the loop stalled for more than 50 ms since it began.
 */
export const watchLoop = (): (() => boolean) => {
  const start = performance.now()
  if (users++ === 0) {
    lastTick = start
    timer = setInterval(tick, TICK)
  }
  return () => {
    // A stall that has just ended may not have been ticked yet: timers run before sockets only in the next turn.
    tick()
    if (--users === 0) clearInterval(timer)
    return lastStall >= start
  }
}
