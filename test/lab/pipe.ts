import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How bytes pass in one direction. */
export type Way = {
  /** Seconds every byte is held. */
  delay: number
  /** Bytes a second, after `burst` bytes at once; Infinity for as fast as they come. */
  rate: number
  burst: number
  /** Bytes after which nothing passes any more, and nobody is told. */
  freeze: number
}

/** Largest piece passed at once under a rate: what a packet holds, so that the flow looks as smooth as a queue's does. */
const SEGMENT = 1_448
/** Bytes held before the sender is made to wait. */
const HELD = 65_536

/**
 * Passes bytes of one socket on to another as a queue would: late, slowly, in order and whole. It loses nothing, as TCP
 * gives whole streams to user space: a shaper it can be, a policer never (test/lab/namespace.ts has those). `read` has been taken
 * from `from` already.
 */
export const pipe = (from: Socket, to: Socket, way: () => Way, read?: Buffer): void => {
  const queue: { bytes: Buffer; due: number }[] = []
  let held = 0
  let passed = 0
  let tokens: number | null = null
  let refilled = performance.now()
  let running = false
  let ended = false

  /** Seconds until `size` bytes may pass. */
  const wait = (size: number): number => {
    const { rate, burst } = way()
    if (rate === Number.POSITIVE_INFINITY) return 0
    const now = performance.now()
    const most = Math.max(burst, SEGMENT)
    tokens = Math.min(most, (tokens ?? most) + ((now - refilled) / 1_000) * rate)
    refilled = now
    if (tokens < size) return (size - tokens) / rate
    tokens -= size
    return 0
  }

  const next = async (): Promise<void> => {
    const { bytes, due } = queue[0]!
    const early = due - performance.now()
    if (early > 0) await sleep(early)
    const limited = way().rate !== Number.POSITIVE_INFINITY
    const piece = limited ? bytes.subarray(0, SEGMENT) : bytes
    for (let seconds = wait(piece.length); seconds > 0; seconds = wait(piece.length)) await sleep(seconds * 1_000)
    if (piece.length === bytes.length) queue.shift()
    else queue[0]!.bytes = bytes.subarray(piece.length)
    held -= piece.length
    if (held < HELD) from.resume()
    const rest = Math.max(0, way().freeze - passed)
    passed += piece.length
    if (rest > 0 && !to.destroyed && !to.write(piece.subarray(0, rest))) await once(to, 'drain').catch(() => {})
  }

  const run = async (): Promise<void> => {
    if (running) return
    running = true
    while (queue.length > 0 && !to.destroyed) await next()
    running = false
    if (ended && passed < way().freeze) to.end()
  }

  const take = (bytes: Buffer): void => {
    queue.push({ bytes, due: performance.now() + way().delay * 1_000 })
    held += bytes.length
    if (held >= HELD) from.pause()
    void run()
  }
  if (read) take(read)
  from.on('data', take)
  from.on('end', () => {
    ended = true
    void run()
  })
}
