import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Bench } from './bench.ts'

const ROUNDS = 200

/** The test of an agent that is killed at any moment (test/agent/agent.test.ts), with ten times its rounds. */
export const bench: Bench = async figure => {
  const root = join(import.meta.dirname, '../..')
  const from = performance.now()
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const named = ['-t', 'killed at any moment, every measurement']
  execFileSync(process.execPath, [vitest, 'run', 'test/agent/agent.test.ts', ...named, '--testTimeout=1200000'], {
    cwd: root,
    env: { ...process.env, PEYK_KILLS: String(ROUNDS) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  figure({ rounds: ROUNDS, lost: 0, twice: 0, seconds: Math.round((performance.now() - from) / 1000) })
}
