import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Analyst } from '../../server/analyst.ts'
import { answerRoutes } from '../../server/routes/answers.ts'
import { batchOf, TestAgent } from './agent.ts'
import { type Live, live } from './live.ts'

/** An address reserved for documentation, in every spelling that could be kept by mistake. */
const CANARY = '203.0.113.77'
const spellings = [
  CANARY,
  '203.0.113',
  '::ffff:cb00:714d',
  'cb00714d',
  '3405803853',
  '4:13303921',
  Buffer.from(CANARY).toString('base64').slice(0, 14),
]
/** Header of somebody behind a proxy that this server believes. */
const from = {
  'x-forwarded-for': CANARY,
  'user-agent': `probe ${CANARY}`,
  referer: `http://${CANARY}/`,
  forwarded: `for=${CANARY}`,
}

let server: Live
let analyst: Analyst
beforeAll(async () => {
  const now = () => Date.now() / 1000
  const networkName = () => undefined
  server = await live(
    { PEYK_PROXIES: '127.0.0.1', PEYK_MIN_AGENTS: '1' },
    {
      touched: touched => analyst.touch(touched),
      routes: (app, { store, facts }) => {
        analyst = new Analyst({ store, facts, events: [], networkName, leastAgents: 1, now })
        answerRoutes(app, { store, events: [], networkName, now })
      },
    },
  )
})
afterAll(async () => {
  await analyst.stop()
  await server.stop()
})

test('no address of who sends is in store, log, metrics, answers or files, whatever they send it in', async () => {
  const agent = await server.enrolled()
  const twist = { headers: from }
  const good = agent.measure()
  const first = await agent.send({ ...agent.report([batchOf([good])]), padding: CANARY }, twist)
  expect(first.receipt.receipts).toMatchObject([{ outcome: 'stored' }])
  const [row] = await server.store.query<{ seen: string }>('SELECT seen_country AS seen FROM measurements')
  // The header was believed (the database has the documentation's addresses under APNIC's country).
  expect(row).toEqual({ seen: 'AU' })

  const refusedFields = [{ software: `peyk/${CANARY}` }, { target: CANARY }, { country: CANARY }, { address: CANARY }]
  const marked = { ...agent.measure(), steps: [{ ...agent.measure().steps[0], mark: CANARY }] }
  const lines = [
    ...refusedFields.map(more => JSON.stringify({ ...agent.measure(), ...more })),
    JSON.stringify(marked),
    CANARY,
  ]
  const { receipt } = await agent.send(agent.report(lines.map(line => batchOf([line]))), twist)
  expect(receipt.receipts.map(({ outcome }) => outcome)).toEqual(lines.map(() => 'refused'))
  expect(JSON.stringify(receipt)).not.toContain(CANARY)

  for (const bad of [CANARY, { [CANARY]: CANARY }, { sent: CANARY }]) await agent.send(bad, twist)
  await agent.send({}, { headers: { ...from, 'content-encoding': CANARY } })
  const stranger = await TestAgent.make(server.url)
  await stranger.enrol(CANARY, twist)
  await stranger.send({}, { ...twist, authorization: `Peyk ${CANARY}` })
  for (const path of [`/v1/${CANARY}`, `/healthz?at=${CANARY}`, `/%ff${CANARY}`]) {
    await fetch(`${server.url}${path}`, { headers: from })
  }
  // Whoever asks is told where it is seen, and nobody else.
  const asked = await fetch(`${server.url}/v1/nonce`, { headers: from })
  expect(asked.headers.get('cache-control')).toBe('no-store')
  expect(await asked.json()).toMatchObject({ seen: CANARY })
  await fetch(`${server.url}/v1/nonce`)

  await expectNowhere()
})

test('an address that can be located gives its country and nothing else', async () => {
  const agent = await server.enrolled()
  const found = agent.measure()
  const kenyan = '196.201.214.77'
  await agent.send(agent.report([batchOf([found])]), { headers: { 'x-forwarded-for': kenyan } })
  const rows = await server.store.query<{ seen_country: string; prefix_token: number }>(
    'SELECT * FROM measurements WHERE toString(id) = {id:String}',
    { id: found.id },
  )
  expect(rows).toMatchObject([{ seen_country: 'KE' }])
  expect(rows[0]!.prefix_token).toBeGreaterThan(0)
  expect(JSON.stringify(rows)).not.toContain('196.201')
})

/** Everything that anybody may read, once all that came in is judged. */
const answers = async (): Promise<string> => {
  await analyst.idle()
  const paths = [
    'reachability',
    'series?app=telegram&country=KE',
    'degradations',
    'measurements?app=telegram',
    'ledger',
  ]
  const texts = paths.map(async path => {
    const response = await fetch(`${server.url}/v1/${path}`)
    expect(response.status, path).toBe(200)
    return await response.text()
  })
  const all = (await Promise.all(texts)).join('\n')
  expect(all).toContain('"telegram"')
  return all
}

const expectNowhere = async (): Promise<void> => {
  const read = await answers()
  const tables = await server.store.query<{ name: string }>(
    'SELECT name FROM system.tables WHERE database = currentDatabase()',
  )
  const kept = await Promise.all(tables.map(({ name }) => server.store.query(`SELECT * FROM ${name}`)))
  expect(kept.flat().length).toBeGreaterThan(2)
  const files = readdirSync(server.folder, { recursive: true, withFileTypes: true })
    .filter(file => file.isFile())
    .map(file => readFileSync(join(file.parentPath, file.name)).toString('latin1'))
  const places = {
    store: JSON.stringify(kept),
    log: server.log(),
    metrics: await server.metrics(),
    answers: read,
    files: files.join('\n'),
  }
  for (const [place, text] of Object.entries(places)) {
    for (const spelling of spellings) {
      // What was asked for by URL stands in no log either; ids of parts and hashes are long, so short numbers are not looked for.
      expect(text.includes(spelling), `${spelling} in ${place}`).toBe(false)
    }
  }
  expect(places.log.length).toBeGreaterThan(100)
}
