import { createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

/**
 * Listens and never accepts, until it is told to stop: once the two places of its queue are taken, the kernel drops every
 * SYN, and a connect times out as behind a censor's drop rule. A thread of its own, as its event loop must stand still.
 */
const { host, port, stop } = workerData as { host: string; port: number; stop: Int32Array }
const server = createServer(socket => socket.destroy())
server.listen({ port, host, backlog: 1 }, () => {
  parentPort!.postMessage('listening')
  Atomics.wait(stop, 0, 0)
  server.close()
})
