import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Reachability } from '../../measurement/answers.ts'
import { replay } from './demo.ts'
import { networks, scene } from './tehran-2018.ts'
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
