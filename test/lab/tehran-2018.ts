import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { findTarget } from '../../measurement/catalogue.ts'
import type { Target } from '../../measurement/target.ts'
import type { Run } from '../../probes/probe.ts'
import { dataCentre } from '../servers/mtproto.ts'
import { whatsAppPeer } from '../servers/whatsapp.ts'
import { type Relay, type Rules, relayTo } from './relay.ts'

/**
 * Iran, April 2018, in a laboratory: Telegram served from caches inside the country, the order of 26 April that moved it
 * abroad, the ban of 30 April; WhatsApp abroad and Soroush at home untouched beside it (events/IR.json). The course is
 * history; delays and rates are ours, and short, so that a week takes a minute.
 */

const at = (time: string): number => Date.parse(time) / 1_000

/** The clock of the scene, Unix seconds: three quiet days, so that what is usual is known. */
export const scene = {
  from: at('2018-04-23T12:00:00Z'),
  ordered: at('2018-04-26T06:30:00Z'),
  banned: at('2018-04-30T10:30:00Z'),
  to: at('2018-04-30T20:00:00Z'),
} as const

/** Networks that nobody has (RFC 5398): what is played here must not be said of a real one. */
export const networks = [64_500, 64_501, 64_502] as const
export const unfiltered = [
  { country: 'DE', asn: 64_510 },
  { country: 'FR', asn: 64_511 },
] as const

/** What becomes of flows to a place, and where that is. Delays are seconds of a round trip. */
type Place = { rules: Rules & { delay: number }; country: string; asn: number }
const HOME: Place = { rules: { delay: 0.006 }, country: 'IR', asn: 64_503 }
const ABROAD: Place = { rules: { delay: 0.024 }, country: 'NL', asn: 64_504 }
/** Abroad, through a gateway that is full: later, and each flow slower than the line. */
const MOVED: Place = { ...ABROAD, rules: { delay: 0.09, flows: [{ rate: 600_000 }] } }
const BANNED: Place = { ...ABROAD, rules: { delay: 0, connect: 'refuse' } }

type Peer = { app: string; id: string; talk: (socket: Socket) => void; own?: object; place: Place; moves?: true }

const served = (answer: RequestListener) => {
  const server = createHttp(answer)
  return (socket: Socket): void => void server.emit('connection', socket)
}
const nothing = () => served((_, response) => response.writeHead(204).end())

/** A file of a megabyte, given by range. */
const FILE = randomBytes(2 ** 20)
const file = () =>
  served((request, response) => {
    const bytes = FILE.subarray(0, Number(/^bytes=0-(\d+)$/.exec(request.headers.range ?? '')?.[1] ?? 0) + 1)
    const range = `bytes 0-${bytes.length - 1}/${FILE.length}`
    response.writeHead(206, { 'content-length': bytes.length, 'content-range': range }).end(bytes)
  })

const peers = (): Peer[] => {
  const whatsapp = whatsAppPeer()
  const telegram = (id: string): Peer => ({
    ...{ app: 'telegram', id, talk: dataCentre(), place: HOME, moves: true },
  })
  const object = { bytes: 262_144, trains: 0, of: { scheme: 'http', path: '/', roots: 'public', edge: false } }
  const plain = { scheme: 'http', method: 'GET', path: '/', headers: {}, roots: 'public', expect: { status: [204] } }
  return [
    telegram('telegram.dc1.v4.443.mtproto'),
    telegram('telegram.dc2.v4.443.mtproto'),
    telegram('telegram.dc4.v4.443.mtproto'),
    telegram('telegram.dc2-media-222.v4.443.mtproto'),
    {
      ...{ app: 'whatsapp', id: 'whatsapp.chat.v4', talk: whatsapp.talk, place: ABROAD },
      own: { ask: { transport: 'tcp', prologue: '57410603', root: whatsapp.root } },
    },
    {
      ...{ app: 'soroush', id: 'soroush.im-server', talk: dataCentre(), place: HOME },
      own: { ask: { transport: 'obfuscated2', dc: 0, keys: [] } },
    },
    {
      ...{ app: 'telegram', id: 'telegram.object', talk: file(), place: HOME, moves: true },
      own: { ask: object, pairs: [{ with: 'control.object.debian', differs: 'place' }] },
    },
    { app: 'control', id: 'control.object.debian', talk: file(), own: { ask: object }, place: ABROAD },
    { app: 'control', id: 'control.portal.gstatic', talk: nothing(), own: { ask: plain }, place: ABROAD },
    { app: 'control', id: 'control.gstatic', talk: nothing(), own: { ask: plain }, place: ABROAD },
    { app: 'control', id: 'control.ir.divar.ir', talk: nothing(), own: { ask: plain }, place: HOME },
    { app: 'control', id: 'control.ir.snapp.ir', talk: nothing(), own: { ask: plain }, place: HOME },
  ]
}

/** The scene built: targets of the catalogue, each at an address of its own, and the hand of the censor. */
export const build = async () => {
  const closing: (() => unknown)[] = []
  const moving: { relay: Relay; host: string }[] = []
  const apps = new Map<string, Target[]>()
  const straight = new Map<string, number>()
  const places = new Map<string, Place>()
  for (const [index, { app, id, talk, own, place, moves }] of peers().entries()) {
    const server = createServer(talk).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const host = `127.18.4.${index + 1}`
    const { port } = server.address() as AddressInfo
    const relay = await relayTo(port, place.rules, host)
    straight.set(id, port)
    places.set(host, place)
    closing.push(
      () => relay[Symbol.asyncDispose](),
      () => server.close(),
    )
    if (moves) moving.push({ relay, host })
    const target = findTarget(id)!.target
    const here = { host, port: relay.port, address: 'loopback', timeout: 3, ...own }
    apps.set(app, [...(apps.get(app) ?? []), { ...target, ...here } as Target])
  }
  const all = async (place: Place): Promise<void> => {
    await Promise.all(moving.map(({ relay }) => relay.set(place.rules)))
    for (const { host } of moving) places.set(host, place)
  }
  return {
    apps,
    /** The agents' databases: where an address of the scene is now. */
    locate: {
      country: (address: string): string => places.get(address)?.country ?? 'ZZ',
      asn: (address: string): number => places.get(address)?.asn ?? 0,
    },
    /**
     * A run as if its handshakes had gone the whole way: their SYNs are answered by this machine's kernel, which no relay in
     * user space can delay (relay.ts), and a path whose first round trip takes no time is another one.
     */
    handshaken: (run: Run): Run => {
      const delay = places.get(run.connected ?? '')?.rules.delay ?? 0
      let later = 0
      const steps = run.steps.map(step => {
        const start = step.start + later
        const longer = step.operation === 'connect' && step.failure === null ? delay : 0
        later += longer
        return { ...step, start, duration: step.duration + longer }
      })
      return { ...run, steps }
    },
    /** The same target as agents abroad reach it: past the censor. */
    abroad: (target: Target): Target => ({ ...target, host: '127.0.0.1', port: straight.get(target.id)! }),
    course: [
      { at: scene.ordered, what: 'Telegram is served from abroad', happen: () => all(MOVED) },
      { at: scene.banned, what: 'Telegram is banned', happen: () => all(BANNED) },
    ],
    close: async () => {
      for (const one of closing) await one()
    },
  }
}
