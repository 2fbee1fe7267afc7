import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { CompactEncrypt, importJWK } from 'jose'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { findTarget } from '../../measurement/catalogue.ts'
import type { Batch } from '../../measurement/report.ts'
import { startAgent } from '../../probes/agent/agent.ts'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import { readConfig } from '../../probes/agent/config.ts'
import { makeKey, openIdentity, publicHalf } from '../../probes/agent/identity.ts'
import { readInvite, writeInvite } from '../../probes/agent/invite.ts'
import { openOperator, type SealingKey } from '../../probes/agent/operator.ts'
import { sealTo } from '../../probes/agent/seal.ts'
import { readSpool } from '../../probes/agent/spool.ts'
import { measure } from '../../probes/all.ts'
import { adminOf, agentsCommand } from '../../server/agents-command.ts'
import { importSpools } from '../../server/import-spool.ts'
import { openSealing } from '../../server/sealing.ts'
import { folder } from '../agent/samples.ts'
import { batchOf, TestAgent } from './agent.ts'
import { type Live, live } from './live.ts'

/** The real agent's sealing against the real server: what one writes the other opens, and nobody else. */

const DAY = 86_400
const release = makeKey()
let catalogue: Buffer
let ahead = 0
let server: Live
beforeAll(async () => {
  server = await live({}, { now: () => Date.now() / 1000 + ahead, catalogue: () => ({ bytes: catalogue, version: 1 }) })
})
afterAll(() => server.stop())

/** The key that agents seal to now, as an agent learns it. */
const recipient = async (): Promise<SealingKey> => {
  const keeper = await openOperator(join(await folder(), 'operator.jose'), server.operatorKey, true)
  const response = await fetch(`${server.url}/v1/operator`)
  await keeper.offer(await response.text(), Date.now() / 1000 + ahead)
  return keeper.current()!.sealing
}

const sealed = async (plain: Batch, to: SealingKey): Promise<Batch> => ({
  ...plain,
  ...(await sealTo(() => to)(plain.bytes.trimEnd())),
})

const count = async (where = '1'): Promise<number> => {
  const [row] = await server.store.query<{ n: number }>(
    `SELECT toUInt32(count()) AS n FROM measurements WHERE ${where}`,
  )
  return row!.n
}

test('a sealed batch is stored, also after a rotation, beside batches that cannot be opened', async () => {
  const agent = await server.enrolled()
  const first = await recipient()
  const before = await count()
  const early = await sealed(batchOf([agent.measure(), agent.measure()]), first)
  ahead = 31 * DAY
  onTestFinished(() => void (ahead = 0))
  const second = await recipient()
  expect(second.kid).not.toBe(first.kid)
  const late = await sealed(batchOf([agent.measure({ at: Date.now() / 1000 + ahead })]), second)
  const foreign = await sealed(batchOf([agent.measure()]), { ...second, x: makeKey().x })
  const unknown = await sealed(batchOf([agent.measure()]), { ...second, kid: 'nobody' })
  const tampered = { ...late, id: 'a'.repeat(32), bytes: flipped(late.bytes) }
  const plain = batchOf([agent.measure({ at: Date.now() / 1000 + ahead })])
  const sent = { wall: Date.now() / 1000 + ahead }
  const { receipt } = await agent.send(agent.report([early, foreign, late, unknown, tampered, plain], sent))
  expect(receipt.receipts.map(({ outcome }) => outcome)).toEqual([
    ...['stored', 'refused', 'stored', 'refused', 'refused', 'stored'],
  ])
  expect(receipt.receipts[1]).toMatchObject({ reason: expect.stringContaining('sealed to another key') })
  expect(receipt.receipts[3]).toMatchObject({ reason: expect.stringContaining('a key of this server') })
  expect(receipt.receipts[4]).toMatchObject({ reason: expect.stringContaining('was changed') })
  expect(await count()).toBe(before + 4)
  await agent.send(agent.report([early, late], sent))
  expect(await count()).toBe(before + 4)
})

const flipped = (jwe: string): string => {
  const parts = jwe.split('.')
  const bytes = Buffer.from(parts[3]!, 'base64url')
  bytes[7] = bytes[7]! ^ 1
  return parts.with(3, bytes.toString('base64url')).join('.')
}

