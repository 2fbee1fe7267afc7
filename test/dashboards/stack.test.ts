/** The stack's file: what can be known of it without a container engine. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { renderSettings } from '../../dashboards/render.ts'
import { OUT_OF_ORDER } from '../../dashboards/stack.ts'
import { settings as agentSettings } from '../../probes/agent/settings.ts'
import { settings as serverSettings } from '../../server/config.ts'
import { alertmanagerPath, program, prometheusPath, run, scratch } from '../servers/prometheus.ts'

const root = join(import.meta.dirname, '../..')
const file = join(root, 'docker-compose.yml')
const text = await readFile(file, 'utf8')

type Service = {
  image: string
  user?: string
  command?: string[]
  environment?: Record<string, string>
  read_only?: boolean
  cap_drop?: string[]
  healthcheck?: object
  depends_on?: Record<string, { condition: string }>
  deploy?: { resources: { limits: { cpus: string; memory: string } } }
}
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> }
const compose = await program('docker-compose')
/** Compose 2: the first file that it refuses was fine for version 1. */
const version2 = compose !== null && /v?2\.\d+/.test(run(compose, ['version', '--short']))

test.each(Object.entries(services))('%s is pinned, confined and limited', (name, service) => {
  expect(service.image).toMatch(/:(v?\d+\.\d+(\.\d+)?|\$\{PEYK_VERSION:-local\})$/)
  expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  expect(service.read_only).toBe(true)
  expect(service.cap_drop).toEqual(['ALL'])
  expect(service.deploy?.resources.limits.memory).toBeTruthy()
  expect(service.deploy?.resources.limits.cpus).toBeTruthy()
  if (name !== 'configure' && name !== 'agent') expect(service.healthcheck).toBeDefined()
  for (const { condition } of Object.values(service.depends_on ?? {}))
    expect(['service_healthy', 'service_completed_successfully']).toContain(condition)
})

test('what it sets exists, and .env.example lists every variable it reads', async () => {
  const known = new Set([...Object.keys(serverSettings), ...Object.keys(agentSettings), ...Object.keys(renderSettings)])
  for (const [name, { environment = {} }] of Object.entries(services))
    for (const setting of Object.keys(environment).filter(one => one.startsWith('PEYK_')))
      expect(known, `${name} ${setting}`).toContain(setting)
  const example = await readFile(join(root, '.env.example'), 'utf8')
  for (const [, name] of text.matchAll(/\$\{(\w+):-/g))
    if (name !== 'PEYK_VERSION') expect(example, name).toContain(`#${name}=`)
})

test('no secret stands in it', () => {
  expect(text).not.toMatch(/PASSWORD:\s*\S*[a-z0-9]{8}/i)
  expect(services['grafana']?.environment?.['GF_SECURITY_ADMIN_PASSWORD__FILE']).toBe('/run/secrets/grafana-admin')
})

test('Prometheus takes late samples for as long as the server sends them', () => {
  expect(OUT_OF_ORDER).toBe(serverSettings.PEYK_REMOTE_WRITE_WINDOW.default)
})

const flagsOf = (service: string) =>
  (services[service]?.command ?? []).map(one => /^(--[\w.-]+)/.exec(one)?.[1]).filter(flag => flag !== undefined)

test.skipIf(prometheusPath === null).each(flagsOf('prometheus'))('prometheus knows %s', flag => {
  expect(run(prometheusPath!, ['--help']).replaceAll('[no-]', '')).toContain(flag)
})

test.skipIf(alertmanagerPath === null).each(flagsOf('alertmanager'))('alertmanager knows %s', flag => {
  expect(run(alertmanagerPath!, ['--help']).replaceAll('[no-]', '')).toContain(flag)
})

test.skipIf(!version2)('docker-compose 2 accepts it, and refuses a broken one', async () => {
  run(compose!, ['-f', file, 'config', '-q'])
  expect(run(compose!, ['-f', file, '--profile', 'agent', 'config', '--services']).split(/\s+/)).toContain('agent')
  await using folder = await scratch('compose')
  const broken = join(folder.path, 'docker-compose.yml')
  await writeFile(broken, text.replace('service_healthy', 'service_well'))
  expect(() => run(compose!, ['-f', broken, 'config', '-q'])).toThrow('condition')
})
