import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Bucket, openBudget, wireBytes } from '../../probes/agent/budget.ts'
import { folder, HandClock } from './samples.ts'

test('whatever is asked for when, no 24 hours are granted more than the day’s bytes', () => {
  const asks = fc.array(
    fc.record({ wait: fc.integer({ min: 0, max: 20_000 }), bytes: fc.integer({ min: 1, max: 90_000 }) }),
    {
      maxLength: 200,
    },
  )
  fc.assert(
    fc.property(asks, list => {
      const clock = new HandClock()
      const bucket = new Bucket(1e6, clock.mono)
      const granted: { at: number; bytes: number }[] = []
      for (const { wait, bytes } of list) {
        clock.now += wait
        if (bucket.take(bytes)) granted.push({ at: clock.now, bytes })
      }
      for (const { at } of granted) {
        const day = granted.filter(one => one.at >= at && one.at < at + 86_400)
        expect(day.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(1e6)
      }
    }),
  )
})

test('what a test cost beyond its grant is a debt, what it did not use comes back', () => {
  const clock = new HandClock()
  const bucket = new Bucket(12e5, clock.mono)
  expect(bucket.take(1e5)).toBe(true)
  bucket.settle(1e5, 2e5)
  expect(bucket.left()).toBe(-1e5)
  expect(bucket.take(1)).toBe(false)
  clock.now += 86_400
  expect(bucket.left()).toBe(1e5)
  bucket.take(5e4)
  bucket.settle(5e4, 0)
  expect(bucket.left()).toBe(1e5)
})

test('it survives a restart, by the clock that does not jump within a boot and the wall clock after it', async () => {
  const file = join(await folder(), 'budget.json')
  const clock = new HandClock()
  const open = (boot: string) => openBudget(file, 864e3, clock, boot)
  const first = await open('a')
  expect(first.lastActive).toBeNull()
  first.charge(200e3)
  const left = first.left()
  await first.save(990)
  clock.jumped = 1e9 // Somebody set the clock.
  clock.now += 100
  const second = await open('a')
  expect(second.lastActive).toBe(990)
  expect(second.left()).toBeCloseTo(left + 100 * (864e3 / 86_400) * (11 / 12), -1)
  second.charge(500e3)
  await second.save(null)
  clock.now = 3 // A new boot.
  const third = await open('b')
  expect(third.lastActive).toBeNull()
  expect(third.left()).toBeLessThan(0)
  await writeFile(file, '{"tokens":')
  expect((await open('b')).left()).toBe(72e3)
})

test('bytes on the wire are more than bytes on the sockets', () => {
  const step = { start: 0, duration: 0, sent: 0, received: 0, failure: null }
  const steps = [
    { ...step, operation: 'resolve' as const },
    { ...step, operation: 'connect' as const },
  ]
  expect(wireBytes({ steps, sent: 500, received: 500 })).toBe(1080 + 420 + 100)
  expect(wireBytes({ steps: [], sent: 0, received: 0 })).toBe(0)
})