test('what unpacks without end is refused, and so is a seal of another kind', async () => {
  const agent = await server.enrolled()
  const to = await recipient()
  const { kid, ...jwk } = to
  const made = async (content: Uint8Array, header: object) =>
    await new CompactEncrypt(content)
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid, cty: 'ndjson+gzip', ...header })
      .encrypt(await importJWK(jwk, 'ECDH-ES'))
  const bomb = await made(gzipSync(Buffer.alloc(64 * 2 ** 20)), {})
  const other = await made(gzipSync('{}'), { cty: 'json' })
  const raw = await made(Buffer.from('{}'), {})
  const cipher = await made(gzipSync('{}'), { enc: 'A128GCM' })
  const batches = [bomb, other, raw, cipher, 'a.b.c'].map(bytes => batchOf([], { encoding: 'jwe', bytes }))
  const { receipt } = await agent.send(agent.report(batches))
  const reasons = receipt.receipts.map(one => (one.outcome === 'refused' ? one.reason : 'stored'))
  expect(reasons).toEqual([
    expect.stringContaining('at most 33554432 bytes'),
    expect.stringContaining('cty'),
    expect.stringContaining('gzip'),
    expect.stringContaining('was changed'),
    expect.stringContaining('compact JWE'),
  ])
})

test('keys rotate by the month, live through a restart, are for the owner only, and go when no spool can need them', async () => {
  const path = await folder()
  let now = 1_790_000_000
  const open = () => openSealing(path, () => now)
  const { operatorKey } = open()
  const keeper = await openOperator(join(await folder(), 'operator.jose'), operatorKey, true)
  const learn = async (from = open()) => {
    await keeper.offer(await from.document(['https://a.test/']), now)
    return keeper.current()!.sealing
  }
  const first = await learn()
  const old = (await sealTo(() => first)('text')).bytes
  expect(await learn()).toEqual(first)
  now += 31 * DAY
  const second = await learn()
  expect(second.kid).not.toBe(first.kid)
  now += 31 * DAY
  const running = open()
  expect((await learn(running)).kid).not.toBe(second.kid)
  expect(await running.unseal(old)).toBe('text')
  for (const file of readdirSync(path)) expect(statSync(join(path, file)).mode & 0o777, file).toBe(0o600)
  now += 90 * DAY
  await learn(running)
  await expect(running.unseal(old)).rejects.toThrow('forgotten')
  expect(open().operatorKey).toEqual(operatorKey)
})

/** An agent of the real program with one target and one control on this machine. */
const realAgent = async (env: Record<string, string> = {}) => {
  const target = async (id: string, host: string) => {
    const peer = createServer(socket => socket.destroy())
    await new Promise<void>(resolve => peer.listen(0, host, resolve))
    onTestFinished(() => void peer.close())
    const { port } = peer.address() as { port: number }
    return { ...findTarget(id)!.target, host, port, address: 'loopback', timeout: 2 }
  }
  const appOf = (id: string, targets: object[]) => ({ id, name: { en: id }, home: null, status: 'measured', targets })
  const now = Date.now() / 1000
  const apps = [
    appOf('telegram', [await target('telegram.dc1.v4.443.mtproto', '127.0.93.1')]),
    appOf('control', [await target('control.portal.gstatic', '127.0.93.2')]),
  ] as never
  catalogue = Buffer.from(await signCatalogue({ version: 1, issued: now - 60, expires: now + 3_600, apps }, release))
  const data = await folder()
  const { code } = (await server.admin('POST', '/v1/admin/invites', {})).body as { code: string }
  const settings = { PEYK_DATA: data, PEYK_SERVER: server.url, PEYK_VANTAGE: 'KE:33771', PEYK_LOOPBACK: 'yes', ...env }
  const read = readConfig({ ...settings, PEYK_CODE: code }, publicHalf(release))
  const profile = { ...read.profile, round: 0 }
  const config = { ...read, operatorKey: server.operatorKey, metrics: null, profile }
  const { thumbprint } = await openIdentity(config.folder)
  const run = async () => {
    const agent = await startAgent({ config, measure, log: () => {}, reportSeconds: 0.2 })
    onTestFinished(() => agent.stop())
    return agent
  }
  return { run, config, thumbprint }
}

const textOf = (path: string): string =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(file => file.isFile())
    .map(file => readFileSync(join(file.parentPath, file.name), 'latin1'))
    .join('\n')

test('what the real agent sealed arrives', async () => {
  const { run, config } = await realAgent()
  const before = await count()
  const agent = await run()
  await vi.waitFor(async () => expect(await count()).toBe(before + 2), { timeout: 60_000 })
  await vi.waitFor(() => expect(agent.status()).toMatchObject({ spool: { batches: 0, dropped: { refused: 0 } } }), {
    timeout: 60_000,
  })
  await agent.stop()
  expect(readFileSync(join(config.folder, 'operator.jose'), 'latin1')).toMatch(/^eyJ/)
})

