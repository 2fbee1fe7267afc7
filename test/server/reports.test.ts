import { randomBytes } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_REPORT_NETWORKS } from '../../measurement/report.ts'
import { windowStart } from '../../measurement/windows.ts'
import type { Touched } from '../../server/touched.ts'
import { batchOf, jsonOf, TestAgent } from './agent.ts'
import { CATALOGUE, type Live, live } from './live.ts'

let server: Live
let agent: TestAgent
const touched: Touched[] = []
beforeAll(async () => {
  server = await live({}, { touched: places => touched.push(places) })
  agent = await server.enrolled()
})
afterAll(() => server.stop())

const kept = async (ids: string[]): Promise<Record<string, unknown>[]> =>
  await server.store.query(
    `SELECT *, toString(id) AS id, toUnixTimestamp64Milli(at) / 1000 AS at, toUnixTimestamp64Milli(placed) / 1000 AS placed
     FROM measurements WHERE toString(id) IN {ids:Array(String)} ORDER BY sequence`,
    { ids },
  )

describe('enrolment', () => {
  test('a code admits one key, once; enrolling again is no fault', async () => {
    const { body } = await server.admin('POST', '/v1/admin/invites', { role: 'control' })
    const code = String(body['code'])
    const first = await TestAgent.make(server.url)
    expect(await first.enrol(code)).toMatchObject({
      status: 201,
      body: { role: 'control', thumbprint: first.thumbprint },
    })
    expect((await first.enrol(code)).status).toBe(200)
    const second = await TestAgent.make(server.url)
    expect(await second.enrol(code)).toMatchObject({ status: 403, body: { type: 'urn:peyk:problem:bad-code' } })
  })

  test('two that race for one code: one is admitted', async () => {
    const { body } = await server.admin('POST', '/v1/admin/invites', {})
    const racers = await Promise.all([TestAgent.make(server.url), TestAgent.make(server.url)])
    const answers = await Promise.all(racers.map(racer => racer.enrol(String(body['code']))))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 403])
  })

  test('no code, a made-up code, another key in the body: refused', async () => {
    const stranger = await TestAgent.make(server.url)
    expect((await stranger.enrol()).body).toMatchObject({ status: 403, field: 'body/code' })
    expect((await stranger.enrol('guess')).status).toBe(403)
    const other = Buffer.from(JSON.stringify({ key: agent.key, software: 'peyk/0.1.0' }))
    expect((await stranger.post('/v1/agents', other)).body).toMatchObject({ status: 400, field: 'body/key' })
  })

  test('a revoked agent may neither report nor enrol again', async () => {
    const gone = await server.enrolled()
    const path = `/v1/admin/agents/${gone.thumbprint}`
    expect((await server.admin('PATCH', path, { standing: 'revoked' })).status).toBe(200)
    expect((await gone.send(gone.report([]))).body).toMatchObject({
      status: 403,
      type: 'urn:peyk:problem:not-enrolled',
    })
    expect((await gone.enrol()).status).toBe(403)
  })
})

describe('proofs', () => {
  test.each([
    ['no proof', { authorization: '' }, 401, 'bad-signature'],
    ['not a JWS', { authorization: 'Peyk a.b.c' }, 401, 'bad-signature'],
    ['signed for another path', { path: '/v1/agents' }, 401, 'bad-signature'],
    ['another type of token', { header: { typ: 'JWT' } }, 401, 'bad-signature'],
    ['a nonce of nobody’s', { nonce: randomBytes(32).toString('base64url') }, 401, 'bad-nonce'],
    ['another body', { signed: Buffer.from('{}') }, 400, 'wrong-body'],
  ])('%s', async (_, twist, status, kind) => {
    const answer = await agent.send(agent.report([batchOf([agent.measure()])]), twist)
    expect(answer.body).toMatchObject({ status, type: `urn:peyk:problem:${kind}` })
    expect(answer.headers.get('content-type')).toMatch('application/problem+json')
  })

  test('another’s key in the header of one’s own signature', async () => {
    const other = await server.enrolled()
    const answer = await agent.send(agent.report([]), { header: { jwk: other.key } })
    expect(answer.body).toMatchObject({ status: 401, type: 'urn:peyk:problem:bad-signature' })
  })

  test('a key that is not enrolled', async () => {
    const stranger = await TestAgent.make(server.url)
    expect((await stranger.send(stranger.report([]))).body).toMatchObject({ type: 'urn:peyk:problem:not-enrolled' })
  })

  test('a nonce is good once; the one in the answer serves the next report', async () => {
    const nonce = await agent.nonce()
    const first = await agent.send(agent.report([]), { nonce })
    expect(first.status).toBe(200)
    expect((await agent.send(agent.report([]), { nonce })).body).toMatchObject({ status: 401, field: 'nonce' })
    expect((await agent.send(agent.report([]), { nonce: first.headers.get('replay-nonce')! })).status).toBe(200)
  })
})

