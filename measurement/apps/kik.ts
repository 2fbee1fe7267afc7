import type { App } from '../app.ts'
import { thirdParty, tls } from './defaults.ts'

export const kik: App = {
  id: 'kik',
  name: { en: 'Kik', fa: 'کیک' },
  home: null,
  status: 'measured',
  note: 'The host’s name holds a version of the app (11.10), so it ages.',
  stores: { apple: 357218860, google: 'kik.android' },
  targets: [
    tls({
      id: 'kik.talk1110an.tls',
      feature: 'text',
      host: 'talk1110an.kik.com',
      port: 5223,
      alpn: [],
      source: 'tomer8007/kik-bot-api-unofficial:kik_unofficial/client.py',
      ...thirdParty,
    }),
  ],
}
