import type { App } from '../app.ts'
import { anyAnswer, diagnosis, thirdParty } from './defaults.ts'

const scraper = 'facundoolano/app-store-scraper:lib/common.js'

/** Whether this network reaches the store. Whether the store lists an app is asked of each app (`listings.ts`). */
export const appleAppStore: App = {
  id: 'apple-app-store',
  name: { en: 'Apple App Store', fa: 'اپ استور' },
  home: null,
  status: 'measured',
  note: 'There is no storefront for Iran, and Apple itself has refused Iranian addresses: a failure from there may be Apple’s.',
  targets: [
    anyAnswer({
      id: 'apple-app-store.apps.apple.com',
      feature: 'download',
      host: 'apps.apple.com',
      source: scraper,
      ...thirdParty,
    }),
    anyAnswer({
      id: 'apple-app-store.itunes.apple.com',
      feature: 'download',
      host: 'itunes.apple.com',
      source: scraper,
      ...diagnosis,
    }),
  ],
}
