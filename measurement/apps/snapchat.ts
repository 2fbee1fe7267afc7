import type { App } from '../app.ts'
import { anyAnswer, diagnosis, names, thirdParty, truthfulName } from './defaults.ts'

const lists = 'v2fly/domain-list-community:data/snap; builds of the app'

export const snapchat: App = {
  id: 'snapchat',
  name: { en: 'Snapchat', fa: 'اسنپ‌چت' },
  home: null,
  status: 'measured',
  stores: { apple: 447188370, google: 'com.snapchat.android' },
  targets: [
    anyAnswer({
      id: 'snapchat.gcp.api.snapchat.com',
      feature: 'text',
      host: 'gcp.api.snapchat.com',
      source: lists,
      ...thirdParty,
    }),
    anyAnswer({
      id: 'snapchat.aws.api.snapchat.com',
      feature: 'text',
      host: 'aws.api.snapchat.com',
      source: lists,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'snapchat.app.snapchat.com',
      feature: 'text',
      host: 'app.snapchat.com',
      source: lists,
      ...thirdParty,
      ...diagnosis,
    }),
    ...names('snapchat', 'text', ['app.snapchat.com']),
    truthfulName('snapchat', 'text', 'app.snapchat.com'),
    anyAnswer({
      id: 'snapchat.cf-st.sc-cdn.net',
      feature: 'media',
      host: 'cf-st.sc-cdn.net',
      source: lists,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
