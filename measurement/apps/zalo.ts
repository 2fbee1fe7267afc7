import type { App } from '../app.ts'
import { anyAnswer, diagnosis, https, thirdParty } from './defaults.ts'

const client = 'RFS-ADRENO/zca-js:src/apis/login.ts'

export const zalo: App = {
  id: 'zalo',
  name: { en: 'Zalo', fa: 'زالو' },
  home: 'VN',
  status: 'measured',
  stores: { apple: 579523206, google: 'com.zing.zalo' },
  targets: [
    https({
      id: 'zalo.wpa.chat.zalo.me',
      feature: 'text',
      host: 'wpa.chat.zalo.me',
      path: '/api/login/getServerInfo',
      source: client,
      ...thirdParty,
      healthy: 'JSON with the error of a request that brings no session.',
      expect: { json: 'error_code' },
    }),
    anyAnswer({ id: 'zalo.chat.zalo.me', feature: 'web', host: 'chat.zalo.me', source: client, ...thirdParty }),
    anyAnswer({
      id: 'zalo.id.zalo.me',
      feature: 'registration',
      host: 'id.zalo.me',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
