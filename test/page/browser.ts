import { existsSync } from 'node:fs'
import { type Browser as Chromium, chromium, type Page } from 'playwright-core'

/** Debian's Chromium, or the one named by PEYK_CHROMIUM; no other is looked for and none is ever downloaded. */
const executablePath = process.env['PEYK_CHROMIUM'] ?? '/usr/bin/chromium'
export const chromiumMissing = existsSync(executablePath) ? null : `no Chromium at ${executablePath}`

declare global {
  var shifted: number
}

export type Opened = {
  page: Page
  /** Errors of the console, uncaught exceptions and requests to anywhere else, as they came. */
  faults: string[]
  /** The sum of layout shifts since the page was opened (CLS without its windowing, so never less). */
  shifts: () => Promise<number>
}

/** One Chromium, and for each address a context of its own: as clean as a new profile, without its start. */
export class Browser {
  #chromium: Promise<Chromium> | undefined

  /** Opens an address and waits until the view stands. */
  async open(
    url: string,
    { width = 1_280, height = 900, dark = false }: { width?: number; height?: number; dark?: boolean } = {},
  ): Promise<Opened> {
    this.#chromium ??= chromium.launch({
      executablePath,
      headless: true,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--hide-scrollbars'],
    })
    const context = await (await this.#chromium).newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      locale: 'en-GB',
      timezoneId: 'UTC',
    })
    const page = await context.newPage()
    const faults: string[] = []
    page.on('console', message => message.type() === 'error' && faults.push(message.text()))
    page.on('pageerror', error => faults.push(`${error}`))
    page.on('request', request => !request.url().startsWith(new URL(url).origin) && faults.push(request.url()))
    await page.addInitScript(() => {
      globalThis.shifted = 0
      new PerformanceObserver(list => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
          if (!entry.hadRecentInput) globalThis.shifted += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
    })
    await page.goto(url)
    await settled(page)
    return { page, faults, shifts: () => page.evaluate(() => globalThis.shifted) }
  }

  async close(): Promise<void> {
    await (await this.#chromium)?.close()
  }
}

/** Waits until the view shown is the one the address asks for. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(
    () =>
      (document.querySelector('main')?.childElementCount ?? 0) > 0 &&
      !document.querySelector('.loading, [aria-busy="true"]'),
  )
  // Two frames: charts draw after the view is in place.
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null)))))
}

/** By how many pixels the page is wider than its window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth))
