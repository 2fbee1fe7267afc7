import type { App } from '../app.ts'
import { anyAnswer, diagnosis, https, thirdParty } from './defaults.ts'

export const matrix: App = {
  id: 'matrix',
  name: { en: 'Matrix', fa: 'ماتریکس' },
  home: null,
  status: 'measured',
  note: 'The largest public server, matrix.org, and the client Element; other servers are other people’s.',
  stores: { apple: 1083446067, google: 'im.vector.app' },
  targets: [
    https({
      id: 'matrix.versions',
      feature: 'text',
      host: 'matrix-client.matrix.org',
      path: '/_matrix/client/versions',
      source: 'matrix-org/matrix-spec:data/api/client-server/versions.yaml',
      healthy: 'JSON with the versions of the protocol; no account needed.',
      expect: { status: [200], json: 'versions' },
    }),
    https({
      id: 'matrix.well-known',
      feature: 'registration',
      host: 'matrix.org',
      path: '/.well-known/matrix/client',
      source: 'matrix-org/matrix-spec:data/api/client-server/wellknown.yaml',
      healthy: 'JSON that names the server.',
      expect: { status: [200], json: 'm.homeserver' },
      ...diagnosis,
    }),
    anyAnswer({
      id: 'matrix.app.element.io',
      feature: 'web',
      host: 'app.element.io',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
