import type { App } from '../app.ts'
import { https } from './defaults.ts'

const spec = 'ooni/spec:nettests/ts-029-signal.md'
const env = 'signalapp/libsignal:rust/net/src/env.rs'
const gradle = 'signalapp/Signal-Android:app/build.gradle.kts'

const cdn = (host: string) =>
  https({
    id: `signal.${host}`,
    feature: 'media',
    host,
    roots: 'public+signal',
    source: gradle,
    healthy: 'Any HTTP answer under a public or Signal certificate.',
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
      roots: 'public+signal',
      source: `${spec}; ${env}`,
      healthy: '404 with X-Signal-Timestamp, the header libsignal takes as proof that it reached Signal.',
      expect: { header: 'x-signal-timestamp' },
    }),
    https({
      id: 'signal.cdsi',
      feature: 'registration',
      host: 'cdsi.signal.org',
      roots: 'public+signal',
      source: `${spec}; ${env}`,
      healthy: 'Any HTTP answer, 404 is usual.',
    }),
    https({
      id: 'signal.storage',
      feature: 'text',
      host: 'storage.signal.org',
      roots: 'public+signal',
      source: spec,
      healthy: 'Any HTTP answer, 404 is usual.',
    }),
    https({
      id: 'signal.sfu',
      feature: 'voice-call',
      host: 'sfu.voip.signal.org',
      roots: 'public+signal',
      source: `${spec}; signalapp/Signal-Calling-Service:frontend/src/api.rs`,
      healthy: '503 on any unknown path is the healthy answer.',
      expect: { status: [200, 404, 503] },
    }),
    ...['cdn.signal.org', 'cdn2.signal.org', 'cdn3.signal.org'].map(cdn),
    https({
      id: 'signal.updates',
      feature: 'download',
      host: 'updates.signal.org',
      path: '/android/latest.json',
      source: gradle,
      healthy: '200 with the newest version.',
      expect: { status: [200] },
    }),
  ],
}
