import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Browser } from './browser.ts'

/**
 * The README's pictures, taken from a running server that holds Kenya 2023 or the demo:
 * `node test/page/pictures.ts http://127.0.0.1:8400 docs/images kenya`
 */
const day = (at: string, hour: number) => ({
  name: `iran-${at}-simulated`,
  path: `/?country=IR&at=${at}T${hour}:00Z`,
  ...{ width: 1_200, height: 760 },
})
const pictures = {
  kenya: [
    { name: 'matrix', path: '/?country=KE&at=2023-11-15T11:30Z', width: 1_200, height: 760 },
    {
      name: 'kenya-2023',
      path: '/?country=KE&app=telegram&from=2023-10-15&to=2023-11-30',
      ...{ width: 1_280, height: 1_330 },
    },
  ],
  demo: [
    ...[day('2018-04-25', 12), day('2018-04-27', 12), day('2018-04-30', 18)],
    {
      name: 'iran-2018-simulated',
      path: '/?app=telegram&feature=media&country=IR&from=2018-04-23&to=2018-05-01',
      ...{ width: 1_280, height: 1_500 },
    },
  ],
}

const [server = 'http://127.0.0.1:8400', folder = 'docs/images', of = 'kenya'] = process.argv.slice(2)
if (of !== 'kenya' && of !== 'demo') throw new Error(`The third word must be kenya or demo; it is ${of}.`)
mkdirSync(folder, { recursive: true })
const browser = new Browser()
for (const { name, path, width, height } of pictures[of]) {
  const { page, faults } = await browser.open(server + path, { width, height })
  if (faults.length > 0) throw new Error(`${path}: ${faults.join('; ')}`)
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
await browser.close()
