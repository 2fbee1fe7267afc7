import type { App } from '../app.ts'
import { anyAnswer, diagnosis, OPEN_OR_REFUSED, thirdParty, websocket } from './defaults.ts'

const android = 'KianIranian-STDG/iGap-Android'

export const igap: App = {
  id: 'igap',
  name: { en: 'iGap', fa: 'آی‌گپ' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'net.iGap' },
  targets: [
    websocket({
      id: 'igap.secure',
      feature: 'text',
      host: 'secure.igap.net',
      path: '/hybrid/',
      status: OPEN_OR_REFUSED,
      source: android,
      ...thirdParty,
      healthy: 'The upgrade opens, or is refused; read in the app’s code of 2022.',
    }),
    anyAnswer({
      id: 'igap.gate.igap.net',
      feature: 'text',
      host: 'gate.igap.net',
      source: android,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'igap.api.igap.net',
      feature: 'text',
      host: 'api.igap.net',
      source: android,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'igap.www.igap.net',
      feature: 'web',
      host: 'www.igap.net',
      source: 'citizenlab/test-lists:lists/ir.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
