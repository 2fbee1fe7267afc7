import { expect, test } from 'vitest'
import type { App } from '../../measurement/app.ts'
import { allTargets, apps, findApp } from '../../measurement/catalogue.ts'
import { catalogueFaults } from '../../measurement/faults.ts'
import type { ProbeKind } from '../../measurement/step.ts'
import type { Target } from '../../measurement/target.ts'

/** Every system that issue 4 names, by the slug of the policy events. */
const named = `telegram telegram-x whatsapp signal messenger instagram wechat line kakaotalk kik vk viber imo discord matrix
  threema wire session snapchat soroush bale eitaa rubika gap igap max zalo apple-app-store google-play wispi skype control`

const deciding = (app: string): readonly Target[] =>
  findApp(app)?.targets.filter(({ decides }) => decides === 'yes') ?? []

test('the catalogue has no fault', () => {
  expect(catalogueFaults()).toEqual([])
})

test('every app named is there, measured or retired with the reason', () => {
  expect(apps.map(({ id }) => id).sort()).toEqual(named.split(/\s+/).sort())
  const silent = apps.filter(({ id, targets }) => targets.every(({ kind }) => kind === 'store') && id !== 'telegram-x')
  expect(silent.map(({ id, status }) => [id, status])).toEqual([
    ['skype', 'retired'],
    ['wispi', 'retired'],
  ])
  expect(findApp('skype')?.note).toContain('2025-05-05')
})

test('no two targets of an app ask the same thing', () => {
  for (const app of apps) {
    const asked = app.targets.map(({ host, port, kind, ask, family }) =>
      JSON.stringify([host, port, kind, ask, family]),
    )
    expect(asked.filter((ask, at) => asked.indexOf(ask) !== at)).toEqual([])
  }
})

/** Reachability of these is the answer of their own protocol, never TCP nor a bare HTTPS status (issue 4). */
const byStructure: Readonly<Record<string, readonly ProbeKind[]>> = {
  telegram: ['mtproto'],
  whatsapp: ['noise'],
  signal: ['websocket'],
  threema: ['threema'],
  kakaotalk: ['loco'],
  discord: ['websocket'],
  matrix: ['http'],
  soroush: ['mtproto'],
}

test.each(Object.entries(byStructure))('%s is proven by the structure of its answer', (app, kinds) => {
  const text = deciding(app).filter(({ feature }) => feature === 'text')
  expect(text.length).toBeGreaterThan(0)
  for (const target of text) {
    expect(kinds, target.id).toContain(target.kind)
    if (target.kind === 'websocket') expect(target.ask.expect.words, target.id).not.toBe('none')
    if (target.kind === 'http') expect(target.ask.expect.json, target.id).toBeDefined()
  }
})

test('a bare HTTP status of a website decides the web at most, and TCP nothing that a deeper target could', () => {
  const weak = allTargets().filter(({ target }) => target.kind === 'tcp' && target.decides === 'yes')
  // Protocols that nobody described: TCP is the deepest there is, and the healthy answer says so.
  expect([...new Set(weak.map(({ app }) => app))].sort()).toEqual(['viber', 'wechat'])
  for (const { target } of weak) expect(target.healthy).toContain('TCP opens. What follows')
})

test('what OONI’s tests ask can be found again: host, port and kind, deciding for imports', () => {
  const found = new Set(
    allTargets()
      .filter(({ target }) => target.decides !== 'no')
      .map(({ app, target }) => `${app} ${target.host} ${target.port} ${target.kind}`),
  )
  const dcs = [
    '149.154.175.50',
    '149.154.167.51',
    '149.154.175.100',
    '149.154.167.91',
    '149.154.171.5',
    '95.161.76.100',
  ]
  const asked = [
    ...dcs.flatMap(dc => [`telegram ${dc} 80 http`, `telegram ${dc} 443 http`]),
    'telegram web.telegram.org 443 http',
    ...Array.from({ length: 16 }, (_, n) =>
      [443, 5222].map(port => `whatsapp e${n + 1}.whatsapp.net ${port} tcp`),
    ).flat(),
    'whatsapp v.whatsapp.net 443 http',
    'whatsapp web.whatsapp.com 443 http',
    ...['cdsi', 'chat', 'sfu.voip', 'storage'].map(name => `signal ${name}.signal.org 443 http`),
    ...['b-api', 'b-graph', 'edge-mqtt', 'star.c10r'].map(name => `messenger ${name}.facebook.com 443 tcp`),
    ...['external.xx', 'scontent.xx'].map(name => `messenger ${name}.fbcdn.net 443 tcp`),
  ]
  expect(asked.filter(key => !found.has(key))).toEqual([])
})

