import type { App } from '../app.ts'
import { anyAnswer, diagnosis, experimental, innocuousName, names, thirdParty, tls } from './defaults.ts'

const meta = 'mautrix/meta:pkg/messagix/endpoints/instagram.go'

export const instagram: App = {
  id: 'instagram',
  name: { en: 'Instagram', fa: 'اینستاگرام' },
  home: null,
  status: 'measured',
  note: 'Its messaging, and what messaging needs of the rest.',
  stores: { apple: 389801252, google: 'com.instagram.android' },
  targets: [
    anyAnswer({
      id: 'instagram.i.instagram.com',
      feature: 'text',
      host: 'i.instagram.com',
      source: meta,
      ...thirdParty,
    }),
    anyAnswer({
      id: 'instagram.graphql.instagram.com',
      feature: 'text',
      host: 'graphql.instagram.com',
      source: meta,
      ...thirdParty,
      ...diagnosis,
    }),
    innocuousName({
      id: 'instagram.i.instagram.com.name',
      feature: 'text',
      host: 'i.instagram.com',
      source: meta,
      ...thirdParty,
    }),
    ...names('instagram', 'text', ['i.instagram.com', 'www.instagram.com']),
    tls({
      id: 'instagram.edge-chat.instagram.com',
      feature: 'text',
      host: 'edge-chat.instagram.com',
      source: meta,
      ...experimental,
    }),
    anyAnswer({
      id: 'instagram.www.instagram.com',
      feature: 'web',
      host: 'www.instagram.com',
      path: '/direct',
      source: meta,
      ...thirdParty,
    }),
    tls({
      id: 'instagram.scontent.cdninstagram.com',
      feature: 'media',
      host: 'scontent.cdninstagram.com',
      source: meta,
      ...thirdParty,
    }),
  ],
}
