import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Who holds a data folder: the process, and where it can be asked to do work for others. */
export type Holder = { pid: number; url: string | null }

const file = (folder: string): string => join(folder, 'lock')

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The process that holds the folder and runs, or null. */
export const holder = (folder: string): Holder | null => {
  try {
    const found = JSON.parse(readFileSync(file(folder), 'utf8')) as Holder
    return Number.isInteger(found.pid) && found.pid !== process.pid && alive(found.pid) ? found : null
  } catch {
    return null
  }
}

export class Held extends Error {
  override name = 'Held'
  readonly exitCode = 3
  readonly holder: Holder
  constructor(folder: string, found: Holder) {
    super(
      `The data folder ${folder} is in use by process ${found.pid}${found.url ? ` (${found.url})` : ''}: stop it, or choose another folder with PEYK_DATA.`,
    )
    this.holder = found
  }
}

export type Lock = {
  /** Tell other commands where this process can be asked to do their work. */
  announce(url: string): void
  release(): void
}

/** Take the folder, or throw `Held`. A lock left by a process that is gone is taken over. */
export const lock = (folder: string): Lock => {
  const write = (path: string, url: string | null): void => {
    const handle = openSync(path, 'wx', 0o600)
    writeSync(handle, JSON.stringify({ pid: process.pid, url } satisfies Holder))
    closeSync(handle)
  }
  for (let attempt = 0; ; attempt++) {
    try {
      write(file(folder), null)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const found = holder(folder)
      if (found || attempt > 0) throw new Held(folder, found ?? { pid: 0, url: null })
      rmSync(file(folder), { force: true })
    }
  }
  return {
    announce: url => {
      // Renamed over the old one, so that nobody reads half a lock.
      const next = `${file(folder)}.${process.pid}`
      rmSync(next, { force: true })
      write(next, url)
      renameSync(next, file(folder))
    },
    release: () => rmSync(file(folder), { force: true }),
  }
}
