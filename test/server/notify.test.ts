/** The server's own notifications: to a real webhook over HTTP, and to a real Alertmanager. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alertSpecs } from '../../dashboards/alerts.ts'
import type { Degradation } from '../../measurement/answers.ts'
import type { Verdict } from '../../measurement/verdict.ts'
import { Facts } from '../../server/facts.ts'
import { alertNames, Notifier, type NotifierParts } from '../../server/notify.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import type { Notification } from '../../server/told.ts'
import { alertmanagerPath, type Running, scratch, startAlertmanager } from '../servers/prometheus.ts'

const degradation = (more: Partial<Degradation> = {}): Degradation => ({
  id: 'ke-2023-11-09-telegram-00000000',
  app: 'telegram',
  feature: 'text',
  country: 'KE',
  networks: [12455, 33771],
  verdict: 'blocked',
  layer: 'tcp',
  mechanism: 'drop',
  state: 'confirmed',
  onset: '2023-11-09T06:00:00Z',
  end: null,
  recurring: null,
  share: 1,
  agents: 85,
  control: 'other networks of the country',
  events: [{ id: 'ke-2023-11-08-telegram-exam-block', distance: 'P1D' }],
  sentence: { en: 'Telegram: blocked.', fa: 'تلگرام: مسدود.' },
  revision: 1,
  known: '2023-11-09T07:00:00Z',
  ...more,
})

const closing: AsyncDisposable[] = []
const received: { headers: IncomingHttpHeaders; body: Notification }[] = []
let status = 200
let webhook: URL
let store: Store
let facts: Facts
const counted: string[] = []

const notifierOf = (parts: Partial<NotifierParts> = {}) =>
  new Notifier({
    ...{ webhook, alertmanager: null, facts, now: () => Date.now() / 1000, open: async () => [] },
    onlyPublic: async all => all,
    meter: {
      count: (_: string, { channel, outcome }: Record<string, string>) => void counted.push(`${channel} ${outcome}`),
    } as never,
    ...parts,
  })

beforeAll(async () => {
  const folder = await scratch('notify')
  closing.push(folder)
  store = await openEmbedded(folder.path)
  closing.push({ [Symbol.asyncDispose]: () => store.close() })
  await migrate(store)
  facts = await Facts.open(store)
  const server = createServer((request, response) => {
    let text = ''
    request
      .on('data', chunk => (text += chunk))
      .on('end', () => {
        received.push({ headers: request.headers, body: JSON.parse(text) })
        response.writeHead(status).end()
      })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push({ [Symbol.asyncDispose]: async () => void server.close() })
  webhook = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`)
})

afterAll(async () => {
  for (const one of closing.toReversed()) await one[Symbol.asyncDispose]()
})

const said = () =>
  received.map(({ body: { change, degradation } }) => `${change} ${degradation.id} ${degradation.verdict}`)

test('quiet by default: without an address nothing is kept or said', async () => {
  const notifier = notifierOf({ webhook: null })
  await notifier.changed([{ change: 'opened', degradation: degradation({ id: 'quiet' }) }])
  await notifier.tell()
  expect(received).toEqual([])
  expect([...facts.of('incidents').all()]).toEqual([])
})

test('open, worsen, close are said once each; what is unconfirmed or no worse is not', async () => {
  const notifier = notifierOf()
  const steps: [string, Partial<Degradation>][] = [
    ['opened', { state: 'unconfirmed', verdict: 'slow' }],
    ['revised', { verdict: 'slow', revision: 2 }],
    ['revised', { verdict: 'slow', revision: 3, agents: 90 }],
    ['revised', { verdict: 'throttled', revision: 4 }],
    ['revised', { verdict: 'slow', revision: 5 }],
    ['revised', { verdict: 'blocked', revision: 6 }],
    ['closed', { verdict: 'blocked', revision: 7, end: '2023-11-24T10:00:00Z' }],
    ['revised', { verdict: 'blocked', revision: 8, end: '2023-11-24T11:00:00Z' }],
  ]
  for (const [change, more] of steps) {
    await notifier.changed([{ change: change as never, degradation: degradation({ id: 'one', ...more }) }])
    await notifier.tell()
  }
  expect(said()).toEqual(['open one slow', 'worsen one throttled', 'worsen one blocked', 'close one blocked'])
  expect(received[0]!.body.text).toEqual({ en: 'Telegram: blocked.', fa: 'تلگرام: مسدود.' })
  expect(received[3]!.body.text.en).toBe('Over: Telegram: blocked.')
  expect(new Set(received.map(({ headers }) => headers['idempotency-key'])).size).toBe(4)
})

test('five apps that are blocked together are one word to open and one to close', async () => {
  received.length = 0
  const notifier = notifierOf()
  const five = ['telegram', 'whatsapp', 'signal', 'viber', 'messenger'].map(app =>
    degradation({
      id: `five ${app}`,
      app,
      incident: 'five telegram',
      verdict: app === 'signal' ? 'blocked' : 'partial',
    }),
  )
  const [first, ...rest] = five
  const tell = async (change: 'opened' | 'revised' | 'closed', all: readonly Degradation[]) => {
    await notifier.changed(all.map(degradation => ({ change, degradation })))
    await notifier.tell()
  }
  // The first was found alone, and was not yet known to be part of more.
  await tell('opened', [{ ...first!, state: 'unconfirmed' }])
  await tell('revised', [first!, ...rest])
  await tell('revised', five)
  const ended = five.map(of => ({ ...of, end: '2023-11-24T10:00:00Z' }))
  await tell('closed', ended.slice(0, 4))
  await tell('closed', ended)
  expect(said()).toEqual(['open five signal blocked', 'close five messenger partial'])
})

test('at least once: what the receiver did not take waits through a restart, with the same key', async () => {
  received.length = 0
  status = 500
  const first = notifierOf()
  await first.changed([{ change: 'opened', degradation: degradation({ id: 'two' }) }])
  await first.tell()
  expect(counted).toContain('webhook failed')
  status = 200
  const again = notifierOf({ facts: await Facts.open(store) })
  await again.tell()
  await again.tell()
  expect(said()).toEqual(['open two blocked', 'open two blocked'])
  expect(received[0]!.headers['idempotency-key']).toBe(received[1]!.headers['idempotency-key'])
})

test('names no network that is not public', async () => {
  received.length = 0
  facts = await Facts.open(store)
  const notifier = notifierOf({ onlyPublic: async all => all.map(of => ({ ...of, networks: [12455] })) })
  await notifier.changed([{ change: 'opened', degradation: degradation({ id: 'three' }) }])
  await notifier.tell()
  expect(received[0]!.body.degradation.networks).toEqual([12455])
})

test('alert names and severities are those of Prometheus’ rules', () => {
  for (const [verdict, { alertname, severity }] of Object.entries(alertNames)) {
    const specs = alertSpecs.filter(({ alert }) => alert === alertname)
    expect(
      specs.some(one => one.query.promql.includes(`verdict="${verdict}"`) && one.severity === severity),
      verdict,
    ).toBe(true)
  }
  const told = Object.values(alertNames).map(({ alertname }) => alertname)
  for (const { alert } of alertSpecs) expect([...told, 'CallsPathDegraded']).toContain(alert)
})

describe.skipIf(alertmanagerPath === null)(`Alertmanager${alertmanagerPath ? '' : ' (skipped: not installed)'}`, () => {
  let alertmanager: Running

  beforeAll(async () => {
    const folder = await scratch('notify-alertmanager')
    closing.push(folder)
    const file = join(folder.path, 'alertmanager.yml')
    await writeFile(file, 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n')
    alertmanager = await startAlertmanager(folder.path, file)
    closing.push(alertmanager)
  })

  const active = async () =>
    (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json()) as {
      labels: Record<string, string>
      annotations: Record<string, string>
    }[]

  test('holds what is open and confirmed, and ends what is gone', async () => {
    let open: Degradation[] = [
      degradation(),
      degradation({ id: 'calls', feature: 'voice-call', verdict: 'partial' as Verdict, networks: [12455] }),
      degradation({ id: 'thin', state: 'unconfirmed', app: 'signal' }),
    ]
    const notifier = notifierOf({ webhook: null, alertmanager: new URL(alertmanager.url), open: async () => open })
    await notifier.tell()
    const alerts = await active()
    expect(alerts.map(({ labels }) => [labels['alertname'], labels['scope'], labels['severity']]).sort()).toEqual([
      ['CallsPathDegraded', 'network', 'warning'],
      ['MessengerBlocked', 'country', 'critical'],
    ])
    const block = alerts.find(({ labels }) => labels['alertname'] === 'MessengerBlocked')!
    expect(block.labels).toMatchObject({
      app: 'telegram',
      feature: 'text',
      country: 'KE',
      layer: 'tcp',
      about: 'messengers',
    })
    expect(block.annotations).toMatchObject({
      summary: 'Telegram: blocked.',
      networks: 'AS12455, AS33771',
      agents: '85',
    })
    open = []
    await notifier.tell()
    expect(await active()).toEqual([])
    expect(counted).toContain('alertmanager sent')
  })
})
