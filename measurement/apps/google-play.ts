import type { App } from '../app.ts'
import { anyAnswer } from './defaults.ts'

/** Whether this network reaches the store. Whether the store lists an app is asked of each app (`listings.ts`). */
export const googlePlay: App = {
  id: 'google-play',
  name: { en: 'Google Play', fa: 'گوگل‌پلی' },
  home: null,
  status: 'measured',
  targets: [
    anyAnswer({
      id: 'google-play.play.google.com',
      feature: 'download',
      host: 'play.google.com',
      path: '/store/apps',
      source: 'facundoolano/google-play-scraper:lib/app.js',
    }),
  ],
}
