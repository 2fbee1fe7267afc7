/** Real Prometheus and Alertmanager on free ports of the loopback, each in a folder of its own, stopped by pid. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Path of the first of these programs that is installed; null where none is. */
export async function program(...names: string[]): Promise<string | null> {
  for (const name of names)
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const path = join(folder, name)
      if (
        await access(path).then(
          () => true,
          () => false,
        )
      )
        return path
    }
  return null
}

export const prometheusPath = await program('prometheus')
export const promtoolPath = await program('promtool')
export const alertmanagerPath = await program('prometheus-alertmanager', 'alertmanager')
export const amtoolPath = await program('amtool')

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A folder that goes away with the test. */
export async function scratch(name: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), `peyk-${name}-`))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Runs a program to its end; rejects with its output where it fails. */
export function run(path: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr } = spawnSync(path, args, { encoding: 'utf8', ...(cwd ? { cwd } : {}) })
  if (status !== 0) throw new Error(`${path} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
  return stdout + stderr
}

export type Running = { url: string; log: () => string } & AsyncDisposable

async function started(path: string, args: string[], url: string, ready: string): Promise<Running> {
  const child: ChildProcess = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout?.on('data', chunk => (output += chunk))
  child.stderr?.on('data', chunk => (output += chunk))
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 5_000)
    await once(child, 'exit')
    clearTimeout(force)
  }
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (child.exitCode !== null) throw new Error(`${path} stopped:\n${output}`)
    const up = await fetch(url + ready).then(
      ({ ok }) => ok,
      () => false,
    )
    if (up) return { url, log: () => output, [Symbol.asyncDispose]: stop }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  await stop()
  throw new Error(`${path} did not become ready:\n${output}`)
}

/** Prometheus over a folder; `config` is YAML, relative paths in it are relative to the folder. */
export async function startPrometheus(folder: string, config = '', args: string[] = []): Promise<Running> {
  const port = await freePort()
  await writeFile(join(folder, 'prometheus.yml'), config)
  const own = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--storage.tsdb.retention.time=50y',
  ]
  return started(prometheusPath!, [...own, ...args], `http://127.0.0.1:${port}`, '/-/ready')
}

/** Alertmanager over a configuration file, alone. */
export async function startAlertmanager(folder: string, configFile: string): Promise<Running> {
  const port = await freePort()
  const own = [
    `--config.file=${configFile}`,
    `--storage.path=${join(folder, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
  ]
  return started(alertmanagerPath!, own, `http://127.0.0.1:${port}`, '/-/ready')
}

export type Series = { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }

/** One call of Prometheus' API; rejects with its words where it refuses. */
export async function ask(url: string, path: string, params: Record<string, string | number>): Promise<unknown> {
  const body = new URLSearchParams(Object.entries(params).map(([key, value]) => [key, String(value)]))
  const response = await fetch(`${url}/api/v1/${path}`, { method: 'POST', body })
  const answer = (await response.json()) as { status: string; error?: string; data: unknown; warnings?: string[] }
  if (answer.status !== 'success') throw new Error(`${path} ${JSON.stringify(params)}: ${answer.error}`)
  if (answer.warnings) throw new Error(`${path} ${JSON.stringify(params)}: warnings: ${answer.warnings.join('; ')}`)
  return answer.data
}

const resultOf = (data: unknown) => (data as { result: Series[] }).result

export const instant = async (url: string, query: string, time: number): Promise<Series[]> =>
  resultOf(await ask(url, 'query', { query, time }))

export const ranged = async (url: string, query: string, start: number, end: number, step: number): Promise<Series[]> =>
  resultOf(await ask(url, 'query_range', { query, start, end, step }))
