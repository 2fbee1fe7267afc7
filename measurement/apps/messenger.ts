import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import {
  anyAnswer,
  diagnosis,
  experimental,
  innocuousName,
  names,
  OPEN_OR_REFUSED,
  ordinary,
  quic,
  stun,
  tcp,
  thirdParty,
  tls,
  truthfulName,
  websocket,
} from './defaults.ts'

const spec = 'ooni/spec:nettests/ts-019-facebook-messenger.md'
const meta = 'mautrix/meta:pkg/messagix/endpoints/facebook.go'

const socket = (id: string, host: string, path: string) =>
  websocket({
    id: `messenger.${id}`,
    feature: 'text',
    host,
    path,
    origin: 'https://www.messenger.com',
    status: OPEN_OR_REFUSED,
    source: meta,
    healthy: 'The upgrade is refused for want of a session, or opens.',
    ...experimental,
  })

/** The hosts of OONI's test, which only opens TCP; a TLS handshake also shows name filtering (ooni/probe-engine#615). */
const hosts = [
  ['b-api.facebook.com', 'text', 'no'],
  ['b-graph.facebook.com', 'text', 'no'],
  ['edge-mqtt.facebook.com', 'text', 'yes'],
  ['star.c10r.facebook.com', 'text', 'no'],
  ['external.xx.fbcdn.net', 'media', 'no'],
  ['scontent.xx.fbcdn.net', 'media', 'yes'],
] as const

export const messenger: App = {
  id: 'messenger',
  name: { en: 'Messenger', fa: 'مسنجر' },
  home: null,
  status: 'measured',
  stores: { apple: 454638411, google: 'com.facebook.orca' },
  targets: [
    ...hosts.flatMap(([host, feature, decides]) => [
      tls({ id: `messenger.${host}.tls`, feature, host, decides, source: spec }),
      tcp({ id: `messenger.${host}.tcp`, feature, host, port: 443, decides: 'imports', source: spec }),
    ]),
    innocuousName({
      id: 'messenger.edge-mqtt.facebook.com.name',
      feature: 'text',
      host: 'edge-mqtt.facebook.com',
      source: spec,
    }),
    ...names('messenger', 'text', ['edge-mqtt.facebook.com', 'www.messenger.com']),
    truthfulName('messenger', 'text', 'www.messenger.com'),
    ...['edge-mqtt.facebook.com', 'mqtt-mini.facebook.com'].map(
      (host): TargetOf<'mqtt'> => ({
        ...ordinary,
        ...experimental,
        id: `messenger.${host}.mqtt`,
        feature: 'text',
        host,
        port: 443,
        source: 'ntop/nDPI: host names of Messenger',
        healthy: 'A CONNACK; Meta’s own dialect may refuse the plain protocol in another way.',
        kind: 'mqtt',
        ask: { tls: true, roots: 'public' },
      }),
    ),
    socket('gateway', 'gateway.facebook.com', '/ws/lightspeed'),
    socket('web-chat-e2ee', 'web-chat-e2ee.facebook.com', '/ws/chat'),
    stun({
      id: 'messenger.stun',
      feature: 'voice-call',
      host: 'stun.fbsbx.com',
      port: 3478,
      source: `${spec}; a build of the app`,
      ...experimental,
    }),
    quic({ id: 'messenger.graph.facebook.com.quic', feature: 'text', host: 'graph.facebook.com', source: meta }),
    anyAnswer({
      id: 'messenger.www.messenger.com',
      feature: 'web',
      host: 'www.messenger.com',
      source: meta,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'messenger.graph.facebook.com',
      feature: 'text',
      host: 'graph.facebook.com',
      source: meta,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'messenger.rupload.facebook.com',
      feature: 'media',
      host: 'rupload.facebook.com',
      source: meta,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'messenger.reg-e2ee.facebook.com',
      feature: 'registration',
      host: 'reg-e2ee.facebook.com',
      source: meta,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
