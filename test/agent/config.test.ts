import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig, SettingsError, settings } from '../../probes/agent/config.ts'
import { makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { profiles } from '../../probes/agent/profiles.ts'

const key = publicHalf(makeKey())

test('without settings: home profile, this machine’s server, nothing unusual', () => {
  expect(readConfig({ PEYK_RELEASE_KEY: key.x })).toEqual({
    folder: resolve('./data/agent'),
    server: new URL('http://127.0.0.1:8400'),
    releaseKey: key,
    operatorKey: null,
    routes: ['direct'],
    code: null,
    profile: profiles.home,
    vantage: null,
    apps: null,
    unusual: false,
    loopback: false,
    metrics: { host: '127.0.0.1', port: 8402 },
    spool: { maxBytes: 100e6, maxAge: 90 * 86_400 },
  })
})

test('the release key is a JWK or its x, pinned or set; a set one wins, a private one is cut to its public half', () => {
  const other = makeKey()
  expect(readConfig({}, key).releaseKey).toEqual(key)
  expect(readConfig({ PEYK_RELEASE_KEY: JSON.stringify(other) }, key).releaseKey).toEqual(publicHalf(other))
})

test.each([
  [{ PEYK_SERVER: 'ftp://x.test' }, /^PEYK_SERVER must be an https:\/\/ URL .*; it is "ftp:\/\/x.test"\.$/],
  [{ PEYK_SERVER: 'https://u:p@x.test' }, /PEYK_SERVER/],
  [{ PEYK_SERVER: 'http://x.test' }, /PEYK_SERVER must be https/],
  [{ PEYK_VANTAGE: 'Kenya' }, /PEYK_VANTAGE must be a country and a network number, like KE:33771; it is "Kenya"/],
  [{ PEYK_PROFILE: 'fast' }, /PEYK_PROFILE must be one of home, metered, control/],
  [{ PEYK_METRICS_PORT: '70000' }, /PEYK_METRICS_PORT must be a whole number from 0 to 65535/],
  [{ PEYK_UNUSUAL: 'true' }, /PEYK_UNUSUAL must be one of yes, no/],
  [{ PEYK_RELEASE_KEY: 'abc' }, /PEYK_RELEASE_KEY must be/],
  [{ PEYK_APPS: 'Telegram!' }, /PEYK_APPS must be ids/],
])('a wrong setting is named, with what it must be: %j', (env, message) => {
  expect(() => readConfig(env, key)).toThrow(SettingsError)
  expect(() => readConfig(env, key)).toThrow(message)
})

test('every wrong setting is told at once; a code is never shown', () => {
  const read = () => readConfig({ PEYK_PROFILE: 'x', PEYK_SPOOL_MB: '0', PEYK_CODE: 'se cret' }, key)
  expect(read).toThrow(/PEYK_CODE[^"]*\nPEYK_PROFILE.*\nPEYK_SPOOL_MB/)
})

test('without a release key it says who has it; http elsewhere needs a word', () => {
  expect(() => readConfig({})).toThrow(/PEYK_RELEASE_KEY must be set/)
  expect(readConfig({ PEYK_SERVER: 'http://server:8400', PEYK_INSECURE: 'yes' }, key).server.host).toBe('server:8400')
})

test('every setting has a text for the table', () => {
  for (const [name, { text }] of Object.entries(settings)) {
    expect(name).toMatch(/^PEYK_[A-Z_]+$/)
    expect(text, name).toMatch(/[.]$/)
  }
})
