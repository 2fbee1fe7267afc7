import { BlockList } from 'node:net'

/**
 * Fingerprints of interference, reference endpoints.md §9 (ooni/blocking-fingerprints, UPB-SysSec/IranconsistenciesData,
 * censoredplanet). Only the id of what matched leaves this file.
 */
const pages: readonly { mark: string; pattern: RegExp }[] = [
  {
    mark: 'ir-iframe-10.10.34',
    pattern: /<iframe[^>]{0,300}\bsrc\s*=\s*["']?https?:\/\/(10\.10\.34\.3[3-6]|\[d0::11\])/i,
  },
  { mark: 'ir-internet.ir', pattern: /\b(internet|peyvandha)\.ir\/[12]-2\b/i },
]

const redirects: readonly { mark: string; pattern: RegExp }[] = [
  { mark: 'ir-redirect-10.10.34', pattern: /^https?:\/\/(10\.10\.34\.3[3-6]|\[d0::11\])/i },
  { mark: 'ir-peyvandha', pattern: /^https?:\/\/([a-z0-9-]+\.)*(peyvandha|internet)\.ir(\/|$)/i },
]

/** Id of the block page an HTTP answer is, if it is a known one. */
export const knownPage = (location: string | undefined, body: string): string | undefined =>
  redirects.find(({ pattern }) => location !== undefined && pattern.test(location))?.mark ??
  pages.find(({ pattern }) => pattern.test(body))?.mark

/** Addresses resolvers are known to be made to answer with; `block` false where it is another page of the same site. */
const answers: readonly { mark: string; block: boolean; addresses: readonly string[] }[] = [
  { mark: 'ir-10.10.34', block: true, addresses: ['10.10.34.33', '10.10.34.34', '10.10.34.35', '10.10.34.36'] },
  // Looks routable, so that no test for special addresses finds it; not in OONI's list.
  {
    mark: 'ir-2001-4188',
    block: true,
    addresses: ['2001:4188:2:600:10:10:34:34', '2001:4188:2:600:10:10:34:35', '2001:4188:2:600:10:10:34:36'],
  },
  { mark: 'ir-d0-11', block: true, addresses: ['d0::11'] },
  { mark: 'safesearch', block: false, addresses: ['216.239.38.120', '2001:4860:4802:32::78'] },
]

const lists = answers.map(({ mark, block, addresses }) => {
  const list = new BlockList()
  for (const address of addresses) list.addAddress(address, address.includes(':') ? 'ipv6' : 'ipv4')
  return { mark, block, list }
})

/** What is known of an address a resolver gave. */
export const knownAnswer = (address: string): { mark: string; block: boolean } | undefined =>
  lists.find(({ list }) => list.check(address, address.includes(':') ? 'ipv6' : 'ipv4'))
