import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { anyAnswer, experimental, https, object, ordinary, quic, stun, thirdParty } from './defaults.ts'
import { controlFlows } from './helper.ts'

const portal = 'v2fly/domain-list-community:data/connectivity-check'
const lists = 'citizenlab/test-lists; v2fly/domain-list-community category-*'

/** Seconds: nothing a filter reacts to, so the floor of any target. */
const SPACING = 60

type Family = 'v4' | 'v6'
const suffix = (family: Family): string => (family === 'v6' ? '.v6' : '')

/** Plain HTTP on purpose: that is how captive portals and dead lines show. */
const plain = (id: string, host: string, path: string, status: number, body?: string): TargetOf<'http'> => ({
  ...ordinary,
  id: `control.${id}`,
  feature: 'web',
  host,
  port: 80,
  spacing: SPACING,
  control: 'foreign',
  source: portal,
  healthy: body ? `${status} with “${body}”.` : `${status}.`,
  kind: 'http',
  ask: {
    scheme: 'http',
    method: 'GET',
    path,
    headers: {},
    roots: 'public',
    expect: { status: [status], ...(body ? { body } : {}) },
  },
})

const foreign = (id: string, host: string, path: string, family: Family = 'v4') =>
  https({
    id: `control.${id}${suffix(family)}`,
    feature: 'web',
    host,
    path,
    family,
    method: path === '/' ? 'HEAD' : 'GET',
    spacing: SPACING,
    control: 'foreign',
    source: portal,
    healthy: 'Any HTTP answer under a certificate for the name.',
  })

const domestic = (country: string, host: string) =>
  anyAnswer({
    id: `control.${country.toLowerCase()}.${host}`,
    feature: 'web',
    host,
    spacing: SPACING,
    control: 'domestic',
    countries: [country],
    source: lists,
    ...thirdParty,
  })

/** Sites of a country, as far as known on servers inside it. */
const domestics: Readonly<Record<string, readonly string[]>> = {
  IR: ['www.aparat.com', 'www.digikala.com', 'www.varzesh3.com', 'divar.ir', 'snapp.ir', 'cafebazaar.ir', 'myket.ir'],
  KE: ['www.safaricom.co.ke', 'www.kra.go.ke', 'nation.africa', 'www.kenet.or.ke'],
  RU: ['ya.ru', 'www.gosuslugi.ru', 'mail.ru'],
  TR: ['www.hurriyet.com.tr', 'www.turkiye.gov.tr', 'www.trendyol.com'],
  CN: ['www.baidu.com', 'www.qq.com', 'www.taobao.com'],
}

/** A large file of a mirror or a vendor, with which transfers of apps are compared. CDNs and mirrors give ranges to everybody. */
const file = (id: string, host: string, path: string, more: { countries?: string[]; experimental?: boolean } = {}) =>
  object({
    id: `control.object.${id}`,
    feature: 'download',
    host,
    path,
    edge: true,
    spacing: SPACING,
    source: 'lists of mirrors; scripts that time downloads from them',
    ...thirdParty,
    ...(more.countries ? { countries: more.countries } : {}),
    ...(more.experimental ? experimental : {}),
  })

/** Resolvers over HTTPS by pinned address: their names are forged where filters work (reference endpoints.md §7). */
const doh = (id: string, address: string, name: string): TargetOf<'dns'> => ({
  ...ordinary,
  id: `control.doh.${id}`,
  feature: 'web',
  host: 'example.com',
  port: 443,
  decides: 'no',
  spacing: SPACING,
  source: 'ooni/probe-cli:internal/engineresolver/resolvermaker.go',
  healthy: 'An answer with public addresses, under a certificate for the resolver’s name.',
  kind: 'dns',
  ask: { type: 'A', resolver: { transport: 'doh', address, port: 443, name, path: '/dns-query' } },
})

/** Public STUN: whether UDP goes out and comes back. Google’s failed the list’s own test, so a baseline has to see it first. */
const udp = (id: string, host: string, port: number, more: { train?: number; experimental?: boolean } = {}) =>
  stun({
    id: `control.stun.${id}`,
    feature: 'voice-call',
    host,
    port,
    spacing: SPACING,
    source: 'ooni/probe-cli:internal/stuninput; pradt2/always-online-stun',
    ...more,
  })

/**
 * Neutral targets, never a finding themselves. Those with a side (`control`) tell a dead line from a blocked app: one
 * side inside the country, one outside, and those outside are for agents of every country. Those without a side
 * (resolvers, STUN) say what else of the line works; filters reach them, so they stand for no side.
 */
export const control: App = {
  id: 'control',
  name: { en: 'Neutral controls', fa: 'کنترل‌های بی‌طرف' },
  home: null,
  status: 'measured',
  targets: [
    plain('portal.msft', 'www.msftconnecttest.com', '/connecttest.txt', 200, 'Microsoft Connect Test'),
    plain('portal.gstatic', 'connectivitycheck.gstatic.com', '/generate_204', 204),
    foreign('gstatic', 'www.gstatic.com', '/generate_204'),
    foreign('debian', 'deb.debian.org', '/'),
    foreign('gstatic', 'www.gstatic.com', '/generate_204', 'v6'),
    foreign('debian', 'deb.debian.org', '/', 'v6'),
    ...Object.entries(domestics).flatMap(([country, hosts]) => hosts.map(host => domestic(country, host))),
    doh('cloudflare', '1.1.1.1', 'cloudflare-dns.com'),
    doh('google', '8.8.8.8', 'dns.google'),
    doh('quad9', '9.9.9.9', 'dns.quad9.net'),
    udp('cloudflare', 'stun.cloudflare.com', 3478, { train: 50 }),
    udp('nextcloud', 'stun.nextcloud.com', 3478),
    udp('nextcloud-443', 'stun.nextcloud.com', 443),
    udp('telnyx', 'stun.telnyx.com', 3478),
    udp('voipgate', 'stun.voipgate.com', 3478),
    udp('signalwire', 'stun.signalwire.com', 3478),
    udp('mixvoip', 'stun.mixvoip.com', 3478),
    udp('google', 'stun.l.google.com', 19_302, experimental),
    file('debian', 'deb.debian.org', '/debian/ls-lR.gz'),
    file('google', 'dl.google.com', '/linux/direct/google-chrome-stable_current_amd64.deb'),
    file('ru', 'mirror.yandex.ru', '/debian/ls-lR.gz', { countries: ['RU'] }),
    file('cn', 'mirrors.tuna.tsinghua.edu.cn', '/debian/ls-lR.gz', { countries: ['CN'] }),
    file('ir', 'mirror.arvancloud.ir', '/debian/ls-lR.gz', { countries: ['IR'], experimental: true }),
    ...controlFlows,
    quic({ id: 'control.quic.gstatic', feature: 'web', host: 'www.gstatic.com', source: 'RFC 9000 §6' }),
  ],
}
