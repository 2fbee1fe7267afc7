import ipaddr from 'ipaddr.js'

/** An IP address as numbers: IPv4 as 32 bits; of IPv6 the upper 64, below which no network is told apart. */
export type Address = { family: 4; value: number } | { family: 6; value: bigint }

/** IPv4 addresses inside IPv6 ones (`::ffff:192.0.2.1`) are IPv4. Null for what is no address. */
export const parseAddress = (text: string): Address | null => {
  if (!ipaddr.isValid(text)) return null
  const found = ipaddr.process(text)
  if (found instanceof ipaddr.IPv4) {
    return { family: 4, value: found.octets.reduce((sum, octet) => sum * 256 + octet, 0) }
  }
  return { family: 6, value: found.parts.slice(0, 4).reduce((sum, part) => (sum << 16n) | BigInt(part), 0n) }
}

/** The /24 or /48 around an address, as text that no other network has: a household or a site, never a person. */
export const prefixOf = (text: string): string => {
  const address = parseAddress(text)
  if (!address) return 'unknown'
  return address.family === 4 ? `4:${address.value >>> 8}` : `6:${address.value >> 16n}`
}
