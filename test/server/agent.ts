import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { findTarget } from '../../measurement/catalogue.ts'
import type { Measurement } from '../../measurement/measurement.ts'
import type { Batch, Receipt, Report } from '../../measurement/report.ts'
import { deepest } from '../../measurement/step.ts'

/** An agent as the wire knows it: signs and sends, honestly or as a test wants it. */

type Key = { kty: string; crv: string; x: string }

export type Sent = { status: number; body: Record<string, unknown>; headers: Headers }

/** What a test changes in a request that would otherwise be right. */
export type Twist = {
  nonce?: string
  /** Path signed, where it is not the one asked. */
  path?: string
  /** Bytes signed, where they are not those sent. */
  signed?: Buffer
  header?: object
  authorization?: string
  headers?: Record<string, string>
}

export const jsonOf = async (response: Response): Promise<Sent> => {
  const text = await response.text()
  return { status: response.status, body: text ? JSON.parse(text) : {}, headers: response.headers }
}

export class TestAgent {
  readonly url: string
  readonly key: Key
  readonly thumbprint: string
  readonly boot = randomBytes(8).toString('hex')
  sequence = 0
  readonly #private: CryptoKey

  private constructor(url: string, key: Key, thumbprint: string, secret: CryptoKey) {
    this.url = url
    this.key = key
    this.thumbprint = thumbprint
    this.#private = secret
  }

  static async make(url: string): Promise<TestAgent> {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
    const { kty, crv, x } = await exportJWK(publicKey)
    const key = { kty: kty!, crv: crv!, x: x! }
    return new TestAgent(url, key, await calculateJwkThumbprint(key), privateKey)
  }

  /** The same agent, at a server that has moved. */
  at(url: string): TestAgent {
    const moved = new TestAgent(url, this.key, this.thumbprint, this.#private)
    moved.sequence = this.sequence
    return moved
  }

  async nonce(): Promise<string> {
    const response = await fetch(`${this.url}/v1/nonce`)
    return ((await response.json()) as { nonce: string }).nonce
  }

  async authorization(method: string, path: string, body: Buffer, twist: Twist = {}): Promise<string> {
    if (twist.authorization !== undefined) return twist.authorization
    const payload = {
      method,
      path: twist.path ?? path,
      sha256: createHash('sha256')
        .update(twist.signed ?? body)
        .digest('hex'),
      nonce: twist.nonce ?? (await this.nonce()),
    }
    const jws = await new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'peyk-proof', jwk: this.key, ...twist.header })
      .sign(this.#private)
    return `Peyk ${jws}`
  }

  async post(path: string, body: Buffer, twist: Twist = {}): Promise<Sent> {
    const authorization = await this.authorization('POST', path, body, twist)
    const headers = { 'content-type': 'application/json', ...twist.headers, authorization }
    return await jsonOf(await fetch(`${this.url}${path}`, { method: 'POST', body: new Uint8Array(body), headers }))
  }

  async enrol(code?: string, twist: Twist = {}): Promise<Sent> {
    const body = { key: this.key, software: 'peyk/0.1.0', ...(code === undefined ? {} : { code }) }
    return await this.post('/v1/agents', Buffer.from(JSON.stringify(body)), twist)
  }

  /** Send a report; gzip unless the twist says otherwise. */
  async send(report: unknown, twist: Twist = {}): Promise<Sent & { receipt: Receipt }> {
    const body = gzipSync(JSON.stringify(report))
    const sent = await this.post('/v1/reports', body, {
      ...twist,
      headers: { 'content-encoding': 'gzip', ...twist.headers },
    })
    return { ...sent, receipt: sent.body as unknown as Receipt }
  }

  /** A measurement that is right, but for what `more` changes; `failure` is what its only step says. */
  measure(more: Partial<Measurement> = {}, target = 'telegram.dc1.v4.443.mtproto'): Measurement {
    const { app, target: known } = findTarget(target)!
    const failure = more.failure ?? null
    return {
      id: uuid7(),
      boot: this.boot,
      mono: 1_000,
      sequence: ++this.sequence,
      app,
      feature: known.feature,
      target,
      kind: known.kind,
      family: known.family,
      route: 'direct',
      country: 'KE',
      asn: 33771,
      access: 'wifi',
      at: Math.round(Date.now()) / 1000,
      steps: [{ operation: deepest[known.kind], start: 0, duration: 0.1, sent: 105, received: 105, failure }],
      failure,
      served: { asn: 62041, country: 'NL', rtt_floor: 0.05, dc: null },
      origin_proof: 'none',
      marks: [],
      software: 'peyk/0.1.0',
      catalogue: 1,
      ...more,
    }
  }

  report(batches: Batch[], sent: Partial<Report['sent']> = {}): Report {
    return {
      sent: { wall: Date.now() / 1000, mono: 1_000, boot: this.boot, ...sent },
      ledger: { measured: this.sequence, dropped: 0 },
      batches,
    }
  }
}

export const uuid7 = (): string => {
  const hex = Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** A batch of these measurements, or of lines as they stand. */
export const batchOf = (found: readonly (Measurement | string)[], more: Partial<Batch> = {}): Batch => ({
  id: randomBytes(16).toString('hex'),
  first: 1,
  last: 1_000_000,
  encoding: 'ndjson',
  bytes: `${found.map(one => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n')}\n`,
  ...more,
})
