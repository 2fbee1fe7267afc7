import { randomBytes } from 'node:crypto'
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from './files.ts'
import { holderOf } from './lock.ts'

/** Files that say nothing of who measured what: they stay when the agent takes a new name. */
const ANONYMOUS = new Set(['catalogue.jose', 'operator.jose', 'consent.json', 'networks.bin'])

/** Overwrites a file before its name goes. Flash keeps old blocks as it likes: only an encrypted disk forgets for sure. */
const shred = async (file: string): Promise<void> => {
  const { size } = await stat(file)
  const handle = await open(file, 'r+')
  try {
    await handle.write(randomBytes(Math.min(size, 2 ** 20)), 0, Math.min(size, 2 ** 20), 0)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rm(file)
}

const gone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/** Ends an agent that works in the folder: at once, since what it holds is to go. */
const end = async (folder: string): Promise<void> => {
  const pid = await holderOf(folder).catch(() => null)
  if (pid === null || pid === process.pid) return
  process.kill(pid, 'SIGKILL')
  for (let tries = 0; tries < 100 && !gone(pid); tries++) await new Promise(resolve => setTimeout(resolve, 20))
}

/**
 * Removes what an agent keeps. All of it (`panic`): key first, then measurements, settings and the folder. Or only what ties it to
 * its past (`rotate`): the next start makes a new key that cannot be joined with the old one, numbers from 1, and enrols anew.
 */
export const wipe = async (folder: string, what: 'all' | 'identity'): Promise<void> => {
  if (!(await stat(folder).catch(() => null))) return
  await end(folder)
  const stays = (name: string) => what === 'identity' && ANONYMOUS.has(name)
  const key = join(folder, 'key.json')
  if (await stat(key).catch(() => null)) await shred(key)
  for (const name of await readdir(folder))
    if (!stays(name)) await rm(join(folder, name), { recursive: true, force: true })
  if (what === 'all') await rm(folder, { recursive: true, force: true })
  else await syncFolder(folder)
}
