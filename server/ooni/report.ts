import { createHash } from 'node:crypto'
import { isPublicAddress } from '../../measurement/address.ts'
import { allTargets, CATALOGUE_VERSION } from '../../measurement/catalogue.ts'
import { isKnownFailure } from '../../measurement/failure.ts'
import { outcome, RULE_VERSION } from '../../measurement/judge/outcome.ts'
import type { Stored } from '../../measurement/measurement.ts'
import type { Operation, ProbeKind, Step } from '../../measurement/step.ts'
import type { Target } from '../../measurement/target.ts'

/** Apps of OONI's messaging tests (ooni/spec nettests ts-018, ts-019, ts-020, ts-029). */
const appOfTest: Record<string, string> = {
  telegram: 'telegram',
  whatsapp: 'whatsapp',
  signal: 'signal',
  facebook_messenger: 'messenger',
}
export const knowsTest = (test: string): boolean => test in appOfTest

export const LICENCE = 'CC BY-NC-SA 4.0'

/** What was seen of one operation: a failure in OONI's words, null for success, and its seconds where they are known. */
export type Seen = { failure: string | null; seconds: number; code?: number }

/** One OONI report of a messaging test, the same whether it was read from raw JSON or from observation rows. */
export type OoniReport = {
  report: string
  input: string
  test: string
  version: string
  country: string
  asn: number
  /** Unix seconds. */
  start: number
  network: string
  /** Answers of the resolver by name; a failure stands for a name without any. */
  names: Map<string, { addresses: string[]; seen: Seen }>
  /** TCP and TLS by `address port`, with the name that led there, empty for a bare address. */
  connections: Map<
    string,
    { name: string; address: string; port: number; asn: number; tcp: Seen | null; tls: Seen | null }
  >
  /** Requests by URL. */
  requests: Map<string, Seen>
}

/** Of two views of one operation the success stands: files differ in order, not in what worked. */
export const better = (a: Seen | null | undefined, b: Seen): Seen =>
  a && (a.failure === null || b.failure !== null) ? a : b

/** OONI's failure strings are ours, except these (probe-cli errno.go; text of Go's net package). */
export const failureOf = (text: string): string | null => {
  if (text === '') return null
  if (isKnownFailure(text)) return text
  if (text === 'timed_out') return 'generic_timeout_error'
  if (text === 'address_not_available') return 'address_family_missing'
  if (/cannot allocate memory|no buffer space|too many open files/.test(text)) return 'agent_out_of_resources'
  return 'unknown_failure'
}

const targets = new Map<string, Target>()
for (const { app, target } of allTargets()) {
  if (target.decides === 'no') continue
  const key = `${app} ${target.host} ${target.port} ${target.kind}`
  if (!targets.has(key)) targets.set(key, target)
}
/** The first target of a name, for names that lead nowhere. */
const targetsOfName = new Map([...targets].reverse().map(([key, target]) => [key.split(' ', 2).join(' '), target]))

