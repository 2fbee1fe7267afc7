import type { App } from '../app.ts'
import { diagnosis, tcp, thirdParty, tls } from './defaults.ts'

const kakao = 'storycraft/node-kakao:src/network'

export const kakaotalk: App = {
  id: 'kakaotalk',
  name: { en: 'KakaoTalk', fa: 'کاکائوتاک' },
  home: 'KR',
  status: 'measured',
  stores: { apple: 362057947, google: 'com.kakao.talk' },
  targets: [
    tls({
      id: 'kakaotalk.booking.tls',
      feature: 'text',
      host: 'booking-loco.kakao.com',
      alpn: [],
      source: kakao,
      ...thirdParty,
      ...diagnosis,
    }),
    ...[995, 443].map(port =>
      tcp({
        id: `kakaotalk.ticket.${port}`,
        feature: 'text',
        host: 'ticket-loco.kakao.com',
        port,
        source: kakao,
        ...thirdParty,
        ...diagnosis,
        healthy: 'TCP opens. What follows needs an account.',
      }),
    ),
  ],
}
