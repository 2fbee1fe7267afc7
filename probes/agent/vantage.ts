import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { Measurement } from '../../measurement/measurement.ts'
import type { Family } from './schedule.ts'

/** Where an agent measures from. Unknown is allowed and said: country ZZ, network 0. */
export type Vantage = Pick<Measurement, 'country' | 'asn' | 'access'>

/** Asked at the start and at the end of every measurement; must be quick, and must never throw. */
export type FindVantage = () => Promise<Vantage>

const UNKNOWN = { country: 'ZZ', asn: 0 }

/**
 * Who am I. `fixed` (PEYK_VANTAGE) stands for labs and for people who know; otherwise country and network are unknown
 * until a public address is found (STUN or a neutral HTTPS echo) and looked up in an offline database, which goes here.
 * An address found stays inside this function.
 */
export const vantageFinder =
  (fixed: { country: string; asn: number } | null): FindVantage =>
  async () => ({ ...(fixed ?? UNKNOWN), access: accessNow() })

/** Names Linux gives to interfaces, by what they are (systemd.net-naming-scheme(7), rmnet: phones). */
const kinds: readonly (readonly [RegExp, Vantage['access']])[] = [
  [/^(tun|tap|wg|ppp|ipsec|utun)/, 'vpn'],
  [/^(wwan|wwp|rmnet|ccmni|usb)/, 'mobile'],
  [/^wl/, 'wifi'],
  [/^(en|eth)/, 'wired'],
]

/** Kind of the interface that holds the IPv4 default route; only Linux tells it in a file. */
const accessNow = (): Vantage['access'] => {
  try {
    const routes = readFileSync('/proc/net/route', 'latin1').split('\n').slice(1)
    const [name = ''] = routes.map(line => line.split('\t')).find(([, destination]) => destination === '00000000') ?? []
    return kinds.find(([pattern]) => pattern.test(name))?.[1] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}

const outside = (): (NetworkInterfaceInfo & { name: string })[] =>
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ internal }) => !internal).map(address => ({ ...address, name })),
  )

/** Families this machine can try: IPv6 only where it has an address of 2000::/3, or on the loopback of a lab. */
export const familiesHere = (loopback: boolean): ReadonlySet<Family> => {
  const global = outside().some(({ family, address }) => family === 'IPv6' && /^[23]/.test(address))
  return new Set<Family>(global || loopback ? ['v4', 'v6'] : ['v4'])
}

/**
 * A name for the network this machine is on now; it changes when the machine moves. IPv6 counts by prefix, because
 * temporary addresses come and go on one network. It stays in memory.
 */
export const networkNow = (): string => {
  const parts = outside().map(({ name, family, address, cidr }) =>
    family === 'IPv6' ? `${name} ${address.split(':').slice(0, 4).join(':')}` : `${name} ${cidr ?? address}`,
  )
  return createHash('sha256')
    .update([...new Set(parts)].sort().join('\n'))
    .digest('hex')
}
