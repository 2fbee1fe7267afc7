import type { Target, TargetOf } from '../target.ts'

type Common = Omit<Target, 'kind' | 'ask' | 'id' | 'feature' | 'host' | 'port' | 'source' | 'healthy'>
type Told = Pick<Target, 'id' | 'feature' | 'host' | 'source' | 'healthy'> & Partial<Common>
/** Where what is healthy goes without saying. */
type Named = Omit<Told, 'healthy'> & { healthy?: string }
type Roots = TargetOf<'http'>['ask']['roots']

/** What most targets have in common; a target spells out only what differs. */
export const ordinary: Common = {
  family: 'v4',
  address: 'public',
  decides: 'yes',
  experimental: false,
  risk: 'ordinary',
  // Reference endpoints.md §1.4 and the frame's issue: 180 s after anything a filter may react to, never under 60 s.
  spacing: 180,
  timeout: 20,
  confidence: 'source',
}

/** Read in the code of others: of clients that are not the app's own, or in lists. */
export const thirdParty = { confidence: 'third-party' } as const

/** Diagnosis: measured sparsely, never a verdict. */
export const diagnosis = { decides: 'no' } as const

/** Nobody saw the healthy answer yet. A control agent's baseline that does makes a full target of it (docs/apps.md). */
export const experimental = { experimental: true, decides: 'no', confidence: 'unverified' } as const

/** An HTTPS target: the commonest shape. */
export const https = (
  target: Told & {
    path?: string
    port?: number
    method?: 'GET' | 'HEAD' | 'POST'
    headers?: Record<string, string>
    roots?: Roots
    expect?: { status?: number[]; header?: string; body?: string; json?: string }
  },
): TargetOf<'http'> => {
  const { path = '/', port = 443, method = 'GET', headers = {}, roots = 'public', expect = {}, ...rest } = target
  return {
    ...ordinary,
    ...rest,
    port,
    kind: 'http',
    ask: { scheme: 'https', method, path, headers, roots, expect: { ...expect, status: expect.status ?? [] } },
  }
}

/**
 * A host of which only this is known: it answers HTTP, with whatever status, and its certificate carries its name.
 * HEAD, because the body is not looked at and a volunteer pays for it.
 */
export const anyAnswer = (target: Named & { path?: string; roots?: Roots }): TargetOf<'http'> =>
  https({ method: 'HEAD', healthy: 'Any HTTP status, under a certificate for the name.', ...target })

/** A TLS handshake under the host's own name, and nothing after it. */
export const tls = (target: Named & { port?: number; alpn?: string[]; roots?: Roots }): TargetOf<'tls'> => {
  const { port = 443, alpn = ['h2', 'http/1.1'], roots = 'public', ...rest } = target
  return {
    ...ordinary,
    healthy: 'TLS under a certificate for the name.',
    ...rest,
    port,
    kind: 'tls',
    ask: { sni: target.host, alpn, roots, verify: true },
  }
}

/**
 * The same address under a name no filter looks for: where this opens and the app's own name does not, the name is
 * filtered and not the address. Phones send no such thing, so it needs consent.
 */
export const innocuousName = (target: Named): TargetOf<'tls'> => ({
  ...ordinary,
  ...diagnosis,
  ...target,
  port: 443,
  risk: 'unusual',
  healthy: 'TLS opens, whatever certificate the server has for a name that is not its own.',
  kind: 'tls',
  ask: { sni: 'example.com', alpn: ['http/1.1'], roots: 'public', verify: false },
})

/** A TCP connection: all that can be asked of a protocol nobody described. */
export const tcp = (target: Named & { port: number }): TargetOf<'tcp'> => ({
  ...ordinary,
  healthy: 'TCP opens.',
  ...target,
  kind: 'tcp',
  ask: {},
})

/** A WebSocket that opens, or is refused with one of the statuses that healthy servers give strangers. */
export const websocket = (
  target: Told & {
    path: string
    origin?: string
    roots?: Roots
    status?: number[]
    words?: TargetOf<'websocket'>['ask']['expect']['words']
  },
): TargetOf<'websocket'> => {
  const { path, origin, roots = 'public', status = [101], words = 'none', ...rest } = target
  const headers: Record<string, string> = origin === undefined ? {} : { origin }
  return {
    ...ordinary,
    ...rest,
    port: 443,
    kind: 'websocket',
    ask: { scheme: 'wss', path, headers, protocol: null, roots, expect: { status, words } },
  }
}

