import type { App } from '../app.ts'
import { anyAnswer, thirdParty } from './defaults.ts'

export const imo: App = {
  id: 'imo',
  name: { en: 'imo', fa: 'ایمو' },
  home: null,
  status: 'measured',
  note: 'Only its website is known; its chat and call servers are not documented anywhere.',
  stores: { apple: 336435697, google: 'com.imo.android.imoim' },
  targets: [
    anyAnswer({
      id: 'imo.imo.im',
      feature: 'web',
      host: 'imo.im',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
    }),
  ],
}
