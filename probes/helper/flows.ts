import { timingSafeEqual } from 'node:crypto'
import type { Duplex } from 'node:stream'
import {
  ACK_EVERY,
  ASK_BYTES,
  type Ask,
  ECHO_BYTES,
  knownBytes,
  OPENING_BYTES,
  readAsk,
  TOKEN_BYTES,
} from '../wire/helper.ts'
import { obfuscation } from '../wire/mtproto.ts'

/** Seconds a flow may be silent, and last. */
export const SILENT_SECONDS = 15
export const MOST_SECONDS = 120
/** Questions on one connection. */
const MOST_ASKS = 8
const PIECE = 16_384

/** What the flows of one address may take, and tokens for its datagrams. */
export type Grants = { take(bytes: number): boolean; token(): Buffer }

/** Bytes of a connection, whatever wraps them. Reading ends by a throw where the peer closes. */
type Talk = { read(length: number): Promise<Buffer>; write(bytes: Buffer): Promise<void> }

const talkOf = (duplex: Duplex): Talk => {
  let wake = (): void => {}
  // Once: listening anew while bytes wait would announce the same bytes for ever.
  for (const event of ['readable', 'drain', 'end', 'error', 'close'] as const) duplex.on(event, () => wake())
  const next = (): Promise<void> =>
    new Promise(resolve => {
      wake = resolve
    })
  return {
    read: async length => {
      for (;;) {
        const bytes = duplex.read(length) as Buffer | null
        if (bytes?.length === length) return bytes
        if (bytes !== null || duplex.readableEnded || duplex.destroyed) throw new Closed()
        await next()
      }
    },
    write: async bytes => {
      duplex.write(bytes)
      while (duplex.writableNeedDrain && !duplex.destroyed) await next()
      if (duplex.destroyed) throw new Closed()
    },
  }
}

/** The peer went away, or said what is no question: the connection ends, and nobody is told. */
export class Closed extends Error {}

/** Answers questions inside TLS or a WebSocket. */
export const serve = (duplex: Duplex, grants: Grants): Promise<void> => answerAll(talkOf(duplex), grants)

/** The same on plain TCP, after an opening that looks random or like MTProto's; both are undone alike. */
export const serveOpened = async (duplex: Duplex, grants: Grants): Promise<void> => {
  const talk = talkOf(duplex)
  const opening = await talk.read(OPENING_BYTES)
  const { encrypt, decrypt } = undone(opening)
  await answerAll(
    {
      read: async length => decrypt.update(await talk.read(length)),
      write: bytes => talk.write(encrypt.update(bytes)),
    },
    grants,
  )
}

/** The streams of an opening, from the other side: what the agent encrypts with is decrypted with here. */
const undone = (opening: Buffer) => {
  const start = Buffer.from(opening.subarray(0, 64))
  const { encrypt: theirs, decrypt: ours } = obfuscation(() => start, Buffer.alloc(0), 0)
  theirs.update(opening.subarray(64))
  // AES-CTR undoes itself.
  return { decrypt: theirs, encrypt: ours }
}

const answerAll = async (talk: Talk, grants: Grants): Promise<void> => {
  for (let left = MOST_ASKS; left > 0; left--) {
    const ask = readAsk(await talk.read(ASK_BYTES))
    if (!ask) throw new Closed()
    const bytes = ask.command === 'echo' ? ask.count * ECHO_BYTES * 2 : ask.command === 'token' ? 0 : ask.count
    if (!grants.take(bytes)) return talk.write(Buffer.of(REFUSED))
    await talk.write(Buffer.of(GRANTED))
    await answers[ask.command](talk, ask, grants)
  }
}

export const GRANTED = 0
const REFUSED = 1

const answers: Record<Ask['command'], (talk: Talk, ask: Ask, grants: Grants) => Promise<void>> = {
  down: async (talk, { seed, count }) => {
    const known = knownBytes(seed)
    for (let left = count; left > 0; left -= PIECE) await talk.write(known(Math.min(left, PIECE)))
  },
  up: async (talk, { seed, count }) => {
    const known = knownBytes(seed)
    for (let come = 0; come < count; ) {
      const length = Math.min(ACK_EVERY, count - come)
      if (!timingSafeEqual(await talk.read(length), known(length))) throw new Closed()
      come += length
      const total = Buffer.alloc(4)
      total.writeUInt32BE(come)
      await talk.write(total)
    }
  },
  echo: async (talk, { count }) => {
    for (let left = count; left > 0; left--) await talk.write(await talk.read(ECHO_BYTES))
  },
  token: async (talk, _, { token }) => talk.write(token().subarray(0, TOKEN_BYTES)),
}
