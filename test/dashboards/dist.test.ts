/** What is committed is what the code makes, and what the real tools accept. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { files, settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'
import { amtoolPath, promtoolPath, run } from '../servers/prometheus.ts'

const dist = join(import.meta.dirname, '../../dashboards/dist')
const made = files({ ...settingsFrom({}), events: loadEvents() })

test('dashboards/dist is what npm run dashboards makes, file by file', async () => {
  const entries = await readdir(dist, { recursive: true, withFileTypes: true })
  const there = entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  expect(there.sort()).toEqual([...made.keys()].map(path => join(dist, path)).sort())
  for (const [path, text] of made)
    expect((await readFile(join(dist, path), 'utf8')) === text, `${path}: run npm run dashboards`).toBe(true)
})

test('rendering twice makes no difference', () => {
  expect(files({ ...settingsFrom({}), events: loadEvents() })).toEqual(made)
})

test('a wrong setting stops and is named', () => {
  expect(() => settingsFrom({ PEYK_ALERT_TO: 'chat,fax' })).toThrow('PEYK_ALERT_TO must list page, chat, mail, webhook')
  expect(() => settingsFrom({ PEYK_GRAFANA_URL: 'grafana' })).toThrow('PEYK_GRAFANA_URL must be an http')
})

test('only chosen receivers are configured', () => {
  const config = files({ ...settingsFrom({ PEYK_ALERT_TO: 'nobody' }), events: [] }).get('alertmanager.yml')!
  expect(config).not.toContain('secrets')
  expect(files({ ...settingsFrom({ PEYK_ALERT_TO: 'chat' }), events: [] }).get('alertmanager.yml')).not.toContain(
    'page-key',
  )
})

test.skipIf(promtoolPath === null)('promtool accepts rules and configuration', () => {
  const rules = ['rules.yaml', 'alerts.yaml'].map(name => join(dist, name))
  expect(run(promtoolPath!, ['check', 'rules', '--lint=all', '--lint-fatal', ...rules])).toContain('SUCCESS')
  expect(run(promtoolPath!, ['check', 'config', join(dist, 'prometheus.yml')])).toContain('SUCCESS')
})

/** Receivers of an alert with these labels, by the real routing. */
const routed = (labels: Record<string, string>) =>
  run(amtoolPath!, [
    'config',
    'routes',
    'test',
    `--config.file=${join(dist, 'alertmanager.yml')}`,
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ]).split('\n')[0]

test.skipIf(amtoolPath === null)('amtool accepts the configuration and its templates', () => {
  expect(run(amtoolPath!, ['check-config', join(dist, 'alertmanager.yml')])).toContain('SUCCESS')
})

test.skipIf(amtoolPath === null).each([
  [
    'a national block',
    { alertname: 'MessengerBlocked', about: 'messengers', severity: 'critical' },
    'page,chat,mail,webhook',
  ],
  ['a slow-down', { alertname: 'MessengerSlow', about: 'messengers', severity: 'warning' }, 'chat,mail,webhook'],
  ['an app that is down by itself', { alertname: 'AppDown', about: 'messengers', severity: 'info' }, 'webhook'],
  ['the store', { alertname: 'PeykStoreFailing', about: 'peyk', severity: 'critical' }, 'page,chat,mail,webhook'],
  ['an old database', { alertname: 'PeykNetworkDatabaseOld', about: 'peyk', severity: 'info' }, 'webhook'],
  ['the heartbeat', { alertname: 'PeykWatchdog', about: 'peyk', severity: 'info' }, 'webhook'],
  ['somebody else’s', { alertname: 'Other', severity: 'critical' }, 'nobody'],
])('%s goes to the right people', (_, labels, receivers) => {
  expect(routed(labels)).toBe(receivers)
})
