import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { legOf } from '../../measurement/judge/leg.ts'
import { Limits } from '../../probes/helper/limits.ts'
import { commands, knownBytes, OPENING_BYTES, opening, PATH, readAsk, writeAsk } from '../../probes/wire/helper.ts'
import { obfuscation } from '../../probes/wire/mtproto.ts'
import { run } from '../probe-contract.ts'
import { certificate } from '../servers/certificates.ts'
import { asking, helperAt, spoken } from '../servers/helper.ts'
import { tlsPeer } from '../servers/tcp.ts'

test.each([
  ['TLS under any name', { over: 'tls', sni: 'web.telegram.org' }],
  ['TLS without a name', { over: 'tls', sni: null }],
  ['a WebSocket', { over: 'websocket', sni: 'venus.web.telegram.org' }],
  ['plain TCP that looks random', { over: 'tcp', shape: 'random' }],
  ['plain TCP that looks like MTProto', { over: 'tcp', shape: 'obfuscated2' }],
] as const)('over %s: down, up and echoes, byte for byte', async (_, of) => {
  const port = await helperAt()
  const down = await run(asking(port, of, { trains: 1 }))
  expect(down.failure).toBeNull()
  const transfer = down.steps.find(({ operation }) => operation === 'transfer')!
  expect(transfer.received).toBeGreaterThanOrEqual(163_840)
  expect(transfer.received).toBeLessThan(168_000)
  expect(transfer.reached!.slice(0, 4).every(at => at !== null)).toBe(true)
  expect(down.steps.at(-1)).toMatchObject({ operation: 'protocol_handshake', count: 25 })
  const up = await run(asking(port, { ...of, up: true }))
  expect(up.failure).toBeNull()
  expect(
    up.steps
      .at(-1)!
      .reached!.slice(0, 4)
      .every(at => at !== null),
  ).toBe(true)
  expect(up.steps.at(-1)!.sent + up.sent).toBeGreaterThan(163_840)
})

test('the two openings differ in the tag that undoing the obfuscation shows, and in nothing else a filter could know', () => {
  const tags = (['obfuscated2', 'random'] as const).map(shape => {
    const { bytes } = opening(shape, 1_700_000_000_000)
    expect(bytes).toHaveLength(108)
    // As a filter undoes it: key and vector stand in clear.
    const again = opening('random', 0)
    expect(again.bytes.equals(bytes)).toBe(false)
    return bytes
  })
  expect(new Set(tags.map(bytes => bytes.length)).size).toBe(1)
})

test('an opening that begins as TLS by chance is none', async () => {
  const port = await helperAt()
  const start = Buffer.alloc(64, 0x5a)
  start[0] = 0x16
  const { header, encrypt, decrypt } = obfuscation(() => start, Buffer.from('eeeeeeee', 'hex'), 2)
  const bytes = Buffer.concat([header, encrypt.update(Buffer.alloc(OPENING_BYTES - 64))])
  const ask = { command: 'down', seed: Buffer.alloc(16, 7), count: 1_000 } as const
  const come = await spoken(port, { bytes, encrypt, decrypt }, 1_001, ask)
  expect(come.equals(Buffer.concat([Buffer.of(0), knownBytes(ask.seed)(1_000)]))).toBe(true)
})

const root = join(import.meta.dirname, '../..')
const wrong = certificate('anybody')
const lies: Record<string, (socket: Socket) => void> = {
  'other bytes': socket => {
    socket.once('data', () => socket.write(Buffer.concat([Buffer.of(0), Buffer.alloc(200_000, 7)])))
  },
  'an answer that is none': socket => {
    socket.once('data', () => socket.write(Buffer.of(9)))
  },
}

