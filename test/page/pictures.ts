import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Browser } from './browser.ts'

/**
 * The README's pictures, taken from a running server that holds Kenya 2023:
 * `node test/page/pictures.ts http://127.0.0.1:8400 docs/images`
 */
const pictures = [
  { name: 'matrix', path: '/?country=KE&at=2023-11-15T11:30Z', width: 1_200, height: 760 },
  { name: 'kenya-2023', path: '/?country=KE&app=telegram&from=2023-10-15&to=2023-11-30', width: 1_280, height: 1_330 },
]

const [server = 'http://127.0.0.1:8400', folder = 'docs/images'] = process.argv.slice(2)
mkdirSync(folder, { recursive: true })
const browser = new Browser()
for (const { name, path, width, height } of pictures) {
  const { page, faults } = await browser.open(server + path, { width, height })
  if (faults.length > 0) throw new Error(`${path}: ${faults.join('; ')}`)
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
await browser.close()
