import { chmodSync, mkdtempSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig, settings } from '../../server/config.ts'
import { readSecrets } from '../../server/secrets.ts'

test('without any setting the defaults hold', () => {
  expect(readConfig({})).toMatchObject({
    PEYK_HOST: '127.0.0.1',
    PEYK_PORT: 8400,
    PEYK_METRICS_PORT: 8401,
    PEYK_ASN_DB: null,
  })
})

test.each([
  ['PEYK_PORT', '84000', 'PEYK_PORT must be a whole number from 0 to 65535; it is "84000".'],
  ['PEYK_PORT', '8e3', 'PEYK_PORT must be a whole number from 0 to 65535; it is "8e3".'],
  ['PEYK_ENROLMENT', 'closed', 'PEYK_ENROLMENT must be one of invite, open; it is "closed".'],
  ['PEYK_RETENTION', '90', 'PEYK_RETENTION must be a span of at least 14 days, like 90d, 26w or 5y; it is "90".'],
  ['PEYK_RETENTION', '3d', 'PEYK_RETENTION must be a span of at least 14 days, like 90d, 26w or 5y; it is "3d".'],
  ['PEYK_CLICKHOUSE_URL', 'clickhouse', 'PEYK_CLICKHOUSE_URL must be an http:// or https:// URL; it is "clickhouse".'],
  [
    'PEYK_PROXIES',
    '10.0.0.0/33',
    'PEYK_PROXIES must be IP addresses or networks like 10.0.0.0/8, separated by commas; it is "10.0.0.0/33".',
  ],
  ['PEYK_HOST', 'a b', 'PEYK_HOST must be a host name or an IP address; it is "a b".'],
])('%s=%s is refused, saying what it must be', (name, value, message) => {
  expect(() => readConfig({ [name]: value })).toThrow(message)
})

test('every wrong setting is told at once; right ones are read', () => {
  expect(() => readConfig({ PEYK_PORT: 'x', PEYK_LOG: 'loud' })).toThrow(/PEYK_PORT .*\nPEYK_LOG /)
  expect(readConfig({ PEYK_RETENTION: '26w', PEYK_PROXIES: '10.0.0.0/8, ::1' })).toMatchObject({
    PEYK_RETENTION: 26 * 7 * 86_400,
    PEYK_PROXIES: ['10.0.0.0/8', '::1'],
  })
})

test('every setting is explained in a sentence', () => {
  for (const [name, { text }] of Object.entries(settings)) expect(text, name).toMatch(/^\S.{10,}\.$/)
})

test('secrets are made once, readable by their owner alone, and refused when others can read them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
  const first = readSecrets(folder)
  expect(readSecrets(folder).adminToken).toBe(first.adminToken)
  expect(readSecrets(folder).derive('nonce')).toEqual(first.derive('nonce'))
  expect(first.derive('nonce')).not.toEqual(first.derive('agent pseudonym'))
  expect(statSync(join(folder, 'secret')).mode & 0o777).toBe(0o600)
  chmodSync(join(folder, 'secret'), 0o644)
  expect(() => readSecrets(folder)).toThrow(/others can read .*secret; run: chmod 600/)
})

test('docs/server.md has every setting, with its default', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/server.md'), 'utf8')
  for (const [name, { default: fallback, text }] of Object.entries(settings)) {
    expect(page).toContain(`| \`${name}\` | ${fallback && `\`${fallback}\``} | ${text} |`)
  }
})
