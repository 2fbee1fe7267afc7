import type { App } from '../app.ts'
import { anyAnswer, diagnosis } from './defaults.ts'

const gradle = 'threema-ch/threema-android:app/build.gradle.kts'

export const threema: App = {
  id: 'threema',
  name: { en: 'Threema', fa: 'تریما' },
  home: null,
  status: 'measured',
  stores: { apple: 578665578, google: 'ch.threema.app' },
  targets: [
    anyAnswer({
      id: 'threema.apip.threema.ch',
      feature: 'registration',
      host: 'apip.threema.ch',
      source: gradle,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'threema.blobp-upload.threema.ch',
      feature: 'media',
      host: 'blobp-upload.threema.ch',
      source: gradle,
    }),
    anyAnswer({
      id: 'threema.avatar.threema.ch',
      feature: 'media',
      host: 'avatar.threema.ch',
      source: gradle,
      ...diagnosis,
    }),
    anyAnswer({ id: 'threema.web.threema.ch', feature: 'web', host: 'web.threema.ch', source: gradle, ...diagnosis }),
  ],
}
