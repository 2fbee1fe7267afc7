import type { App } from '../app.ts'
import type { Target, TargetOf } from '../target.ts'
import { https, ordinary } from './defaults.ts'

/** RSA key of the production data centres (reference endpoints.md §1.3, recomputed from TDLib's PublicRsaKeySharedMain.cpp). */
const PRODUCTION_KEY = 'd09d1d85de64fd85'

const addressesSource =
  'tdlib/td:td/telegram/net/ConnectionCreator.cpp; telegramdesktop/tdesktop:mtproto_dc_options.cpp'

/** The addresses built into official clients; DC 2 has two (reference endpoints.md §1.1). */
const dataCentres: readonly { dc: number; name: string; host: string; family: 'v4' | 'v6' }[] = [
  { dc: 1, name: 'dc1', host: '149.154.175.50', family: 'v4' },
  { dc: 2, name: 'dc2', host: '149.154.167.51', family: 'v4' },
  { dc: 2, name: 'dc2b', host: '95.161.76.100', family: 'v4' },
  { dc: 3, name: 'dc3', host: '149.154.175.100', family: 'v4' },
  { dc: 4, name: 'dc4', host: '149.154.167.91', family: 'v4' },
  { dc: 5, name: 'dc5', host: '149.154.171.5', family: 'v4' },
  { dc: 1, name: 'dc1', host: '2001:b28:f23d:f001::a', family: 'v6' },
  { dc: 2, name: 'dc2', host: '2001:67c:4e8:f002::a', family: 'v6' },
  { dc: 3, name: 'dc3', host: '2001:b28:f23d:f003::a', family: 'v6' },
  { dc: 4, name: 'dc4', host: '2001:67c:4e8:f004::a', family: 'v6' },
  { dc: 5, name: 'dc5', host: '2001:b28:f23f:f005::a', family: 'v6' },
]

/** TDLib tries all three on every data centre. */
const ports = [443, 80, 5222] as const

type DataCentre = (typeof dataCentres)[number]

const base = ({ dc, name, host, family }: DataCentre, port: number, way: string) => ({
  ...ordinary,
  id: `telegram.${name}.${family}.${port}.${way}`,
  feature: 'text' as const,
  host,
  port,
  family,
  dc: `${dc}`,
  source: addressesSource,
})

const mtproto = (place: DataCentre, port: number, transport: 'intermediate' | 'obfuscated2'): TargetOf<'mtproto'> => ({
  ...base(place, port, transport === 'obfuscated2' ? 'mtproto' : 'plain'),
  ...(transport === 'obfuscated2' ? {} : { decides: 'no' as const, risk: 'unusual' as const }), // Phones never speak plain MTProto (endpoints.md §1.3).
  healthy: 'resPQ with our nonce and the production key, or a four-byte transport error.',
  kind: 'mtproto',
  ask: { transport, dc: place.dc, keys: [PRODUCTION_KEY] },
})

/** What OONI's Telegram test asks (ts-020). A bare POST says nothing of MTProto, so it decides only where nothing deeper was measured. */
const post = (place: DataCentre, port: 443 | 80): TargetOf<'http'> => ({
  ...base(place, port, 'http'),
  decides: 'imports',
  source: 'ooni/spec:nettests/ts-020-telegram.md',
  healthy: 'Any HTTP answer; 404 and 501 are usual.',
  kind: 'http',
  ask: { scheme: 'http', method: 'POST', path: '/', headers: {}, roots: 'public', expect: { status: [] } },
})

const v4 = dataCentres.filter(place => place.family === 'v4')

const web = (host: string, source: string, more: Partial<Target> = {}) =>
  https({
    id: `telegram.${host}`,
    feature: 'web',
    host,
    source,
    healthy: 'A page or a redirect, under a certificate for the name.',
    expect: { status: [200, 301, 302, 303, 304, 307, 308] },
    ...(more as object),
  })

const websites = 'reference endpoints.md §1.2; OONI asks web.telegram.org only'

export const telegram: App = {
  id: 'telegram',
  name: { en: 'Telegram', fa: 'تلگرام' },
  home: null,
  status: 'measured',
  stores: { apple: 686449807, google: 'org.telegram.messenger' },
  targets: [
    ...dataCentres.flatMap(place => ports.map(port => mtproto(place, port, 'obfuscated2'))),
    ...v4.map(place => mtproto(place, 443, 'intermediate')),
    ...v4.flatMap(place => [post(place, 80), post(place, 443)]),
    web('web.telegram.org', 'ooni/spec:nettests/ts-020-telegram.md'),
    web('telegram.org', websites, { confidence: 'third-party' }),
    web('core.telegram.org', websites, { confidence: 'third-party' }),
    web('t.me', websites, { confidence: 'third-party' }),
    web('telegram.me', websites, { confidence: 'third-party' }),
    https({
      id: 'telegram.api.telegram.org',
      feature: 'web',
      host: 'api.telegram.org',
      path: '/bot0:x/getMe',
      source: 'reference endpoints.md §1.2',
      confidence: 'third-party',
      decides: 'no',
      healthy: 'JSON with ok:false, status 401 or 404.',
      expect: { status: [401, 404], json: 'ok' },
    }),
    https({
      id: 'telegram.td.telegram.org',
      feature: 'download',
      host: 'td.telegram.org',
      path: '/current4',
      source: 'telegramdesktop/tdesktop:localstorage.cpp',
      healthy: 'Any HTTP answer under a certificate for the name.',
    }),
    ...['cdn1.telesco.pe', 'cdn4.telesco.pe', 'cdn5.telesco.pe'].map(host =>
      https({
        id: `telegram.${host}`,
        feature: 'media',
        host,
        source: 'reference endpoints.md §1.2',
        confidence: 'third-party',
        healthy: 'Any HTTP answer under a certificate for the name.',
      }),
    ),
    ...(['dns.google', 'mozilla.cloudflare-dns.com'] as const).map(host =>
      https({
        id: `telegram.recovery.${host}`,
        feature: 'registration',
        host,
        path: host === 'dns.google' ? '/resolve?name=apv3.stel.com&type=TXT' : '/dns-query?name=apv3.stel.com&type=TXT',
        headers: { accept: 'application/dns-json' },
        source: 'tdlib/td:td/telegram/ConfigManager.cpp',
        decides: 'no',
        healthy: 'JSON with the two TXT parts of the configuration.',
        expect: { status: [200], json: 'Answer' },
      }),
    ),
  ],
}
