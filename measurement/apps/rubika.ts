import type { App } from '../app.ts'
import { anyAnswer, diagnosis, https, thirdParty } from './defaults.ts'

const client = 'shayanheidari01/rubika:rubpy/network.py'

export const rubika: App = {
  id: 'rubika',
  name: { en: 'Rubika', fa: 'روبیکا' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'app.rbmain.a' },
  targets: [
    https({
      id: 'rubika.getdcmess',
      feature: 'text',
      host: 'getdcmess.iranlms.ir',
      source: client,
      ...thirdParty,
      healthy: 'JSON with the data centres that a client may use; no account needed.',
      expect: { status: [200], json: 'data' },
    }),
    anyAnswer({
      id: 'rubika.messengerg2c2',
      feature: 'text',
      host: 'messengerg2c2.iranlms.ir',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'rubika.web.rubika.ir',
      feature: 'web',
      host: 'web.rubika.ir',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'rubika.m.rubika.ir',
      feature: 'web',
      host: 'm.rubika.ir',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'rubika.botapi.rubika.ir',
      feature: 'text',
      host: 'botapi.rubika.ir',
      path: '/v3/',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
