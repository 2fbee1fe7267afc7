import { isIP } from 'node:net'
import { resolve } from 'node:path'
import {
  fail,
  host,
  list,
  oneOf,
  optional,
  type Read,
  readSettings,
  type Setting,
  SettingsError,
  whole,
} from '../measurement/settings.ts'

/** Every setting of the server. A wrong one stops the program (docs/server.md). */
const name = (value: string): string =>
  /^\w{1,64}$/.test(value) ? value : fail('must be a name of letters, digits and underscores')

const helper = (value: string): string =>
  isIP(value) !== 6 && /^[0-9a-z]([0-9a-z.-]{0,251}[0-9a-z])?$/.test(value)
    ? value
    : fail('must be a name or an IPv4 address')

const path = (value: string): string => (value === '' ? fail('must be a path') : resolve(value))

const url = (value: string): URL => {
  const parsed = URL.canParse(value) ? new URL(value) : null
  return parsed && /^https?:$/.test(parsed.protocol) ? parsed : fail('must be an http:// or https:// URL')
}

const address = (value: string): string => {
  const parsed = URL.canParse(value) ? new URL(value) : null
  const local = parsed?.protocol === 'http:' && /^(127\.|localhost$|\[::1\]$)/.test(parsed.hostname)
  return parsed && (parsed.protocol === 'https:' || local) && !parsed.username && !parsed.search && !parsed.hash
    ? parsed.href
    : fail('must be https:// addresses without user, query and fragment, separated by commas')
}

