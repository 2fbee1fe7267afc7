import type { App } from '../app.ts'
import { anyAnswer, diagnosis, thirdParty } from './defaults.ts'

const client = 'EitaaSharp:HttpEitaaTransport.cs'

/** A host of the app’s HTTP transport; which of them a client uses is chance, so one stands for each use. */
const transport = (name: string, feature: 'text' | 'media', decides: 'yes' | 'no') =>
  anyAnswer({
    id: `eitaa.${name}`,
    feature,
    host: `${name}.eitaa.com`,
    path: '/eitaa/index.php',
    source: client,
    ...thirdParty,
    ...(decides === 'yes' ? {} : diagnosis),
  })

export const eitaa: App = {
  id: 'eitaa',
  name: { en: 'Eitaa', fa: 'ایتا' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'ir.eitaa.messenger' },
  targets: [
    transport('armita', 'text', 'yes'),
    ...['majid', 'mostafa', 'alireza', 'hosna'].map(name => transport(name, 'text', 'no')),
    transport('ghasem', 'media', 'no'),
    ...['mohsen', 'hossein', 'alzheimer', 'fateme'].map(name => transport(name, 'media', 'no')),
    anyAnswer({
      id: 'eitaa.web.eitaa.com',
      feature: 'web',
      host: 'web.eitaa.com',
      source: 'citizenlab/test-lists:lists/ir.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
