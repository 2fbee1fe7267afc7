import { createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SettingsError } from '../measurement/settings.ts'

/** What only the operator's machine may know: both files stand in PEYK_DATA with mode 0600. */
export type Secrets = {
  /** Key for one purpose, derived from the server's secret (RFC 5869). */
  derive(purpose: string): Buffer
  /** Opens `/v1/admin/*`; commands on this machine read it from the file `admin-token`. */
  adminToken: string
}

const fresh = (file: string): void => {
  const handle = openSync(file, 'wx', 0o600)
  writeSync(handle, `${randomBytes(32).toString('hex')}\n`)
  fsyncSync(handle)
  closeSync(handle)
}

const readOrMake = (file: string): string => {
  try {
    fresh(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  if (statSync(file).mode & 0o077) {
    throw new SettingsError(`PEYK_DATA: others can read ${file}; run: chmod 600 ${file}`)
  }
  const text = readFileSync(file, 'utf8').trim()
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new SettingsError(`PEYK_DATA: ${file} must hold 64 hexadecimal digits; restore it from a backup.`)
  }
  return text
}

/** Read the secrets of a data folder; made where missing. Losing `secret` makes every agent a new one to the record. */
export const readSecrets = (folder: string): Secrets => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const secret = Buffer.from(readOrMake(join(folder, 'secret')), 'hex')
  return {
    derive: purpose => Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `peyk ${purpose}`, 32)),
    adminToken: readOrMake(join(folder, 'admin-token')),
  }
}

export const hmac = (key: Buffer, ...parts: (string | Buffer)[]): Buffer => {
  const sum = createHmac('sha256', key)
  for (const part of parts) sum.update(part)
  return sum.digest()
}
