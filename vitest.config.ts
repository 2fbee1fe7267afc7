import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One process a file: chDB binds one data folder per process.
    pool: 'forks',
    // One more than the processors of the machine this is run on: a third of the time is waiting for peers.
    maxWorkers: 3,
    // A test that hangs, not one on a busy machine: most take well under a second.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
})
