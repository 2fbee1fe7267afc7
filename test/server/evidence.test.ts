import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strFromU8, unzipSync } from 'fflate'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Degradation } from '../../measurement/answers.ts'
import { bundleOf, type Evidence, evidenceOf } from '../../server/evidence.ts'
import { onlyPublic } from '../../server/public-findings.ts'
import { pageRoutes } from '../../server/routes/page.ts'
import { toRow } from '../../server/store/rows.ts'
import type { Store } from '../../server/store/store.ts'
import { type Live, live } from './live.ts'
import { stored } from './store-contract.ts'

/** What leaves with a finding: of public networks only, and for one revision the same for ever. */

const OPEN = 33771
const HIDDEN = 12455
const at = Date.parse('2023-11-09T10:00:00Z') / 1000
const known = at + 86_400

const finding: Degradation = {
  ...{ id: 'ke-2023-11-09-telegram-0', app: 'telegram', feature: 'text', country: 'KE', networks: [HIDDEN, OPEN] },
  ...{ verdict: 'blocked', layer: 'tcp', mechanism: 'drop', state: 'confirmed', recurring: null, share: 1, agents: 5 },
  ...{ onset: new Date(at * 1000).toISOString(), end: null, control: 'none', events: [], revision: 2 },
  known: new Date(known * 1000).toISOString(),
  sentence: { en: `Telegram: blocked on AS${HIDDEN} and AS${OPEN}.`, fa: `مسدود در AS${HIDDEN}` },
}

const folder = mkdtempSync(join(tmpdir(), 'peyk-evidence-'))
let server: Live
let store: Store
const insert = (asn: number, id: number, arrived: number) =>
  store.insert('measurements_raw', [
    toRow(stored({ id: `01890000-0000-7000-8000-00000000000${id}`, asn, at: at + id, arrived, agent: `agent-${id}` })),
  ])
beforeAll(async () => {
  copyFileSync('server/page/index.html', join(folder, 'index.html'))
  server = await live({ PEYK_DATA: folder }, { routes: (app, { store }) => pageRoutes(app, folder, store) })
  store = server.store
  for (const [asn, shown] of [
    [OPEN, 1],
    [HIDDEN, 0],
  ] as const)
    await store.insert('network_days', [
      { country: 'KE', asn, day: '2023-11-09', agents: 2, public: shown, revision: 1 },
    ])
  await insert(OPEN, 1, at + 10)
  await insert(HIDDEN, 2, at + 10)
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

const parts = () => ({ store, events: [], networkName: () => undefined })
const told = async (): Promise<Degradation> => (await onlyPublic(store, [finding]))[0]!

test('neither list nor sentence names a network that is not public', async () => {
  const { networks, sentence } = await told()
  expect(networks).toEqual([OPEN])
  expect(sentence.en).toContain(`AS${OPEN}`)
  expect(sentence.fa).toContain(`AS${OPEN}`)
  expect(`${sentence.en}${sentence.fa}`).not.toContain(`${HIDDEN}`)
  const open = { ...finding, networks: [OPEN] }
  expect(await onlyPublic(store, [open])).toEqual([open])
})

test('days on which a network was public, before and after, name it in no finding between them', async () => {
  const network = 36926
  for (const day of ['2024-01-10', '2024-06-10'])
    await store.insert('network_days', [{ country: 'KE', asn: network, day, public: 1, revision: 1 }])
  const of = (onset: string, end: string | null): Degradation => ({ ...finding, networks: [network], onset, end })
  const between = of('2024-03-01T00:00:00Z', '2024-03-04T00:00:00Z')
  const touching = of('2024-01-10T23:00:00Z', '2024-03-04T00:00:00Z')
  const open = of('2024-03-01T00:00:00Z', null)
  const told = await onlyPublic(store, [between, touching, open])
  expect(told.map(({ networks }) => networks)).toEqual([[], [network], [network]])
  expect(told[0]!.sentence.en).not.toContain(`${network}`)
})

test('no file of the bundle holds a row or the name of a hidden network, nor what came after the revision', async () => {
  const evidence: Evidence = await evidenceOf(parts(), await told())
  const first = await bundleOf(parts(), evidence, 1)
  const files = Object.entries(unzipSync(first)).map(([name, bytes]) => [name, strFromU8(bytes)] as const)
  expect(files.length).toBe(9)
  for (const [name, text] of files) {
    expect(text, name).not.toMatch(new RegExp(`${HIDDEN}|agent-|prefix|01890000`))
    expect(text, name).not.toMatch(/NaN|Infinity|undefined/)
  }
  expect(new Map(files).get('measurements.jsonl')?.trimEnd().split('\n').length).toBe(1)
  await insert(OPEN, 3, known + 60)
  expect(Buffer.compare(await bundleOf(parts(), await evidenceOf(parts(), await told()), 1), first)).toBe(0)
})

test('a link to a finding previews as its sentence, whatever stands in it, of public networks only', async () => {
  const keep = (of: Degradation) =>
    store.insert('degradations', [
      { ...of, known: of.known.slice(0, 19).replace('T', ' '), onset: at, json: JSON.stringify(of) },
    ])
  const id = 'ke-2023-11-09-telegram-1'
  const said = { en: 'Telegram: blocked on <i>"A&B"</i> $& (AS1); 0% answered.', fa: 'مسدود بود؛ ۰٪ پاسخ دادند.' }
  await keep({ ...finding, id, networks: [OPEN], revision: 1, sentence: said })
  await keep({ ...finding, id, networks: [HIDDEN, OPEN], revision: 2 })
  const head = async (query: string) => {
    const response = await fetch(`${server.url}/finding/${query}`)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    return await response.text()
  }
  const first = await head(`${id}?revision=1`)
  const title = 'Telegram: blocked on &lt;i&gt;&quot;A&amp;B&quot;&lt;/i&gt; $&amp; (AS1)'
  expect(first).toContain(`<title>${title} · Peyk</title>`)
  expect(first).toContain(`<meta property="og:title" content="${title}" />`)
  for (const name of ['name="description"', 'property="og:description"'])
    expect(first).toContain(`<meta ${name} content="${title}; 0% answered." />`)
  expect(first).toContain('<script type="module"')
  expect(await head(`${id}?revision=1&lang=fa`)).toContain('<title>مسدود بود · Peyk</title>')
  const newest = await head(id)
  expect(newest).toContain(`AS${OPEN}`)
  expect(newest).not.toContain(`${HIDDEN}`)
  const plain = await head('no-such-finding')
  expect(plain).toContain('<title>Peyk</title>')
  await keep({ ...finding, id, revision: 3, withdrawn: true })
  expect(await head(`${id}?revision=1`)).toBe(plain)
})
