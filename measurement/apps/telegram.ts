import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import {
  anyAnswer,
  diagnosis,
  experimental,
  https,
  innocuousName,
  names,
  ordinary,
  thirdParty,
  truthfulName,
} from './defaults.ts'
import { telegramFlows } from './helper.ts'
import {
  builtIn,
  type DataCentre,
  dataCentres,
  type Family,
  handedOut,
  media,
  others,
  PRODUCTION_KEY,
  PRODUCTION_MODULUS,
} from './telegram-addresses.ts'
import { telegramFiles } from './telegram-files.ts'

/** TDLib tries all three on every data centre. */
const ports = [443, 80, 5222] as const

const base = ({ dc, name, host, family }: DataCentre, port: number, way: string) => ({
  ...ordinary,
  id: `telegram.${name}.${family}.${port}.${way}`,
  feature: 'text' as const,
  host,
  port,
  family,
  dc: `${dc}`,
  source: builtIn,
})

const mtproto = (place: DataCentre, port: number, transport: 'intermediate' | 'obfuscated2'): TargetOf<'mtproto'> => ({
  ...base(place, port, transport === 'obfuscated2' ? 'mtproto' : 'plain'),
  ...(transport === 'obfuscated2' ? {} : { decides: 'no' as const, risk: 'unusual' as const }), // Phones never speak plain MTProto (endpoints.md §1.3).
  healthy: 'resPQ with our nonce and the production key, or a four-byte transport error.',
  kind: 'mtproto',
  ask: { transport, dc: place.dc, keys: [PRODUCTION_KEY] },
})

/** The key exchange a phone makes once: who answers it owns Telegram's key. Control agents prove the data centres so. */
const exchange = (place: DataCentre): TargetOf<'mtproto'> => {
  const target = mtproto(place, 443, 'obfuscated2')
  return {
    ...target,
    ...diagnosis,
    id: `telegram.${place.name}.${place.family}.443.exchange`,
    spacing: 3600,
    // A volunteer's budget has no room for it beside the targets that decide.
    roles: ['control', 'operator'],
    source: `${builtIn}; core.telegram.org/mtproto/auth_key`,
    healthy: 'resPQ, then server_DH_params_ok that only the owner of the production key can encrypt.',
    ask: { ...target.ask, exchange: PRODUCTION_MODULUS },
  }
}

const live = (dc: number, host: string, family: Family, part = ''): TargetOf<'mtproto'> => ({
  ...mtproto({ dc, name: `dc${dc}${part}-${host.split(/[.:]/).at(-1)}`, host, family }, 443, 'obfuscated2'),
  ...thirdParty,
  ...diagnosis,
  source: handedOut,
})

/** Media connections name their data centre with a minus (reference endpoints.md §1.3). */
const mediaOnly = ([dc, host, family]: (typeof media)[number]): TargetOf<'mtproto'> => ({
  ...live(dc, host, family, '-media'),
  feature: 'media',
  decides: 'yes',
  ask: { transport: 'obfuscated2', dc: -dc, keys: [PRODUCTION_KEY] },
})

/** The web client's way: a host per data centre, obfuscation inside a WebSocket. */
const browser = (dc: number, name: string, more: Partial<TargetOf<'mtproto'>> = {}): TargetOf<'mtproto'> => ({
  ...ordinary,
  id: `telegram.${name}.wss`,
  feature: 'web',
  host: `${name}.web.telegram.org`,
  port: 443,
  dc: `${dc}`,
  source: 'tdlib/td:td/telegram/net/ConnectionCreator.cpp; mtcute:packages/web/src/websocket.ts',
  healthy: '101, then resPQ inside the obfuscated stream. 302 is a front that serves another data centre.',
  kind: 'mtproto',
  ask: { transport: 'websocket', path: '/apiws', origin: 'https://web.telegram.org', dc, keys: [PRODUCTION_KEY] },
  ...more,
})

/** The same message as the body of a POST: what clients fall back to, and what passes where filters know HTTP only. */
const inHttp = (place: Omit<DataCentre, 'family'>, transport: 'http' | 'https', id: string): TargetOf<'mtproto'> => ({
  ...ordinary,
  ...diagnosis,
  id: `telegram.${id}`,
  feature: transport === 'http' ? 'text' : 'web',
  host: place.host,
  port: transport === 'http' ? 80 : 443,
  dc: `${place.dc}`,
  source:
    transport === 'http'
      ? 'telegramdesktop/tdesktop:Telegram/SourceFiles/mtproto/connection_http.cpp; tdlib/td:td/mtproto/HttpTransport.cpp'
      : 'morethanwords/tweb:src/lib/mtproto/dcConfigurator.ts',
  healthy: '200 with a bare resPQ.',
  kind: 'mtproto',
  ask: { transport, path: transport === 'http' ? '/api' : '/apiw1', dc: place.dc, keys: [PRODUCTION_KEY] },
})

