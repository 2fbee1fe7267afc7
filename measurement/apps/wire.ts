import type { App } from '../app.ts'
import { anyAnswer, diagnosis, experimental, https, OPEN_OR_REFUSED, thirdParty, tls, websocket } from './defaults.ts'

export const wire: App = {
  id: 'wire',
  name: { en: 'Wire', fa: 'وایر' },
  home: null,
  status: 'measured',
  stores: { apple: 930944768, google: 'com.wire' },
  targets: [
    https({
      id: 'wire.api-version',
      feature: 'text',
      host: 'prod-nginz-https.wire.com',
      path: '/api-version',
      source: 'wireapp/wire-server:docs/src/developer/developer/api-versioning.md',
      healthy: 'JSON with the supported versions; no account needed.',
      expect: { status: [200], json: 'supported' },
    }),
    tls({
      id: 'wire.prod-nginz-ssl.wire.com.tls',
      feature: 'text',
      host: 'prod-nginz-ssl.wire.com',
      alpn: ['http/1.1'],
      source: 'wireapp/wire-server:docs/src/understand/associate/deeplink.md',
      ...diagnosis,
    }),
    websocket({
      id: 'wire.prod-nginz-ssl.wire.com',
      feature: 'text',
      host: 'prod-nginz-ssl.wire.com',
      path: '/await',
      status: OPEN_OR_REFUSED,
      source: 'wireapp/wire-server:docs/src/understand/associate/deeplink.md',
      healthy: 'The upgrade is refused for want of a session.',
      ...experimental,
    }),
    anyAnswer({
      id: 'wire.app.wire.com',
      feature: 'web',
      host: 'app.wire.com',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
