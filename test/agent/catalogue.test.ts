import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CompactSign } from 'jose'
import { expect, test } from 'vitest'
import { withHelper } from '../../measurement/apps/helper.ts'
import { apps, SPACING_IN } from '../../measurement/catalogue.ts'
import type { Target } from '../../measurement/target.ts'
import manifest from '../../package.json' with { type: 'json' }
import {
  type Document,
  newerProgram,
  openCatalogue,
  signCatalogue,
  verifyCatalogue,
} from '../../probes/agent/catalogue.ts'
import { keyObject, makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { catalogueCommand, localRelease } from '../../probes/agent/release.ts'
import { appOf, folder, tcpTarget } from './samples.ts'

const key = makeKey()
const release = publicHalf(key)
const NOW = 1_790_000_000

const documentOf = (more: Partial<Document> = {}): Document => ({
  version: 5,
  issued: NOW,
  expires: NOW + 1_000,
  apps: [appOf('t', [tcpTarget('t.a', { address: 'public', host: 'a.test' })])],
  ...more,
})

const withTarget = (target: object): Document =>
  documentOf({
    apps: [appOf('t', [{ ...tcpTarget('t.a', { address: 'public', host: 'a.test' }), ...target } as Target])],
  })

test('what measurement/ holds, signed, is read back whole', async () => {
  const read = await verifyCatalogue(
    await signCatalogue(documentOf({ apps, spacing: SPACING_IN }), key),
    release,
    false,
  )
  expect(read).toEqual({
    version: 5,
    issued: NOW,
    expires: NOW + 1_000,
    apps,
    forbidden: {},
    spacing: SPACING_IN,
    unknown: 0,
    program: null,
  })
})

const comparing = (address: string) => ({
  kind: 'dns',
  ask: {
    type: 'A',
    resolver: 'system',
    against: { address, port: 443, name: 'r.example', path: '/', roots: 'public' },
  },
})
const resolver = (address: string) => ({
  kind: 'dns',
  ask: { type: 'A', resolver: { transport: 'udp', address, port: 53 } },
})

test.each([
  [{ host: '192.168.1.1' }],
  [{ host: '10.0.0.1' }],
  [{ host: '127.0.0.1' }],
  [{ host: '169.254.169.254' }],
  [{ host: 'fd00::1' }],
  [{ host: '64:ff9b::a00:1' }],
  [{ host: '2130706433' }],
  [{ host: '0x7f.1' }],
  [{ host: '0177.0.0.1' }],
  [{ host: '127.1' }],
  [{ host: 'localhost' }],
  [{ host: 'x.localhost' }],
  [resolver('192.168.1.1')],
  [comparing('192.168.1.1')],
  [{ address: 'loopback', host: '127.0.0.1' }],
])('a document with a target at %j is refused whole', async target => {
  const bytes = await signCatalogue(withTarget(target), key)
  await expect(verifyCatalogue(bytes, release, false)).rejects.toThrow(
    'Its target t.a has an address that is not public.',
  )
})

test('loopback targets are for labs', async () => {
  const bytes = await signCatalogue(withTarget({ address: 'loopback', host: '127.0.0.1' }), key)
  expect((await verifyCatalogue(bytes, release, true)).apps[0]!.targets).toHaveLength(1)
})

test('targets of kinds and fields that are too new are passed over, the rest is measured', async () => {
  const good = tcpTarget('t.a', { address: 'public', host: 'a.test' })
  const targets = [
    good,
    { ...good, id: 't.b', kind: 'noise' },
    { ...good, id: 't.c', flavour: 'new' },
    { ...good, id: 't.d', host: '::1' },
  ] as Target[]
  const bytes = await signCatalogue(documentOf({ apps: [{ ...appOf('t', targets), mood: 'new' } as never] }), key)
  const read = await verifyCatalogue(bytes, release, false)
  expect(read.unknown).toBe(3)
  expect(read.apps[0]!.targets).toEqual([good])
})

test('only the release key, the right type and a whole document count', async () => {
  const bytes = await signCatalogue(documentOf(), key)
  const refused = (what: string) => expect(verifyCatalogue(what, release, false)).rejects
  await refused(await signCatalogue(documentOf(), makeKey())).toThrow('not signed by the release key')
  await refused(`${bytes.slice(0, -3)}AAA`).toThrow('not signed by the release key')
  await refused('<html>').toThrow('not signed by the release key')
  await refused('').toThrow('not signed by the release key')
  const sign = (payload: string, header: object) =>
    new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: 'EdDSA', ...header }).sign(keyObject(key))
  await refused(await sign(JSON.stringify(documentOf()), { typ: 'peyk-proof' })).toThrow('type is not peyk-catalogue')
  await refused(await sign('{', { typ: 'peyk-catalogue' })).toThrow('Its field /')
  await refused(await sign(JSON.stringify({ ...documentOf(), version: 'x' }), { typ: 'peyk-catalogue' })).toThrow(
    '/version',
  )
})

