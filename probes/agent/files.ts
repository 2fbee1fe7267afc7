import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What the agent keeps is readable by its user only: files 0600, folders 0700. */
export const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

export const privateFolder = async (folder: string): Promise<string> => {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  await chmod(folder, FOLDER_MODE) // An existing folder keeps its mode otherwise.
  return folder
}

/** Makes names created or removed in the folder survive a power loss; Windows cannot open folders and needs no such thing. */
export const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Replaces a file whole: after a crash it holds the old content or the new one. Resolves when that is durable. */
export const writeDurably = async (file: string, content: string | Uint8Array): Promise<void> => {
  const handle = await open(`${file}.new`, 'w', FILE_MODE)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncFolder(dirname(file))
}

/** The file's bytes, or null where there is none. */
export const readIfThere = async (file: string): Promise<Buffer | null> => {
  try {
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** The file's JSON where it is whole and passes `is`; null where there is none or it is damaged. */
export const readJson = async <T>(file: string, is: (value: unknown) => value is T): Promise<T | null> => {
  const bytes = await readIfThere(file)
  if (!bytes) return null
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return is(value) ? value : null
  } catch {
    return null
  }
}