/** Serves files of large channels, with keys of its own that only clients with an account are told. */
const cdn = (host: string, family: Family): TargetOf<'mtproto'> => ({
  ...live(203, host, family, '-cdn'),
  feature: 'cdn',
  decides: 'yes',
  source: 'pyrogram:pyrogram/session/internals/data_center.py',
  healthy: 'resPQ with our nonce, under whatever key, or a four-byte transport error.',
  ask: { transport: 'obfuscated2', dc: 203, keys: [] },
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

const web = (host: string, source: string, more: object = {}) =>
  https({
    id: `telegram.${host}`,
    feature: 'web',
    host,
    source,
    healthy: 'A page or a redirect, under a certificate for the name.',
    expect: { status: [200, 301, 302, 303, 304, 307, 308] },
    ...more,
  })

const websites = 'citizenlab/test-lists:lists/global.csv; OONI asks web.telegram.org only'
const postMedia = 'addresses in posts on t.me'
const config = 'tdlib/td:td/telegram/ConfigManager.cpp'

/** How a client that reaches no data centre finds new addresses. */
const recovery = (host: string, path: string, healthy: string, expect: { status?: number[]; json?: string }) =>
  https({
    id: `telegram.recovery.${host}`,
    feature: 'registration',
    host,
    path,
    headers: { accept: 'application/dns-json' },
    source: config,
    ...diagnosis,
    healthy,
    expect,
  })

const txt = 'JSON with the two TXT parts of the configuration.'

export const telegram: App = {
  id: 'telegram',
  name: { en: 'Telegram', fa: 'تلگرام' },
  home: null,
  status: 'measured',
  stores: { apple: 686449807, google: 'org.telegram.messenger' },
  targets: [
    ...dataCentres.flatMap(place => ports.map(port => mtproto(place, port, 'obfuscated2'))),
    ...v4.flatMap(place => ports.map(port => mtproto(place, port, 'intermediate'))),
    ...v4.map(exchange),
    ...v4.flatMap(place => [post(place, 80), post(place, 443)]),
    ...Object.entries(others).flatMap(([dc, hosts]) => hosts.map(host => live(Number(dc), host, 'v4'))),
    ...media.map(mediaOnly),
    cdn('91.105.192.100', 'v4'),
    cdn('2a0a:f280:203:a:5000::100', 'v6'),
    ...v4.map(place => inHttp(place, 'http', `${place.name}.v4.80.api`)),
    browser(1, 'pluto', diagnosis),
    browser(2, 'venus'),
    browser(3, 'aurora', diagnosis),
    browser(4, 'vesta', diagnosis),
    browser(5, 'flora', diagnosis),
    ...[2, 4].flatMap(dc => [
      browser(dc, `zws${dc}`, { ...diagnosis, source: 'Ajaxy/telegram-tt:src/lib/gramjs/Utils.ts' }),
      browser(dc, `kws${dc}`, { ...thirdParty, ...diagnosis, source: 'Flowseal/tg-ws-proxy:docs/EN/README.md' }),
    ]),
    inHttp({ dc: 2, name: 'venus', host: 'venus.web.telegram.org' }, 'https', 'venus.apiw1'),
    inHttp({ dc: 4, name: 'vesta', host: 'vesta.web.telegram.org' }, 'https', 'vesta.apiw1'),
    web('web.telegram.org', 'ooni/spec:nettests/ts-020-telegram.md'),
    web('telegram.org', websites, { ...thirdParty, ...diagnosis }),
    web('core.telegram.org', websites, { ...thirdParty, ...diagnosis }),
    web('t.me', websites, { method: 'HEAD', ...thirdParty }),
    web('telegram.me', websites, { ...thirdParty, ...diagnosis }),
    web('telegra.ph', websites, { method: 'HEAD', ...thirdParty, ...diagnosis }),
    innocuousName({ id: 'telegram.web.telegram.org.name', feature: 'web', host: 'web.telegram.org', source: websites }),
    ...names('telegram', 'web', ['web.telegram.org', 't.me']),
    truthfulName('telegram', 'web', 'web.telegram.org'),
    https({
      id: 'telegram.api.telegram.org',
      feature: 'web',
      host: 'api.telegram.org',
      path: '/bot0:x/getMe',
      source: 'core.telegram.org/bots/api',
      ...thirdParty,
      ...diagnosis,
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
      ...diagnosis,
    }),
    ...['cdn1.telesco.pe', 'cdn4.telesco.pe', 'cdn5.telesco.pe'].map(host =>
      anyAnswer({ id: `telegram.${host}`, feature: 'media', host, source: postMedia, ...thirdParty, ...diagnosis }),
    ),
    anyAnswer({
      id: 'telegram.cdn-telegram.org',
      feature: 'media',
      host: 'cdn-telegram.org',
      source: postMedia,
      ...experimental,
    }),
    ...telegramFiles,
    ...telegramFlows,
    recovery('dns.google', '/resolve?name=apv3.stel.com&type=TXT', txt, { status: [200], json: 'Answer' }),
    recovery('mozilla.cloudflare-dns.com', '/dns-query?name=apv3.stel.com&type=TXT', txt, {
      status: [200],
      json: 'Answer',
    }),
    recovery('reserve-5a846.firebaseio.com', '/ipconfigv3.json', 'A signed configuration, as a JSON string.', {
      status: [200],
    }),
    recovery(
      'firebaseremoteconfig.googleapis.com',
      '/',
      'Any HTTP status: the request with a key is the app’s own.',
      {},
    ),
  ],
}
