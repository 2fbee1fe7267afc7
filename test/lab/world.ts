import type { Socket } from 'node:net'
import { legOf } from '../../measurement/judge/leg.ts'
import { outcome } from '../../measurement/judge/outcome.ts'
import { median } from '../../measurement/judge/statistics.ts'
import { compare, type Pair, type Throttling } from '../../measurement/judge/throttle.ts'
import type { Feature, Target } from '../../measurement/target.ts'
import { measure } from '../../probes/all.ts'
import { type Control, type Elsewhere, type Judged, type Result, verdictsOf } from '../../server/analysis/witnesses.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { dnsAnswer, udpPeer } from '../servers/dns.ts'
import { dataCentre } from '../servers/mtproto.ts'
import { objectPeer } from '../servers/object.ts'
import { stunPeer } from '../servers/stun.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'
import { type DatagramRelay, type DatagramRules, datagramsTo } from './datagrams.ts'
import { type Relay, type Rule, type Rules, relayTo } from './relay.ts'

/**
 * An internet on one machine: an app with six data centres, a web client, names, voice and files; a control at home and one
 * abroad; and a censor before each of them. Agents are the real probes, their rows are judged by the real rules. Only
 * two things are simulated: the hour, and that an agent far away meets the app without the censors.
 */

export const APP = 'app.test'
const DCS = 6
/** Seconds a round trip takes to places abroad, and at home. */
const FAR = 0.1
const NEAR = 0.02
/** Seconds a target may take: long enough for a wait on a loaded machine, short enough for a lab. */
const TIMEOUT = 1.5
/** Agents on the network that is measured, and those who see the app elsewhere. */
const AGENTS = 3
const ABROAD = [
  { asn: 64_511, country: 'DE' },
  { asn: 64_512, country: 'CA' },
] as const

/** Places with a censor before them. */
export type Tcp =
  | `dc${1 | 2 | 3 | 4 | 5 | 6}`
  | 'web1'
  | 'web2'
  | 'plain'
  | 'file'
  | 'foreign'
  | 'domestic'
  | 'pair'
  | 'named'
export type Udp = 'dns' | 'voice'

export type World = AsyncDisposable & {
  /** What the censors do from now on. Places that are not named are left in peace. */
  censor(tcp: Partial<Record<Tcp, Rules>>, udp?: Partial<Record<Udp, DatagramRules>>): Promise<void>
  /** The app itself fails, for everybody. */
  fail(down: boolean): void
  /** One round of every agent on the targets of a feature, at this hour, and the verdict of that window. */
  round(feature: Feature, at: number): Promise<Judged>
  /** What three pairs of transfers say: of the app's place and a neutral one, or of one place under two server names. */
  transfers(differs?: 'place' | 'name'): Promise<Throttling>
  /** Seconds of one exchange with a data centre, and with the control abroad. */
  exchange(): Promise<{ app: number; control: number }>
}

const root = certificate('Lab root', { ca: true })