test.each(Object.entries(lies))('a helper that gives %s is found out, and makes no leg', async (_, lie) => {
  await using peer = await tlsPeer({ key: wrong.keyPem, cert: wrong.pem }, lie)
  const { steps, failure } = await run(asking(peer.port))
  expect(failure).toBe('helper_wrong_bytes')
  const pair = { id: '0'.repeat(16), leg: 'app', round: 1, test: 'screen', differs: 'name', first: true } as const
  expect(legOf({ kind: 'transfer', steps, pair })).toBeNull()
})

test('a helper that closes early, or acknowledges what it cannot have', async () => {
  await using early = await tlsPeer({ key: wrong.keyPem, cert: wrong.pem }, socket => {
    socket.once('data', () => socket.end(Buffer.of(0)))
  })
  expect((await run(asking(early.port))).failure).toBe('eof_error')
  await using eager = await tlsPeer({ key: wrong.keyPem, cert: wrong.pem }, socket => {
    socket.once('data', () => socket.write(Buffer.from('0000020000', 'hex')))
  })
  expect((await run(asking(eager.port, { up: true }))).failure).toBe('helper_wrong_bytes')
})

test('a day that is used up is refused, not slowed, and so is the whole rate', async () => {
  const used = await helperAt({ quota: 4 * 180_000 })
  expect((await run(asking(used))).failure).toBeNull()
  expect((await run(asking(used))).failure).toBe('helper_refused')
  const busy = await helperAt({ rate: 10_000 })
  expect((await run(asking(busy))).failure).toBe('helper_refused')
})

test('an address has a quarter of its day at once, eight connections, and is forgotten when all has flowed in again', () => {
  let now = 0
  const limits = new Limits({ rate: 1e9, quota: 1e6, now: () => now })
  expect(limits.take('192.0.2.1', 250_000)).toBe(true)
  expect(limits.take('192.0.2.1', 1_000)).toBe(false)
  // The same machine to an IPv6 socket; another /64 is another.
  expect(limits.take('::ffff:192.0.2.1', 1_000)).toBe(false)
  expect(limits.take('2001:db8::1', 250_000)).toBe(true)
  expect(limits.take('2001:db8:0:0:ffff::2', 1_000)).toBe(false)
  expect(limits.take('2001:db8:0:1::1', 1_000)).toBe(true)
  const open = Array.from({ length: 9 }, () => limits.open('198.51.100.1'))
  expect(open.map(one => one !== null)).toEqual([...Array(8).fill(true), false])
  open[0]!()
  open[0]!()
  expect([limits.open('198.51.100.1'), limits.open('198.51.100.1')].map(one => one !== null)).toEqual([true, false])
  now = 43_200
  expect(limits.take('192.0.2.1', 240_000)).toBe(true)
  limits.forget()
  expect(limits.remembered).toBe(2)
})

test('a forged flood fills the memory of addresses, which empties itself, and costs one look a second', () => {
  let now = 0
  const limits = new Limits({ rate: 1e12, quota: 1e6, now: () => now })
  const flood = (from: number, count: number) => {
    let echoed = 0
    for (let n = from; n < from + count; n++) {
      echoed += Number(limits.take(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, 100))
    }
    return echoed
  }
  expect(flood(0, 100_001)).toBe(100_000)
  const began = performance.now()
  flood(200_000, 20_000)
  expect(performance.now() - began).toBeLessThan(5_000)
  // 100 bytes have flowed in again within a minute: nobody is remembered for them.
  now = 60
  expect(limits.take('192.0.2.1', 1_000)).toBe(true)
  expect(limits.remembered).toBe(1)
})

