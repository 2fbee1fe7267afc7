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
  thirdParty,
  tls,
  truthfulName,
  websocket,
} from './defaults.ts'
import { signalFlows } from './helper.ts'

const spec = 'ooni/spec:nettests/ts-029-signal.md'
const env = 'signalapp/libsignal:rust/net/src/env.rs'
const gradle = 'signalapp/Signal-Android:app/build.gradle.kts'
const roots = 'public+signal'

const cdn = (host: string, more: { decides?: 'no' } = {}) =>
  anyAnswer({
    id: `signal.${host}`,
    feature: 'media',
    host,
    roots,
    source: gradle,
    healthy: 'Any HTTP status, under a public or Signal certificate.',
    ...more,
  })

const socket = (
  words: 'keepalive' | 'provisioning',
  path: string,
  feature: 'text' | 'registration',
  healthy: string,
  more: { decides?: 'no' },
) =>
  websocket({
    id: `signal.chat.${words}`,
    feature,
    host: 'chat.signal.org',
    path,
    roots,
    words: `signal-${words}`,
    source: `${env}; signalapp/Signal-Server:KeepAliveController, ProvisioningConnectListener`,
    healthy,
    ...more,
  })

/** Hosts that serve registration and PINs; of these OONI asks cdsi. */
const account = (id: string, host: string, more: Partial<TargetOf<'http'>> & { source: string }) =>
  anyAnswer({ id, feature: 'registration', host, roots, ...diagnosis, ...(more as { source: string }) })

/** Addresses clients go to when DNS lies; the age of this list varies, so a failure here says little. */
const fixed = (name: string, address: string, alpn: string[]): TargetOf<'tls'> => ({
  ...ordinary,
  ...diagnosis,
  id: `signal.fixed.${address}`,
  feature: 'text',
  host: address,
  port: 443,
  source: 'signalapp/Signal-Android:app/static-ips.gradle.kts; signalapp/libsignal:rust/net/src/env.rs',
  healthy: `TLS under Signal’s certificate for ${name}.`,
  kind: 'tls',
  ask: { sni: name, alpn, roots, verify: true },
})

export const signal: App = {
  id: 'signal',
  name: { en: 'Signal', fa: 'سیگنال' },
  home: null,
  status: 'measured',
  stores: { apple: 874139669, google: 'org.thoughtcrime.securesms' },
  targets: [
    https({
      id: 'signal.chat',
      feature: 'text',
      host: 'chat.signal.org',
      roots,
      source: `${spec}; ${env}`,
      healthy: '404 with X-Signal-Timestamp, the header libsignal takes as proof that it reached Signal.',
      expect: { header: 'x-signal-timestamp' },
      // The keepalive goes deeper; OONI asks no more than this.
      decides: 'imports',
    }),
    socket('keepalive', '/v1/websocket/', 'text', 'The answer 200 to a keepalive of a socket without an account.', {}),
    socket(
      'provisioning',
      '/v1/websocket/provisioning/',
      'registration',
      'An address for a device to be linked.',
      diagnosis,
    ),
    tls({
      id: 'signal.grpc.chat',
      feature: 'text',
      host: 'grpc.chat.signal.org',
      alpn: ['h2'],
      roots,
      source: env,
      ...diagnosis,
    }),
    ...['13.248.212.111', '76.223.92.165'].map(address => fixed('chat.signal.org', address, ['http/1.1'])),
    ...['76.223.66.180', '15.197.251.99'].map(address => fixed('grpc.chat.signal.org', address, ['h2'])),
    innocuousName({ id: 'signal.chat.name', feature: 'text', host: 'chat.signal.org', source: env }),
    ...names('signal', 'text', ['chat.signal.org']),
    truthfulName('signal', 'text', 'chat.signal.org', 'public+signal'),
    ...names('signal', 'voice-call', ['sfu.voip.signal.org']),
    https({
      id: 'signal.cdsi',
      feature: 'registration',
      host: 'cdsi.signal.org',
      roots,
      source: `${spec}; ${env}`,
      healthy: 'Any HTTP answer, 404 is usual.',
    }),
    account('signal.svr2', 'svr2.signal.org', { source: env }),
    account('signal.svrb', 'svrb.signal.org', { source: env }),
    account('signal.api.backup', 'api.backup.signal.org', { source: 'ooni/probe#2627', ...thirdParty }),
    account('signal.ud-chat', 'ud-chat.signal.org', { source: 'ooni/probe#2627', ...thirdParty }),
    https({
      id: 'signal.storage',
      feature: 'text',
      host: 'storage.signal.org',
      roots,
      // Its answers carry nothing that only Signal could say; it decides for reports of OONI's, which ask no more.
      decides: 'imports',
      source: spec,
      healthy: 'Any HTTP answer, 404 is usual.',
    }),
    https({
      id: 'signal.sfu',
      feature: 'voice-call',
      host: 'sfu.voip.signal.org',
      roots,
      source: `${spec}; signalapp/Signal-Calling-Service:frontend/src/api.rs`,
      healthy: '503 on any unknown path is the healthy answer.',
      expect: { status: [200, 404, 503] },
    }),
    cdn('cdn.signal.org', diagnosis),
    cdn('cdn2.signal.org', diagnosis),
    cdn('cdn3.signal.org'),
    tls({
      id: 'signal.contentproxy',
      feature: 'media',
      host: 'contentproxy.signal.org',
      alpn: [],
      roots,
      source: gradle,
      ...diagnosis,
    }),
    https({
      id: 'signal.updates',
      feature: 'download',
      host: 'updates.signal.org',
      path: '/android/latest.json',
      source: gradle,
      healthy: '200 with the newest version.',
      expect: { status: [200] },
      ...diagnosis,
    }),
    object({
      id: 'signal.object',
      feature: 'download',
      host: 'updates.signal.org',
      path: '/desktop/apt/dists/xenial/main/binary-amd64/Packages',
      edge: true,
      source: 'signal.org/download: the repository of the desktop app',
      pairs: neutralObjects,
      ...experimental,
    }),
    ...signalFlows,
    anyAnswer({
      id: 'signal.updates2',
      feature: 'download',
      host: 'updates2.signal.org',
      path: '/static/badges/',
      roots,
      source: gradle,
      ...diagnosis,
    }),
  ],
}