export const openWorld = async (): Promise<World> => {
  trust(root)
  const leaf = certificate('leaf', { issuer: root, hosts: ['localhost', APP, `web.${APP}`] })
  const identity = { key: leaf.keyPem, cert: leaf.pem }
  const open: AsyncDisposable[] = []
  const kept = <T extends AsyncDisposable>(peer: T): T => {
    open.push(peer)
    return peer
  }
  let down = false
  const orDown =
    (talk: (socket: Socket) => void) =>
    (socket: Socket): void => {
      if (down) socket.resetAndDestroy()
      else talk(socket)
    }
  const dc = kept(await tcpPeer(orDown(dataCentre())))
  const page = (socket: Socket): void => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  }
  const web = kept(await tlsPeer(identity, page))
  const plain = kept(await tcpPeer(orDown(page)))
  const file = kept(await objectPeer({}))
  const named = kept(await objectPeer({ tls: identity }))
  const resolver = kept(await udpPeer((query, send) => send(dnsAnswer(query, ['127.0.0.9']))))
  const voice = kept(await stunPeer(() => '127.0.0.1'))

  const upstream: Record<Tcp, number> = {
    ...(Object.fromEntries(Array.from({ length: DCS }, (_, i) => [`dc${i + 1}`, dc.port])) as Record<Tcp, number>),
    ...{ web1: web.port, web2: web.port, plain: plain.port, file: file.port, pair: file.port, named: named.port },
    ...{ foreign: web.port, domestic: web.port },
  }
  const delay = (place: string): number => (place === 'domestic' ? NEAR : FAR)
  const tcp = {} as Record<Tcp, Relay>
  for (const place of Object.keys(upstream) as Tcp[]) {
    tcp[place] = kept(await relayTo(upstream[place], { delay: delay(place) }))
  }
  const udp: Record<Udp, DatagramRelay> = {
    dns: kept(await datagramsTo(resolver.port, { delay: FAR }, 20180430)),
    voice: kept(await datagramsTo(voice.port, { delay: FAR }, 20180501)),
  }

  const targets = targetsOf(tcp, udp)
  const usual = new Map<Feature, number>()

  const leg = async (place: 'file' | 'pair' | 'named', sni?: string) => {
    const scheme = sni ? ('https' as const) : ('http' as const)
    const of = { scheme, path: '/file', roots: 'public', edge: false, ...(sni && { sni }) } as const
    const ask = { bytes: 262_144, trains: 0, of }
    const { steps } = await measure(loopbackTarget('transfer', tcp[place].port, ask, { timeout: 20 }), {
      loopback: true,
    })
    const pair = { id: '0'.repeat(16), leg: 'app', round: 1, test: 'confirm', differs: 'place', first: true } as const
    return legOf({ kind: 'transfer', steps, pair })
  }

  const world: World = {
    censor: async (changed, datagrams = {}) => {
      for (const [place, relay] of Object.entries(tcp) as [Tcp, Relay][]) {
        const rules = changed[place] ?? {}
        await relay.set({ ...rules, delay: delay(place) + (rules.delay ?? 0) })
      }
      for (const [place, relay] of Object.entries(udp) as [Udp, DatagramRelay][]) {
        relay.set({ delay: FAR, ...datagrams[place] })
      }
    },
    fail: is => {
      down = is
    },
    round: async (feature, at) => {
      const rows = await Promise.all(
        Array.from({ length: AGENTS }, (_, i) => agentRound(targets, feature, `agent${i}`, at)),
      )
      const results = rows.flatMap(row => row.results)
      const known = usual.get(feature) ?? median(results.flatMap(({ ratio }) => ratio ?? []))
      // The first round of a feature is in peace, and is what is usual.
      usual.set(feature, known)
      const elsewhere = await Promise.all(ABROAD.map(place => abroad(feature, at, place, dc.port)))
      const [judged] = verdictsOf(
        results,
        rows.map(({ control }) => control),
        elsewhere,
        [at],
        { usual: () => known, transfers: () => null, compared: [] },
      )
      return judged!
    },
    transfers: async (differs = 'place') => {
      // Side by side, to be quick: no two of these flows share anything that could hold them.
      const pairs = await Promise.all(
        [1, 2, 3].map(async (): Promise<Pair | null> => {
          const legs =
            differs === 'place' ? [leg('file'), leg('pair')] : [leg('named', APP), leg('named', 'innocuous.test')]
          const [app, control] = await Promise.all(legs)
          return app && control ? { app, control } : null
        }),
      )
      return compare(pairs.filter(pair => pair !== null))
    },
    exchange: async () => {
      const [app, control] = await Promise.all([targets.text[0]!, targets.foreign].map(seconds))
      return { app: app!, control: control! }
    },
    [Symbol.asyncDispose]: async () => {
      for (const peer of open.reverse()) await peer[Symbol.asyncDispose]()
    },
  }
  return world
}

type Targets = Record<'text' | 'web' | 'registration' | 'voice-call', Target[]> & { foreign: Target; domestic: Target }

