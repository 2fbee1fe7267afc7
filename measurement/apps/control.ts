import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { https, ordinary } from './defaults.ts'

const portal = 'v2fly/domain-list-community:data/connectivity-check'
const lists = 'citizenlab/test-lists; v2fly/domain-list-community category-*'

/** Plain HTTP on purpose: that is how captive portals and dead lines show. */
const plain = (id: string, host: string, path: string, status: number, body?: string): TargetOf<'http'> => ({
  ...ordinary,
  id: `control.${id}`,
  feature: 'web',
  host,
  port: 80,
  spacing: 60,
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

const foreign = (id: string, host: string, path: string) =>
  https({
    id: `control.${id}`,
    feature: 'web',
    host,
    path,
    spacing: 60,
    control: 'foreign',
    source: portal,
    healthy: 'Any HTTP answer under a certificate for the name.',
  })

const domestic = (country: string, host: string) =>
  https({
    id: `control.${country.toLowerCase()}.${host}`,
    feature: 'web',
    host,
    spacing: 60,
    control: 'domestic',
    countries: [country],
    source: lists,
    confidence: 'third-party',
    healthy: 'Any HTTP answer under a certificate for the name.',
  })

/** Neutral sites: one side inside the country, one outside. They are never a finding themselves. */
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
    ...['www.aparat.com', 'www.digikala.com', 'www.varzesh3.com', 'divar.ir'].map(host => domestic('IR', host)),
    ...['www.safaricom.co.ke', 'www.kra.go.ke', 'nation.africa'].map(host => domestic('KE', host)),
    ...['ya.ru', 'www.gosuslugi.ru', 'mail.ru'].map(host => domestic('RU', host)),
    ...['www.hurriyet.com.tr', 'www.turkiye.gov.tr', 'www.trendyol.com'].map(host => domestic('TR', host)),
    ...['www.baidu.com', 'www.qq.com', 'www.taobao.com'].map(host => domestic('CN', host)),
  ],
}