/** UUIDv8 (RFC 9562) over what names a measurement of an import: the same from every file that holds it. */
const idOf = (report: OoniReport, target: Target, address: string, port: number): string => {
  const start = new Date(report.start * 1000).toISOString().slice(0, 19)
  const parts = ['ooni', report.report, report.input, start, target.id, target.kind, address, port]
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const step = (operation: Operation, seen: Seen): Step => ({
  operation,
  start: 0,
  duration: seen.seconds,
  sent: 0,
  received: 0,
  failure: seen.failure,
  ...(seen.code === undefined ? {} : { code: seen.code }),
})

type Endpoint = { name: string; address: string; port: number; asn: number; steps: Step[]; kind: ProbeKind }

const BOGON: Seen = { failure: 'dns_bogon_error', seconds: 0 }

/** A name that gave no address to connect to is one endpoint, whatever was tried on it afterwards. */
const unresolved = (report: OoniReport): Endpoint[] =>
  [...report.names].flatMap(([name, { addresses, seen }]) => {
    const bogon = addresses.some(address => !isPublicAddress(address))
    if (!bogon && !seen.failure) return []
    const target = targetsOfName.get(`${appOfTest[report.test]} ${name}`)
    if (!target) return []
    return [
      {
        name,
        address: '',
        port: target.port,
        asn: 0,
        steps: [step('resolve', bogon ? BOGON : seen)],
        kind: target.kind,
      },
    ]
  })

/** Endpoints that were asked, one per (name or address, port, address), each with its steps joined. */
const endpointsOf = (report: OoniReport): Endpoint[] => {
  const lost = unresolved(report)
  const lostNames = new Set(lost.map(({ name }) => name))
  const asked = new Map<string, Seen>()
  for (const [url, seen] of report.requests) {
    const { hostname, port, protocol } = new URL(url)
    asked.set(`${hostname.replace(/^\[|\]$/g, '')} ${port || (protocol === 'https:' ? 443 : 80)}`, seen)
  }
  const byHost = Map.groupBy(report.connections.values(), ({ name, address, port }) => `${name || address} ${port}`)
  return [
    ...lost,
    ...[...new Set([...byHost.keys(), ...asked.keys()])].flatMap(host => {
      const [name = '', port = ''] = host.split(' ')
      return lostNames.has(name) ? [] : joined(report, name, Number(port), byHost.get(host) ?? [], asked.get(host))
    }),
  ]
}

const joined = (
  report: OoniReport,
  host: string,
  port: number,
  connections: readonly { address: string; asn: number; tcp: Seen | null; tls: Seen | null }[],
  request: Seen | undefined,
): Endpoint[] => {
  const kind: ProbeKind = request ? 'http' : 'tcp'
  const lookup = report.names.get(host)
  const resolve = lookup ? [step('resolve', lookup.seen)] : []
  const one = (steps: Step[], address = '', asn = 0): Endpoint => ({ name: host, address, port, asn, steps, kind })
  if (connections.length === 0) return request ? [one([...resolve, step('http_round_trip', request)])] : []
  // A request belongs to the address that got furthest; which one that was no file says when several did.
  const ordered = connections.toSorted((a, b) => depth(b) - depth(a) || (a.address < b.address ? -1 : 1))
  return ordered.flatMap(({ address, asn, tcp, tls }, at) => {
    const carried = at === 0 && request
    if (request && !carried && !failedHere(tcp, tls)) return []
    const steps = [
      ...resolve,
      ...(tcp ? [step('connect', tcp)] : []),
      ...(tls ? [step('tls_handshake', tls)] : []),
      ...(carried ? [step('http_round_trip', request)] : []),
    ]
    return [one(steps, address, asn)]
  })
}

const depth = ({ tcp, tls }: { tcp: Seen | null; tls: Seen | null }): number =>
  (tcp && !tcp.failure ? 1 : 0) + (tls && !tls.failure ? 2 : 0)

const failedHere = (tcp: Seen | null, tls: Seen | null): boolean => Boolean(tcp?.failure || tls?.failure)

const accessOf = (network: string): Stored['access'] =>
  (({ wifi: 'wifi', mobile: 'mobile', wired_ethernet: 'wired', vpn: 'vpn' }) as const)[network] ?? 'unknown'

/** What an imported report says of the endpoints that the catalogue knows, and how many it does not know. */
export const measurementsOf = (report: OoniReport, now: number): { measurements: Stored[]; unknown: number } => {
  const app = appOfTest[report.test]
  if (!app) return { measurements: [], unknown: 0 }
  const measurements: Stored[] = []
  let unknown = 0
  for (const endpoint of endpointsOf(report)) {
    const target = targets.get(`${app} ${endpoint.name} ${endpoint.port} ${endpoint.kind}`)
    if (target) measurements.push(stored(report, app, target, endpoint, now))
    else unknown++
  }
  return { measurements, unknown }
}

const stored = (report: OoniReport, app: string, target: Target, endpoint: Endpoint, now: number): Stored => {
  const agent = `ooni:${createHash('sha256').update(report.report).digest('hex').slice(0, 24)}`
  return {
    id: idOf(report, target, endpoint.address, endpoint.port),
    origin: 'ooni',
    // OONI names no agents: one report is one.
    agent,
    boot: '0'.repeat(16),
    mono: 0,
    sequence: 0,
    app,
    feature: target.feature,
    target: target.id,
    kind: target.kind,
    family: endpoint.address.includes(':') ? 'v6' : 'v4',
    route: 'direct',
    role: 'vantage',
    country: report.country,
    asn: report.asn,
    seen_country: 'ZZ',
    seen_asn: 0,
    trust: 'claimed',
    access: accessOf(report.network),
    at: report.start,
    arrived: now,
    offset: 0,
    steps: endpoint.steps,
    failure: outcome(target.kind, endpoint.steps).failure,
    served: { asn: endpoint.asn, country: 'ZZ', rtt_floor: null, dc: target.dc ?? null },
    origin_proof: 'none',
    source: { report: report.report, licence: LICENCE },
    marks: [],
    prefix_token: 0,
    software: `ooni-${report.test.replaceAll('_', '-')}/${report.version}`,
    catalogue: CATALOGUE_VERSION,
    rule: RULE_VERSION,
  }
}