const targetsOf = (tcp: Record<Tcp, Relay>, udp: Record<Udp, DatagramRelay>): Targets => {
  const common = { timeout: TIMEOUT }
  const https = { scheme: 'https', method: 'GET', path: '/', headers: {}, roots: 'public' } as const
  const expect = { status: [200] }
  const tls = (place: Tcp, sni: string): Target =>
    loopbackTarget(
      'tls',
      tcp[place].port,
      { sni, alpn: [], roots: 'public', verify: true },
      { ...common, id: `lab.${place}` },
    )
  const named = (name: string, type: 'A' | 'AAAA'): Target =>
    loopbackTarget(
      'dns',
      443,
      { type, resolver: { transport: 'udp', address: '127.0.0.1', port: udp.dns.port } },
      { ...common, host: name, family: type === 'A' ? 'v4' : 'v6', id: `lab.${name}-${type.toLowerCase()}` },
    )
  const control = (place: 'foreign' | 'domestic'): Target =>
    loopbackTarget(
      'http',
      tcp[place].port,
      { ...https, expect },
      { ...common, host: 'localhost', id: `lab.${place}`, control: place },
    )
  return {
    text: Array.from({ length: DCS }, (_, i) =>
      loopbackTarget(
        'mtproto',
        tcp[`dc${(i + 1) as 1}`].port,
        { transport: 'obfuscated2', dc: i + 1, keys: [] },
        { ...common, id: `lab.dc${i + 1}` },
      ),
    ),
    web: [
      tls('web1', APP),
      tls('web2', `web.${APP}`),
      loopbackTarget('http', tcp.plain.port, { ...https, scheme: 'http', expect }, { ...common, id: 'lab.plain' }),
    ],
    registration: [named(APP, 'A'), named(`web.${APP}`, 'A'), named(APP, 'AAAA'), named(`web.${APP}`, 'AAAA')],
    'voice-call': [1, 2, 3].map(i =>
      loopbackTarget('stun', udp.voice.port, { train: 0 }, { ...common, id: `lab.voice${i}` }),
    ),
    foreign: control('foreign'),
    domestic: control('domestic'),
  }
}

/** Seconds of a target's steps as the server adds them up; null unless it answered. */
const seconds = async (target: Target): Promise<number | null> => {
  const { steps, failure } = await measure(target, { loopback: true })
  if (failure) return null
  return steps
    .filter(({ operation }) => operation !== 'resolve' && operation !== 'transfer')
    .reduce((sum, { duration }) => sum + duration, 0)
}

/** One agent measures its controls and all targets of a feature, and its rows are those the server would read. */
const agentRound = async (
  targets: Targets,
  feature: Feature,
  agent: string,
  at: number,
): Promise<{ results: Result[]; control: Control }> => {
  const asked = targets[feature as 'text']
  const [foreign, domestic, ...runs] = await Promise.all([
    seconds(targets.foreign),
    seconds(targets.domestic),
    ...asked.map(async target => ({ target, run: await measure(target, { loopback: true }) })),
  ])
  const results = runs.map(({ target, run }): Result => {
    const said = outcome(target.kind, run.steps)
    const took = run.steps.reduce((sum, { duration }) => sum + duration, 0)
    return {
      ...{ app: 'lab', feature, target: target.id, agent, prefix: 0, start: at },
      answered: said.answered ? 1 : 0,
      failure: said.failure ?? '',
      layer: said.layer ?? '',
      tries: 1,
      answers: said.answered ? 1 : 0,
      ratio: said.answered && foreign !== null ? Math.log(took / foreign) : null,
    }
  })
  const worked = (seconds: number | null): number => (seconds === null ? 0 : 1)
  const control = {
    ...{ agent, start: at, foreign_tried: 1, domestic_tried: 1 },
    foreign_answered: worked(foreign),
    domestic_answered: worked(domestic),
  }
  return { results, control }
}

/** A control agent elsewhere asks the app itself, past the censors. */
const abroad = async (
  feature: Feature,
  start: number,
  place: (typeof ABROAD)[number],
  port: number,
): Promise<Elsewhere> => {
  const ask = { transport: 'obfuscated2', dc: 1, keys: [] as string[] } as const
  const { failure } = await measure(loopbackTarget('mtproto', port, { ...ask, keys: [] }, { timeout: TIMEOUT }), {
    loopback: true,
  })
  return { app: 'lab', feature, ...place, start, attempts: 1, answered: failure === null ? 1 : 0 }
}

/** The same for every data centre, or for so many of them. */
export const dcs = (rules: Rules, count: number = DCS): Partial<Record<Tcp, Rules>> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`dc${i + 1}`, rules]))

/** A rule for every flow. */
export const every = (rule: Rule): Rules => ({ flows: [rule] })
