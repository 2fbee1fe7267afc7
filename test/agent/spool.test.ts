import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { appendBatch, contents, folder, HandClock, sample, spoolAt } from './samples.ts'

const segments = async (path: string): Promise<string[]> =>
  (await readdir(path)).filter(name => name.endsWith('.spool')).sort()

test('what was appended is there after a restart, numbered without gaps, in batches that keep their ids', async () => {
  const path = await folder()
  const first = await spoolAt(path)
  const ids = [...(await appendBatch(first, 3)), ...(await appendBatch(first, 2))]
  const batches = await first.peek(10, 1e6)
  await first.close()

  const second = await spoolAt(path)
  expect(await second.peek(10, 1e6)).toEqual(batches)
  expect((await contents(second)).map(({ id }) => id)).toEqual(ids)
  expect((await contents(second)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
  await second.acknowledge(batches[0]!.id)
  await second.acknowledge('00000000000000000000000000000000')
  expect(second.status()).toMatchObject({ measurements: 2, batches: 1 })
  await second.close()

  const third = await spoolAt(path)
  await third.acknowledge(batches[1]!.id)
  expect(await segments(path)).toEqual([])
  await third.close()

  // Everything is delivered and gone, and the numbers go on.
  const fourth = await spoolAt(path)
  await appendBatch(fourth, 1)
  expect((await contents(fourth))[0]!.sequence).toBe(6)
  expect(fourth.ledger()).toEqual({ measured: 6, dropped: 0 })
  await fourth.close()
})

test('a spool cut at any byte of its last record keeps all before it, counts what it lost, and reuses no number', async () => {
  const path = await folder()
  const whole = await spoolAt(path)
  const kept = await appendBatch(whole, 2)
  const [name] = await segments(path)
  const before = (await stat(join(path, name!))).size
  // Three small lines: there are fewer places to cut.
  const last = ['a', 'b', 'c'].map(id => whole.append({ id } as ReturnType<typeof sample>))
  await whole.flush()
  expect(await Promise.all(last)).toEqual([true, true, true])
  const after = (await stat(join(path, name!))).size
  // As a crash leaves it: nothing is closed, the state was written when the spool was opened.
  const header = (await readFile(join(path, name!))).indexOf('\n', before) + 1
  for (let size = before; size < after; size++) {
    const copy = join(await folder(), 'spool')
    await cp(path, copy, { recursive: true })
    await truncate(join(copy, name!), size)
    const spool = await spoolAt(copy)
    expect((await contents(spool)).map(({ id }) => id)).toEqual(kept)
    const lost = size === before ? 0 : size < header ? 1 : 3
    expect(spool.ledger(), `cut at ${size}`).toEqual({ measured: 2 + lost, dropped: lost })
    await spool.close()
    // Counted once, and the numbers go on.
    const again = await spoolAt(copy)
    await appendBatch(again, 1)
    expect((await contents(again)).at(-1)!.sequence).toBe(3 + lost)
    expect(again.ledger()).toEqual({ measured: 3 + lost, dropped: lost })
    await again.close()
  }
  await whole.close()
})

test('a damaged record is passed over and counted once, the ones around it stay', async () => {
  const path = await folder()
  const whole = await spoolAt(path)
  const first = await appendBatch(whole, 2)
  const [name] = await segments(path)
  const at = (await stat(join(path, name!))).size
  await appendBatch(whole, 3)
  const third = await appendBatch(whole, 1)
  await whole.close()
  const bytes = await readFile(join(path, name!))
  bytes[bytes.indexOf('\n', at) + 20]! ^= 1
  await writeFile(join(path, name!), bytes)
  for (let open = 0; open < 2; open++) {
    const spool = await spoolAt(path)
    expect((await contents(spool)).map(({ id }) => id)).toEqual([...first, ...third])
    expect(spool.ledger()).toEqual({ measured: 6, dropped: 3 })
    await spool.close()
  }
})

test('size is bounded: the oldest go first, and every drop is counted', async () => {
  const path = await folder()
  const spool = await spoolAt(path, { maxBytes: 200_000 })
  const ids: string[] = []
  for (let batch = 0; batch < 40; batch++) ids.push(...(await appendBatch(spool, 20)))
  const { bytes, measurements, dropped } = spool.status()
  expect(bytes).toBeLessThanOrEqual(200_000)
  expect(bytes).toBeGreaterThan(100_000)
  expect(measurements + dropped.full).toBe(800)
  expect((await contents(spool)).map(({ id }) => id)).toEqual(ids.slice(dropped.full))
  const ledger = spool.ledger()
  await spool.close()
  const again = await spoolAt(path, { maxBytes: 200_000 })
  expect(again.ledger()).toEqual(ledger)
  await again.close()
})

test('age counts the time the agent ran: the wall clock has no say, a restart adds none', async () => {
  const path = await folder()
  const clock = new HandClock()
  const options = { maxAge: 1_000, mono: clock.mono }
  const first = await spoolAt(path, options)
  await appendBatch(first, 2)
  clock.now += 900
  await first.close()
  clock.now = 5 // The machine was off for a year, and booted.
  const second = await spoolAt(path, options)
  expect(second.status().measurements).toBe(2)
  clock.now += 200
  expect(await second.peek(10, 1e6)).toEqual([])
  expect(second.status().dropped.old).toBe(2)
  await second.close()
})

test('a refused batch is set aside with the reason, and counted as refused, not as lost', async () => {
  const path = await folder()
  const spool = await spoolAt(path)
  await appendBatch(spool, 2)
  const [batch] = await spool.peek(1, 1)
  await spool.refuse(batch!.id, 'line 1: kind is unknown')
  const [file] = await readdir(join(path, 'refused'))
  expect(JSON.parse(await readFile(join(path, 'refused', file!), 'utf8'))).toEqual({
    reason: 'line 1: kind is unknown',
    batch,
  })
  expect(spool.ledger()).toEqual({ measured: 2, dropped: 0 })
  expect(spool.status()).toMatchObject({ measurements: 0, dropped: { refused: 2 } })
  await spool.close()
})

test('peek keeps to its limits, gives at least one, and passes over what it is told to', async () => {
  const spool = await spoolAt(await folder())
  for (let batch = 0; batch < 5; batch++) await appendBatch(spool, 2)
  const all = await spool.peek(10, 1e6)
  expect(all).toHaveLength(5)
  expect(await spool.peek(2, 1e6)).toEqual(all.slice(0, 2))
  expect(await spool.peek(10, 1)).toEqual(all.slice(0, 1))
  expect(await spool.peek(10, all[0]!.bytes.length * 3)).toEqual(all.slice(0, 3))
  expect(await spool.peek(1, 1, new Set([all[0]!.id]))).toEqual(all.slice(1, 2))
  await spool.close()
})

test('its files are for its user only, and a sealed batch shows counts and sizes alone', async () => {
  const path = join(await folder(), 'spool')
  await mkdir(path)
  await chmod(path, 0o755)
  const spool = await spoolAt(path, {
    seal: async lines => ({ encoding: 'jwe', bytes: Buffer.from(lines).toString('base64url') }),
  })
  await appendBatch(spool, 2)
  await spool.acknowledge('none')
  expect((await stat(path)).mode & 0o777).toBe(0o700)
  for (const name of await readdir(path)) expect((await stat(join(path, name))).mode & 0o777, name).toBe(0o600)
  const [name] = await segments(path)
  const text = await readFile(join(path, name!), 'latin1')
  for (const word of ['telegram', 'KE', '33771', 'mtproto']) expect(text).not.toContain(word)
  expect((await spool.peek(1, 1))[0]!.encoding).toBe('jwe')
  await spool.close()
})

test('stray files and an empty segment are no trouble', async () => {
  const path = await folder()
  await writeFile(join(path, '00000007.spool'), '')
  await writeFile(join(path, 'state.json'), '{"half')
  await appendFile(join(path, 'notes.txt'), 'x')
  const spool = await spoolAt(path)
  await appendBatch(spool, 1)
  expect(await segments(path)).toEqual(['00000008.spool'])
  await spool.close()
  expect(await spool.append(sample())).toBe(false)
})

/** A small file system of its own at `path`, or why there is none. */
const mountSmall = (path: string): string | null => {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', path])
  return status === 0 ? null : `needs root to mount a small file system: ${error?.message ?? String(stderr).trim()}`
}

test('a full disk loses nothing it need not, and what waited is written when there is room', async context => {
  const path = await folder()
  const trouble = mountSmall(path)
  if (trouble) return context.skip(trouble)
  onTestFinished(() => void spawnSync('umount', ['-l', path]))
  const spool = await spoolAt(join(path, 'spool'), { maxBytes: 1e9 })
  const kept = await appendBatch(spool, 20)
  const filler = join(path, 'somebody-elses')
  for (const size of [4_096, 1]) {
    const full = (): Promise<boolean> =>
      appendFile(filler, Buffer.alloc(size)).then(
        () => false,
        () => true,
      )
    while (!(await full())) {}
  }
  const more = Array.from({ length: 200 }, sample)
  const durable = Promise.all(more.map(measurement => spool.append(measurement)))
  await spool.flush()
  expect(spool.status()).toMatchObject({ measurements: 20, gathered: 200 })
  expect(spool.ledger()).toEqual({ measured: 20, dropped: 0 })
  expect((await contents(spool)).map(({ id }) => id)).toEqual(kept)
  // Beyond what memory may hold, the oldest go, and are counted.
  const flood = Array.from({ length: 5_100 }, () => spool.append(sample()))
  await spool.flush()
  expect(spool.status()).toMatchObject({ gathered: 5_000, dropped: { disk: 300 } })
  expect((await durable).every(one => !one)).toBe(true)
  expect(await Promise.race([...flood.slice(0, 100)])).toBe(false)
  await rm(filler)
  const [batch] = await spool.peek(1, 1)
  await spool.acknowledge(batch!.id)
  await spool.flush()
  expect(spool.status().measurements).toBeGreaterThan(100)
  const { measurements, gathered } = spool.status()
  expect(measurements + gathered).toBe(5_000)
  await spool.close()
  const again = await spoolAt(join(path, 'spool'))
  expect(again.status().measurements).toBe(measurements)
  await again.close()
})

test('killed at any moment, it has lost nothing that was promised', async () => {
  const path = await folder()
  const promised: string[] = []
  const acknowledged = new Map<string, string[]>()
  for (let round = 0; round < 10; round++) {
    const child = fork(join(import.meta.dirname, 'spool-child.ts'), [path], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(path, 'compiled') }, // Ten starts of the same code.
    })
    child.on('message', (said: { kept?: string[]; receipted?: { batch: string; ids: string[] } }) => {
      if (said.kept) promised.push(...said.kept)
      if (said.receipted) acknowledged.set(said.receipted.batch, said.receipted.ids)
    })
    await once(child, 'message')
    setTimeout(() => child.kill('SIGKILL'), 40 * Math.random())
    await once(child, 'exit')
  }
  const spool = await spoolAt(path)
  const waiting = await contents(spool)
  const receipted = [...acknowledged.values()].flat()
  const held = new Set([...receipted, ...waiting.map(({ id }) => id)])
  expect(promised.filter(id => !held.has(id))).toEqual([])
  expect(promised.length).toBeGreaterThan(100)
  expect(receipted.length).toBeGreaterThan(0)
  expect(new Set(waiting.map(({ sequence }) => sequence)).size).toBe(waiting.length)
  await spool.close()
})
