import type { ServerResponse } from 'node:http'
import { Problem } from './problem.ts'

const RETRY_SECONDS = 5

/** Bytes that one request holds of the room; given back when its response is closed, however it ended. */
export type Held = { take(bytes: number): void }

/** Memory for the bodies of all requests under way: what finds none is told to come again, before it is read. */
export class Room {
  readonly #size: number
  #taken = 0

  constructor(size: number) {
    this.#size = size
  }

  hold(response: ServerResponse): Held {
    let held = 0
    response.once('close', () => {
      this.#taken -= held
    })
    return {
      take: bytes => {
        if (this.#taken + bytes > this.#size) {
          throw new Problem('busy', 'Too many reports are under way.', { retryAfter: RETRY_SECONDS })
        }
        held += bytes
        this.#taken += bytes
      },
    }
  }
}
