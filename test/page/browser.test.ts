import { afterAll, describe, expect, test } from 'vitest'
import { Browser, chromiumMissing, overflow, settled } from './browser.ts'
import { standIn, type World } from './stand-in.ts'

const kenya = '/?country=KE&app=telegram&from=2023-10-15&to=2023-11-30'

describe.skipIf(chromiumMissing !== null)(
  `the page in Chromium${chromiumMissing ? `: ${chromiumMissing}` : ''}`,
  () => {
    const browser = new Browser()
    const servers = new Map<World, Awaited<ReturnType<typeof standIn>>>()
    const at = async (world: World, path: string) => {
      if (!servers.has(world)) servers.set(world, await standIn(world))
      return servers.get(world)!.url + path
    }
    afterAll(async () => {
      await browser.close()
      for (const { server } of servers.values()) server.close()
    })

    test.each([
      ['the matrix', 'simulated', '/'],
      ['the chart', 'kenya', kenya],
      ['a finding', 'kenya', '/finding/ke-safaricom'],
      ['the empty state', 'empty', '/'],
      ['the matrix in Persian', 'simulated', '/?lang=fa'],
      ['the chart in Persian', 'kenya', `${kenya}&lang=fa`],
    ] as const)('%s loads without errors, shifts or anything wider than 360 px', async (_, world, path) => {
      const { page, faults, shifts } = await browser.open(await at(world, path), { width: 360, height: 740 })
      expect(await overflow(page)).toBe(0)
      await page.setViewportSize({ width: 1_280, height: 900 })
      await settled(page)
      expect(await overflow(page)).toBe(0)
      expect(faults).toEqual([])
      const wide = await browser.open(await at(world, path), { dark: true })
      expect(wide.faults).toEqual([])
      expect(await shifts()).toBe(0)
      expect(await wide.shifts()).toBe(0)
    })

    test('the matrix says each verdict in a word, counts networks, and says that a simulation is one', async () => {
      const { page } = await browser.open(await at('simulated', '/'))
      await expect.poll(() => page.textContent('.simulated')).toContain('Simulated data')
      expect(await page.textContent('.headline')).toContain('Signal: blocked on 5 of 5 networks')
      const cells = await page.locator('a.cell').evaluateAll(all => all.map(cell => cell.getAttribute('aria-label')))
      expect(cells.length).toBe(6 * 4)
      for (const label of cells) expect(label).toMatch(/^\w+, .+: (ok|slow|throttled|partial|blocked)/)
    })

    test('a dead line is said once, and nothing is called blocked', async () => {
      const { page } = await browser.open(await at('line-down', '/'))
      expect(await page.textContent('main')).toContain('This line is down')
      expect(await page.locator('.cell.v-blocked').count()).toBe(0)
    })

    test('a server without data names the next three commands', async () => {
      const { page } = await browser.open(await at('empty', '/'))
      expect(await page.locator('code').allTextContents()).toEqual([
        'npm run agent',
        'npm run import -- ooni FILE',
        'npm run demo',
      ])
    })

    test('an empty present offers the last time with data', async () => {
      const { page } = await browser.open(await at('kenya', '/?country=KE'))
      expect(await page.textContent('.empty')).toContain('Nothing was measured at this time')
      await page.click('.empty a')
      await page.waitForSelector('.matrix')
      expect(page.url()).toContain('at=2023-11-22T09:00Z')
      expect(await page.textContent('.sources')).toContain('OONI')
      expect(await page.textContent('.sources')).toContain('CC BY-NC-SA')
    })

    test('the grid is one tab stop; arrows move in it and Enter opens the chart; back and forward return', async () => {
      const { page, faults } = await browser.open(await at('simulated', '/'))
      await page.locator('main').focus()
      const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
      for (let tabs = 0; tabs < 20 && !/^Telegram, /.test(await focused()); tabs++) await page.keyboard.press('Tab')
      expect(await focused()).toMatch(/^Telegram, All of Iran/)
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowRight')
      expect(await focused()).toMatch(/^WhatsApp, Shatel/)
      await page.keyboard.press('ArrowLeft')
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)
      expect(outline).not.toBe('none')
      await page.keyboard.press('Enter')
      await page.waitForSelector('.lane')
      expect(page.url()).toContain('country=IR&app=telegram&networks=31549')
      await page.goBack()
      await page.waitForSelector('.matrix')
      await page.goForward()
      await page.waitForSelector('.lane')
      expect(faults).toEqual([])
    })

    test('a drag across a plot zooms, and the range stands in the URL', async () => {
      const { page } = await browser.open(await at('kenya', kenya))
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

    test('values are read by hovering and by keys', async () => {
      const { page } = await browser.open(await at('kenya', kenya))
      const lane = page.locator('.lane', { hasText: 'AS12455' })
      const slider = lane.getByRole('slider')
      await slider.focus()
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowRight')
      const spoken = await slider.getAttribute('aria-valuetext')
      expect(spoken).toMatch(/Oct 2023, \d\d:00 UTC: ok · 100% of endpoints answer/)
      expect(await lane.locator('.said').textContent()).toBe(spoken)
    })

    test('policy events are drawn, listed and filtered, with the caution in sight', async () => {
      const { page } = await browser.open(
        await at('simulated', '/?country=IR&app=telegram&from=2018-04-01&to=2018-05-15'),
      )
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

    test('degradations stand above the plots and lead to a finding that can be cited', async () => {
      const { page } = await browser.open(await at('kenya', kenya))
      expect(await page.locator('.strip.degradations li').count()).toBe(2)
      // Safaricom's is drawn as its weekly hours: two sittings on each of thirteen weekdays.
      expect(await page.locator('.strip.degradations li').nth(1).locator('i').count()).toBe(26)
      await page.getByRole('link', { name: 'Open this finding' }).first().click()
      await page.waitForSelector('.citation')
      expect(await page.textContent('h1')).toContain('Telegram: blocked on Jambonet (AS12455)')
      expect(await page.textContent('.citation blockquote')).toContain('/finding/ke-jambonet')
      expect(page.url()).toMatch(/\/finding\/ke-jambonet$/)
    })

    test('Persian turns the page round and counts the days of its calendar', async () => {
      const { page } = await browser.open(await at('kenya', `${kenya}&lang=fa`))
      expect(await page.getAttribute('html', 'dir')).toBe('rtl')
      expect(await page.textContent('.chart-head')).toMatch(/۲۳ مهر.*۱۴۰۲/)
    })
  },
)