describe('reports', () => {
  test('what is receipted as stored is in the store, with what the server adds', async () => {
    const ok = agent.measure()
    const failed = agent.measure({ failure: 'generic_timeout_error' })
    const { status, receipt } = await agent.send(agent.report([batchOf([ok, failed])]))
    expect(status).toBe(200)
    expect(receipt).toMatchObject({ receipts: [{ outcome: 'stored' }], catalogue: CATALOGUE.version, requests: [] })
    const rows = await kept([ok.id, failed.id])
    expect(rows.map(row => row['failure'])).toEqual(['', 'generic_timeout_error'])
    expect(rows[0]).toMatchObject({
      origin: 'agent',
      role: 'vantage',
      trust: 'claimed',
      seen_country: 'ZZ',
      seen_asn: 0,
    })
    expect(String(rows[0]?.['agent'])).toMatch(/^[\w-]{22}$/)
    expect(touched).toContainEqual(new Map([['KE 33771', new Set([windowStart(Number(rows[0]?.['placed']))])]]))
  })

  test('an agent has another name on another network, and the same one on the same', async () => {
    const found = [agent.measure(), agent.measure(), agent.measure({ asn: 37061 })]
    await agent.send(agent.report([batchOf(found)]))
    const [a, b, c] = (await kept(found.map(({ id }) => id))).map(row => row['agent'])
    expect(a).toBe(b)
    expect(c).not.toBe(a)
  })

  test('zstd and plain bodies are taken too, an unknown encoding is not', async () => {
    const body = Buffer.from(JSON.stringify(agent.report([batchOf([agent.measure()])])))
    expect((await agent.post('/v1/reports', body)).status).toBe(200)
    const zstd = { headers: { 'content-encoding': 'zstd' } }
    expect((await agent.post('/v1/reports', zstdCompressSync(body), zstd)).status).toBe(200)
    const br = await agent.post('/v1/reports', body, { headers: { 'content-encoding': 'br' } })
    expect(br.body).toMatchObject({ status: 415, field: 'content-encoding' })
  })

  test.each([
    [
      'no batches',
      { sent: { wall: 1, mono: 1, boot: '0123456789abcdef' }, ledger: { measured: 1, dropped: 0 } },
      'body/batches',
    ],
    ['a field too many', { ...{ sent: {}, ledger: {}, batches: [] }, more: 1 }, 'body'],
    ['a list', [], 'body'],
  ])('a fault of the envelope names its field: %s', async (_, report, field) => {
    expect((await agent.send(report)).body).toMatchObject({ status: 400, field })
  })

  test('a fault in a batch refuses that batch whole, naming line and field; the others are stored', async () => {
    const good = agent.measure()
    const besideBad = agent.measure()
    const wrongStep = { ...agent.measure(), steps: [{ operation: 'ping' }] }
    const { receipt } = await agent.send(
      agent.report([
        batchOf([besideBad, agent.measure(), JSON.stringify(wrongStep)]),
        batchOf([good]),
        batchOf(['{"id":', agent.measure()]),
        batchOf([agent.measure(), agent.measure(), 'not json']),
      ]),
    )
    expect(receipt.receipts.map(one => ('reason' in one ? one.reason : one.outcome))).toEqual([
      expect.stringMatching(/^line 3: \/steps\/0\/\w+ must be/),
      'stored',
      'line 1: must be JSON',
      'line 3: must be JSON',
    ])
    expect(await kept([good.id])).toHaveLength(1)
    expect(await kept([besideBad.id])).toEqual([])
  })

  test.each([
    ['/target must be in the catalogue', { target: 'telegram.nowhere' }],
    ["/app must be telegram, the target's", { app: 'signal' }],
    ["/feature must be text, the target's", { feature: 'media' as const }],
    ["/family must be v4, the target's", { family: 'v6' as const }],
    ['/failure must be null, as the steps say', { failure: 'connection_reset', steps: agentSteps() }],
    ['/software must not hold an address', { software: 'peyk/192.0.2.77' }],
    ['/sequence must be from 1 to 1000000, as the batch says', { sequence: 2_000_000 }],
    ['/marks/0 must be one of time_uncertain, loop_stalled', { marks: ['made_up'] as never }],
    [
      '/at must not lie more than 600 s in the future: set the clock of this device',
      { at: Date.now() / 1000 + 9_000, boot: 'ffffffffffffffff' },
    ],
  ])('refused: %s', async (reason, more) => {
    const { receipt } = await agent.send(agent.report([batchOf([agent.measure(), agent.measure(more)])]))
    expect(receipt.receipts).toEqual([expect.objectContaining({ outcome: 'refused', reason: `line 2: ${reason}` })])
  })

  test('a report may tell of so many networks; the batch with one more is refused, naming line and field', async () => {
    const on = (asn: number) => agent.measure({ asn })
    const first = batchOf(Array.from({ length: MAX_REPORT_NETWORKS }, (_, i) => on(64_000 + i)))
    const more = batchOf([on(64_000), on(65_000)])
    const again = batchOf([on(64_000), on(64_001)])
    const { receipt } = await agent.send(agent.report([first, more, again]))
    expect(receipt.receipts).toEqual([
      { id: first.id, outcome: 'stored' },
      {
        ...{ id: more.id, outcome: 'refused' },
        reason: `line 2: /asn must be one of at most ${MAX_REPORT_NETWORKS} networks in one report`,
      },
      { id: again.id, outcome: 'stored' },
    ])
  })

  test('a batch sent again under a fresh nonce is receipted as stored, and stored once', async () => {
    const found = agent.measure()
    const report = agent.report([batchOf([found])])
    for (let sending = 0; sending < 3; sending++) {
      expect((await agent.send(report)).receipt.receipts).toMatchObject([{ outcome: 'stored' }])
    }
    const raw = await server.store.query<{ n: number }>(
      'SELECT count() AS n FROM measurements_raw WHERE toString(id) = {id:String}',
      { id: found.id },
    )
    expect(raw).toEqual([{ n: 1 }])
  })

  test('the same measurement in another batch is there once', async () => {
    const found = agent.measure()
    await agent.send(agent.report([batchOf([found])]))
    await agent.send(agent.report([batchOf([found])]))
    expect(await kept([found.id])).toHaveLength(1)
  })
})

