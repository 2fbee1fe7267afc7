import { resolve } from 'node:path'
import { fail, host, oneOf, optional, type Setting, whole } from '../../measurement/settings.ts'
import { isPublicKey, type PublicKey, publicHalf } from './identity.ts'
import { readInvite } from './invite.ts'
import { parseQuiet } from './manners.ts'
import { type ProfileName, profiles } from './profiles.ts'
import type { Route } from './transport.ts'

const yes = (value: string): boolean => oneOf('yes', 'no')(value) === 'yes'

const httpUrl = (value: string): URL => {
  const url = URL.canParse(value) ? new URL(value) : fail('must be an https:// URL')
  if (!/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    return fail('must be an https:// URL without user, query and fragment')
  }
  return url
}

const vantage = (value: string): { country: string; asn: number } => {
  const [, country, asn] = /^([A-Z]{2}):(\d{1,10})$/.exec(value) ?? []
  return country && Number(asn) < 2 ** 32
    ? { country, asn: Number(asn) }
    : fail('must be a country and a network number, like KE:33771')
}

const publicKey =
  (whose: string) =>
  (value: string): PublicKey => {
    let key: unknown = value.startsWith('{') ? null : { kty: 'OKP', crv: 'Ed25519', x: value }
    try {
      key ??= JSON.parse(value)
    } catch {}
    return isPublicKey(key)
      ? publicHalf(key)
      : fail(`must be the ${whose} key’s public half: a JWK, or its x (43 letters)`)
  }

/** Where HTTPS_PROXY is unset, the system's way is the direct one. */
const route = (value: string): Route => {
  if (value === 'direct') return 'direct'
  const url = value === 'system' ? (process.env['HTTPS_PROXY'] ?? process.env['https_proxy'] ?? '') : value
  if (value === 'system' && url === '') return 'direct'
  const parsed = URL.canParse(url) ? new URL(url) : null
  return parsed && /^(https?|socks5):$/.test(parsed.protocol) && parsed.hostname
    ? parsed
    : fail(
        'must be direct, system, or proxies like http://127.0.0.1:8080 or socks5://127.0.0.1:9050, separated by commas',
      )
}

const ids = (value: string): readonly string[] => {
  const list = value.split(',').map(id => id.trim())
  return list.every(id => /^[a-z0-9-]+$/.test(id)) ? list : fail('must be ids of apps, separated by commas')
}

/** The one table of the agent's settings: README and docs/agent.md print it. */
export const settings = {
  PEYK_DATA: {
    default: './data',
    text: 'Folder; the agent keeps its files in `agent/` there.',
    parse: value => resolve(value),
  },
  PEYK_SERVER: { default: 'http://127.0.0.1:8400', text: 'Server that measurements go to.', parse: httpUrl },
  PEYK_INSECURE: {
    default: 'no',
    text: 'yes: the server may be an http:// address that is not on this machine.',
    parse: yes,
  },
  PEYK_RELEASE_KEY: {
    default: '',
    text: 'Public key (JWK, or its x) that signs the catalogue.',
    parse: optional(publicKey('release')),
  },
  PEYK_OPERATOR_KEY: {
    default: '',
    text: 'Public key of the server’s operator: measurements are then sealed to the server on this disk, and its other addresses are known.',
    parse: optional(publicKey('operator')),
  },
  PEYK_ROUTES: {
    default: 'direct',
    text: 'Ways to the server, tried in this order: direct, http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT (Tor: 9050), system (HTTPS_PROXY).',
    parse: value => value.split(',').map(part => route(part.trim())),
  },
  PEYK_INVITE: {
    default: '',
    text: 'One line from the operator: server, keys and code; stands for the four settings around it.',
    parse: optional(value => readInvite(value) ?? fail('must be the whole line of an invite, peyk1.…')),
  },
  PEYK_CODE: {
    default: '',
    text: 'One-time code of an invite, needed once where the server asks for it.',
    parse: optional(value => (/^[\x21-\x7e]{1,200}$/.test(value) ? value : fail('must be the code as it was given'))),
  },
  PEYK_PROFILE: {
    default: 'home',
    text: 'home: 12 MB a day. metered: 1.5 MB. control: 200 MB, for unfiltered networks.',
    parse: oneOf(...(Object.keys(profiles) as ProfileName[])),
  },
  PEYK_VANTAGE: {
    default: '',
    text: 'Country and network this agent measures from, like KE:33771. Unset: found by STUN and databases on this machine.',
    parse: optional(vantage),
  },
  PEYK_ASN_DB: {
    default: '',
    text: 'Network database: an .mmdb, the text of `location dump`, or the CSV of @ip-location-db/asn. Unset: countries only.',
    parse: optional(value => resolve(value)),
  },
  PEYK_APPS: { default: '', text: 'Measure only these apps, like telegram,signal. Unset: all.', parse: optional(ids) },
  PEYK_QUIET: {
    default: '',
    text: 'Hours in which nothing is measured, on this machine’s clock, like 23:00-07:00.',
    parse: optional(value => parseQuiet(value) ?? fail('must be two times, like 23:00-07:00')),
  },
  PEYK_BATTERY: { default: 'no', text: 'yes: measure on battery too.', parse: yes },
  PEYK_UNUSUAL: {
    default: 'no',
    text: 'yes: also send what a phone with the app would not send (docs/ethics.md).',
    parse: yes,
  },
  PEYK_LOOPBACK: { default: 'no', text: 'yes: a lab, targets on the loopback are allowed.', parse: yes },
  PEYK_METRICS_HOST: { default: '127.0.0.1', text: 'Address the status page and /metrics listen on.', parse: host },
  PEYK_METRICS_PORT: { default: '8402', text: 'Their port; 0 takes a free one.', parse: whole(0, 65_535) },
  PEYK_SPOOL_MB: { default: '100', text: 'Most megabytes of measurements kept for sending.', parse: whole(1, 100_000) },
  PEYK_SPOOL_DAYS: { default: '90', text: 'Longest they are kept, in days of running.', parse: whole(1, 3_650) },
} as const satisfies Record<string, Setting<unknown>>
