import { spawn, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Way, wayTo } from '../../probes/agent/transport.ts'
import { inTurn } from '../../probes/agent/ways.ts'
import { Collector } from '../servers/collector.ts'
import { closedPort, hostile, tcpPeer } from '../servers/tcp.ts'
import { folder, HandClock } from './samples.ts'

const never = new AbortController().signal
const nonce = { method: 'GET' as const, path: '/v1/nonce', limit: 10_000 }
const statusOf = async (way: Way): Promise<number> => (await way.ask(nonce, never)).status

const missing = (program: string): boolean => spawnSync('which', [program]).status !== 0

/** Runs a real proxy on a port of its own until the test is over. */
const running = async (program: string, args: string[], port: number): Promise<void> => {
  const child = spawn(program, args, { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  await vi.waitFor(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(void socket.destroy())).on('error', reject)
      }),
    { timeout: 60_000 },
  )
}

test('through SOCKS5: microsocks', async context => {
  if (missing('microsocks')) return context.skip('needs microsocks (Debian)')
  const collector = await Collector.start()
  const port = await closedPort()
  await running('microsocks', ['-i', '127.0.0.1', '-p', String(port)], port)
  const way = wayTo(collector.url, new URL(`socks5://127.0.0.1:${port}`))
  expect(await statusOf(way)).toBe(200)
  // A name goes to the proxy as a name.
  const named = wayTo(new URL(`http://localhost:${collector.url.port}/`), new URL(`socks5://127.0.0.1:${port}`))
  expect(await statusOf(named)).toBe(200)
  await Promise.all([way.close(), named.close()])
})

test('through HTTP CONNECT: tinyproxy', async context => {
  if (missing('tinyproxy')) return context.skip('needs tinyproxy (Debian)')
  const collector = await Collector.start()
  const port = await closedPort()
  const file = join(await folder(), 'tinyproxy.conf')
  await writeFile(file, `Port ${port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 10\nAllow 127.0.0.1\n`)
  await running('tinyproxy', ['-d', '-c', file], port)
  const way = wayTo(collector.url, new URL(`http://127.0.0.1:${port}`))
  expect(await statusOf(way)).toBe(200)
  expect(collector.heard[0]!.headers['via']).toBeUndefined()
  await way.close()
})

test('a proxy that is not there, or says no, is a way that does not answer', async () => {
  const collector = await Collector.start()
  const port = await closedPort()
  await using rude = await tcpPeer(hostile.garbage)
  for (const proxy of [`socks5://127.0.0.1:${port}`, `http://127.0.0.1:${port}`, `http://127.0.0.1:${rude.port}`]) {
    const way = wayTo(collector.url, new URL(proxy))
    await expect(statusOf(way), proxy).rejects.toMatchObject({ name: 'Unanswered' })
    await way.close()
  }
})

test('ways are tried in order, the one that worked is remembered, one that failed rests', async () => {
  const blocked = new URL(`http://127.0.0.1:${await closedPort()}/`)
  const [first, second] = [await Collector.start(), await Collector.start()]
  const clock = new HandClock()
  let servers = [blocked, first.url, second.url]
  const way = inTurn({ servers: () => servers, routes: ['direct'], clock })
  onTestFinished(() => way.close())
  expect(await statusOf(way)).toBe(200)
  expect(await statusOf(way)).toBe(200)
  expect([first.heard.length, second.heard.length]).toEqual([2, 0])
  servers = [second.url, first.url]
  expect(await statusOf(way)).toBe(200)
  expect(first.heard).toHaveLength(3)
  first.misbehave.push({ path: '/v1/nonce', how: request => request.socket.destroy() })
  expect(await statusOf(way)).toBe(200)
  expect(second.heard).toHaveLength(1)
  clock.now += 3_600
  expect(await statusOf(way)).toBe(200)
  expect(second.heard).toHaveLength(2)
})

test('when every way rests one is asked all the same, and an answer of whatever status is an answer', async () => {
  const port = await closedPort()
  const way = inTurn({
    servers: () => [new URL(`http://127.0.0.1:${port}/`)],
    routes: ['direct'],
    clock: new HandClock(),
  })
  for (let at = 0; at < 3; at++) await expect(statusOf(way)).rejects.toMatchObject({ trouble: 'unreachable' })
  await way.close()
  const collector = await Collector.start()
  const second = inTurn({ servers: () => [collector.url], routes: ['direct'], clock: new HandClock() })
  collector.misbehave.push({ path: '/v1/nonce', how: (_request, response) => void response.writeHead(503).end() })
  expect(await statusOf(second)).toBe(503)
  await second.close()
})
