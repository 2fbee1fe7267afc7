import ipaddr from 'ipaddr.js'

/**
 * Whether an address can be a public server's: globally routable unicast (IANA special-purpose registries, RFC 6890).
 * IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) is not: it would reach past the check.
 */
export const isPublicAddress = (address: string): boolean =>
  ipaddr.isValid(address) && ipaddr.parse(address).range() === 'unicast'
