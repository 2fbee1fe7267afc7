import type { App } from '../app.ts'
import { diagnosis, ordinary, tcp, thirdParty } from './defaults.ts'

const kakao = 'storycraft/node-kakao:src/network'

export const kakaotalk: App = {
  id: 'kakaotalk',
  name: { en: 'KakaoTalk', fa: 'کاکائوتاک' },
  home: 'KR',
  status: 'measured',
  stores: { apple: 362057947, google: 'com.kakao.talk' },
  targets: [
    {
      ...ordinary,
      ...thirdParty,
      id: 'kakaotalk.booking',
      feature: 'text',
      host: 'booking-loco.kakao.com',
      port: 443,
      source: `${kakao}; storycraft/node-kakao:src/talk/network`,
      healthy: 'Status 0 and a list of chat servers; no account needed.',
      kind: 'loco',
      ask: { roots: 'public' },
    },
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