test('the disk of the real agent tells nothing, and its spool comes in by hand and by wire, once', async () => {
  const { run, config, thumbprint } = await realAgent()
  const admin = adminOf({ PEYK_DATA: server.folder } as Parameters<typeof adminOf>[0], server.url)
  // Cut off: it may not report, and measures all the same.
  expect((await server.admin('PUT', `/v1/admin/agents/${thumbprint}`, {})).status).toBe(200)
  await server.admin('PATCH', `/v1/admin/agents/${thumbprint}`, { standing: 'revoked' })
  const arrived = await count()
  const cut = await run()
  await vi.waitFor(() => expect(cut.status()).toMatchObject({ spool: { batches: 1 } }), { timeout: 60_000 })
  await cut.stop()
  const waiting: Batch[] = []
  for await (const batch of readSpool(join(config.folder, 'spool'))) waiting.push(batch)
  expect(waiting.map(({ encoding }) => encoding)).toEqual(['jwe'])
  const disk = textOf(join(config.folder, 'spool'))
  expect(disk.length).toBeGreaterThan(500)
  for (const word of ['telegram', 'control', '"KE"', '33771', 'mtproto', 'gstatic', 'failure', 'eof_error', 'blocked'])
    expect(disk, word).not.toContain(word)

  const identity = await openIdentity(config.folder)
  const file = join(await folder(), 'carried')
  const lines = await Promise.all(waiting.map(batch => identity.sign('peyk-spool', { batch })))
  await writeFile(file, `${lines.join('\n')}\nnonsense\n`)
  expect(await importSpools([file], admin)).toBe(1)
  expect(await count()).toBe(arrived)
  expect((await server.admin('PUT', `/v1/admin/agents/${thumbprint}`, {})).status).toBe(200)
  await writeFile(file, `${lines.join('\n')}\n`)
  expect(await importSpools([file], admin)).toBe(0)
  const measured = waiting[0]!.last - waiting[0]!.first + 1
  expect(await count()).toBe(arrived + measured)
  expect(await count(`has(marks, 'time_uncertain')`)).toBe(measured)
  expect(await importSpools([file], admin)).toBe(0)
  expect(await count()).toBe(arrived + measured)

  const back = await run()
  await vi.waitFor(() => expect(back.status()).toMatchObject({ spool: { batches: 0, dropped: { refused: 0 } } }), {
    timeout: 60_000,
  })
  await back.stop()
  expect(await count()).toBe(arrived + measured)
})

test('where no server runs the import brings one of its own, and names what it refuses', async () => {
  const data = await folder()
  const identity = await openIdentity(await folder())
  const file = join(data, 'carried')
  await writeFile(file, `${await identity.sign('peyk-spool', { batch: batchOf(['{}']) })}\n\nodd\n`)
  const env = { ...process.env, PEYK_DATA: data, PEYK_PORT: '1', PEYK_LOG: 'silent' }
  const peyk = join(import.meta.dirname, '../../peyk.ts')
  const run = promisify(execFile)(process.execPath, [peyk, 'import', 'spool', file], { env })
  const failed = (error: unknown) => error as { code: number; stdout: string; stderr: string }
  const { code, stdout, stderr } = failed(await run.catch(failed))
  expect(stderr).toContain(`carried:1: its agent is not known here: \`peyk agents approve ${identity.thumbprint}\``)
  expect(stderr).toContain('carried:3: is no line of an exported spool')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '0 batches stored, 3 refused\n' })
})

test('the operator’s commands: list, invite, quarantine, role, approve, revoke', async () => {
  const said: string[] = []
  const parts = {
    config: { PEYK_DATA: server.folder } as Parameters<typeof adminOf>[0],
    url: server.url,
    say: (text: string) => void said.push(text),
    writeInvite: async (invite: object) => writeInvite({ ...invite, release: publicHalf(release) } as never),
  }
  const peyk = async (...args: string[]) => {
    said.length = 0
    return { code: await agentsCommand(args, parts), said: said.join('') }
  }
  const agent = await TestAgent.make(server.url)
  const invite = readInvite((await peyk('invite', '--role', 'control')).said.trim())
  expect(invite).toMatchObject({ operator: server.operatorKey, release: publicHalf(release) })
  expect((await agent.enrol(invite!.code!)).body).toMatchObject({ role: 'control' })
  const line = async () => (await peyk('list')).said.split('\n').find(text => text.startsWith(agent.thumbprint))
  expect(await line()).toMatch(/ control {2}admitted {2}invited .* counts$/)
  expect((await peyk('quarantine', agent.thumbprint.slice(0, 12))).code).toBe(0)
  expect(await line()).toContain('quarantined')
  expect(await line()).toContain('does not count')
  await peyk('role', agent.thumbprint, 'vantage')
  await peyk('approve', agent.thumbprint)
  expect(await line()).toMatch(/ vantage {2}admitted {2}granted .* counts$/)
  await peyk('revoke', agent.thumbprint)
  expect((await agent.send(agent.report([batchOf([agent.measure()])]))).status).toBe(403)
  expect((await peyk('--help')).code).toBe(0)
  for (const wrong of [[], ['list', 'x'], ['role', agent.thumbprint, 'king'], ['invite', '--role', 'king'], ['dance']])
    expect((await peyk(...wrong)).code, wrong.join(' ')).toBe(2)
  await expect(peyk('revoke', 'x'.repeat(43))).rejects.toMatchObject({ exitCode: 1 })
})
