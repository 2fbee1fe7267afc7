import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

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
  [['dump', '--nonsense'], /^Unknown option '--nonsense'/],
  // The data folder would have to stand inside a file.
  [['server'], /^.*\/file\/data.* cannot be used: a part of this path is no folder \(ENOTDIR\)\.\n$/],
])('peyk %j is refused in words', (args, said) => {
  const { status, stdout, stderr } = run(...args)
  expect(stderr).toMatch(said)
  expect(stderr).not.toMatch(/\n {4}at /)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(readdirSync(folder)).toEqual(['file'])
})

test.each(['import', 'dashboards'])('peyk %s --help tells, and does nothing', command => {
  const { status, stdout, stderr } = run(command, '--help')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(new RegExp(`^peyk ${command} `))
  expect(readdirSync(folder)).toEqual(['file'])
})
