import type { App } from '../app.ts'
import { anyAnswer, diagnosis, https, thirdParty } from './defaults.ts'

const client = 'python-bale-bot/python-bale-bot; web clients of others'

export const bale: App = {
  id: 'bale',
  name: { en: 'Bale', fa: 'بله' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'ir.nasim' },
  targets: [
    anyAnswer({ id: 'bale.next-ws.bale.ai', feature: 'text', host: 'next-ws.bale.ai', source: client, ...thirdParty }),
    https({
      id: 'bale.tapi.bale.ai',
      feature: 'text',
      host: 'tapi.bale.ai',
      path: '/bot0:x/getMe',
      source: client,
      healthy: 'JSON with ok:false for a token that nobody has.',
      expect: { json: 'ok' },
      experimental: true,
      decides: 'no',
      confidence: 'unverified',
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
    }),
  ],
}
