import type { App } from '../app.ts'
import { anyAnswer, thirdParty, tls } from './defaults.ts'

export const max: App = {
  id: 'max',
  name: { en: 'MAX', fa: 'مکس' },
  home: 'RU',
  status: 'measured',
  stores: { apple: 6739530834, google: 'ru.oneme.app' },
  targets: [
    tls({
      id: 'max.api.oneme.ru.tls',
      feature: 'text',
      host: 'api.oneme.ru',
      alpn: [],
      source: 'nsdkinx/vkmax; miranda-ng:protocols/Max',
      ...thirdParty,
      healthy: 'TLS under a certificate for the name; the binary protocol of the phones lies inside.',
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
