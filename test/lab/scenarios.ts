import type { Layer } from '../../measurement/step.ts'
import type { Feature } from '../../measurement/target.ts'
import type { Mechanism, Verdict } from '../../measurement/verdict.ts'
import { forger } from './datagrams.ts'
import type { Opening } from './opening.ts'
import { APP, dcs, every, type Tcp, type World } from './world.ts'

/**
 * What may befall an app, and what is true of it. All of these are `relay`: a censor in user space, without root. Those that
 * drop real packets are `netns` (namespace.test.ts). A verdict is right when it is the true one, with its layer and mechanism
 * where they are given. What takes weeks is in virtual time: evenings in the bench of the detector (bench/detection/paths.ts),
 * networks one after the other and recurring hours in single tests (server/detection.test.ts).
 */
export type Scenario = {
  name: string
  feature: Exclude<Feature, 'media' | 'web' | 'cdn' | 'download'> | 'web'
  set(world: World): Promise<void> | void
  truth: { verdict: Verdict; layer?: Layer; mechanism?: Mechanism }
}

const sni =
  (suffix: string) =>
  ({ sni }: Opening): boolean =>
    sni?.endsWith(suffix) ?? false

const PAGE =
  'HTTP/1.1 403 Forbidden\r\nContent-Length: 55\r\nConnection: close\r\n\r\n<iframe src="http://10.10.34.34?type=Invalid"></iframe>'
const PORTAL = 'HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

const webs = (rule: Parameters<typeof every>[0]) => ({ web1: every(rule), web2: every(rule), plain: every(rule) })
const places: Tcp[] = ['dc1', 'dc2', 'dc3', 'dc4', 'dc5', 'dc6', 'web1', 'web2', 'plain', 'foreign']
const all = (rules: Parameters<World['censor']>[0][Tcp], home = true): Parameters<World['censor']>[0] =>
  Object.fromEntries([...places, ...(home ? ['domestic'] : [])].map(place => [place, rules]))

const blocked = (layer: Layer, mechanism: Mechanism): Scenario['truth'] => ({ verdict: 'blocked', layer, mechanism })

