import type { App } from '../app.ts'
import { anyAnswer, diagnosis, experimental, https, OPEN_OR_REFUSED, thirdParty, websocket } from './defaults.ts'

const client = 'python-bale-bot/python-bale-bot; web clients of others'

export const bale: App = {
  id: 'bale',
  name: { en: 'Bale', fa: 'بله' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'ir.nasim' },
  targets: [
    websocket({
      id: 'bale.next-ws',
      feature: 'text',
      host: 'next-ws.bale.ai',
      path: '/ws/',
      origin: 'https://web.bale.ai',
      status: OPEN_OR_REFUSED,
      source: client,
      ...thirdParty,
      healthy: 'The upgrade opens, or is refused for want of a session.',
    }),
    https({
      id: 'bale.tapi.bale.ai',
      feature: 'text',
      host: 'tapi.bale.ai',
      path: '/bot0:x/getMe',
      source: client,
      healthy: 'JSON with ok:false for a token that nobody has.',
      expect: { json: 'ok' },
      ...experimental,
    }),
    anyAnswer({
      id: 'bale.maviz-ws.bale.ai',
      feature: 'text',
      host: 'maviz-ws.bale.ai',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'bale.web.bale.ai',
      feature: 'web',
      host: 'web.bale.ai',
      source: 'citizenlab/test-lists:lists/ir.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
