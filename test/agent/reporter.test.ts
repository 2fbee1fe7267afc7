import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openCatalogue, signCatalogue } from '../../probes/agent/catalogue.ts'
import { makeKey, openIdentity, publicHalf } from '../../probes/agent/identity.ts'
import { type DeliveryOutcome, Reporter, type ReporterOptions } from '../../probes/agent/reporter.ts'
import type { Spool } from '../../probes/agent/spool.ts'
import { wayTo } from '../../probes/agent/transport.ts'
import { Collector, type Misbehaviour } from '../servers/collector.ts'
import { appendBatch, appOf, contents, folder, HandClock, sample, spoolAt, tcpTarget } from './samples.ts'

const release = makeKey()

const documentOf = (version: number, more = {}) => ({
  version,
  issued: 1_790_000_000,
  expires: 1_900_000_000,
  apps: [appOf('telegram', [tcpTarget('telegram.a')])],
  ...more,
})

/** A reporter with its parts, running until the test is over. */
const reporting = async (server: URL, more: Partial<ReporterOptions> = {}) => {
  const path = await folder()
  const spool = await spoolAt(join(path, 'spool'))
  const outcomes: DeliveryOutcome[] = []
  const lines: string[] = []
  const wanted: { targets: readonly string[]; expires: number }[] = []
  const clock = new HandClock()
  const abort = new AbortController()
  const options: ReporterOptions = {
    way: wayTo(server),
    server,
    identity: await openIdentity(path),
    spool,
    keeper: await openCatalogue(join(path, 'catalogue.jose'), publicHalf(release), true),
    clock,
    boot: '0123456789abcdef',
    software: 'peyk/0.1.0',
    code: 'one-time',
    file: join(path, 'enrolled.json'),
    interval: 0.05,
    backoff: { first: 0.02, most: 0.1 },
    charge: () => {},
    operator: null,
    onOperator: () => {},
    onSeen: async () => {},
    onCatalogue: () => {},
    onRequests: (targets, expires) => wanted.push({ targets, expires }),
    onOutcome: outcome => outcomes.push(outcome),
    log: line => lines.push(line),
    ...more,
  }
  const reporter = new Reporter(options)
  const run = () => {
    const done = reporter.run(abort.signal)
    onTestFinished(async () => {
      abort.abort()
      await done
      await options.way.close()
      await spool.close()
    })
  }
  return { ...options, reporter, run, outcomes, lines, wanted, clock, spool }
}

/** Everything is receipted, and counted. */
const empty = ({ spool, outcomes }: { spool: Spool; outcomes: DeliveryOutcome[] }) =>
  vi.waitFor(
    () => {
      expect(spool.status().batches).toBe(0)
      expect(outcomes.at(-1)).toMatch(/stored|refused/)
    },
    { timeout: 60_000, interval: 20 },
  )

test('it enrols once, proves each report, and forgets a batch by its receipt only', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  const ids = [...(await appendBatch(one.spool, 3)), ...(await appendBatch(one.spool, 2))]
  one.run()
  await empty(one)
  expect(collector.measurements().map(({ id }) => id)).toEqual(ids)
  expect(collector.enrolments).toEqual([
    { thumbprint: one.identity.thumbprint, key: one.identity.publicKey, code: 'one-time', software: 'peyk/0.1.0' },
  ])
  expect(collector.reports[0]).toMatchObject({
    sent: { mono: 1_000, boot: '0123456789abcdef' },
    ledger: { measured: 5, dropped: 0 },
  })
  const upload = collector.heard.find(({ path }) => path === '/v1/reports')!
  expect(upload.headers['user-agent']).toBeUndefined()
  expect(upload.headers['content-encoding']).toBe('gzip')
  await appendBatch(one.spool, 1)
  await empty(one)
  expect(collector.enrolments).toHaveLength(1)
  const said = { enrolled: 'vantage', delivered: 6, trouble: null }
  await vi.waitFor(() => expect(one.reporter.status()).toMatchObject(said), { timeout: 60_000 })
})

test('a receipt that is lost on the way means one more sending of the same batch, stored once', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  await appendBatch(one.spool, 3)
  collector.misbehave.push({
    path: '/v1/reports',
    how: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"receipts":[')
      setTimeout(() => response.destroy(), 20)
    },
  })
  one.run()
  await empty(one)
  expect(collector.stored.size).toBe(1)
  expect(one.outcomes).toEqual(['unreachable', 'stored'])
})

