import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { batchOf, type TestAgent } from './agent.ts'
import { type Live, live } from './live.ts'

let server: Live
let agent: TestAgent
let slow: Promise<{ text: string; seconds: number }>
beforeAll(async () => {
  server = await live({ PEYK_RATE_NETWORK: '2000', PEYK_RATE_AGENT: '200' })
  agent = await server.enrolled()
  // Begun first and awaited last: a client that sends half a header and then nothing.
  slow = raw('GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-half')
})
afterAll(() => server.stop())

/** What the server says to bytes as they stand, until it closes the connection. */
const raw = (bytes: string | Buffer, closeAfter?: number): Promise<{ text: string; seconds: number }> =>
  new Promise(resolve => {
    const begun = performance.now()
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let text = ''
    socket.on('data', chunk => (text += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve({ text, seconds: (performance.now() - begun) / 1000 }))
    if (closeAfter !== undefined) setTimeout(() => socket.destroy(), closeAfter)
  })

const head = async (body: Buffer, length: number): Promise<string> =>
  [
    'POST /v1/reports HTTP/1.1',
    'host: localhost',
    'content-type: application/json',
    `content-length: ${length}`,
    `authorization: ${await agent.authorization('POST', '/v1/reports', body)}`,
    '\r\n',
  ].join('\r\n')

const works = async () => {
  const { status, receipt } = await agent.send(agent.report([batchOf([agent.measure()])]))
  expect(status).toBe(200)
  expect(receipt.receipts).toMatchObject([{ outcome: 'stored' }])
}

describe('bodies that are not as they should be', () => {
  test('too large by its own account, and too large without one', async () => {
    const large = Buffer.alloc(8 * 2 ** 20 + 1, 0x20)
    const { text } = await raw(await head(large, large.length))
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    const authorization = await agent.authorization('POST', '/v1/reports', large)
    const chunked = await fetch(`${server.url}/v1/reports`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: new Blob([large]).stream(),
      duplex: 'half',
    } as RequestInit).catch(() => null)
    // Cut off while it still sends: the client sees the answer or the closed connection.
    if (chunked) expect(chunked.status).toBe(413)
    await works()
  })

  test('a bomb is not unpacked past its bound', async () => {
    const bomb = gzipSync(Buffer.alloc(100 * 2 ** 20, 0x20))
    const before = process.memoryUsage().rss
    const { body } = await agent.post('/v1/reports', bomb, { headers: { 'content-encoding': 'gzip' } })
    expect(body).toMatchObject({ status: 413, field: 'body', type: 'urn:peyk:problem:too-large' })
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20)
  })

  test('cut short, or not what its encoding says', async () => {
    const body = gzipSync(JSON.stringify(agent.report([])))
    const gzip = { headers: { 'content-encoding': 'gzip' } }
    expect((await agent.post('/v1/reports', body.subarray(0, -9), gzip)).body).toMatchObject({
      status: 400,
      field: 'body',
    })
    expect((await agent.post('/v1/reports', Buffer.from('{}'), gzip)).body).toMatchObject({
      status: 400,
      field: 'body',
    })
    const text = await agent.post('/v1/reports', body, { headers: { 'content-type': 'text/plain' } })
    expect(text.body).toMatchObject({ status: 415, type: 'urn:peyk:problem:bad-encoding' })
  })

  test('too many at once are told to come again; connections cut in the middle give their room back', async () => {
    const body = Buffer.alloc(8 * 2 ** 20, 0x20)
    const heads = await Promise.all(Array.from({ length: 40 }, () => head(body, body.length)))
    const answers = await Promise.all(heads.map(text => raw(`${text}{"sent":`, 1_500)))
    const busy = answers.filter(({ text }) => text.startsWith('HTTP/1.1 503 '))
    expect(busy.length).toBe(40 - 32)
    expect(busy[0]?.text).toMatch(/retry-after: \d+\r\n/i)
    await works()
  })
})

