import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** `npm run bench -- NAME`: runs test/bench/NAME.ts; every figure is one line of JSON on standard output. */
export type Bench = (figure: (figure: Record<string, string | number>) => void) => Promise<void>

const name = process.argv[2] ?? ''
const file = join(import.meta.dirname, `${name}.ts`)
if (!/^[a-z]+$/.test(name) || name === 'bench' || !existsSync(file)) {
  const names = readdirSync(import.meta.dirname).filter(one => one.endsWith('.ts') && one !== 'bench.ts')
  console.error(`Name one of: ${names.map(one => one.replace('.ts', '')).join(', ')}`)
  process.exit(2)
}
const { bench } = (await import(file)) as { bench: Bench }
await bench(figure => console.log(JSON.stringify({ bench: name, ...figure })))
