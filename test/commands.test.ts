import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { SettingsError, told } from '../measurement/settings.ts'

/** What a person sees who mistypes: the word at fault and what there is instead, exit code 2, nothing written. */

const folder = mkdtempSync(join(tmpdir(), 'peyk-commands-'))
const program = join(import.meta.dirname, '../peyk.ts')
writeFileSync(join(folder, 'file'), '')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (...args: string[]) => {
  const env = { ...process.env, PEYK_DATA: join(folder, 'file', 'data') }
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    ...{ cwd: folder, env, encoding: 'utf8', timeout: 60_000 },
  })
  return { status, stdout, stderr }
}

test.each([
  [['nonsense'], /^peyk: "nonsense" is not known here/],
  [['start', '--nonsense'], /^peyk: "--nonsense" is not known here/],
  [['dashboards', '--nonsense'], /^peyk: "--nonsense" is not known here/],
])('peyk %j is refused in words', (args, said) => {
  const { status, stdout, stderr } = run(...args)
  expect(stderr).toMatch(said)
  expect(stderr).not.toMatch(/\n {4}at /)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(readdirSync(folder)).toEqual(['file'])
})

test('peyk dashboards --help tells, and writes nothing', () => {
  const { status, stdout, stderr } = run('dashboards', '--help')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^peyk dashboards /)
  expect(readdirSync(folder)).toEqual(['file'])
})

const thrownBy = (act: () => unknown): Error => {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

test('what whoever started it can mend is one line; of a bug the stack is told', () => {
  expect(told(thrownBy(() => mkdirSync(join(folder, 'file', 'data'))))).toEqual({
    text: `${join(folder, 'file', 'data')} cannot be used: a part of this path is no folder (ENOTDIR).`,
    exitCode: 2,
  })
  expect(told(thrownBy(() => parseArgs({ args: ['--nonsense'] })))).toEqual({
    text: "Unknown option '--nonsense'; --help tells more.",
    exitCode: 2,
  })
  expect(told(new SettingsError('PEYK_PORT must be a port.'))).toEqual({
    text: 'PEYK_PORT must be a port.',
    exitCode: 2,
  })
  const { text, exitCode } = told(new Error('a bug'))
  expect(exitCode).toBe(1)
  expect(text).toContain('commands.test.ts')
})
