import type { App } from '../app.ts'
import { anyAnswer, diagnosis, experimental, tcp, thirdParty } from './defaults.ts'

const lists = 'ntop/nDPI:src/lib/protocols/viber.c; router lists; an old build of the app'

export const viber: App = {
  id: 'viber',
  name: { en: 'Viber', fa: 'وایبر' },
  home: null,
  status: 'measured',
  stores: { apple: 382617920, google: 'com.viber.voip' },
  targets: [
    tcp({
      id: 'viber.aloha.5242',
      feature: 'text',
      host: 'aloha.viber.com',
      port: 5242,
      source: lists,
      ...thirdParty,
      healthy: 'TCP opens. What follows is a protocol of Viber’s own, which nobody described.',
    }),
    ...[4244, 443].map(port =>
      tcp({
        id: `viber.aloha.${port}`,
        feature: 'text',
        host: 'aloha.viber.com',
        port,
        source: lists,
        ...experimental,
      }),
    ),
    anyAnswer({
      id: 'viber.media.cdn.viber.com',
      feature: 'media',
      host: 'media.cdn.viber.com',
      source: lists,
      ...thirdParty,
    }),
    anyAnswer({
      id: 'viber.dl-media.viber.com',
      feature: 'media',
      host: 'dl-media.viber.com',
      source: lists,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'viber.share.viber.com',
      feature: 'media',
      host: 'share.viber.com',
      source: lists,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'viber.www.viber.com',
      feature: 'web',
      host: 'www.viber.com',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
