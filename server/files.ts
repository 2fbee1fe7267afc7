import { createHash } from 'node:crypto'
import {
  closeSync,
  createWriteStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { request } from 'undici'
import { SettingsError } from '../measurement/settings.ts'

/** Files made of what a server answers: whole or not there, on disk when told of, with their hash. */

export type Written = { bytes: number; sha256: string }

const durable = (path: string): void => {
  const handle = openSync(path, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

/** Fetch `url` into `folder/name`; an older file stays until the new one is whole. Throws where the server refuses. */
export const fetchFile = async (
  url: URL,
  folder: string,
  name: string,
  headers: Record<string, string> = {},
): Promise<Written> => {
  // A large file is sorted and packed for minutes before its first byte.
  const answer = await request(url, { headers, headersTimeout: 0, bodyTimeout: 0 })
  if (answer.statusCode !== 200) {
    throw new SettingsError(`The server refused ${url.pathname}: ${(await answer.body.text()).slice(0, 500)}`)
  }
  mkdirSync(folder, { recursive: true })
  const path = join(folder, name)
  const hash = createHash('sha256')
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  try {
    await pipeline(answer.body, count, createWriteStream(`${path}.part`))
    durable(`${path}.part`)
    renameSync(`${path}.part`, path)
    durable(folder)
  } catch (error) {
    rmSync(`${path}.part`, { force: true })
    throw error
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** Write a manifest last, so that it tells of whole files only. */
export const writeManifest = (folder: string, manifest: object): void => {
  const path = join(folder, 'manifest.json')
  writeFileSync(`${path}.part`, `${JSON.stringify(manifest, null, 2)}\n`)
  durable(`${path}.part`)
  renameSync(`${path}.part`, path)
  durable(folder)
}

/** The manifest of a folder, or null where there is none. */
export const readManifest = <T>(folder: string): T | null => {
  try {
    return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new SettingsError(`${join(folder, 'manifest.json')} cannot be read: ${(error as Error).message}`)
  }
}
