import { setFlagsFromString } from 'node:v8'

/**
 * For a process that is an agent and nothing else. It works a second in an hour: code compiled for speed, and a heap that
 * grows to be collected rarely, are memory for nothing.
 */
export const beFrugal = (): void => {
  for (const flag of ['--no-opt', '--no-maglev', '--no-sparkplug', '--no-wasm-dynamic-tiering', '--optimize-for-size'])
    setFlagsFromString(flag)
}
