import { setDefaultCACertificates } from 'node:tls'
import type { Target } from '../../measurement/target.ts'
import { measure } from '../../probes/all.ts'

/** Our probes in a process of their own, to be measured from outside: reads one order, prints one line. */
export type Order = { root: string; target: Target; probes: number; atOnce: number }
export type Done = { seconds: number; cpu: number; failed: number; resident: number }

const run = async ({ target, probes, atOnce }: Order): Promise<number> => {
  let next = 0
  let failed = 0
  const work = async (): Promise<void> => {
    while (next++ < probes) if ((await measure(target, { loopback: true })).failure !== null) failed++
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return failed
}

if (import.meta.main) {
  const order = JSON.parse(process.argv[2]!) as Order
  setDefaultCACertificates([order.root])
  await run({ ...order, probes: 300 })
  const began = performance.now()
  const before = process.cpuUsage()
  const failed = await run(order)
  const { user, system } = process.cpuUsage(before)
  const done: Done = {
    seconds: (performance.now() - began) / 1000,
    cpu: (user + system) / 1e6,
    failed,
    resident: process.memoryUsage().rss,
  }
  console.log(JSON.stringify(done))
}
