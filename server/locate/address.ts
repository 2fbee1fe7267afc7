import { isIPv6 } from 'node:net'

/** An IP address as numbers: IPv4 as 32 bits; of IPv6 the upper 64, below which no network is told apart. */
export type Address = { family: 4; value: number } | { family: 6; value: bigint }

const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/

const parseV4 = (text: string): number | null => {
  const parts = v4.exec(text)?.slice(1).map(Number)
  if (!parts || parts.some(part => part > 255)) return null
  return ((parts[0]! << 24) | (parts[1]! << 16) | (parts[2]! << 8) | parts[3]!) >>> 0
}

/** The eight groups of an IPv6 address, its `::` filled in. */
const groups = (text: string): number[] => {
  const [head = '', tail] = text.split('::')
  const read = (part: string): number[] => (part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16)))
  const left = read(head)
  const right = tail === undefined ? [] : read(tail)
  return [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right]
}

/** IPv4 addresses inside IPv6 ones (`::ffff:192.0.2.1`) are IPv4. */
export const parseAddress = (text: string): Address | null => {
  const inner = v4.test(text) ? text : /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1]
  if (inner) {
    const value = parseV4(inner)
    return value === null ? null : { family: 4, value }
  }
  if (!isIPv6(text) || text.includes('.') || text.includes('%')) return null
  const found = groups(text)
  return { family: 6, value: found.slice(0, 4).reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) }
}

/** The /24 or /48 around an address, as text that no other network has: a household or a site, never a person. */
export const prefixOf = (text: string): string => {
  const address = parseAddress(text)
  if (!address) return 'unknown'
  return address.family === 4 ? `4:${address.value >>> 8}` : `6:${address.value >> 16n}`
}
