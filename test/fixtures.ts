import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Real data outside the project (PEYK_FIXTURES); tests that need a file of it are skipped where it is absent. */
export const fixture = (name: string): string =>
  resolve(process.env['PEYK_FIXTURES'] || join(import.meta.dirname, '../../shared/data'), name)

export const has = (name: string): boolean => existsSync(fixture(name))

export const KENYA = 'ooni/2023-KE-telegram.csv.gz'
