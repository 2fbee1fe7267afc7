import { BlockList, isIP } from 'node:net'

/**
 * Address blocks that are not globally routable unicast: IANA's special-purpose registries (RFC 6890, as updated by
 * RFC 8190 and 9637), multicast and what is not allocated. Blocks that carry an IPv4 address inside (mapped, NAT64,
 * 6to4, Teredo) are refused whole, so that no private address can hide in one.
 */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
] as const

/** Within 2000::/3; everything outside it is special or not allocated (RFC 4291). */
const special6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'] as const

const blockList = (type: 'ipv4' | 'ipv6', blocks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const block of blocks) {
    const [net, prefix] = block.split('/') as [string, string]
    list.addSubnet(net, Number(prefix), type)
  }
  return list
}

const refused4 = blockList('ipv4', special4)
const refused6 = blockList('ipv6', special6)
const global6 = blockList('ipv6', ['2000::/3'])
const loopback4 = blockList('ipv4', ['127.0.0.0/8'])

/** Whether an IP address is globally routable unicast. Scoped addresses (`%eth0`) and names are not. */
const isPublic = (address: string): boolean => {
  const version = isIP(address)
  if (version === 4) return !refused4.check(address, 'ipv4')
  if (version === 6) return !address.includes('%') && global6.check(address, 'ipv6') && !refused6.check(address, 'ipv6')
  return false
}

const isLoopback = (address: string): boolean =>
  address === '::1' || (isIP(address) === 4 && loopback4.check(address, 'ipv4'))

/** Which addresses a target may connect to (`Target.address`). */
export type AddressRule = 'public' | 'loopback'

export const mayConnect = (address: string, rule: AddressRule): boolean =>
  rule === 'loopback' ? isLoopback(address) : isPublic(address)