test('a refused batch is set aside with the reason, without any address in it; the others go', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  await appendBatch(one.spool, 2)
  const [bad] = await one.spool.peek(1, 1)
  await appendBatch(one.spool, 1)
  collector.refuse = ({ id }) => (id === bad!.id ? 'line 2: \u001b[31m192.0.2.77 and 2001:db8::77 are wrong' : null)
  one.run()
  await empty(one)
  expect(collector.stored.size).toBe(1)
  expect(one.spool.status().dropped.refused).toBe(2)
  expect(one.reporter.status().refusal).toBe('line 2: [31m[address] and [address] are wrong')
  expect(one.lines.join('\n')).not.toMatch(/192\.0\.2|2001:db8/)
  expect(one.outcomes).toContain('refused')
})

const answer =
  (status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): Misbehaviour =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

const hostile: [string, Misbehaviour, DeliveryOutcome][] = [
  ['redirects', answer(302, { location: 'http://127.0.0.1:9/' }), 'redirected'],
  ['is busy', answer(503, { 'retry-after': '0' }), 'busy'],
  ['fails', answer(500), 'busy'],
  ['hangs up', (request: { socket: { destroy(): void } }) => request.socket.destroy(), 'unreachable'],
  ['gives a portal’s page', answer(200, { 'content-type': 'text/html' }, '<html>Sign in</html>'), 'malformed'],
  [
    'gives a receipt for other batches',
    answer(
      200,
      {},
      JSON.stringify({ receipts: [{ id: 'f'.repeat(32), outcome: 'stored' }], catalogue: 0, now: 1, requests: [] }),
    ),
    'malformed',
  ],
  ['compresses as not asked for', answer(200, { 'content-encoding': 'br' }, 'x'), 'malformed'],
  ['says gzip and gives none', answer(200, { 'content-encoding': 'gzip' }, 'x'), 'malformed'],
  ['gives a gzip bomb', answer(200, { 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(2 ** 24))), 'malformed'],
  [
    'speaks no HTTP',
    (request: { socket: { end(text: string): void } }) => request.socket.end('SSH-2.0-x\r\n'),
    'malformed',
  ],
]

test.each(hostile)('a server that %s loses nothing and is tried again', async (_what, how, outcome) => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  await appendBatch(one.spool, 2)
  collector.misbehave.push({ path: '/v1/reports', how })
  one.run()
  await empty(one)
  expect(one.outcomes).toEqual([outcome, 'stored'])
  expect(collector.measurements()).toHaveLength(2)
})

test('an answer of 10 GB is cut off at the limit', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  await appendBatch(one.spool, 2)
  let sent = 0
  collector.misbehave.push({
    path: '/v1/reports',
    how: (_request, response) => {
      response.writeHead(200, { 'content-length': String(10 * 2 ** 30) })
      const chunk = Buffer.alloc(65_536, 'a')
      const pour = () => {
        while (!response.destroyed && sent < 10 * 2 ** 30) {
          sent += chunk.length
          if (!response.write(chunk)) return void response.once('drain', pour)
        }
      }
      pour()
    },
  })
  one.run()
  await empty(one)
  expect(one.outcomes).toEqual(['malformed', 'stored'])
  expect(sent).toBeLessThan(64 * 2 ** 20)
})

test('redirects are never followed, in a loop or elsewhere', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  await appendBatch(one.spool, 1)
  const loop = answer(307, { location: '/v1/reports' })
  for (let at = 0; at < 5; at++) collector.misbehave.push({ path: '/v1/reports', how: loop })
  one.run()
  await empty(one)
  expect(one.outcomes).toEqual([...Array(5).fill('redirected'), 'stored'])
  expect(collector.heard.filter(({ path }) => path === '/v1/reports')).toHaveLength(6)
})

test('a server that is away for a while gets everything when it is back', async () => {
  const collector = await Collector.start()
  const away = createServer()
  await new Promise<void>(resolve => away.listen(0, '127.0.0.1', resolve))
  const { port } = away.address() as { port: number }
  await new Promise(resolve => away.close(resolve))
  const gone = wayTo(new URL(`http://127.0.0.1:${port}/`))
  const back = wayTo(collector.url)
  let isBack = false
  const way = { ...back, ask: (...args: Parameters<typeof back.ask>) => (isBack ? back : gone).ask(...args) }
  const one = await reporting(collector.url, { way })
  one.run()
  const ids: string[] = []
  for (let at = 0; at < 30; at++) ids.push(...(await appendBatch(one.spool, 2)))
  await vi.waitFor(() => expect(one.outcomes.filter(outcome => outcome === 'unreachable').length).toBeGreaterThan(2), {
    timeout: 60_000,
  })
  expect(one.lines.filter(line => line.startsWith('no delivery'))).toHaveLength(1)
  isBack = true
  await empty(one)
  expect(collector.measurements().map(({ id }) => id)).toEqual(ids)
  await gone.close()
})

