import type { App } from '../app.ts'
import { anyAnswer, diagnosis, thirdParty, tls, websocket } from './defaults.ts'

export const max: App = {
  id: 'max',
  name: { en: 'MAX', fa: 'مکس' },
  home: 'RU',
  status: 'measured',
  stores: { apple: 6739530834, google: 'ru.oneme.app' },
  targets: [
    websocket({
      id: 'max.ws-api',
      feature: 'text',
      host: 'ws-api.oneme.ru',
      path: '/websocket',
      origin: 'https://web.max.ru',
      source: 'nsdkinx/vkmax:docs/opcodes.md; arsrus721/max_unoffical',
      ...thirdParty,
      healthy: '101. What is said inside has changed with versions, so nothing is.',
    }),
    tls({
      id: 'max.api.oneme.ru.tls',
      feature: 'text',
      host: 'api.oneme.ru',
      alpn: [],
      source: 'nsdkinx/vkmax; miranda-ng:protocols/Max',
      ...thirdParty,
      healthy: 'TLS under a certificate for the name; the binary protocol of the phones lies inside.',
      ...diagnosis,
    }),
    anyAnswer({
      id: 'max.web.max.ru',
      feature: 'web',
      host: 'web.max.ru',
      source: 'nsdkinx/vkmax:docs/opcodes.md',
      ...thirdParty,
    }),
  ],
}
