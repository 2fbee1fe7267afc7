import { randomInt } from 'node:crypto'
import { flushCompileCache } from 'node:module'
import { openSpool } from '../../probes/agent/spool.ts'
import { sampleOf } from './sample.ts'

/** Run as a child of spool.test.ts: appends and acknowledges until it is killed, and tells what it was promised. */
const spool = await openSpool(process.argv[2]!, {
  maxBytes: 2 ** 24,
  maxAge: 1e6,
  flushSeconds: 60,
  mono: () => performance.now() / 1000,
})
flushCompileCache() // A killed process leaves none.
const tell = (message: object) => new Promise(resolve => process.send!(message, resolve))

for (;;) {
  const made = Array.from({ length: randomInt(1, 20) }, sampleOf)
  const kept = Promise.all(made.map(one => spool.append(one)))
  await spool.flush()
  if (!(await kept).includes(false)) await tell({ kept: made.map(({ id }) => id) })
  if (randomInt(3) === 0) {
    const [batch] = await spool.peek(1, 1)
    if (!batch) continue
    const ids = batch.bytes.split('\n').map(line => (JSON.parse(line) as { id: string }).id)
    // The server has it: from here on the spool may forget it, or not.
    await tell({ receipted: { batch: batch.id, ids } })
    await spool.acknowledge(batch.id)
  }
}
