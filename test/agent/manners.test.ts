import { writeFileSync } from 'node:fs'
import type { cpus } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { idleMeter, onMetered } from '../../probes/agent/manners.ts'
import { folder } from './samples.ts'

/** A program that answers as busctl does, and only to the question that NetworkManager knows. */
const busctl = async (answer: string): Promise<string> => {
  const file = join(await folder(), 'busctl')
  const asked =
    'get-property org.freedesktop.NetworkManager /org/freedesktop/NetworkManager org.freedesktop.NetworkManager Metered'
  writeFileSync(file, `#!/bin/sh\n[ "$*" = "${asked}" ] && echo '${answer}'\n`, { mode: 0o755 })
  return file
}

test.skipIf(process.platform !== 'linux')('a line paid by the byte is seen where NetworkManager tells', async () => {
  expect(await onMetered(await busctl('u 1'))).toBe(true)
  expect(await onMetered(await busctl('u 3'))).toBe(true)
  expect(await onMetered(await busctl('u 2'))).toBe(false)
  expect(await onMetered(await busctl('u 4'))).toBe(false)
  expect(await onMetered(join(await folder(), 'none'))).toBe(false)
})

test('idle processors are counted since the last look', () => {
  const at = { user: 0, nice: 0, sys: 0, irq: 0, idle: 0 }
  const read = () => [{ model: '', speed: 0, times: { ...at } }] as ReturnType<typeof cpus>
  const idle = idleMeter(read)
  Object.assign(at, { user: 90, idle: 10 })
  expect(idle()).toBeCloseTo(0.1)
  Object.assign(at, { user: 190, idle: 10 })
  expect(idle()).toBe(0)
  Object.assign(at, { idle: 110 })
  expect(idle()).toBe(1)
  expect(idle()).toBe(1)
})
