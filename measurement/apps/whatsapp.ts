import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import {
  anyAnswer,
  diagnosis,
  experimental,
  https,
  innocuousName,
  names,
  neutralObjects,
  object,
  ordinary,
  stun,
  tcp,
  thirdParty,
  truthfulName,
} from './defaults.ts'
import { whatsappFlows } from './helper.ts'

const spec = 'ooni/spec:nettests/ts-018-whatsapp.md'
const proxy = 'WhatsApp/proxy:proxy/src/proxy_config.cfg'

const chat = (host: string, port: 443 | 5222): TargetOf<'tcp'> =>
  tcp({
    id: `whatsapp.${host.split('.')[0]}.${port}.tcp`,
    feature: 'text',
    host,
    port,
    // TCP opening proves no chat; it decides only for reports of OONI's, which ask nothing deeper (ts-018).
    decides: 'imports',
    source: `${spec}; ${proxy}`,
    healthy: 'TCP opens. There is no TLS on either port.',
  })

/** Key that signs the servers' certificates, pinned in every client (reference endpoints.md §2.1; whatsmeow, Baileys). */
const ROOT = '142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b'

const chain = 'serverHello whose certificate chain ends in WhatsApp’s own key.'

/** The web client's chat: the same handshake as a phone's, and whoever completes it holds WhatsApp's keys. */
const webChat = (family: 'v4' | 'v6'): TargetOf<'noise'> => ({
  ...ordinary,
  id: `whatsapp.chat.${family}`,
  feature: 'text',
  host: 'web.whatsapp.com',
  port: 443,
  family,
  source: 'tulir/whatsmeow:socket/constants.go; WhiskeySockets/Baileys:src/Defaults/index.ts',
  healthy: `101, then a ${chain}`,
  kind: 'noise',
  ask: {
    transport: 'websocket',
    prologue: '57410603',
    root: ROOT,
    path: '/ws/chat',
    origin: 'https://web.whatsapp.com',
  },
})

/** A phone's chat. Its opening bytes are known from one client of others only, so a control agent has to see it first. */
const phoneChat = (port: 443 | 5222): TargetOf<'noise'> => ({
  ...ordinary,
  ...experimental,
  ...thirdParty,
  id: `whatsapp.g.${port}.noise`,
  feature: 'text',
  host: 'g.whatsapp.net',
  port,
  source: `${proxy}; Auties00/Cobalt`,
  healthy: `A ${chain}`,
  kind: 'noise',
  ask: { transport: 'tcp', prologue: '57410503', root: ROOT },
})

const media = (host: string, more: { decides?: 'no' } = {}) =>
  anyAnswer({
    id: `whatsapp.${host}`,
    feature: 'media',
    host,
    path: '/robots.txt',
    source: 'citizenlab/test-lists:lists/global.csv',
    ...more,
  })

export const whatsapp: App = {
  id: 'whatsapp',
  name: { en: 'WhatsApp', fa: 'واتساپ' },
  home: null,
  status: 'measured',
  stores: { apple: 310633997, google: 'com.whatsapp' },
  targets: [
    webChat('v4'),
    webChat('v6'),
    phoneChat(443),
    phoneChat(5222),
    stun({
      id: 'whatsapp.stun',
      feature: 'voice-call',
      host: 'stun.whatsapp.net',
      port: 3478,
      source: 'lists of STUN servers',
      ...experimental,
    }),
    ...['g.whatsapp.net', ...Array.from({ length: 16 }, (_, i) => `e${i + 1}.whatsapp.net`)].flatMap(host => [
      chat(host, 443),
      chat(host, 5222),
    ]),
    tcp({ id: 'whatsapp.g.80.tcp', feature: 'text', host: 'g.whatsapp.net', port: 80, source: proxy, ...diagnosis }),
    innocuousName({ id: 'whatsapp.web.name', feature: 'web', host: 'web.whatsapp.com', source: spec }),
    ...names('whatsapp', 'text', ['g.whatsapp.net', 'web.whatsapp.com']),
    truthfulName('whatsapp', 'text', 'web.whatsapp.com'),
    https({
      id: 'whatsapp.web',
      feature: 'web',
      host: 'web.whatsapp.com',
      source: spec,
      healthy: '200, or 400 where User-Agent and ClientHello disagree.',
      expect: { status: [200, 302, 400] },
    }),
    https({
      id: 'whatsapp.registration',
      feature: 'registration',
      host: 'v.whatsapp.net',
      path: '/v2/register',
      source: spec,
      healthy: 'Any HTTP answer.',
    }),
    media('mmg.whatsapp.net'),
    media('pps.whatsapp.net', diagnosis),
    media('static.whatsapp.net', diagnosis),
    media('dit.whatsapp.net', diagnosis),
    anyAnswer({ id: 'whatsapp.whatsapp.net', feature: 'media', host: 'whatsapp.net', source: proxy, ...diagnosis }),
    object({
      id: 'whatsapp.object',
      feature: 'download',
      host: 'web.whatsapp.com',
      path: '/desktop/windows/release/x64/WhatsAppSetup.exe',
      edge: true,
      source: 'addresses of the app’s own download page',
      pairs: neutralObjects,
      ...experimental,
    }),
    ...whatsappFlows,
    anyAnswer({
      id: 'whatsapp.www.whatsapp.com',
      feature: 'download',
      host: 'www.whatsapp.com',
      path: '/android/current/WhatsApp.apk',
      confidence: 'third-party',
      source: 'addresses of the app’s own download page',
      ...diagnosis,
    }),
  ],
}
