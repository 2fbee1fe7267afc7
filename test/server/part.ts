import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { keysOf, readConfig } from '../../server/config.ts'
import { runServer } from '../../server/run.ts'

/** A server that does a part of the work, in a process of its own; settings as given. */
export type Part = {
  url: string
  metricsUrl: string
  /** Seconds of processor time it has used. */
  processor: () => number
  admin: (method: string, path: string, body: unknown) => Promise<Record<string, unknown>>
  stop: () => Promise<void>
}

export const startPart = async (env: Record<string, string>): Promise<Part> => {
  const child = spawn(process.execPath, [import.meta.filename], {
    env: { ...process.env, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'error', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const first = child.stdout.take(1).toArray() as Promise<Buffer[]>
  const [line] = await Promise.race([first, gone.then(() => [])])
  if (!line) throw new Error('The part did not start.')
  const { url, metricsUrl, token } = JSON.parse(line.toString()) as { url: string; metricsUrl: string; token: string }
  return {
    url,
    metricsUrl,
    processor: () => {
      // utime and stime in ticks of 10 ms: proc(5).
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    admin: async (method, path, body) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
      if (!response.ok) throw new Error(await response.text())
      return (await response.json()) as Record<string, unknown>
    },
    stop: async () => {
      child.kill('SIGTERM')
      await gone
    },
  }
}

if (import.meta.main) {
  const config = readConfig()
  const { url, metricsUrl, close } = await runServer(config, {
    events: [],
    catalogue: () => ({ bytes: Buffer.from('none'), version: 1 }),
    version: '0.1.0',
  })
  const token = readFileSync(join(keysOf(config), 'admin-token'), 'utf8').trim()
  console.log(JSON.stringify({ url, metricsUrl, token }))
  const stop = () => void close().then(() => process.exit())
  process.once('SIGTERM', stop)
  process.stdin.resume().once('end', () => process.exit())
}