test('each country named has domestic controls, every country foreign ones, in both families', () => {
  const controls = findApp('control')!.targets.filter(({ control }) => control)
  const domestic = controls.filter(({ control }) => control === 'domestic')
  for (const country of ['IR', 'RU', 'KE', 'TR', 'CN']) {
    expect(domestic.filter(({ countries }) => countries?.includes(country)).length, country).toBeGreaterThanOrEqual(3)
  }
  for (const family of ['v4', 'v6']) {
    const everywhere = controls.filter(
      target => target.control === 'foreign' && target.family === family && !target.countries,
    )
    expect(new Set(everywhere.map(({ host }) => host)).size, family).toBeGreaterThanOrEqual(2)
  }
  // Resolvers and STUN are filtered themselves, so they stand for no side.
  expect(findApp('control')!.targets.filter(({ kind, control }) => kind !== 'http' && control)).toEqual([])
})

test('a store is two targets with two meanings: the listing for control agents, the way there for everyone', () => {
  const listings = allTargets().filter(({ target }) => target.kind === 'store')
  const listed = apps.filter(({ stores, status }) => stores && status === 'measured').map(({ id }) => id)
  expect([...new Set(listings.map(({ app }) => app))].sort()).toEqual(listed.sort())
  for (const store of ['apple-app-store', 'google-play']) {
    const ways = deciding(store)
    expect(ways.length, store).toBeGreaterThan(0)
    for (const { kind, roles, feature } of ways) expect([kind, roles, feature]).toEqual(['http', undefined, 'download'])
  }
})

/** Each way to write an entry wrongly, and what the fault must say. */
const wrong: readonly [change: (target: Target) => object, fault: string][] = [
  [() => ({ spacing: 5 }), '/spacing must be >= 60'],
  [() => ({ spacing: 60 }), '/spacing must be at least 180'],
  [() => ({ port: 70_000 }), '/port must be <= 65535'],
  [() => ({ kind: 'gopher' }), '/kind must be one of dns, tcp'],
  [() => ({ surplus: 1 }), '/ must not have additional properties'],
  [() => ({ healthy: undefined }), '/healthy must be string'],
  [() => ({ host: '10.10.34.34' }), '/host must be a name or a public address'],
  [() => ({ host: '2001:4860:4860::8888' }), '/family must be that of the address in /host'],
  [() => ({ experimental: true }), '/decides must be no while /experimental is true'],
  [() => ({ confidence: 'unverified' }), '/experimental must be true where /confidence is unverified'],
  [() => ({ control: 'domestic' }), '/control is for targets of the app control'],
  [() => ({ risk: 'unusual' }), '/decides must be no where /risk is unusual'],
  [() => ({ id: 'signal.elsewhere' }), '/id must begin with telegram.'],
]

test.each(wrong)('%s: refused with file and field', (change, fault) => {
  const telegram = findApp('telegram')!
  const target = telegram.targets[0]!
  const broken: App = { ...telegram, targets: [{ ...target, ...change(target) } as Target] }
  expect(catalogueFaults([broken]).join('\n')).toContain(fault)
  for (const line of catalogueFaults([broken])) expect(line).toMatch(/^measurement\/apps\/telegram\.ts: target /)
})

test('an app with a wrong field, targets of a retired one, and an id that stands twice are refused', () => {
  const telegram = findApp('telegram')!
  const one = { ...telegram, targets: telegram.targets.slice(0, 1) }
  expect(catalogueFaults([{ ...one, home: 'Iran' }])).toEqual([
    'measurement/apps/telegram.ts: /home must be null',
    'measurement/apps/telegram.ts: /home must match pattern "^[A-Z]{2}$"',
    'measurement/apps/telegram.ts: /home must match a schema in anyOf',
  ])
  expect(catalogueFaults([{ ...one, status: 'retired' }])).toEqual([
    'measurement/apps/telegram.ts: /targets must be empty where /status is retired',
    'measurement/apps/telegram.ts: /note must say when and why it was retired',
  ])
  expect(catalogueFaults([one, one])).toContain(`measurement/apps: target ${one.targets[0]!.id}: /id stands twice`)
})