test('the last good one is kept; older, expired and foreign ones are not taken', async () => {
  const file = join(await folder(), 'catalogue.jose')
  const keeper = await openCatalogue(file, release, false)
  expect(keeper.current()).toBeNull()
  expect(await keeper.offer(await signCatalogue(documentOf(), key), NOW)).toBe(true)
  expect(await keeper.offer(await signCatalogue(documentOf(), key), NOW)).toBe(false)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const refused = async (document: Document, now = NOW) =>
    expect(keeper.offer(await signCatalogue(document, key), now)).rejects
  await (await refused(documentOf({ version: 4, issued: NOW + 9 }))).toThrow('version 4 is older than 5')
  await (await refused(documentOf({ version: 6 }), NOW + 2_000)).toThrow('expired')
  // A clock years back does not make an expired document good: it is later than what is held was issued.
  await (await refused(documentOf({ version: 6, expires: NOW - 1 }), 1)).toThrow('expired')
  expect(await keeper.offer(await signCatalogue(documentOf({ issued: NOW + 5, expires: NOW + 9_000 }), key), NOW)).toBe(
    true,
  )
  // Kept past its expiry, and over a restart.
  const again = await openCatalogue(file, release, false)
  expect(again.current()).toMatchObject({ version: 5, expires: NOW + 9_000 })
  expect((await openCatalogue(file, publicHalf(makeKey()), false)).current()).toBeNull()
  await writeFile(file, 'damaged')
  expect((await openCatalogue(file, release, false)).current()).toBeNull()
})

test('a signed catalogue tells of a newer version of Peyk, with sums to hold a download against', async () => {
  const at = await folder()
  const [file, out, sums] = [join(at, 'release.key'), join(at, 'catalogue'), join(at, 'SHA256SUMS')]
  const sha256 = { 'peyk-0.1.0-linux-x64': 'a'.repeat(64), 'peyk-0.1.0-win-x64.exe': 'b'.repeat(64) }
  await writeFile(
    sums,
    Object.entries(sha256)
      .map(([name, sum]) => `${sum}  ${name}\n`)
      .join(''),
  )
  const said: string[] = []
  const say = (text: string) => said.push(text)
  expect(await catalogueCommand(['key', '--key', file], say)).toBe(0)
  expect(await catalogueCommand(['sign', '--key', file, '--out', out, '--sums', sums], say)).toBe(0)
  const signed = await verifyCatalogue(await readFile(out, 'latin1'), JSON.parse(said[0]!), false)
  expect(signed.program).toEqual({ version: manifest.version, sha256 })
  expect(newerProgram(signed, manifest.version)).toBeNull()
  expect(newerProgram(signed, '0.0.0')).toEqual(signed.program)
  expect(newerProgram(signed, '999.0.0')).toBeNull()
  await writeFile(sums, 'no sums\n')
  expect(await catalogueCommand(['sign', '--key', file, '--out', out, '--sums', sums], say)).toBe(2)
})

test('from source, the key is made once and the catalogue signed when it must be', async () => {
  const path = await folder()
  const files = [join(path, 'release.key'), join(path, 'catalogue.jose')] as const
  const made = await localRelease(...files, NOW)
  expect((await stat(files[0])).mode & 0o777).toBe(0o600)
  const keeper = await openCatalogue(files[1], made, false)
  expect(keeper.current()!.apps).toEqual(withHelper(apps, null))
  const first = (await stat(files[1])).mtimeMs
  expect(await localRelease(...files, NOW + 86_400)).toEqual(made)
  expect((await stat(files[1])).mtimeMs).toBe(first)
  await localRelease(...files, NOW + 100 * 86_400)
  expect((await openCatalogue(files[1], made, false)).current()!.issued).toBe(NOW + 100 * 86_400)
  // A helper that is named later is in the next one.
  await localRelease(...files, NOW + 100 * 86_400 + 1, 'helper.example.org')
  const named = (await openCatalogue(files[1], made, false)).current()!.apps
  expect(named).toEqual(withHelper(apps, 'helper.example.org'))
  await expect(localRelease(...files, NOW, '10.0.0.1')).rejects.toThrow('/host must be a name or a public address')
  await writeFile(files[0], 'damaged')
  await expect(localRelease(...files, NOW)).rejects.toThrow(/release.key holds no Ed25519 key/)
})

test('peyk catalogue: key, sign, and what is wrong', async () => {
  const path = await folder()
  const [keyFile, out] = [join(path, 'k'), join(path, 'c')]
  let said = ''
  const run = (...args: string[]) => {
    said = ''
    return catalogueCommand(args, text => {
      said += text
    })
  }
  expect(await run('sign', '--key', keyFile, '--out', out)).toBe(2)
  expect(said).toContain('does not exist')
  expect(await run('key', '--key', keyFile)).toBe(0)
  const shown = JSON.parse(said) as object
  expect(Object.keys(shown).sort()).toEqual(['crv', 'kty', 'x'])
  expect(await run('sign', '--key', keyFile, '--out', out, '--days', '30')).toBe(0)
  expect((await openCatalogue(out, shown as never, false)).current()!.apps).toEqual(withHelper(apps, null))
  expect(await run('frob')).toBe(2)
  expect(await run('sign', '--days')).toBe(2)
})