function agentSteps() {
  return [{ operation: 'protocol_handshake' as const, start: 0, duration: 0.1, sent: 1, received: 1, failure: null }]
}

describe('what else is served', () => {
  test('the catalogue as it was signed, compressed, with a tag', async () => {
    const first = await fetch(`${server.url}/v1/catalogue`)
    expect(Buffer.from(await first.arrayBuffer())).toEqual(CATALOGUE.bytes)
    expect(first.headers.get('content-type')).toBe('application/jose')
    expect(first.headers.get('content-encoding')).toMatch(/^(br|gzip)$/)
    const again = await fetch(`${server.url}/v1/catalogue`, {
      headers: { 'if-none-match': first.headers.get('etag')! },
    })
    expect(again.status).toBe(304)
  })

  test('openapi.json names every route of the API', async () => {
    const { body } = await jsonOf(await fetch(`${server.url}/openapi.json`))
    const paths = Object.keys(body['paths'] as object)
    expect(paths).toEqual(
      expect.arrayContaining(['/v1/reports', '/v1/agents', '/v1/nonce', '/v1/catalogue', '/healthz']),
    )
  })

  test('readyz says that networks are unknown without a database', async () => {
    const { status, body } = await jsonOf(await fetch(`${server.url}/readyz`))
    expect(status).toBe(200)
    expect(body).toMatchObject({ ready: true, store: 'ok', networks: { known: false } })
    expect(String(body['warnings'])).toMatch('PEYK_ASN_DB is unset')
  })

  test('a strict policy, no frame, no sniffing; not found is a problem', async () => {
    const { status, headers, body } = await jsonOf(await fetch(`${server.url}/v1/nothing`))
    expect(status).toBe(404)
    expect(body).toMatchObject({ type: 'urn:peyk:problem:not-found' })
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';script-src 'self'/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('counts of what came in are on /metrics, and /metrics is not on the public port', async () => {
    const text = await server.metrics()
    expect(text).toMatch(
      /peyk_measurements_total\{app="telegram",kind="mtproto",country="KE",outcome="answered"\} [1-9]/,
    )
    expect(text).toMatch(/peyk_batches_total\{outcome="refused"\} [1-9]/)
    expect(text).toMatch(/peyk_refused_total\{reason="bad-nonce"\} [1-9]/)
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
  })
})

test.each([
  ['POST', '/v1/admin/invites'],
  ['GET', '/v1/admin/ledger'],
  ['PATCH', `/v1/admin/agents/${'a'.repeat(43)}`],
])('%s %s needs the operator’s token', async (method, path) => {
  for (const authorization of ['', 'Bearer 00', `Bearer ${'0'.repeat(64)}`]) {
    const { status } = await fetch(`${server.url}${path}`, {
      method,
      ...(method === 'GET' ? {} : { body: '{}' }),
      headers: { 'content-type': 'application/json', authorization },
    })
    expect(status).toBe(403)
  }
})
