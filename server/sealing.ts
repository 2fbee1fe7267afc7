import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { CompactSign, compactDecrypt, decodeProtectedHeader } from 'jose'
import { SettingsError } from '../measurement/settings.ts'
import { Refusal } from './batch.ts'

/**
 * The operator's two secrets for agents: an Ed25519 key that signs where the server is and what to seal to, and X25519
 * keys (RFC 8037) that open what agents sealed. The formats are the agent's (docs/agent.md, Sealing).
 */

const DAY = 86_400
/** A new sealing key is made so often, and then stands first in the document; the one before it stands second. */
const ROTATE_SECONDS = 30 * DAY
/** No agent keeps a batch longer than this by default (PEYK_SPOOL_DAYS); a key is forgotten when nothing sealed to it can come. */
const SPOOL_SECONDS = 90 * DAY
const KEPT_SECONDS = 2 * ROTATE_SECONDS + SPOOL_SECONDS
/** The document is accepted for so long, and signed anew every day. */
const LIFETIME_SECONDS = 30 * DAY
const RENEW_SECONDS = DAY

/** What one sealed batch may hold, unpacked. */
const MOST_BYTES = 32 * 2 ** 20

type OkpKey = { kty: 'OKP'; crv: string; x: string; d: string }
/** A sealing key with its private half; `made` in Unix seconds. */
type Sealed = { kid: string; made: number; x: string; d: string }
/** Public half of the operator's key, which agents pin. */
export type OperatorKey = { kty: 'OKP'; crv: 'Ed25519'; x: string }

const letters = /^[A-Za-z0-9_-]{43}$/

const isKey = (value: unknown): value is { x: string; d: string } => {
  const { x, d } = (value ?? {}) as Partial<OkpKey>
  return letters.test(x ?? '') && letters.test(d ?? '')
}

/** Another process that writes this file is done, or dead, after so long. */
const WRITING_MS = 60_000

