import type { App } from '../app.ts'
import { anyAnswer, diagnosis, thirdParty } from './defaults.ts'

const client = 'shayanheidari01/SPlusthon:splusthon/network/connection/websocket.py'

export const soroush: App = {
  id: 'soroush',
  name: { en: 'Soroush+', fa: 'سروش‌پلاس' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'mobi.mmdt.ottplus' },
  targets: [
    anyAnswer({ id: 'soroush.web.splus.ir', feature: 'web', host: 'web.splus.ir', source: client, ...thirdParty }),
    anyAnswer({
      id: 'soroush.bot.splus.ir',
      feature: 'text',
      host: 'bot.splus.ir',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
