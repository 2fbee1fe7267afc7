import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { better, failureOf, knowsTest, type OoniReport, type Seen } from './report.ts'

const Failure = Type.Union([Type.Null(), Type.String()])
const Seconds = Type.Optional(Type.Number())
const OrNull = <T extends ReturnType<typeof Type.Array>>(list: T) => Type.Optional(Type.Union([Type.Null(), list]))

/** What is read of a raw OONI measurement (data format 0.2.0; df-000, df-001, df-002, df-005, df-006); the rest is ignored. */
const Raw = Type.Object({
  report_id: Type.String({ pattern: '^[0-9A-Za-z_-]{10,200}$' }),
  input: Type.Optional(Type.Union([Type.Null(), Type.String()])),
  test_name: Type.String(),
  test_version: Type.String({ pattern: '^[0-9A-Za-z.+-]{1,30}$' }),
  probe_cc: Type.String({ pattern: '^[A-Z]{2}$' }),
  probe_asn: Type.String({ pattern: '^AS\\d{1,10}$' }),
  measurement_start_time: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d$' }),
  annotations: Type.Optional(Type.Union([Type.Null(), Type.Record(Type.String(), Type.Unknown())])),
  test_keys: Type.Object({
    queries: OrNull(
      Type.Array(
        Type.Object({
          hostname: Type.String(),
          failure: Failure,
          answers: OrNull(
            Type.Array(Type.Object({ ipv4: Type.Optional(Type.String()), ipv6: Type.Optional(Type.String()) })),
          ),
          t0: Seconds,
          t: Seconds,
        }),
      ),
    ),
    tcp_connect: OrNull(
      Type.Array(
        Type.Object({
          ip: Type.String(),
          port: Type.Integer(),
          status: Type.Object({ failure: Type.Optional(Failure), success: Type.Boolean() }),
          t0: Seconds,
          t: Seconds,
        }),
      ),
    ),
    tls_handshakes: OrNull(
      Type.Array(
        Type.Object({
          address: Type.Optional(Type.String()),
          failure: Failure,
          server_name: Type.Optional(Type.String()),
          t0: Seconds,
          t: Seconds,
        }),
      ),
    ),
    requests: OrNull(
      Type.Array(
        Type.Object({
          failure: Failure,
          request: Type.Object({ url: Type.String() }),
          response: Type.Optional(Type.Union([Type.Null(), Type.Object({ code: Type.Optional(Type.Integer()) })])),
          t0: Seconds,
          t: Seconds,
        }),
      ),
    ),
  }),
})
const raw = Compile(Raw)

const seen = (failure: string | null | undefined, t0?: number, t?: number): Seen => ({
  failure: failureOf(failure ?? ''),
  seconds: t0 !== undefined && t !== undefined && t > t0 ? t - t0 : 0,
})

/** One line of JSON as a report; null for a test Peyk has no app for. Throws an Error whose message names the field. */
export const readRaw = (line: string): OoniReport | null => {
  const value: unknown = JSON.parse(line)
  const test = (value as { test_name?: unknown } | null)?.test_name
  if (typeof test === 'string' && !knowsTest(test)) return null
  if (!raw.Check(value)) {
    const [error] = raw.Errors(value)
    throw new Error(`${error?.instancePath || '/'} ${error?.message ?? 'is not an OONI measurement'}`)
  }
  const { test_keys: keys } = value
  const report: OoniReport = {
    report: value.report_id,
    input: value.input ?? '',
    test: value.test_name,
    version: value.test_version,
    country: value.probe_cc,
    asn: Number(value.probe_asn.slice(2)),
    start: Date.parse(`${value.measurement_start_time.replace(' ', 'T')}Z`) / 1000,
    network: String(value.annotations?.['network_type'] ?? ''),
    names: new Map(),
    connections: new Map(),
    requests: new Map(),
  }
  if (Number.isNaN(report.start)) throw new Error('/measurement_start_time is no time')
  const nameOf = new Map<string, string>()
  for (const { hostname, failure, answers, t0, t } of keys.queries ?? []) {
    const known = report.names.get(hostname) ?? { addresses: [], seen: seen(failure, t0, t) }
    for (const { ipv4, ipv6 } of answers ?? []) {
      const address = ipv4 ?? ipv6
      if (!address) continue
      known.addresses.push(address)
      if (!nameOf.has(address)) nameOf.set(address, hostname)
    }
    if (failure === null) known.seen.failure = null
    report.names.set(hostname, known)
  }
  // "getaddrinfo" of a bare address is no look-up.
  for (const name of [...report.names.keys()])
    if (report.names.get(name)?.addresses.includes(name)) report.names.delete(name)
  for (const { ip, port, status, t0, t } of keys.tcp_connect ?? []) {
    const name = nameOf.get(ip) ?? ''
    const tcp = seen(status.failure ?? (status.success ? null : 'unknown_failure'), t0, t)
    const known = report.connections.get(`${ip} ${port}`)
    if (known) known.tcp = better(known.tcp, tcp)
    else
      report.connections.set(`${ip} ${port}`, {
        name: name === ip ? '' : name,
        address: ip,
        port,
        asn: 0,
        tcp,
        tls: null,
      })
  }
  for (const { address, failure, t0, t } of keys.tls_handshakes ?? []) {
    const at = address?.lastIndexOf(':') ?? -1
    const connection = report.connections.get(
      `${address?.slice(0, at).replace(/^\[|\]$/g, '')} ${address?.slice(at + 1)}`,
    )
    if (connection) connection.tls = better(connection.tls, seen(failure, t0, t))
  }
  for (const { failure, request, response, t0, t } of keys.requests ?? []) {
    if (!URL.canParse(request.url)) throw new Error('/test_keys/requests/request/url is no URL')
    const code = response?.code
    const answer = { ...seen(failure, t0, t), ...(code ? { code } : {}) }
    report.requests.set(request.url, better(report.requests.get(request.url), answer))
  }
  return report
}