test('a server that forgot the agent is asked to enrol it again', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  await appendBatch(one.spool, 1)
  one.run()
  await empty(one)
  collector.enrolled.clear()
  await appendBatch(one.spool, 1)
  await empty(one)
  expect(collector.enrolments).toHaveLength(2)
})

test('an agent that is not admitted keeps everything, and says why', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  collector.closedTo.add(one.identity.thumbprint)
  const ids = await appendBatch(one.spool, 2)
  one.run()
  await vi.waitFor(() => expect(one.outcomes.length).toBeGreaterThan(1), { timeout: 60_000 })
  expect(one.reporter.status().trouble).toBe('the server answered 403: no such code')
  expect((await contents(one.spool)).map(({ id }) => id)).toEqual(ids)
})

test('a batch that no report can carry is passed over, never thrown away', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  void one.spool.append({ ...sample(), id: 'poison' })
  await one.spool.flush()
  const [poison] = await one.spool.peek(1, 1)
  const refuse: Misbehaviour = (_request, response) => void response.writeHead(413).end()
  const ids = await appendBatch(one.spool, 2)
  for (let at = 0; at < 2; at++) collector.misbehave.push({ path: '/v1/reports', how: refuse })
  one.run()
  await vi.waitFor(() => expect(one.spool.status().batches).toBe(1), { timeout: 60_000 })
  expect(collector.measurements().map(({ id }) => id)).toEqual(ids)
  expect((await one.spool.peek(1, 1))[0]!.id).toBe(poison!.id)
})

test('it takes the catalogue, a newer one when a receipt names it, and passes the server’s wishes on by their lifetime', async () => {
  const collector = await Collector.start()
  const taken: number[] = []
  const one = await reporting(collector.url, { onCatalogue: ({ version }) => taken.push(version) })
  collector.catalogue = { bytes: await signCatalogue(documentOf(3), release), version: 3 }
  one.run()
  await vi.waitFor(() => expect(taken).toEqual([3]), { timeout: 60_000 })
  collector.catalogue = { bytes: await signCatalogue(documentOf(4), release), version: 4 }
  const now = Date.now() / 1000
  collector.requests = [
    { target: 'telegram.a', expires: now + 500 },
    { target: 'telegram.late', expires: now - 5 },
  ]
  await appendBatch(one.spool, 1)
  await vi.waitFor(() => expect(taken).toEqual([3, 4]), { timeout: 60_000 })
  expect(one.wanted).toHaveLength(1)
  expect(one.wanted[0]!.targets).toEqual(['telegram.a'])
  expect(one.wanted[0]!.expires).toBeGreaterThan(1_490)
  expect(one.wanted[0]!.expires).toBeLessThan(1_501)
})

test('a catalogue of somebody else’s key is not taken, is asked for rarely, and stops no delivery', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  collector.catalogue = { bytes: await signCatalogue(documentOf(9), makeKey()), version: 9 }
  one.run()
  for (let at = 0; at < 4; at++) {
    await appendBatch(one.spool, 1)
    await empty(one)
  }
  expect(one.keeper.current()).toBeNull()
  expect(one.reporter.status().refusal).toBe('catalogue: It is not signed by the release key.')
  expect(collector.heard.filter(({ path }) => path === '/v1/catalogue')).toHaveLength(1)
  one.clock.now += 100
  await vi.waitFor(() => expect(collector.heard.filter(({ path }) => path === '/v1/catalogue')).toHaveLength(2), {
    timeout: 60_000,
  })
})

test('a backlog goes out in several reports, none larger than the line has shown to carry', async () => {
  const collector = await Collector.start()
  const one = await reporting(collector.url)
  for (let at = 0; at < 12; at++) {
    const noise = { ...sample(), software: `peyk/${randomBytes(8).toString('hex')}` }
    for (let row = 0; row < 100; row++) void one.spool.append(noise)
    await one.spool.flush()
  }
  one.run()
  await empty(one)
  expect(collector.stored.size).toBe(12)
  const sizes = collector.reports.map(({ batches }) => batches.reduce((sum, { bytes }) => sum + bytes.length, 0))
  expect(collector.reports.length).toBeGreaterThan(1)
  expect(sizes[0]).toBeLessThanOrEqual(2 ** 18)
})