export const scenarios: readonly Scenario[] = [
  { name: 'nothing', feature: 'text', set: world => world.censor({}), truth: { verdict: 'ok' } },
  {
    name: 'the line is down',
    feature: 'text',
    set: world => world.censor(all({ connect: 'drop' })),
    truth: { verdict: 'network_down' },
  },
  {
    name: 'a captive portal answers everything',
    feature: 'web',
    set: world => world.censor(all(every({ cut: { page: PORTAL } }))),
    truth: { verdict: 'network_down' },
  },
  {
    name: 'only the national network',
    feature: 'text',
    set: world => world.censor(all({ connect: 'drop' }, false)),
    truth: { verdict: 'domestic_only', mechanism: 'isolation' },
  },
  {
    name: 'the app is down everywhere',
    feature: 'text',
    set: async world => {
      await world.censor({})
      world.fail(true)
    },
    truth: { verdict: 'app_down' },
  },
  {
    name: 'DNS: forged answers',
    feature: 'registration',
    set: world => world.censor({}, { dns: { inject: { answer: both({ addresses: ['10.10.34.34'] }) } } }),
    truth: blocked('dns', 'injection'),
  },
  {
    name: 'DNS: forged before true',
    feature: 'registration',
    set: world => world.censor({}, { dns: { inject: { answer: both({ addresses: ['10.10.34.35'] }), late: true } } }),
    truth: blocked('dns', 'injection'),
  },
  {
    name: 'DNS: NXDOMAIN',
    feature: 'registration',
    set: world => world.censor({}, { dns: { inject: { answer: both({ rcode: 3 }) } } }),
    truth: blocked('dns', 'nxdomain'),
  },
  {
    name: 'DNS: forged for IPv6 only',
    feature: 'registration',
    set: world => world.censor({}, { dns: { inject: { answer: both({ addresses: ['d0::11'], type: 'AAAA' }) } } }),
    truth: { verdict: 'partial', layer: 'dns', mechanism: 'injection' },
  },
  {
    name: 'TCP: refused',
    feature: 'text',
    set: world => world.censor(dcs({ connect: 'refuse' })),
    truth: blocked('tcp', 'refuse'),
  },
  {
    name: 'TCP: SYN dropped',
    feature: 'text',
    set: world => world.censor(dcs({ connect: 'drop' })),
    truth: blocked('tcp', 'drop'),
  },
  {
    name: 'protocol: reset after the first bytes',
    feature: 'text',
    set: world => world.censor(dcs(every({ when: ({ shape }) => shape === 'other', cut: 'reset' }))),
    truth: blocked('protocol', 'rst'),
  },
  {
    name: 'protocol: filter with 60 s residual',
    feature: 'text',
    set: world => world.censor(dcs(every({ when: ({ shape }) => shape === 'other', cut: 'hang', residual: 60 }))),
    truth: blocked('protocol', 'drop'),
  },
  {
    name: 'TLS: reset by server name',
    feature: 'web',
    set: world => world.censor(webs({ when: sni(APP), cut: 'reset' })),
    truth: { verdict: 'partial', layer: 'tls', mechanism: 'rst' },
  },
  {
    name: 'TLS: silence by server name',
    feature: 'web',
    set: world => world.censor(webs({ when: sni(APP), cut: 'hang' })),
    truth: { verdict: 'partial', layer: 'tls', mechanism: 'drop' },
  },
  {
    name: 'HTTP: block page, and names cut',
    feature: 'web',
    set: world => {
      const page = every({ cut: { page: PAGE } })
      return world.censor({ plain: page, web1: every({ cut: 'reset' }), web2: {} })
    },
    truth: { verdict: 'partial' },
  },
  {
    name: 'HTTP: block page alone',
    feature: 'web',
    set: world => world.censor({ plain: every({ cut: { page: PAGE } }) }),
    truth: { verdict: 'partial', layer: 'http', mechanism: 'blockpage' },
  },
  {
    name: 'one data centre of six',
    feature: 'text',
    set: world => world.censor(dcs({ connect: 'refuse' }, 1)),
    truth: { verdict: 'partial', layer: 'tcp', mechanism: 'refuse' },
  },
  {
    name: 'half of the data centres',
    feature: 'text',
    set: world => world.censor(dcs({ connect: 'drop' }, 3)),
    truth: { verdict: 'partial', layer: 'tcp', mechanism: 'drop' },
  },
  {
    name: 'UDP: voice dropped',
    feature: 'voice-call',
    set: world => world.censor({}, { voice: { lost: { up: 1 } } }),
    truth: blocked('udp', 'drop'),
  },
  {
    name: 'UDP: a tenth lost',
    feature: 'voice-call',
    set: world => world.censor({}, { voice: { lost: { up: 0.1 } } }),
    truth: { verdict: 'ok' },
  },
  {
    name: '20 ms more, to the app',
    feature: 'text',
    set: world => world.censor(dcs({ delay: 0.02 })),
    truth: { verdict: 'ok' },
  },
  {
    name: '200 ms more, to the app',
    feature: 'text',
    set: world => world.censor(dcs({ delay: 0.2 })),
    truth: { verdict: 'slow' },
  },
  {
    name: '400 ms more, to the app',
    feature: 'text',
    set: world => world.censor(dcs({ delay: 0.4 })),
    truth: { verdict: 'slow' },
  },
  {
    name: '200 ms more, to everything: the line',
    feature: 'text',
    set: world => world.censor(all({ delay: 0.2 })),
    truth: { verdict: 'ok' },
  },
]

const both =
  (forged: Parameters<typeof forger>[1]) =>
  (query: Buffer): Buffer | null =>
    forger(APP, forged)(query) ?? forger(`web.${APP}`, forged)(query)

/** What befalls transfers: bytes a second as kbit/s are said, and what three pairs should say of it. */
export const transfers: readonly {
  name: string
  set(world: World): Promise<void>
  differs?: 'name'
  answer: 'throttled' | 'same' | 'control_slow'
  mechanism?: Mechanism
}[] = [
  { name: 'nothing', set: world => world.censor({}), answer: 'same' },
  { name: 'held at 256 kbit/s', set: world => world.censor({ file: every({ rate: 32_000 }) }), answer: 'throttled' },
  { name: 'held at 2 Mbit/s', set: world => world.censor({ file: every({ rate: 250_000 }) }), answer: 'throttled' },
  {
    name: 'held at 512 kbit/s by server name',
    set: world => world.censor({ named: every({ when: sni(APP), rate: 64_000 }) }),
    differs: 'name',
    answer: 'throttled',
  },
  {
    name: 'another name is held',
    set: world => world.censor({ named: every({ when: sni('other.test'), rate: 64_000 }) }),
    differs: 'name',
    answer: 'same',
  },
  {
    name: 'frozen after 16 KB',
    set: world => world.censor({ file: every({ freeze: 16_384 }) }),
    answer: 'throttled',
    mechanism: 'freeze',
  },
  {
    name: 'all held at 1 Mbit/s: a slow line',
    set: world => world.censor({ file: every({ rate: 125_000 }), pair: every({ rate: 125_000 }) }),
    answer: 'same',
  },
  {
    name: 'all held at 128 kbit/s: too slow to say',
    set: world => world.censor({ file: every({ rate: 16_000 }), pair: every({ rate: 16_000 }) }),
    answer: 'control_slow',
  },
]
