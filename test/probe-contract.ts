import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { isKnownFailure } from '../measurement/failure.ts'
import { deepest, Step } from '../measurement/step.ts'
import type { Target } from '../measurement/target.ts'
import { measure } from '../probes/all.ts'
import type { Run, RunOptions } from '../probes/probe.ts'
import { udpPeer } from './servers/dns.ts'
import { closedPort, hostile, tcpPeer } from './servers/tcp.ts'

/** Sockets this process holds. */
const sockets = (): number =>
  process.getActiveResourcesInfo().filter(name => /TCPSocketWrap|TLSWrap|UDPWRAP|UDPSocket/i.test(name)).length

/** Run against loopback and hold the run against the laws of `Probe` that every run must keep. */
export const run = async (target: Target, options: RunOptions = {}): Promise<Run> => {
  const before = sockets()
  const result = await measure(target, { loopback: true, ...options })
  // The peer's side of a closed connection goes a moment later.
  await expect.poll(sockets, { message: 'sockets left open', interval: 5 }).toBeLessThanOrEqual(before)
  for (const step of result.steps) expect([...Value.Errors(Step, step)], JSON.stringify(step)).toEqual([])
  expect(result.failure === null || isKnownFailure(result.failure), `${result.failure}`).toBe(true)
  expect(JSON.stringify(result.steps)).not.toContain('203.0.113.77')
  return result
}

type Case = {
  kind: Target['kind']
  /** The target on this loopback port, with this time limit in seconds. */
  target: (port: number, timeout: number) => Target
  /** What the kind speaks over; UDP kinds see neither resets nor closes. */
  over: 'tcp' | 'udp'
}

const failureOf: Record<keyof typeof hostile, RegExp> = {
  reset: /^connection_reset$/,
  hang: /^generic_timeout_error$/,
  close: /^eof_error$/,
  garbage: /./,
}

/** The suite every kind passes. */
export const probeContract = ({ kind, target, over }: Case): void => {
  describe(`the laws of a probe: ${kind}`, () => {
    test('refused: connection_refused at once', async () => {
      const { failure, steps } = await run(target(await closedPort(), 5))
      expect(failure).toBe('connection_refused')
      expect(steps.at(-1)!.duration).toBeLessThan(1)
    })

    test('a peer that never answers: generic_timeout_error by the target’s limit', async () => {
      await using peer = over === 'udp' ? await udpPeer(() => {}) : await tcpPeer(hostile.hang)
      const began = performance.now()
      const { failure, steps } = await run(target(peer.port, 0.4))
      expect(performance.now() - began).toBeLessThan(900)
      if (kind === 'tcp') return expect(failure).toBeNull()
      expect(failure).toBe('generic_timeout_error')
      return expect(steps.at(-1)!.failure).toBe('generic_timeout_error')
    })

    test('stopped: interrupted, promptly, and earlier steps survive', async () => {
      if (kind === 'tcp') return
      await using peer = over === 'udp' ? await udpPeer(() => {}) : await tcpPeer(hostile.hang)
      const stop = new AbortController()
      setTimeout(() => stop.abort(), 100)
      const began = performance.now()
      const { failure, steps } = await run(target(peer.port, 10), { signal: stop.signal })
      expect(performance.now() - began).toBeLessThan(1000)
      expect(failure).toBe('interrupted')
      if (over === 'tcp') expect(steps[0]).toMatchObject({ operation: 'connect', failure: null })
    })

    test('stopped before it began: interrupted, nothing sent', async () => {
      await using peer = over === 'udp' ? await udpPeer(() => {}) : await tcpPeer(hostile.hang)
      expect(await run(target(peer.port, 5), { signal: AbortSignal.abort() })).toMatchObject({
        failure: 'interrupted',
        sent: 0,
      })
    })

    test('loopback is not reached without leave, and a public target never reaches it', async () => {
      await using peer = over === 'udp' ? await udpPeer(() => {}) : await tcpPeer(hostile.hang)
      expect((await run(target(peer.port, 5), { loopback: false })).failure).toBe('address_not_allowed')
      expect((await run({ ...target(peer.port, 5), address: 'public' })).failure).toBe('address_not_allowed')
    })

    if (over === 'udp' || kind === 'tcp') return
    for (const [name, talk] of Object.entries(hostile)) {
      test(`hostile peer: ${name}`, async () => {
        await using peer = await tcpPeer(talk)
        const result = await run(target(peer.port, 0.4))
        expect(result.failure).toMatch(failureOf[name as keyof typeof hostile])
        expect(result.origin_proof).toBe('none')
        expect(result.steps.some(step => step.operation === deepest[kind] && step.failure === null)).toBe(false)
        expect(peer.connections()).toBe(1)
      })
    }
  })
}
