import ipaddr from 'ipaddr.js'

/** All of IPv6 that is allocated for the global internet (RFC 4291 §2.4); special blocks inside it are the library's to know. */
const global6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether an address can be a public server's: globally routable unicast (IANA special-purpose registries, RFC 6890).
 * IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) is not: it would reach past the check.
 */
export const isPublicAddress = (address: string): boolean => {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  return parsed.range() === 'unicast' && (parsed instanceof ipaddr.IPv4 || parsed.match(global6))
}
