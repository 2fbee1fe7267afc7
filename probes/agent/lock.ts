import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'

/** Another agent runs on this folder. */
class FolderInUse extends Error {
  override name = 'FolderInUse'
  readonly exitCode = 3
}

const pathOf = (folder: string): string | undefined => {
  const name = `peyk-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)}`
  return { linux: `\0${name}`, win32: `\\\\.\\pipe\\${name}` }[process.platform as string]
}

/** The process that holds the folder, or null. */
export const holderOf = async (folder: string): Promise<number | null> => {
  const path = pathOf(folder)
  if (!path) return null
  const socket = connect(path)
  const said = await text(socket).catch(() => '')
  return /^\d+$/.test(said) ? Number(said) : null
}

/**
 * Holds a folder for this process, so that two agents never write one spool. The lock is a name the system frees when
 * the process ends in whatever way: an abstract socket on Linux, a pipe on Windows. Elsewhere there is none.
 */
export const holdFolder = async (folder: string): Promise<() => Promise<void>> => {
  const path = pathOf(folder)
  if (!path) return async () => {}
  const server = createServer(socket => socket.on('error', () => {}).end(String(process.pid)))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const held = `Another agent works in ${folder}: stop it, or choose another folder with PEYK_DATA.`
      reject(error.code === 'EADDRINUSE' ? new FolderInUse(held) : error)
    })
    server.listen(path, resolve)
  })
  server.unref()
  return () => new Promise(resolve => server.close(() => resolve()))
}
