import type { App } from '../app.ts'
import {
  anyAnswer,
  diagnosis,
  experimental,
  innocuousName,
  names,
  OPEN_OR_REFUSED,
  quic,
  thirdParty,
  tls,
  truthfulName,
  websocket,
} from './defaults.ts'

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
    quic({ id: 'instagram.i.instagram.com.quic', feature: 'text', host: 'i.instagram.com', source: meta }),
    ...[
      ['gateway.instagram.com', '/ws/streamcontroller', 'gateway'],
      ['web-chat-e2ee.instagram.com', '/ws/chat', 'web-chat-e2ee'],
    ].map(([host = '', path = '', name]) =>
      websocket({
        id: `instagram.${name}`,
        feature: 'text',
        host,
        path,
        origin: 'https://www.instagram.com',
        status: OPEN_OR_REFUSED,
        source: meta,
        healthy: 'The upgrade is refused for want of a session, or opens.',
        ...experimental,
      }),
    ),
    innocuousName({
      id: 'instagram.i.instagram.com.name',
      feature: 'text',
      host: 'i.instagram.com',
      source: meta,
      ...thirdParty,
    }),
    ...names('instagram', 'text', ['i.instagram.com', 'www.instagram.com']),
    truthfulName('instagram', 'text', 'www.instagram.com'),
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
      ...diagnosis,
    }),
  ],
}