const network = (value: string): string => {
  const [address = '', bits = ''] = value.split('/')
  const most = isIP(address) === 4 ? 32 : 128
  return isIP(address) && (bits === '' || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
    ? value
    : fail('must be IP addresses or networks like 10.0.0.0/8, separated by commas')
}

const origin = (value: string): string =>
  value === '*' || (URL.canParse(value) && new URL(value).origin === value)
    ? value
    : fail('must be * or origins like https://example.org, separated by commas')

const seconds: Record<string, number> = { d: 86_400, w: 7 * 86_400, y: 365 * 86_400 }

const span =
  (leastDays: number, examples: string) =>
  (value: string): number => {
    const [, count, unit] = /^(\d{1,4})([dwy])$/.exec(value) ?? []
    const length = Number(count) * (seconds[unit ?? ''] ?? Number.NaN)
    return length >= leastDays * 86_400
      ? length
      : fail(`must be a span of at least ${leastDays} days, like ${examples}`)
  }

/** The one table of settings: README and docs/server.md print it. */
export const settings = {
  PEYK_DATA: { default: './data', text: 'Folder of everything the server keeps.', parse: path },
  PEYK_HOST: { default: '127.0.0.1', text: 'Address to listen on.', parse: host },
  PEYK_PORT: { default: '8400', text: 'Port of the page and the API; 0 takes a free one.', parse: whole(0, 65_535) },
  PEYK_METRICS_HOST: { default: '127.0.0.1', text: 'Address /metrics listens on.', parse: host },
  PEYK_METRICS_PORT: { default: '8401', text: 'Port of /metrics; 0 takes a free one.', parse: whole(0, 65_535) },
  PEYK_ENROLMENT: {
    default: 'invite',
    text: 'invite: an agent needs a one-time code. open: anybody’s is admitted, without a vote for its first 14 days.',
    parse: oneOf('invite', 'open'),
  },
  PEYK_ADDRESSES: {
    default: '',
    text: 'https:// addresses at which agents reach this server, best first; signed by the operator’s key, and in every invite. Unset: this machine only.',
    parse: list(address),
  },
  PEYK_MIN_AGENTS: {
    default: '3',
    text: 'A network is public when this many agents measured in it over 30 days.',
    parse: whole(1, 1_000),
  },
  PEYK_ASN_DB: {
    default: '',
    text: 'Network database: an .mmdb, the text of `location dump`, or the CSV of @ip-location-db/asn. Unset: networks are unknown.',
    parse: optional(path),
  },
  PEYK_HELPER: {
    default: '',
    text: 'Name or IPv4 address of a helper (docs/helper.md) that the catalogue signed here gives to agents. Unset: none.',
    parse: optional(helper),
  },
  PEYK_RETENTION: {
    default: '',
    text: 'How long measurements are kept after they arrived (90d, 26w, 5y); imports stay. Unset: for good.',
    parse: optional(span(14, '90d, 26w or 5y')),
  },
  PEYK_CLICKHOUSE_URL: {
    default: '',
    text: 'ClickHouse server to keep the record in, instead of the embedded engine.',
    parse: optional(url),
  },
  PEYK_CLICKHOUSE_CLUSTER: {
    default: '',
    text: 'Cluster that server belongs to (remote_servers), for replicated tables on every shard. Unverified.',
    parse: optional(name),
  },
  PEYK_ROLES: {
    default: 'collector,analyst,web',
    text: 'What this process does: take reports, judge, answer. Less than all needs PEYK_CLICKHOUSE_URL.',
    parse: list(oneOf('collector', 'analyst', 'web')),
  },
  PEYK_KEYS: {
    default: '',
    text: 'Folder of the server’s keys, the same one for all its collectors. Unset: PEYK_DATA.',
    parse: optional(path),
  },
  PEYK_REMOTE_WRITE_URL: {
    default: '',
    text: 'Where rollups are pushed (Prometheus: http://…/api/v1/write). Unset: they stand on /metrics.',
    parse: optional(url),
  },
  PEYK_REMOTE_WRITE_WINDOW: {
    default: '7d',
    text: 'How late samples may be there: its out_of_order_time_window.',
    parse: span(1, '7d or 2w'),
  },
  PEYK_NOTIFY_WEBHOOK: {
    default: '',
    text: 'Where degradations that open, worsen or close are posted as JSON. Unset: nowhere.',
    parse: optional(url),
  },
  PEYK_NOTIFY_ALERTMANAGER: {
    default: '',
    text: 'Alertmanager that is told of open degradations, for those without Prometheus. Unset: none.',
    parse: optional(url),
  },
  PEYK_PROXIES: {
    default: '',
    text: 'Addresses or networks of reverse proxies whose X-Forwarded-For is believed. Unset: none.',
    parse: list(network),
  },
  PEYK_ORIGINS: {
    default: '',
    text: 'Web origins whose pages may read the API, or * for all (a public server). Unset: its own page only.',
    parse: list(origin),
  },
  PEYK_RATE_NETWORK: {
    default: '1200',
    text: 'Requests a minute from one /24 or /48.',
    parse: whole(1, 1_000_000),
  },
  PEYK_RATE_AGENT: { default: '60', text: 'Reports a minute from one agent.', parse: whole(1, 1_000_000) },
  PEYK_LOG: {
    default: 'info',
    text: 'Least level of the log.',
    parse: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'),
  },
} as const satisfies Record<string, Setting<unknown>>

/** For `peyk server --help`. */
export const serverUsage = (): string => {
  const rows = Object.entries(settings).map(
    ([name, { default: fallback, text }]) => `  ${name.padEnd(25)} ${text}${fallback ? ` (${fallback})` : ''}`,
  )
  return `peyk server                               take reports, judge, answer, until stopped (SIGTERM, SIGINT)
peyk start                                the same, with an agent of its own; PEYK_AGENT=off: without
Settings:
${rows.join('\n')}
Exit codes: 0 stopped as asked, 1 a bug, 2 a setting or the usage is wrong or a port is taken, 3 the data folder is in use.
`
}

export type Config = Read<typeof settings>

/** Reads and validates every setting; an empty one counts as unset. */
export const readConfig = (env: Record<string, string | undefined> = process.env): Config => {
  const config = readSettings(settings, env)
  if (new Set(config.PEYK_ROLES).size < 3 && !config.PEYK_CLICKHOUSE_URL) {
    throw new SettingsError(
      'PEYK_ROLES must name all roles, or PEYK_CLICKHOUSE_URL a store that other processes reach too.',
    )
  }
  return config
}

/** Folder of secret, token, operator's and sealing keys. */
export const keysOf = ({ PEYK_KEYS, PEYK_DATA }: Config): string => PEYK_KEYS ?? PEYK_DATA
