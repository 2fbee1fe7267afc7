import type { App } from '../app.ts'
import { anyAnswer, diagnosis, innocuousName, names, tcp, thirdParty, tls } from './defaults.ts'

const spec = 'ooni/spec:nettests/ts-019-facebook-messenger.md'
const meta = 'mautrix/meta:pkg/messagix/endpoints/facebook.go'

/** The hosts of OONI's test, which only opens TCP; a TLS handshake also shows name filtering (ooni/probe-engine#615). */
const hosts = [
  ['b-api.facebook.com', 'text', 'no'],
  ['b-graph.facebook.com', 'text', 'yes'],
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
    anyAnswer({
      id: 'messenger.www.messenger.com',
      feature: 'web',
      host: 'www.messenger.com',
      source: meta,
      ...thirdParty,
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
