import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { ordinary } from './defaults.ts'

const spec = 'ooni/spec:nettests/ts-019-facebook-messenger.md'

/** The hosts of OONI's test, which only opens TCP; a TLS handshake also shows name filtering (ooni/probe-engine#615). */
const hosts = {
  'b-api.facebook.com': 'text',
  'b-graph.facebook.com': 'text',
  'edge-mqtt.facebook.com': 'text',
  'star.c10r.facebook.com': 'text',
  'external.xx.fbcdn.net': 'media',
  'scontent.xx.fbcdn.net': 'media',
} as const

const tls = (host: string, feature: 'text' | 'media'): TargetOf<'tls'> => ({
  ...ordinary,
  id: `messenger.${host}.tls`,
  feature,
  host,
  port: 443,
  source: spec,
  healthy: 'TLS under a certificate for the name.',
  kind: 'tls',
  ask: { sni: host, alpn: ['h2', 'http/1.1'], roots: 'public', verify: true },
})

const tcp = (host: string, feature: 'text' | 'media'): TargetOf<'tcp'> => ({
  ...ordinary,
  id: `messenger.${host}.tcp`,
  feature,
  host,
  port: 443,
  decides: 'imports',
  source: spec,
  healthy: 'TCP opens.',
  kind: 'tcp',
  ask: {},
})

export const messenger: App = {
  id: 'messenger',
  name: { en: 'Messenger', fa: 'مسنجر' },
  home: null,
  status: 'measured',
  stores: { apple: 454638411, google: 'com.facebook.orca' },
  targets: Object.entries(hosts).flatMap(([host, feature]) => [tls(host, feature), tcp(host, feature)]),
}
