import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { anyAnswer, diagnosis, experimental, ordinary, thirdParty } from './defaults.ts'

const gradle = 'threema-ch/threema-android:app/build.gradle.kts'

const csp = 'threema-ch/threema-android:buildSrc PublicKeys.kt, domain/libthreema/lib/src/csp'

/** Public keys of the chat servers, pinned in the app: the one in use and the one in reserve. */
const SERVER_KEYS = [
  '450b975735279fdecb3313648f5fc6ee9ff4360ea92a8c1751c661e4c0d8c909',
  'da7c73798f97d587c3a25ebe0a91417f76dbcccdda2930e6a9090af62eba6f15',
]

/** The client’s hello needs no account; which group’s host answers strangers, only clients of others show. */
const chat = (group: string, port: 443 | 5222, more: Partial<TargetOf<'threema'>>): TargetOf<'threema'> => ({
  ...ordinary,
  id: `threema.g-${group}.${port}`,
  feature: 'text',
  host: `g-${group}.0.threema.ch`,
  port,
  source: `${gradle}; ${csp}`,
  healthy: '80 bytes: a box made with Threema’s key, with our cookie inside.',
  kind: 'threema',
  ask: { keys: SERVER_KEYS },
  ...more,
})

export const threema: App = {
  id: 'threema',
  name: { en: 'Threema', fa: 'تریما' },
  home: null,
  status: 'measured',
  stores: { apple: 578665578, google: 'ch.threema.app' },
  targets: [
    chat('33', 5222, thirdParty),
    chat('33', 443, thirdParty),
    chat('', 5222, { ...experimental, id: 'threema.g.5222' }),
    chat('', 443, { ...experimental, id: 'threema.g.443' }),
    chat('33', 5222, { ...experimental, id: 'threema.ds.g-33.5222.v6', host: 'ds.g-33.0.threema.ch', family: 'v6' }),
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
      ...diagnosis,
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
