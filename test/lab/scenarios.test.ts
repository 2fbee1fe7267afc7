import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { latencyStep, relocation } from '../../measurement/judge/relocation.ts'
import { scenarios, transfers } from './scenarios.ts'
import { dcs, openWorld, type World } from './world.ts'

/** Every scenario that needs no root: real peers behind a censor, the real probes, the real rules, the true verdict. */

const HOUR = 3_600
const NOON = 1_523_016_000
let world: World

beforeAll(async () => {
  world = await openWorld()
  for (const feature of ['text', 'web', 'registration', 'voice-call'] as const) await world.round(feature, NOON)
})
afterAll(() => world[Symbol.asyncDispose]())

describe('relay: verdicts', () => {
  test.each(scenarios)('$name', async ({ set, feature, truth }) => {
    await set(world)
    try {
      expect(await world.round(feature, NOON + HOUR)).toMatchObject(truth)
    } finally {
      world.fail(false)
    }
  })

  test('exam hours: shut at seven, open at ten', async () => {
    const said: string[] = []
    for (const [hour, shut] of [
      [6, false],
      [7, true],
      [9, true],
      [10, false],
    ] as const) {
      await world.censor(shut ? dcs({ connect: 'refuse' }) : {})
      said.push((await world.round('text', NOON + hour * HOUR)).verdict)
    }
    expect(said).toEqual(['ok', 'blocked', 'blocked', 'ok'])
  })
})

describe('relay: transfers', () => {
  // Eight seconds each, and a world of its own each: they wait at the same time. Of quiet lines the rule itself calls one in
  // two hundred throttled, hence a second try.
  test.concurrent.each(transfers)(
    '$name',
    { timeout: 60_000, retry: 1 },
    async ({ set, differs, answer, mechanism }) => {
      await using own = await openWorld()
      await set(own)
      expect(await own.transfers(differs)).toMatchObject({ answer, mechanism: mechanism ?? null })
    },
  )
})

test('relay: moved abroad, everything takes longer, nothing is held back', async () => {
  const sample = async (delay: number) => {
    await world.censor(dcs({ delay }))
    return Promise.all(Array.from({ length: 6 }, () => world.exchange()))
  }
  const [before, after] = [await sample(0), await sample(0.15)]
  const step = latencyStep(before, after)!
  expect(step.stepped).toBe(true)
  expect(step.added.value).toBeGreaterThan(0.12)
  expect(step.added.value).toBeLessThan(0.5)
  await world.censor({})
  const { answer } = await world.transfers()
  // Where it was served from is the agent's look-up, which knows no loopback.
  const floor = (of: typeof before): number => Math.min(...of.map(({ app }) => app))
  const served = (asn: number, country: string, of: typeof before) =>
    of.map(() => ({ asn, country, rtt_floor: floor(of), dc: null }))
  expect(
    relocation(served(64_500, 'IR', before), served(64_501, 'DE', after), {
      home: 'IR',
      step,
      throttled: answer === 'throttled',
    }),
  ).toMatchObject({ to: { country: 'DE' } })
})
