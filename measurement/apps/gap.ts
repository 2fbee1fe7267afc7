import type { App } from '../app.ts'
import { anyAnswer, diagnosis, thirdParty } from './defaults.ts'

export const gap: App = {
  id: 'gap',
  name: { en: 'Gap', fa: 'گپ' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'com.gapafzar.messenger' },
  targets: [
    anyAnswer({
      id: 'gap.api.gap.im',
      feature: 'text',
      host: 'api.gap.im',
      path: '/sendMessage',
      source: 'libraries for its bots',
      ...thirdParty,
    }),
    anyAnswer({
      id: 'gap.gap.im',
      feature: 'web',
      host: 'gap.im',
      source: 'citizenlab/test-lists:lists/ir.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