/** The only one to write this file now; false where another process is at it, or where this one may not. */
const begin = (file: string): boolean => {
  try {
    const written = statSync(`${file}.new`, { throwIfNoEntry: false })
    if (written && Date.now() - written.mtimeMs > WRITING_MS) rmSync(`${file}.new`)
    closeSync(openSync(`${file}.new`, 'wx', 0o600))
    return true
  } catch (error) {
    if (['EEXIST', 'EROFS', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** Replaces a file whole, for its owner's eyes only; durable when it returns. */
const write = (file: string, content: object): void => {
  const handle = openSync(`${file}.new`, 'w', 0o600)
  writeSync(handle, `${JSON.stringify(content)}\n`)
  fsyncSync(handle)
  closeSync(handle)
  renameSync(`${file}.new`, file)
}

/** What the file holds, or null where there is none. One that is damaged, or that others can read, stops the start. */
const read = <T>(file: string, is: (value: unknown) => value is T): T | null => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  if (statSync(file).mode & 0o077) throw new SettingsError(`PEYK_DATA: others can read ${file}; run: chmod 600 ${file}`)
  try {
    const value: unknown = JSON.parse(text)
    if (is(value)) return value
  } catch {}
  throw new SettingsError(`PEYK_DATA: ${file} does not hold its keys (JSON); restore it from a backup.`)
}

const fresh = (curve: 'ed25519' | 'x25519'): OkpKey => {
  const { privateKey } = curve === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')
  return privateKey.export({ format: 'jwk' }) as OkpKey
}

const areSealed = (value: unknown): value is Sealed[] =>
  Array.isArray(value) &&
  value.every(one => isKey(one) && typeof (one as Sealed).kid === 'string' && Number.isFinite((one as Sealed).made))

const privateOf = (crv: string, { x, d }: { x: string; d: string }): KeyObject =>
  createPrivateKey({ key: { kty: 'OKP', crv, x, d }, format: 'jwk' })

/** Opens the keys of a data folder; made where missing. */
export const openSealing = (folder: string, now: () => number): Sealing => new Sealing(folder, now)

/** Signs the operator's document and opens sealed batches. */
export class Sealing {
  readonly operatorKey: OperatorKey
  readonly #signer: KeyObject
  readonly #file: string
  readonly #now: () => number
  #keys: Sealed[] = []
  #read = 0
  #document: { bytes: string; issued: number; of: string } | null = null

  constructor(folder: string, now: () => number) {
    const file = join(folder, 'operator.key')
    let key = read(file, isKey)
    if (!key) {
      key = fresh('ed25519')
      write(file, key)
    }
    this.#now = now
    this.operatorKey = { kty: 'OKP', crv: 'Ed25519', x: key.x }
    this.#signer = privateOf('Ed25519', key)
    this.#file = join(folder, 'sealing.keys')
    this.#live()
  }

  /** The document for agents (compact JWS, type `peyk-operator`): the addresses, best first, and the two live keys. */
  async document(servers: readonly string[]): Promise<string> {
    const sealing = this.#live().map(({ kid, x }) => ({ kid, kty: 'OKP', crv: 'X25519', x }))
    const of = JSON.stringify([servers, sealing])
    const held = this.#document
    const issued = Math.floor(this.#now())
    if (held && held.of === of && issued - held.issued < RENEW_SECONDS) return held.bytes
    // Versions only grow, also when the folder came back from an old backup: they are the time of signing.
    const payload = { version: issued, issued, expires: issued + LIFETIME_SECONDS, servers, sealing }
    const bytes = await new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'peyk-operator' })
      .sign(this.#signer)
    this.#document = { bytes, issued, of }
    return bytes
  }

  /** The lines of a sealed batch, or a Refusal that says why it cannot be opened. */
  async unseal(jwe: string): Promise<string> {
    const key = this.#keyOf(jwe)
    const { plaintext } = await compactDecrypt(jwe, privateOf('X25519', key), {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
    }).catch(() => {
      throw new Refusal(
        '/bytes must be a JWE that the key in its header opens: it was changed, or sealed to another key',
      )
    })
    try {
      // Stops at the end of the stream; what follows are zeros that make sizes alike.
      return (await promisify(gunzip)(plaintext, { maxOutputLength: MOST_BYTES })).toString()
    } catch (error) {
      const large = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      throw new Refusal(large ? `/bytes must hold at most ${MOST_BYTES} bytes unpacked` : '/bytes must hold gzip')
    }
  }

  #keyOf(jwe: string): Sealed {
    let header: ReturnType<typeof decodeProtectedHeader>
    try {
      header = decodeProtectedHeader(jwe)
    } catch {
      throw new Refusal('/bytes must be a compact JWE')
    }
    if (header['cty'] !== 'ndjson+gzip' || header['zip'] !== undefined) {
      throw new Refusal('/bytes must be a JWE with cty ndjson+gzip and without zip')
    }
    const mine = ({ kid }: Sealed): boolean => kid === header.kid
    const found = this.#keys.find(mine) ?? this.#known().find(mine)
    if (!found) throw new Refusal('/bytes must be sealed to a key of this server: this one is not, or was forgotten')
    return found
  }

  /** All keys: those of the file, which other collectors may have changed. */
  #known(): Sealed[] {
    const { mtimeMs = 0 } = statSync(this.#file, { throwIfNoEntry: false }) ?? {}
    if (mtimeMs !== this.#read) {
      this.#keys = read(this.#file, areSealed) ?? this.#keys
      this.#read = mtimeMs
    }
    return this.#keys
  }

  #due(): boolean {
    const [newest] = this.#known()
    return !newest || this.#now() - newest.made >= ROTATE_SECONDS
  }

  /** The keys of the document, newest first. Makes one where it is time, and forgets those whose time is over. */
  #live(): Sealed[] {
    if (this.#due() && begin(this.#file)) {
      // Asked again now that nobody else can be writing: collectors that share the folder come to this in the same second.
      if (this.#due()) this.#rotate()
      else rmSync(`${this.#file}.new`)
    }
    if (this.#keys.length === 0) {
      throw new SettingsError(`PEYK_KEYS: ${this.#file} cannot be made; let one server write there first.`)
    }
    return this.#keys.slice(0, 2)
  }

  #rotate(): void {
    const now = this.#now()
    const { x, d } = fresh('x25519')
    const made: Sealed = { kid: randomBytes(12).toString('base64url'), made: Math.floor(now), x, d }
    // The two that were live stay in any case: a clock that jumps ahead, or months switched off, must cost nothing.
    const kept = this.#keys.filter(({ made }, at) => at < 2 || now - made < KEPT_SECONDS)
    const keys = [made, ...kept]
    write(this.#file, keys) // Before it is told to anybody.
    this.#keys = keys
  }
}
