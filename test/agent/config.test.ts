import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { SettingsError } from '../../measurement/settings.ts'
import { readConfig } from '../../probes/agent/config.ts'
import { makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { writeInvite } from '../../probes/agent/invite.ts'
import { isQuiet, onBattery } from '../../probes/agent/manners.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { settings } from '../../probes/agent/settings.ts'
import { folder } from './samples.ts'

const key = publicHalf(makeKey())

test('without settings: home profile, this machine’s server, nothing unusual', () => {
  expect(readConfig({ PEYK_RELEASE_KEY: key.x })).toEqual({
    folder: resolve('./data/agent'),
    servers: [new URL('http://127.0.0.1:8400')],
    releaseKey: key,
    operatorKey: null,
    routes: ['direct'],
    code: null,
    profile: profiles.home,
    vantage: null,
    networks: null,
    apps: null,
    unusual: false,
    loopback: false,
    quiet: null,
    battery: false,
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
  expect(readConfig({ PEYK_SERVER: 'http://server:8400', PEYK_INSECURE: 'yes' }, key).servers[0]!.host).toBe(
    'server:8400',
  )
})

test('an invite stands for server, keys and code; what is set by itself goes before it', () => {
  const operator = publicHalf(makeKey())
  const line = writeInvite({
    servers: [new URL('https://a.test/'), new URL('https://b.test/')],
    operator,
    release: key,
    code: 'once',
  })
  const read = readConfig({ PEYK_INVITE: line })
  expect(read).toMatchObject({ releaseKey: key, operatorKey: operator, code: 'once' })
  expect(read.servers.map(({ href }) => href)).toEqual(['https://a.test/', 'https://b.test/'])
  expect(readConfig({ PEYK_INVITE: line, PEYK_SERVER: 'https://c.test', PEYK_CODE: 'other' })).toMatchObject({
    servers: [new URL('https://c.test')],
    code: 'other',
  })
  for (const broken of [line.slice(0, -5), 'peyk1.', 'hello', line.replace('peyk1', 'peyk2')]) {
    expect(() => readConfig({ PEYK_INVITE: broken })).toThrow(
      /^PEYK_INVITE must be the whole line of an invite, peyk1\.…\.$/m,
    )
  }
})

test('quiet hours may pass midnight', () => {
  const quiet = readConfig({ PEYK_QUIET: '23:00-07:00' }, key).quiet!
  const at = (time: string) => isQuiet(quiet, new Date(`2026-11-20T${time}:00`))
  expect(['22:59', '23:00', '03:00', '06:59', '07:00', '12:00'].map(at)).toEqual([
    false,
    true,
    true,
    true,
    false,
    false,
  ])
  expect(isQuiet({ from: 60, to: 120 }, new Date('2026-11-20T01:30:00'))).toBe(true)
  expect(() => readConfig({ PEYK_QUIET: '23-7' }, key)).toThrow(/PEYK_QUIET must be two times/)
})

test('a battery is seen where the system tells', async () => {
  const path = await folder()
  const supply = async (name: string, files: Record<string, string>) => {
    await mkdir(join(path, name))
    for (const [file, text] of Object.entries(files)) await writeFile(join(path, name, file), `${text}\n`)
  }
  expect(onBattery(join(path, 'none'))).toBe(false)
  await supply('BAT0', { type: 'Battery' })
  expect(onBattery(path)).toBe(false)
  await supply('AC', { type: 'Mains', online: '0' })
  expect(onBattery(path)).toBe(true)
  await writeFile(join(path, 'AC/online'), '1\n')
  expect(onBattery(path)).toBe(false)
})

test('every setting has a text for the table', () => {
  for (const [name, { text }] of Object.entries(settings)) {
    expect(name).toMatch(/^PEYK_[A-Z_]+$/)
    expect(text, name).toMatch(/[.]$/)
  }
})