describe('requests that are not as they should be', () => {
  test('no HTTP, and headers without end', async () => {
    expect((await raw('\x16\x03\x01 hello\r\n\r\n')).text).toMatch(/^HTTP\/1\.1 400 /)
    expect((await raw(`GET / HTTP/1.1\r\nhost: localhost\r\nx-long: ${'a'.repeat(20_000)}\r\n\r\n`)).text).toMatch(
      /^HTTP\/1\.1 431 /,
    )
  })

  test.each([
    ['GET', '/%ff', 400],
    ['GET', `/${'a'.repeat(300)}`, 404],
    ['PUT', '/v1/reports', 404],
    ['POST', '/v1/nonce', 404],
    ['GET', '/v1/../../etc/passwd', 404],
  ])('%s %s', async (method, path, status) => {
    const { text } = await raw(
      `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    )
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(text).toMatch(/application\/problem\+json/)
  })
})

test('under a name that is not this machine’s nothing is answered: a web site cannot point its own name here', async () => {
  const { text } = await raw('GET /v1/nonce HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n')
  expect(text).toMatch(/^HTTP\/1\.1 403 /)
  expect(text).toMatch(/"field":"host"/)
})

test('pages of other origins may not read, unless the operator says so', async () => {
  const { headers } = await fetch(`${server.url}/v1/nonce`, { headers: { origin: 'https://evil.example' } })
  expect(headers.get('access-control-allow-origin')).toBeNull()
  expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
})

describe('fuzz', () => {
  /** Any JSON, but often with the names and values that reports have. */
  const { value: anything } = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(
        null,
        true,
        0,
        -1,
        1e300,
        2 ** 53,
        '',
        'telegram',
        '../..',
        '\u0000',
        '__proto__',
        'a'.repeat(300),
      ),
      fc.string({ unit: 'binary' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.oneof(fc.constantFrom(...Object.keys(sample()), '__proto__', 'constructor'), fc.string()),
        tie('value'),
        { maxKeys: 5 },
      ),
    ),
  }))
  function sample() {
    return { id: 1, at: 1, steps: 1, sent: 1, batches: 1, ledger: 1, failure: 1, served: 1 }
  }

  test('5,000 batches near to right ones: each is stored or refused with its line, none is a fault of ours', async () => {
    const before = await rowCount()
    let stored = 0
    const changed = fc.record({ field: fc.constantFrom(...Object.keys(agent.measure())), value: anything })
    const lines = fc.oneof(
      {
        weight: 6,
        arbitrary: changed.map(({ field, value }) => JSON.stringify({ ...agent.measure(), [field]: value })),
      },
      { weight: 2, arbitrary: anything.map(value => JSON.stringify(value) ?? 'undefined') },
      { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    )
    const reports = fc.sample(lines, { numRuns: 5_000, seed: 20_260_101 })
    for (let at = 0; at < reports.length; at += 100) {
      const batches = reports.slice(at, at + 100).map(line => batchOf([line]))
      const { status, receipt } = await agent.send(agent.report(batches))
      expect(status).toBe(200)
      for (const one of receipt.receipts) {
        if (one.outcome === 'stored') stored++
        else expect(one.reason).toMatch(/^(line \d+: |\/)/)
      }
    }
    expect((await rowCount()) - before).toBe(stored)
    expect(stored, 'some changes change nothing').toBeGreaterThan(0)
    expect(stored).toBeLessThan(2_500)
  })

  test('any JSON as an envelope is a fault of the request', async () => {
    const other = await server.enrolled()
    for (const value of fc.sample(anything, { numRuns: 150, seed: 7 })) {
      const { status, body } = await other.send(value)
      expect([400, 200]).toContain(status)
      if (status === 400) expect(String(body['field'])).toMatch(/^body/)
    }
  })

  test('any proof is refused, never believed', async () => {
    for (const text of fc.sample(fc.string({ unit: 'grapheme-ascii', maxLength: 400 }), { numRuns: 200, seed: 7 })) {
      const { status } = await agent.send({}, { authorization: `Peyk ${text.replace(/[^\x21-\x7e]/g, '')}` })
      expect(status).toBe(401)
    }
  })
})

const rowCount = async (): Promise<number> =>
  (await server.store.query<{ n: number }>('SELECT count() AS n FROM measurements_raw'))[0]!.n

test('half a header gets no more than its time', async () => {
  const { text, seconds } = await slow
  expect(text).toMatch(/^HTTP\/1\.1 408 /)
  expect(seconds).toBeLessThan(15)
})

test('no request so far met a bug', () => {
  expect(server.log()).not.toMatch('met a bug')
})

test('an agent that reports too often, then a network that asks too often, are told when to come again', async () => {
  const eager = await server.enrolled()
  const limited = { status: 429, type: 'urn:peyk:problem:too-many' }
  const nonces = await Promise.all(Array.from({ length: 250 }, () => eager.nonce()))
  let refused = 0
  for (let at = 0; at < nonces.length; at += 50) {
    const group = nonces.slice(at, at + 50)
    const answers = await Promise.all(group.map(nonce => eager.send(eager.report([]), { nonce })))
    for (const { status, body, headers } of answers) {
      if (status === 200) continue
      expect(body).toMatchObject(limited)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      refused++
    }
  }
  expect(refused).toBe(50)
  let last: Response | undefined
  // In groups: a thousand connections at once are more than a busy machine takes.
  for (let asked = 0; asked < 2_000 && !last; asked += 100) {
    const flood = await Promise.all(Array.from({ length: 100 }, () => fetch(`${server.url}/v1/nonce`)))
    last = flood.find(({ status }) => status === 429)
  }
  expect(last && (await last.json())).toMatchObject(limited)
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
})
