import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, chromiumMissing, overflow, settled } from './browser.ts'
import { kenyaMissing, World } from './world.ts'

/** The page of the real server in Chromium: first without data, then with a simulated country, then with Kenya 2023. */

const kenya = '/?country=KE&app=telegram&from=2023-10-15&to=2023-11-30'

describe.skipIf(chromiumMissing !== null)(
  `the page in Chromium${chromiumMissing ? `: ${chromiumMissing}` : ''}`,
  () => {
    const browser = new Browser()
    const world = new World()
    let url = ''
    const open = (path: string, options?: Parameters<Browser['open']>[1]) => browser.open(url + path, options)

    /** No error, no request to elsewhere, no shift, nothing wider than the screen: on a phone, and wide in the dark. */
    const loadsWell = async (path: string) => {
      for (const options of [{ width: 360, height: 740 }, { dark: true }]) {
        const { page, faults, shifts } = await open(path, options)
        expect(faults).toEqual([])
        expect(await overflow(page)).toBe(0)
        expect(await shifts()).toBe(0)
        await page.context().close()
      }
    }

    beforeAll(async () => {
      url = await world.start()
    })
    afterAll(async () => {
      await browser.close()
      await world.stop()
    }, 60_000)

    test('a server without data names the next three commands', async () => {
      await loadsWell('/')
      const { page } = await open('/')
      expect(await page.locator('code').allTextContents()).toEqual([
        'npm run agent',
        'npm run import -- ooni FILE',
        'npm run baseline',
      ])
    })

    describe('with a simulated country', () => {
      beforeAll(async () => {
        await world.simulate()
      }, 120_000)

      test.each(['/', '/?lang=fa', '/?country=IR&app=telegram', '/?country=IR&app=telegram&lang=fa'])(
        '%s loads well',
        async path => {
          await loadsWell(path)
        },
      )

      test('the matrix says each verdict in a word, counts networks, and says that a simulation is one', async () => {
        const { page } = await open('/')
        expect(await page.textContent('.simulated')).toContain('Simulated data')
        expect(await page.textContent('.headline')).toMatch(/Telegram: blocked on 3 of 5 networks/)
        expect(await page.textContent('.headline')).toMatch(/Signal: blocked on 4 of 5 networks/)
        const partial = page.getByRole('gridcell', { name: /^Telegram, Harbour Net: partial/ })
        expect(await partial.count()).toBe(1)
        const labels = await page.locator('a.cell').evaluateAll(all => all.map(cell => cell.getAttribute('aria-label')))
        expect(labels.length).toBeGreaterThanOrEqual(4 * 5)
        for (const label of labels)
          expect(label).toMatch(/^[^:]+, .+: (ok|partial|blocked|network down|too little data)/)
      })

      test('a dead line is said once, instead of a verdict on every app', async () => {
        const { page } = await open('/')
        expect(await page.textContent('.line-is-down')).toMatch(/^Hill Net: This line is down/)
        expect(await page.locator('.cell', { hasText: 'network down' }).count()).toBe(0)
      })

      test('the filter keeps the networks it names, in the URL', async () => {
        const { page } = await open('/')
        await page.getByRole('searchbox').fill('harbour')
        await page.waitForURL(/find=harbour/)
        const names = await page.locator('.matrix thead th').allTextContents()
        expect(names.length).toBe(3)
        expect(names[2]).toContain('Harbour Net')
      })

      test('the grid is one tab stop; arrows move in it and Enter opens the chart; back and forward return', async () => {
        const { page, faults } = await open('/')
        await page.locator('main').focus()
        const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
        for (let tabs = 0; tabs < 20 && !/^Telegram, /.test(await focused()); tabs++) await page.keyboard.press('Tab')
        expect(await focused()).toMatch(/^Telegram, All of Iran/)
        await page.keyboard.press('ArrowDown')
        await page.keyboard.press('ArrowRight')
        expect(await focused()).toMatch(/^(?!Telegram)\w+, .+ (Mobile|Fibre|Net): /)
        await page.keyboard.press('ArrowUp')
        expect(await focused()).toMatch(/^Telegram, .+ (Mobile|Fibre|Net): /)
        expect(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)).not.toBe('none')
        await page.keyboard.press('Enter')
        await page.waitForSelector('.lane')
        expect(page.url()).toMatch(/country=IR&app=telegram&networks=6450\d/)
        await page.goBack()
        await page.waitForSelector('.matrix')
        await page.goForward()
        await page.waitForSelector('.lane')
        expect(faults).toEqual([])
      })

      test('policy events are drawn, listed and filtered, with the caution in sight', async () => {
        const { page } = await open('/?country=IR&app=telegram&from=2018-04-01&to=2018-05-15')
        expect(await page.textContent('.caution')).toBe(
          'Annotations are shown beside measurements; they do not prove cause.',
        )
        const listed = () => page.locator('.event-list > ol > li').count()
        const before = await listed()
        expect(await page.locator('.strip.events li').count()).toBeGreaterThan(4)
        expect(await page.locator('.event-list [lang=fa]').count()).toBeGreaterThan(4)
        await page.getByRole('link', { name: /rumours, denials and figures/ }).click()
        expect(await listed()).toBeGreaterThan(before)
        await page.getByRole('checkbox', { name: 'hosting order' }).check()
        expect(page.url()).toContain('kinds=hosting-order')
        expect(await listed()).toBeLessThan(before)
      })

      test('a finding that does not exist says so', async () => {
        const { page } = await open('/finding/no-such-finding')
        expect(await page.textContent('main')).toContain('This finding does not exist')
      })
    })

    describe.skipIf(kenyaMissing !== null)(`with Kenya 2023${kenyaMissing ? `: ${kenyaMissing}` : ''}`, () => {
      beforeAll(async () => {
        await world.importKenya()
      }, 300_000)

      test.each([kenya, `${kenya}&lang=fa`, '/?country=KE&at=2023-11-15T11:30Z'])('%s loads well', async path => {
        await loadsWell(path)
      })

      test('several countries stand one under another; one of them says whose data it has', async () => {
        const all = await open('/?at=2023-11-15T11:30Z')
        expect(await all.page.locator('.controls option').allTextContents()).toContain('Iran')
        const { page } = await open('/?at=2023-11-15T11:30Z&country=KE')
        expect(await page.textContent('h1')).toBe('Which messengers work in Kenya')
        expect(await page.textContent('.headline')).toMatch(/Telegram: blocked on 3 of \d networks/)
        expect(await page.textContent('.sources')).toMatch(/OONI.*CC BY-NC-SA/)
        expect(await page.locator('.simulated').count()).toBe(0)
      })

      test('trouble that lasts is told with since when, also where the hour’s few measurements look fine', async () => {
        const { page } = await open('/?at=2023-11-15T09:00Z&country=KE')
        expect(await page.textContent('.headline')).toBe('')
        const known = page.locator('.current li')
        expect(await known.allTextContents()).toEqual([
          expect.stringMatching(/^Telegram: blocked on .*AS12455.* in Kenya from 9 November 2023 to 24 November 2023/),
          expect.stringMatching(/^Telegram: blocked on .*AS33771.* on weekdays 07:00–11:00/),
        ])
        await known.first().getByRole('link').click()
        await page.waitForSelector('.citation')
      })

      test('a country without data at present offers its newest', async () => {
        const { page } = await open('/?country=KE')
        expect(await page.textContent('.empty')).toContain('Nothing was measured at this time')
        await page.click('.empty a')
        await page.waitForSelector('.matrix')
        expect(page.url()).toContain('at=2023-11-26T')
      })

      test('the chart shows the gap of AS12455 and the comb of Safaricom under the event', async () => {
        const { page } = await open(kenya)
        expect(await page.textContent('.strip.events')).toContain('Kenyan networks block Telegram during KCSE exams')
        const strip = page.locator('.strip.degradations li')
        // One solid bar, and the teeth of weekday exam hours.
        const solid = strip.filter({ hasText: 'AS12455' })
        expect(await solid.locator('i').count()).toBe(1)
        const comb = strip.filter({ hasText: 'AS33771' })
        expect(await comb.locator('i').count()).toBeGreaterThan(20)
        const lanes = await page.locator('.lane figcaption').allTextContents()
        expect(lanes.slice(0, 4).join()).toMatch(/All of Kenya.*AS33771/)
        expect(lanes.join()).toContain('AS12455')
      })

      test('a drag across a plot zooms, and the range stands in the URL', async () => {
        const { page } = await open(kenya)
        const box = (await page.locator('.lane .u-over').nth(1).boundingBox())!
        await page.mouse.move(box.x + box.width * 0.5, box.y + 20)
        await page.mouse.down()
        await page.mouse.move(box.x + box.width * 0.75, box.y + 20, { steps: 5 })
        await page.mouse.up()
        await page.waitForURL(/from=2023-11-0[67].*&to=2023-11-1[89]/)
        await settled(page)
        expect(await page.textContent('.chart-head')).toMatch(/[67] Nov 2023.*1[89] Nov 2023/)
        await page.goBack()
        await page.waitForURL(/from=2023-10-15&to=2023-11-30/)
      })

      test('values are read by keys as they are by hovering', async () => {
        const { page } = await open(kenya)
        const lane = page.locator('.lane', { hasText: 'AS12455' })
        const slider = lane.getByRole('slider')
        await slider.focus()
        await page.keyboard.press('Home')
        await page.keyboard.press('ArrowRight')
        const spoken = await slider.getAttribute('aria-valuetext')
        expect(spoken).toMatch(/Nov 2023, \d\d:00 UTC: ok · 100% of endpoints answer/)
        expect(await lane.locator('.said').textContent()).toBe(spoken)
      })

      test('a finding can be cited', async () => {
        const { page } = await open(kenya)
        const item = page.locator('.degradation-list li', { hasText: 'AS12455' })
        await item.getByRole('link', { name: 'Open this finding' }).click()
        await page.waitForSelector('.citation')
        expect(await page.textContent('h1')).toMatch(/^Telegram: blocked on .*AS12455/)
        expect(await page.textContent('.citation blockquote')).toContain(page.url())
        const bundle = await page.getByRole('link', { name: 'All evidence (zip)' }).getAttribute('href')
        expect((await page.request.get(url + bundle)).headers()['content-type']).toBe('application/zip')
        const svg = await page.getByRole('link', { name: 'Picture (SVG)' }).getAttribute('href')
        const drawing = await page.context().newPage()
        const refused: string[] = []
        // The content policy speaks here where it takes something away.
        drawing.on(
          'console',
          message => /Content Security|Refused/.test(message.text()) && refused.push(message.text()),
        )
        await drawing.goto(url + svg)
        expect(await drawing.textContent('svg title')).toMatch(/^Telegram: blocked on .*AS12455/)
        expect(refused).toEqual([])
        await loadsWell(new URL(page.url()).pathname)
      })

      test('an event says what followed it, in the reader’s language, and a finding says the same', async () => {
        for (const path of [kenya, `${kenya}&lang=fa`]) {
          const { page } = await open(path)
          const effect = page.locator('.event-list .effect').first()
          expect(await effect.textContent()).toMatch(
            path.endsWith('fa') ? /پس از آن چه شد.*تلگرام در کنیا/ : /What followed: .* of Telegram in Kenya/,
          )
          expect(await effect.locator('svg').count()).toBeGreaterThan(0)
        }
      })

      test('a chart is saved as a picture', async () => {
        const { page, faults } = await open(kenya)
        const coming = page.waitForEvent('download')
        await page.getByRole('button', { name: 'Save as a picture' }).click()
        const download = await coming
        expect(download.suggestedFilename()).toBe('peyk-telegram-KE-2023-10-15.png')
        const bytes = readFileSync(await download.path())
        expect(bytes.subarray(1, 4).toString()).toBe('PNG')
        expect(bytes.readUInt32BE(20)).toBeGreaterThan(600)
        expect(faults).toEqual([])
      })

      test('Persian turns the page round and counts the days of its calendar', async () => {
        const { page } = await open(`${kenya}&lang=fa`)
        expect(await page.getAttribute('html', 'dir')).toBe('rtl')
        expect(await page.textContent('.chart-head')).toMatch(/۲۳ مهر.*۱۴۰۲/)
        expect(await page.textContent('.degradation-list')).toContain('مسدود بود')
      })
    })
  },
)
