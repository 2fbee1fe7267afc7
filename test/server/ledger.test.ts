import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Measurement } from '../../measurement/measurement.ts'
import { batchOf, jsonOf, type TestAgent } from './agent.ts'
import { type Live, live } from './live.ts'

let server: Live
beforeAll(async () => {
  server = await live()
})
afterAll(() => server.stop())

const DAY = 86_400
const today = Math.floor(Date.now() / 1000 / DAY) * DAY
const dayOf = (at: number) => new Date(at * 1000).toISOString().slice(0, 10)

/** Measurements of a numbered span, made `ago` seconds ago by the clock that never jumps. */
const span = (agent: TestAgent, first: number, last: number, at: number): Measurement[] =>
  Array.from({ length: last - first + 1 }, (_, index) =>
    agent.measure({ sequence: first + index, mono: 1_000_000 - (Date.now() / 1000 - at) }),
  )
const send = (agent: TestAgent, found: Measurement[], measured: number, dropped = 0) =>
  agent.send({ ...agent.report([batchOf(found)], { mono: 1_000_000 }), ledger: { measured, dropped } })

test('what is missing is counted on the day it was measured, whenever the rest arrives', async () => {
  const [a, b] = [await server.enrolled(), await server.enrolled()]
  const [before, yesterday, noon] = [today - 1.5 * DAY, today - 0.5 * DAY, today + 1]
  // Today's first, as after a night offline; then half of yesterday's, doubly; the day before complete.
  await send(a, span(a, 201, 210, noon), 210)
  const half = span(a, 101, 150, yesterday)
  await send(a, half, 210)
  await send(a, [...half.slice(20), ...span(a, 151, 160, yesterday)], 212, 40)
  await send(a, span(a, 1, 100, before), 212, 40)
  await send(b, span(b, 1, 5, yesterday), 5)

  const { body } = await server.admin('GET', '/v1/admin/ledger', undefined)
  const days = body['days'] as { agent: string; day: string }[]
  expect(days.toSorted((x, y) => x.day.localeCompare(y.day))).toHaveLength(4)
  const ofA = days.filter(({ agent }) => days.filter(one => one.agent === agent).length === 3)
  expect(ofA).toEqual([
    expect.objectContaining({ day: dayOf(before), measured: 100, delivered: 100, missing: 0 }),
    expect.objectContaining({ day: dayOf(yesterday), measured: 100, delivered: 60, missing: 40 }),
    expect.objectContaining({ day: dayOf(noon), measured: 12, delivered: 10, missing: 2 }),
  ])
  expect(JSON.stringify(days)).not.toContain(a.thumbprint)

  const open = await jsonOf(await fetch(`${server.url}/v1/ledger`))
  expect(open.body['days']).toContainEqual({
    day: dayOf(yesterday),
    agents: 2,
    measured: 105,
    delivered: 65,
    missing: 40,
  })

  const text = await server.metrics()
  // Of the past before this process knew an agent nothing is counted: 210 to 212.
  expect(text).toContain('peyk_ledger_measurements_total{entry="measured"} 2')
  expect(text).toContain('peyk_ledger_measurements_total{entry="dropped"} 40')
})

test('a range that ends before it begins is refused by name', async () => {
  const { status, body } = await jsonOf(await fetch(`${server.url}/v1/ledger?from=2024-01-02&to=2024-01-01`))
  expect({ status, field: body['field'] }).toEqual({ status: 400, field: 'querystring/to' })
  expect((await jsonOf(await fetch(`${server.url}/v1/ledger?from=yesterday`))).body).toMatchObject({
    field: 'querystring/from',
  })
})
