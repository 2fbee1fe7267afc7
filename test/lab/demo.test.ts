import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Reachability } from '../../measurement/answers.ts'
import { placeOf } from '../../measurement/judge/relocation.ts'
import { make } from '../../probes/agent/run.ts'
import { measure } from '../../probes/all.ts'
import { replay } from './demo.ts'
import { build, networks, scene } from './tehran-2018.ts'
import { StillClock } from './time.ts'

test('time passes only while everybody sleeps', async () => {
  const times: number[] = []
  const clock = new StillClock(
    1_000,
    () => 10,
    2,
    async until => until <= 1_100,
  )
  const never = new AbortController().signal
  const loop = async (every: number, busy: number) => {
    while (clock.wall() < 1_090) {
      await clock.sleep(every, never)
      const woke = clock.wall()
      await new Promise(resolve => setTimeout(resolve, busy))
      expect(clock.wall()).toBe(woke)
      times.push(woke)
    }
  }
  await Promise.race([Promise.all([loop(10, 5), loop(25, 20)]), new Promise(resolve => setTimeout(resolve, 2_000))])
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times.every(time => time % 10 === 0)).toBe(true)
  expect(Math.max(...times)).toBeGreaterThanOrEqual(1_090)
})

test('the first hours of the demo: real agents in April 2018, and simulated in every answer', async () => {
  const env = {
    PEYK_DATA: mkdtempSync(join(tmpdir(), 'peyk-demo-')),
    ...{ PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent' },
  }
  const demo = await replay(env, { to: scene.from + 4.5 * 3_600 })
  onTestFinished(() => demo.close())
  const answer = await fetch(`${demo.server.url}/v1/reachability?country=IR&app=telegram&feature=text`)
  const { places, sources } = (await answer.json()) as Reachability
  expect(sources.map(({ origin }) => origin)).toEqual(['simulated'])
  expect(places.map(({ asn }) => asn)).toEqual(expect.arrayContaining([...networks]))
  for (const { verdict, at } of places) {
    expect(verdict).toBe('ok')
    expect(Date.parse(at) / 1_000).toBeGreaterThan(scene.from + 1.5 * 3_600)
  }
  const rows = await demo.server.shared.store.query<{ agents: number; rows: number; ids: number }>(
    "SELECT uniqExact(agent) AS agents, count() AS rows, uniqExact(id) AS ids FROM measurements WHERE origin = 'simulated'",
    {},
  )
  expect(rows[0]).toMatchObject({ agents: 11 })
  expect(rows[0]!.rows).toBe(rows[0]!.ids)
  expect(rows[0]!.rows).toBeGreaterThan(11 * 8 * 2)
})

test('the move of the demo is one: served from abroad, over a way that is longer in its handshakes too', async () => {
  const { apps, locate, handshaken, course, close } = await build()
  onTestFinished(close)
  const telegram = apps.get('telegram')!.filter(({ kind }) => kind === 'mtproto')
  const at = { country: 'IR', asn: networks[0], access: 'wired', line: 0, families: new Set(['v4'] as const) } as const
  const around = {
    ...{
      clock: new StillClock(
        scene.from,
        () => 60,
        1,
        async () => true,
      ),
      locate,
      where: async () => at,
    },
    ...{ boot: '0'.repeat(16), software: 'peyk/0.0.0', loopback: true },
    ...{ catalogue: { version: 1, issued: scene.from }, signal: new AbortController().signal },
    measure: async (...asked: Parameters<typeof measure>) => ({
      ...handshaken(await measure(...asked)),
      stalled: false,
    }),
  }
  const served = () =>
    Promise.all(
      telegram.map(async target => {
        const made = await make({ app: 'telegram', target, granted: 0 }, around)
        if (made.kind !== 'measured') throw new Error(JSON.stringify(made))
        return made.measurement.served
      }),
    )
  const before = placeOf(await served())
  await course[0]!.happen()
  const after = placeOf(await served())
  expect([before?.country, after?.country]).toEqual(['IR', 'NL'])
  expect(after!.floor! - before!.floor!).toBeGreaterThan(0.05)
})
