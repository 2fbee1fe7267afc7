import { expect, test } from 'vitest'
import { legOf, tripsOf } from '../../measurement/judge/leg.ts'
import { goesOn } from '../../measurement/judge/throttle.ts'
import type { Pair } from '../../measurement/measurement.ts'
import type { TargetOf } from '../../measurement/target.ts'
import { measure } from '../../probes/all.ts'
import { objectPeer } from '../servers/object.ts'
import { loopbackTarget } from '../servers/target.ts'

const pair: Pair = { id: '0123456789abcdef', leg: 'app', round: 1, test: 'screen', differs: 'place', first: true }

const measured = async (wishes: Parameters<typeof objectPeer>[0], trains = 0) => {
  await using peer = await objectPeer(wishes)
  const of: TargetOf<'transfer'>['ask']['of'] = { scheme: 'http', path: '/', roots: 'public', edge: false }
  const target = loopbackTarget('transfer', peer.port, { bytes: 163_840, trains, of }, { timeout: 20 })
  const { steps } = await measure(target, { loopback: true })
  return { kind: 'transfer' as const, steps, pair }
}

test('what the probe saw becomes a leg that the rule reads', { retry: 2 }, async () => {
  const [fast, held, frozen, cut] = await Promise.all([
    measured({}, 1),
    measured({ rate: 12_000 }),
    measured({ freeze: 20_000 }),
    measured({ reset: 30_000, rate: 300_000 }),
  ])
  const control = legOf(fast)!
  expect(control).toMatchObject({ got: 163_840, end: 'whole' })
  expect(control.reached.map(at => at !== null)).toEqual([true, true, true, true, false])
  expect(tripsOf(fast)).toHaveLength(25)
  const app = legOf(held)!
  expect(app).toMatchObject({ end: 'cap', span: 8 })
  expect(app.got / app.span / 12_000).toBeGreaterThan(0.8)
  expect(app.got / app.span / 12_000).toBeLessThan(1.2)
  expect(goesOn([{ app, control }])).toBe(true)
  expect(goesOn([{ app: control, control }])).toBe(false)
  expect(legOf(frozen)).toMatchObject({ end: 'silent', got: 20_000 })
  expect(legOf(frozen)!.gap).toBeGreaterThan(3)
  expect(legOf(cut)).toMatchObject({ end: 'reset' })
})

test.each([
  ['another object', { size: 20_000 }],
  ['a refused range', { status: 200 }],
  ['a cache', { headers: { age: '60' } }],
  ['compression', { headers: { 'content-encoding': 'br' } }],
])('%s is no leg at all', async (_, wishes) => {
  expect(legOf(await measured(wishes))).toBeNull()
})

test('a connection that never opened is a leg without a byte, which no pair counts', async () => {
  const steps = [
    { operation: 'connect', start: 0, duration: 1, sent: 0, received: 0, failure: 'generic_timeout_error' },
  ] as const
  expect(legOf({ kind: 'transfer', steps: [...steps], pair })).toMatchObject({ first: null, got: 0, end: 'silent' })
  expect(legOf({ kind: 'transfer', steps: [{ ...steps[0], failure: 'network_unreachable' }], pair })).toBeNull()
  expect(legOf({ kind: 'http', steps: [...steps], pair })).toBeNull()
})

test('an upload that time cut off counts what was acknowledged, not the last mark it passed', () => {
  const step = { operation: 'transfer', start: 0.1, duration: 8, sent: 163_840, received: 24, failure: null } as const
  const reached = [1.2, 5.3, null, null, null]
  const leg = legOf({ kind: 'transfer', steps: [{ ...step, reached, series: [16_384, 65_536, 98_000], gap: 1 }], pair })
  expect(leg).toMatchObject({ got: 98_000, span: 8, end: 'cap' })
})
