import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import { calculateJwkThumbprint, compactVerify, EmbeddedJWK } from 'jose'
import { Value } from 'typebox/value'
import { onTestFinished } from 'vitest'
import { Measurement } from '../../measurement/measurement.ts'
import { type Batch, type Receipt, Report } from '../../measurement/report.ts'

/** How a collector answers `POST /v1/reports`, once or always. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

const give = (document: string | null, request: IncomingMessage, response: ServerResponse): void => {
  if (!document) return void response.writeHead(404).end()
  const etag = `"${createHash('sha256').update(document).digest('hex')}"`
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end()
  const packed = request.headers['accept-encoding'] === 'gzip' ? { 'content-encoding': 'gzip' } : {}
  const body = 'content-encoding' in packed ? gzipSync(document) : document
  response.writeHead(200, { 'content-type': 'application/jose', etag, ...packed }).end(body)
}

/**
 * A small real collector over HTTP: it verifies every proof, remembers what it stored by batch id, and misbehaves on
 * demand. `/v1/reports` is durable in memory before the receipt leaves.
 */
export class Collector {
  readonly url: URL
  readonly stored = new Map<string, Batch>()
  readonly enrolments: { thumbprint: string; code?: string; software: string }[] = []
  readonly reports: Report[] = []
  /** What came in bytes, and with which headers: for looking at what an observer of the upload could see. */
  readonly heard: { method: string; path: string; headers: IncomingMessage['headers']; body: Buffer }[] = []
  catalogue: { bytes: string; version: number } | null = null
  operator: string | null = null
  /** The address it says it sees agents at. */
  seen: string | null = null
  /** Opens what is sealed; without it, sealed batches are stored as they are. */
  open: (jwe: string) => Promise<string> = async jwe => jwe
  requests: Receipt['requests'] = []
  enrolled = new Set<string>()
  closedTo = new Set<string>()
  refuse: (batch: Batch) => string | null = () => null
  /** Consumed one per request to the path; then it behaves. */
  readonly misbehave: { path: string; how: Misbehaviour }[] = []
  private readonly nonces = new Set<string>()

  private constructor(url: URL) {
    this.url = url
  }

  /** `ends` is given what ends it. */
  static async start(ends: (end: () => void) => void = onTestFinished): Promise<Collector> {
    let collector: Collector | undefined
    const server = createServer((request, response) => {
      void collector!.serve(request, response).catch((error: Error & { status?: number }) => {
        response.writeHead(error.status ?? 500, { 'content-type': 'application/problem+json' })
        response.end(JSON.stringify({ title: 'refused', detail: error.message }))
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    collector = new Collector(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`))
    ends(() => {
      server.closeAllConnections()
      server.close()
    })
    return collector
  }

  /** Every measurement it stored, each batch once. */
  measurements(): Measurement[] {
    return this.lines([...this.stored.values()].map(({ bytes }) => bytes))
  }

  /** The same, of sealed batches. */
  async opened(): Promise<Measurement[]> {
    return this.lines(await Promise.all([...this.stored.values()].map(({ bytes }) => this.open(bytes))))
  }

  private lines(batches: readonly string[]): Measurement[] {
    return batches.flatMap(text => text.split('\n').map(line => JSON.parse(line) as Measurement))
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const path = request.url ?? ''
    this.heard.push({ method: request.method ?? '', path, headers: request.headers, body })
    const next = this.misbehave.findIndex(one => one.path === path)
    if (next >= 0) return this.misbehave.splice(next, 1)[0]!.how(request, response, body)
    const json = (status: number, value: unknown) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (path === '/v1/nonce') {
      const nonce = randomBytes(32).toString('base64url')
      this.nonces.add(nonce)
      return json(200, { nonce, expires: Math.floor(Date.now() / 1000) + 300, ...(this.seen && { seen: this.seen }) })
    }
    if (path === '/v1/catalogue') return give(this.catalogue?.bytes ?? null, request, response)
    if (path === '/v1/operator') return give(this.operator, request, response)
    const thumbprint = await this.proven(request, body)
    if (this.closedTo.has(thumbprint)) throw Object.assign(new Error('no such code'), { status: 403 })
    if (path === '/v1/agents') {
      const asked = JSON.parse(body.toString()) as { code?: string; software: string }
      this.enrolments.push({ thumbprint, ...asked })
      const known = this.enrolled.has(thumbprint)
      this.enrolled.add(thumbprint)
      return json(known ? 200 : 201, { role: 'vantage', thumbprint })
    }
    if (!this.enrolled.has(thumbprint)) throw Object.assign(new Error('not enrolled'), { status: 403 })
    json(200, this.store(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body))
  }

  /** Who signed the request, or an error with the status. */
  private async proven(request: IncomingMessage, body: Buffer): Promise<string> {
    const refuse = (why: string): never => {
      throw Object.assign(new Error(why), { status: 401 })
    }
    const [scheme, proof = ''] = (request.headers.authorization ?? '').split(' ')
    if (scheme !== 'Peyk') refuse('no proof')
    const { payload, protectedHeader } = await compactVerify(proof, EmbeddedJWK, { algorithms: ['EdDSA'] })
    const said = JSON.parse(Buffer.from(payload).toString()) as Record<string, string>
    if (protectedHeader.typ !== 'peyk-proof') refuse('another type')
    if (said['method'] !== request.method || said['path'] !== request.url) refuse('for another request')
    if (said['sha256'] !== createHash('sha256').update(body).digest('hex')) refuse('for another body')
    if (!this.nonces.delete(said['nonce'] ?? '')) refuse('nonce unknown or used')
    return calculateJwkThumbprint(protectedHeader.jwk!)
  }

  private store(bytes: Buffer): Receipt {
    const report: unknown = JSON.parse(bytes.toString())
    if (!Value.Check(Report, report)) throw Object.assign(new Error('not a report'), { status: 400 })
    this.reports.push(report)
    const receipts = report.batches.map((batch): Receipt['receipts'][number] => {
      const lines = batch.encoding === 'ndjson' ? batch.bytes.split('\n') : []
      const wrong = lines.findIndex(line => !Value.Check(Measurement, JSON.parse(line)))
      const reason = wrong < 0 ? this.refuse(batch) : `line ${wrong + 1}: is no measurement`
      if (reason) return { id: batch.id, outcome: 'refused', reason }
      this.stored.set(batch.id, batch)
      return { id: batch.id, outcome: 'stored' }
    })
    return {
      receipts,
      catalogue: this.catalogue?.version ?? 0,
      now: Date.now() / 1000,
      requests: this.requests.splice(0),
    }
  }
}
