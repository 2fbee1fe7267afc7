import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closedPort } from './tcp.ts'

/** Whether a program of a Debian package is here; where it is not, its tests are skipped and say so. */
export const installed = (program: string): boolean => {
  try {
    execFileSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin" command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What a real server is started with: its configuration by file name, its arguments, both knowing folder and port. */
export type Setup = {
  program: string
  files?: (place: { folder: string; port: number }) => Record<string, string>
  args: (place: { folder: string; port: number }) => string[]
}

/** A real server from a Debian package on a loopback port, in a folder of its own; ended by its process id. */
export const debianPeer = async ({
  program,
  files = () => ({}),
  args,
}: Setup): Promise<{ port: number; pid: number } & AsyncDisposable> => {
  const folder = mkdtempSync(join(tmpdir(), 'peyk-peer-'))
  // Servers started by root give up their rights before they read their files.
  chmodSync(folder, 0o777)
  const port = await closedPort()
  for (const [name, text] of Object.entries(files({ folder, port }))) writeFileSync(join(folder, name), text)
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
  const child = spawn(program, args({ folder, port }), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', bytes => (said += bytes))
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.once('error', error => (said += error.message))
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await listening(port, child)
  } catch {
    await dispose()
    throw new Error(`${program} did not come up on loopback: ${said.slice(-2000)}`)
  }
  return { port, pid: child.pid!, [Symbol.asyncDispose]: dispose }
}

const listening = async (port: number, child: ChildProcess): Promise<void> => {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    const open = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error('not listening')
}
