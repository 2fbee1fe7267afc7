import { better, failureOf, type OoniReport, type Seen } from './report.ts'

/** Columns that are read of an observation row; a file may have more. */
export const columns = [
  'report_id',
  'input',
  'test_name',
  'test_version',
  'probe_cc',
  'probe_asn',
  'network_type',
  'measurement_start_time',
  'hostname',
  'ip',
  'port',
  'ip_asn',
  'dns_failure',
  'dns_answer',
  'tcp_success',
  'tcp_failure',
  'tls_handshake_time',
  'tls_success',
  'tls_failure',
  'http_request_url',
  'http_failure',
  'http_runtime',
] as const
export type Row = Record<(typeof columns)[number], string>

const rules: Partial<Record<keyof Row, RegExp>> = {
  report_id: /^[0-9A-Za-z_-]{10,200}$/,
  test_version: /^[0-9A-Za-z.+-]{1,30}$/,
  probe_cc: /^[A-Z]{2}$/,
  probe_asn: /^\d{1,10}$/,
  measurement_start_time: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/,
  port: /^(\d{1,5}(\.0)?)?$/,
  ip_asn: /^(\d{1,10}(\.0)?)?$/,
}

/** What is wrong with a row, naming the column; null where nothing is. */
export const faultOf = (row: Row): string | null => {
  for (const [column, rule] of Object.entries(rules)) {
    if (!rule.test(row[column as keyof Row])) return `${column} is “${row[column as keyof Row].slice(0, 40)}”`
  }
  if (row.http_request_url !== '' && !URL.canParse(row.http_request_url)) return 'http_request_url is no URL'
  return Number.isNaN(startOf(row)) ? 'measurement_start_time is no time' : null
}

const startOf = (row: Row): number => Date.parse(`${row.measurement_start_time.slice(0, 19).replace(' ', 'T')}Z`) / 1000

const seen = (failure: string, seconds: string): Seen => ({
  failure: failureOf(failure),
  seconds: Math.max(0, Number(seconds) || 0),
})

const isAddress = (host: string): boolean => host.includes(':') || /^[\d.]+$/.test(host)

/** The report that rows of one report_id and input make together, in whatever order and however often they came. */
export const reportOf = (rows: readonly Row[]): OoniReport => {
  const first = rows[0]!
  const report: OoniReport = {
    report: first.report_id,
    input: first.input,
    test: first.test_name,
    version: first.test_version,
    country: first.probe_cc,
    asn: Number(first.probe_asn),
    start: startOf(first),
    network: first.network_type,
    names: new Map(),
    connections: new Map(),
    requests: new Map(),
  }
  for (const row of rows) {
    addName(report, row)
    addConnection(report, row)
    if (row.http_request_url !== '') {
      const url = row.http_request_url
      report.requests.set(url, better(report.requests.get(url), seen(row.http_failure, row.http_runtime)))
    }
  }
  return report
}

const addName = ({ names }: OoniReport, { hostname, dns_failure, dns_answer }: Row): void => {
  if (hostname === '' || isAddress(hostname) || (dns_failure === '' && dns_answer === '')) return
  const known = names.get(hostname) ?? { addresses: [], seen: { failure: failureOf(dns_failure), seconds: 0 } }
  if (dns_answer !== '') known.addresses.push(dns_answer)
  if (dns_failure === '') known.seen.failure = null
  names.set(hostname, known)
}

const addConnection = ({ connections }: OoniReport, row: Row): void => {
  if (row.ip === '' || row.port === '' || (row.tcp_success === '' && row.tcp_failure === '')) return
  const port = Number(row.port)
  const key = `${row.ip} ${port}`
  const known = connections.get(key) ?? {
    name: isAddress(row.hostname) ? '' : row.hostname,
    address: row.ip,
    port,
    asn: Number(row.ip_asn) || 0,
    tcp: null,
    tls: null,
  }
  known.tcp = better(known.tcp, seen(row.tcp_failure, ''))
  if (row.tls_failure !== '' || Number(row.tls_handshake_time) > 0) {
    known.tls = better(known.tls, seen(row.tls_failure, row.tls_handshake_time))
  }
  connections.set(key, known)
}
