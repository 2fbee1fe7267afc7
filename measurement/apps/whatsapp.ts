import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { https, ordinary } from './defaults.ts'

const chat = (host: string, port: 443 | 5222): TargetOf<'tcp'> => ({
  ...ordinary,
  id: `whatsapp.${host.split('.')[0]}.${port}.tcp`,
  feature: 'text',
  host,
  port,
  // TCP opening proves no chat; it decides only for reports of OONI's, which ask nothing deeper (ts-018).
  decides: 'imports',
  source: 'ooni/spec:nettests/ts-018-whatsapp.md; WhatsApp/proxy:proxy/src/proxy_config.cfg',
  healthy: 'TCP opens. There is no TLS on either port.',
  kind: 'tcp',
  ask: {},
})

const media = (host: string) =>
  https({
    id: `whatsapp.${host}`,
    feature: 'media',
    host,
    path: '/robots.txt',
    source: 'citizenlab/test-lists:lists/global.csv',
    healthy: 'Any HTTP answer under a certificate for the name.',
  })

export const whatsapp: App = {
  id: 'whatsapp',
  name: { en: 'WhatsApp', fa: 'واتساپ' },
  home: null,
  status: 'measured',
  stores: { apple: 310633997, google: 'com.whatsapp' },
  targets: [
    ...['g.whatsapp.net', ...Array.from({ length: 16 }, (_, i) => `e${i + 1}.whatsapp.net`)].flatMap(host => [
      chat(host, 443),
      chat(host, 5222),
    ]),
    https({
      id: 'whatsapp.web',
      feature: 'web',
      host: 'web.whatsapp.com',
      source: 'ooni/spec:nettests/ts-018-whatsapp.md',
      healthy: '200, or 400 where User-Agent and ClientHello disagree.',
      expect: { status: [200, 302, 400] },
    }),
    https({
      id: 'whatsapp.registration',
      feature: 'registration',
      host: 'v.whatsapp.net',
      path: '/v2/register',
      source: 'ooni/spec:nettests/ts-018-whatsapp.md',
      healthy: 'Any HTTP answer.',
    }),
    media('mmg.whatsapp.net'),
    media('pps.whatsapp.net'),
    media('static.whatsapp.net'),
  ],
}