test('as a program: it says where it listens, stops when told, and names a setting that is wrong', async () => {
  const start = (env: Record<string, string>) => {
    const child = spawn(process.execPath, [join(root, 'peyk.ts'), 'helper'], { env: { ...process.env, ...env } })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (said += text))
    return { child, said: () => said, ended: once(child, 'exit') as Promise<[number]> }
  }
  const good = start({ PEYK_HOST: '127.0.0.1', PEYK_HELPER_PORTS: '0' })
  await expect.poll(good.said, { timeout: 60_000 }).toMatch(/^Helper on 127\.0\.0\.1, TCP and UDP \d+/)
  const [, port] = /UDP (\d+)/.exec(good.said())!
  expect((await run(asking(Number(port)))).failure).toBeNull()
  good.child.kill('SIGTERM')
  expect(await good.ended).toEqual([0, null])
  // Of who came nothing is said.
  expect(good.said().trim().split('\n')).toHaveLength(1)
  const wrong = start({ PEYK_HELPER_PORTS: '443;80', PEYK_HELPER_QUOTA: '0' })
  expect((await wrong.ended)[0]).toBe(2)
  expect(wrong.said()).toContain('PEYK_HELPER_PORTS must be ports, separated by commas; it is "443;80".')
  expect(wrong.said()).toContain('PEYK_HELPER_QUOTA must be a whole number of megabytes')
})

test('whatever comes in, the helper lives and says little', async () => {
  const port = await helperAt()
  const said = async (bytes: Buffer): Promise<number> => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    let come = 0
    socket.on('data', piece => {
      come += piece.length
    })
    socket.end(bytes)
    await once(socket, 'close')
    return come
  }
  const plain = writeAsk({ command: 'down', seed: Buffer.alloc(16), count: 2 ** 20 })
  expect(await said(Buffer.alloc(0))).toBe(0)
  expect(await said(plain)).toBe(0)
  expect(await said(Buffer.alloc(5_000, 3))).toBe(0)
  expect(await said(Buffer.from('160301', 'hex'))).toBe(0)
  // A proxy it is not: neither CONNECT nor a request with a whole address goes anywhere.
  expect(await said(Buffer.from('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n'.padEnd(200)))).toBe(0)
  expect(
    await said(Buffer.from('GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n')),
  ).toBeLessThan(400)
  expect((await run(asking(port))).failure).toBeNull()
  const tls = connectTls({ port, host: '127.0.0.1', servername: 'anything.example', rejectUnauthorized: false })
  await once(tls, 'secureConnect')
  expect(tls.getProtocol()).toBe('TLSv1.3')
  tls.destroy()
})

/** All that comes back for these bytes until the helper ends the connection. */
const answerTo = async (port: number, bytes: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let come = ''
  socket.on('data', piece => (come += piece))
  socket.write(bytes)
  await once(socket, 'close')
  return come
}

test('a request of HTTP is answered once, and connections that ask for nothing are charged for', async () => {
  const port = await helperAt({ quota: 4 * 1_200 })
  const twice = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)
  expect((await answerTo(port, twice)).match(/HTTP\/1\.1 404/g)).toHaveLength(1)
  expect(await answerTo(port, twice)).toContain('404')
  expect(await answerTo(port, twice)).toBe('')
})

test.each(['ws', 'wss'])('a WebSocket over %s that falls silent is ended', async scheme => {
  const port = await helperAt({ silence: 0.3 })
  const socket = new WebSocket(`${scheme}://127.0.0.1:${port}${PATH}`, { rejectUnauthorized: false })
  socket.on('error', () => {})
  await once(socket, 'open')
  await expect.poll(() => socket.readyState, { timeout: 20_000 }).toBe(WebSocket.CLOSED)
})

test('a question asks for no more than there is', () => {
  const seed = Buffer.alloc(16, 5)
  expect(readAsk(writeAsk({ command: 'down', seed, count: 2 ** 20 }))).toEqual({
    command: 'down',
    seed,
    count: 2 ** 20,
  })
  expect(readAsk(writeAsk({ command: 'down', seed, count: 2 ** 20 + 1 }))).toBeNull()
  expect(readAsk(writeAsk({ command: 'echo', seed, count: 65 }))).toBeNull()
  for (let command = 0; command < 256; command++) {
    const bytes = writeAsk({ command: 'token', seed, count: 0 })
    bytes[16] = command
    expect(readAsk(bytes) !== null).toBe(Object.values<number>(commands).includes(command))
  }
})
