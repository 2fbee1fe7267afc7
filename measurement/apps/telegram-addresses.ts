/** Where Telegram's data centres are, and the key they answer with. */

/** RSA key of the production data centres (reference endpoints.md §1.3, recomputed from TDLib's PublicRsaKeySharedMain.cpp). */
export const PRODUCTION_KEY = 'd09d1d85de64fd85'

/** Its modulus (same file); the exponent is 65537. */
export const PRODUCTION_MODULUS =
  'e8bb3305c0b52c6cf2afdf7637313489e63e05268e5badb601af417786472e5f93b85438968e20e6729a301c0afc121bf7151f83' +
  '4436f7fda680847a66bf64accec78ee21c0b316f0edafe2f41908da7bd1f4a5107638eeb67040ace472a14f90d9f7c2b7def9968' +
  '8ba3073adb5750bb02964902a359fe745d8170e36876d4fd8a5d41b2a76cbff9a13267eb9580b2d06d10357448d20d9da2191cb5' +
  'd8c93982961cdfdeda629e37f1fb09a0722027696032fe61ed663db7a37f6f263d370f69db53a0dc0a1748bdaaff6209d5645485' +
  'e6e001d1953255757e4b8e42813347b11da6ab500fd0ace7e6dfa3736199ccaf9397ed0745a427dcfa6cd67bcb1acff3'

export const builtIn = 'tdlib/td:td/telegram/net/ConnectionCreator.cpp; telegramdesktop/tdesktop:mtproto_dc_options.cpp'
export const handedOut =
  'gotd/td:telegram/dcs/prod.go; mtcute:packages/convert/src/dcs.ts; pyrogram:pyrogram/session/internals/data_center.py'

export type Family = 'v4' | 'v6'
export type DataCentre = { dc: number; name: string; host: string; family: Family }

/** The addresses built into official clients; DC 2 has two (reference endpoints.md §1.1). */
export const dataCentres: readonly DataCentre[] = [
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

/** Addresses the servers have handed out to clients since: other ones of a data centre, and those for media alone. */
export const others = {
  1: ['149.154.175.52', '149.154.175.53', '149.154.175.56'],
  2: ['149.154.167.41', '149.154.167.50'],
  5: ['91.108.56.130', '91.108.56.179', '91.108.56.191'],
} as const
export const media: readonly [dc: number, host: string, family: Family][] = [
  [1, '149.154.175.211', 'v4'],
  [2, '149.154.167.222', 'v4'],
  [2, '149.154.167.35', 'v4'],
  [2, '149.154.167.151', 'v4'],
  [4, '149.154.166.120', 'v4'],
  [4, '149.154.164.250', 'v4'],
  [4, '149.154.167.43', 'v4'],
  [2, '2001:67c:4e8:f002::b', 'v6'],
  [4, '2001:67c:4e8:f004::b', 'v6'],
]
