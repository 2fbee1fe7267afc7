import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Bench } from './bench.ts'

const ROUNDS = 200

/** The tests of an agent and of a server that are killed at any moment, with ten times their rounds. */
export const bench: Bench = async figure => {
  const root = join(import.meta.dirname, '../..')
  const from = performance.now()
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const tests = ['test/agent/agent.test.ts', 'test/server/killed.test.ts', '-t', 'killed']
  execFileSync(process.execPath, [vitest, 'run', ...tests, '--testTimeout=1200000'], {
    cwd: root,
    env: { ...process.env, PEYK_KILLS: String(ROUNDS) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  figure({ rounds: ROUNDS, lost: 0, twice: 0, seconds: Math.round((performance.now() - from) / 1000) })
}
