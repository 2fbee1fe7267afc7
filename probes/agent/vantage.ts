import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { Measurement } from '../../measurement/measurement.ts'
import type { Family } from './may-ask.ts'

/** Where an agent measures from. Unknown is allowed and said: country ZZ, network 0. */
export type Vantage = Pick<Measurement, 'country' | 'asn' | 'access'>

/** The network this machine is on, as far as the machine itself can tell. */
export type Line = {
  /** Changes when the machine moves to another network. It stays in memory. */
  name: string
  /** Hardware address of the router, hashed, where the system tells it (Linux): two networks may give out the same addresses. */
  router: string | null
  access: Vantage['access']
  families: ReadonlySet<Family>
}

/** Asked at the start and at the end of every measurement; must be quick, and must never throw. */
export type FindLine = () => Promise<Line>

/** Names systems give to interfaces, by what they are (systemd.net-naming-scheme(7), rmnet: phones, Windows' own words). */
const kinds: readonly (readonly [RegExp, Vantage['access']])[] = [
  [/^(tun|tap|wg|ppp|ipsec|utun|nordlynx|proton)/i, 'vpn'],
  [/^(wwan|wwp|rmnet|ccmni|usb|cellular)/i, 'mobile'],
  [/^(wl|wi-?fi)/i, 'wifi'],
  [/^(en|eth)/i, 'wired'],
]

const accessOf = (name: string): Vantage['access'] => {
  if (process.platform === 'linux' && existsSync(`/sys/class/net/${name}/wireless`)) return 'wifi'
  // A Mac calls its Wi-Fi en0 as well.
  if (process.platform === 'darwin' && /^en/.test(name)) return 'unknown'
  return kinds.find(([pattern]) => pattern.test(name))?.[1] ?? 'unknown'
}

/** Addresses for documentation (RFC 5737, RFC 3849): a route to them is a route to anywhere. Nothing is sent there. */
const ANYWHERE = { udp4: '192.0.2.1', udp6: '2001:db8::1' } as const

/** The address the system would send from: connecting a UDP socket asks its routes, whatever rules it has, and sends nothing. */
const sourceBy = (type: keyof typeof ANYWHERE): Promise<string | null> =>
  new Promise(resolve => {
    const socket = createSocket(type)
    const end = (address: string | null) => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => end(null))
    // Node tells the callback, and nobody else, that it failed; its types do not say so.
    socket.connect(9, ANYWHERE[type], ((error?: Error) => end(error ? null : socket.address().address)) as () => void)
  })

const interfaceOf = (address: string): string =>
  Object.entries(networkInterfaces()).find(([, all]) => all?.some(one => one.address === address))?.[0] ?? ''

/** Temporary IPv6 addresses come and go on one network: its prefix counts. */
const prefix = (address: string): string => (address.includes(':') ? address.split(':').slice(0, 4).join(':') : address)

/** The router of the IPv4 default route; only Linux tells it in files. */
const routerNow = (): string | null => {
  try {
    const routes = readFileSync('/proc/net/route', 'latin1').split('\n').slice(1)
    const [, , hex] = routes.map(line => line.split('\t')).find(([, destination]) => destination === '00000000') ?? []
    const address = Buffer.from(hex ?? '', 'hex')
      .reverse()
      .join('.')
    const known = readFileSync('/proc/net/arp', 'latin1')
      .split('\n')
      .find(line => line.startsWith(`${address} `))
    return known?.match(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/)?.[0] ?? null
  } catch {
    return null
  }
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The line as the system's routes tell it. */
export const lineNow: FindLine = async () => {
  const [v4, v6] = await Promise.all([sourceBy('udp4'), sourceBy('udp6')])
  const parts = [v4, v6].map(address => (address ? `${interfaceOf(address)} ${prefix(address)}` : 'none'))
  const [first = ''] = [v4, v6].flatMap(address => (address ? [interfaceOf(address)] : []))
  const router = routerNow()
  // Global unicast only: unique local addresses lead nowhere.
  const global = v6 !== null && /^[23]/.test(v6)
  return {
    name: hashed(parts.join('\n')),
    router: router && hashed(router),
    access: accessOf(first),
    families: new Set<Family>(global ? ['v4', 'v6'] : ['v4']),
  }
}

/** Families this machine can try; in a lab both, on the loopback. */
export const familiesHere = async (loopback: boolean, line: FindLine = lineNow): Promise<ReadonlySet<Family>> =>
  loopback ? new Set<Family>(['v4', 'v6']) : (await line()).families
