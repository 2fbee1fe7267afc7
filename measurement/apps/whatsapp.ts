import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { anyAnswer, diagnosis, https, innocuousName, names, tcp } from './defaults.ts'

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
    ...['g.whatsapp.net', ...Array.from({ length: 16 }, (_, i) => `e${i + 1}.whatsapp.net`)].flatMap(host => [
      chat(host, 443),
      chat(host, 5222),
    ]),
    tcp({ id: 'whatsapp.g.80.tcp', feature: 'text', host: 'g.whatsapp.net', port: 80, source: proxy, ...diagnosis }),
    innocuousName({ id: 'whatsapp.web.name', feature: 'web', host: 'web.whatsapp.com', source: spec }),
    ...names('whatsapp', 'text', ['g.whatsapp.net', 'web.whatsapp.com']),
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