/** What healthy servers answer to an upgrade without a session. */
export const OPEN_OR_REFUSED = [101, 400, 401, 403]

/** A STUN binding: UDP reaches this place and comes back. Never "calls work": calls need an account. */
export const stun = (target: Named & { port: number; train?: number }): TargetOf<'stun'> => {
  const { train = 0, ...rest } = target
  const healthy = train > 0 ? 'Binding success; then loss and jitter of a short train.' : 'Binding success.'
  return { ...ordinary, ...diagnosis, healthy, ...rest, kind: 'stun', ask: { train } }
}

/**
 * A large file that everybody may fetch, of which the first 256 KiB are timed; `pairs` says with what it is compared. A
 * phone loads such files every day. With another `sni` it is the same address under a name no filter looks for.
 */
export const object = (
  target: Named & { path: string; edge: boolean; sni?: string; pairs?: NonNullable<Common['pairs']> },
): TargetOf<'transfer'> => {
  const { path, edge, sni, ...rest } = target
  const of = { scheme: 'https', path, roots: 'public', edge, ...(sni === undefined ? {} : { sni }) } as const
  return {
    ...ordinary,
    ...diagnosis,
    timeout: 60,
    healthy: '206 with the first 256 KiB, uncompressed.',
    ...rest,
    port: 443,
    kind: 'transfer',
    ask: { bytes: 262_144, trains: 2, of },
  }
}

/** What transfers of apps are compared with (`control.ts`): two abroad, and the domestic one of an agent's country. */
export const neutralObjects: NonNullable<Common['pairs']> = [
  { with: 'control.object.debian', differs: 'place' },
  { with: 'control.object.google', differs: 'place' },
  { with: 'control.object.ru', differs: 'place' },
  { with: 'control.object.cn', differs: 'place' },
]

/** Whether UDP 443 reaches a QUIC server, asked with a version that does not exist; no phone sends that. */
export const quic = (target: Named): TargetOf<'quic'> => ({
  ...ordinary,
  healthy: 'The QUIC versions that the server speaks.',
  ...target,
  ...experimental,
  port: 443,
  risk: 'unusual',
  kind: 'quic',
  ask: {},
})

/**
 * Whether the system's resolver, which every app here asks, gives a name its own servers: its answer is compared with
 * that of a resolver out of the network's hands. The name must be one of TLS on port 443, whose certificate is looked at.
 */
export const truthfulName = (
  app: string,
  feature: Target['feature'],
  host: string,
  roots: Roots = 'public',
): TargetOf<'dns'> => ({
  ...ordinary,
  ...diagnosis,
  id: `${app}.${host}.dns-system`,
  feature,
  host,
  port: 443,
  timeout: 30,
  source: 'ooni/spec:nettests/ts-017-web-connectivity.md; ooni/probe-cli:internal/engineresolver/resolvermaker.go',
  healthy: 'An address that the resolver over HTTPS gives too, or that has the name’s certificate.',
  kind: 'dns',
  ask: {
    type: 'A',
    resolver: 'system',
    against: { address: '8.8.8.8', port: 443, name: 'dns.google', path: '/dns-query', roots },
  },
})

/**
 * What an open resolver says of names over UDP: a forged answer comes before the true one, so two show.
 */
export const names = (app: string, feature: Target['feature'], hosts: readonly string[]): TargetOf<'dns'>[] =>
  hosts.map(host => ({
    ...ordinary,
    ...diagnosis,
    id: `${app}.${host}.dns`,
    feature,
    host,
    port: 53,
    spacing: 60,
    source: 'ooni/probe-cli:internal/experiment/dnscheck/richerinput.go',
    healthy: 'One answer, with public addresses.',
    kind: 'dns',
    ask: { type: 'A', resolver: { transport: 'udp', address: '8.8.8.8', port: 53 } },
  }))
