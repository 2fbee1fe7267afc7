import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { anyAnswer, diagnosis, ordinary, thirdParty } from './defaults.ts'

const directory = 'session-foundation/session-android:app/src/main/java/org/session/libsession/snode/SnodeDirectory.kt'

/** Where a client finds its network. The certificate is the seed's own and pinned in the app; Peyk does not hold it. */
const seed = (n: 1 | 2 | 3): TargetOf<'tls'> => ({
  ...ordinary,
  id: `session.seed${n}`,
  feature: 'text',
  host: `seed${n}.getsession.org`,
  port: 4443,
  source: directory,
  healthy: 'TLS opens. Whose certificate it is, is not proven: it is the seed’s own.',
  kind: 'tls',
  ask: { sni: `seed${n}.getsession.org`, alpn: ['http/1.1'], roots: 'public', verify: false },
})

export const session: App = {
  id: 'session',
  name: { en: 'Session', fa: 'سشن' },
  home: null,
  status: 'measured',
  note: 'Messages travel through nodes that the seeds name; only seeds and the fixed servers are measured.',
  stores: { apple: 1470168868, google: 'network.loki.messenger' },
  targets: [
    seed(1),
    seed(2),
    seed(3),
    anyAnswer({
      id: 'session.open.getsession.org',
      feature: 'text',
      host: 'open.getsession.org',
      source: directory,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'session.push.getsession.org',
      feature: 'text',
      host: 'push.getsession.org',
      source: directory,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'session.filev2.getsession.org',
      feature: 'media',
      host: 'filev2.getsession.org',
      source: directory,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'session.getsession.org',
      feature: 'web',
      host: 'getsession.org',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
