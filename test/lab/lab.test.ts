import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** The scoreboard as it is run by hand, on other seeds than its figures are from, and as few runs as it makes. */
test('the lab of simulated censors says what it should, roughly', async () => {
  const lab = fileURLToPath(new URL('./lab.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [lab, '--quick', '--seed', '11'])
  /** Share, in percent, in a column of the row that begins so, of one generator's table. */
  const cell = (table: string, row: string, column: string): number => {
    const lines = stdout
      .slice(stdout.indexOf(`**${table}**`))
      .split('\n\n')[1]!
      .split('\n')
    const columns = lines[0]!.split(' | ').map(name => name.replaceAll(/^\| | \|$/g, ''))
    const found = lines.find(line => line.startsWith(`| ${row} |`))!
    return Number.parseFloat(found.slice(2).split(' | ')[columns.indexOf(column)]!)
  }
  for (const generator of ['curves', 'packets']) {
    expect(cell(`clean: ${generator}`, 'all', 'false, as run')).toBeLessThan(3)
    expect(cell(`freezes: ${generator}`, 'freeze at 16 KB', 'throttled')).toBe(100)
    expect(cell(`grid: ${generator}`, '64 kbit/s', 'three of 256 KB')).toBeGreaterThan(93)
    expect(cell(`farther: ${generator}`, 'x 3', 'said throttled')).toBeLessThan(10)
    expect(cell(`upstream: ${generator}`, '40 %', 'one agent, p < .01')).toBeGreaterThan(90)
    expect(cell(`rivals: ${generator}`, 'yes or no, as OONI', 'found, held at 64-1024 kbit/s')).toBeLessThan(10)
  }
})
