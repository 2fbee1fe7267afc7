import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { prefixOf } from '../../server/locate/address.ts'
import { openLocate } from '../../server/locate/locate.ts'
import { flatten, lastNotAfter } from '../../server/locate/networks.ts'
import { warningsOf } from '../../server/routes/health.ts'

/** In the format of Debian's `location dump`, with addresses and numbers reserved for documentation. */
const DUMP = `#
# Location Database Export
#
# Generated: Sat, 29 Oct 2022 05:59:54 GMT
# Vendor:    IPFire Project
# License:   CC BY-SA 4.0
#

aut-num:                 AS64496
name:                    EXAMPLE-ONE

aut-num:                 AS64497
name:                    EXAMPLE-TWO

net:                     192.0.2.0/24
country:                 KE
aut-num:                 64496

net:                     192.0.2.64/26
country:                 KE

net:                     192.0.2.128/25
country:                 KE
aut-num:                 64497

net:                     2001:db8::/32
country:                 KE
aut-num:                 64496

net:                     2001:db8:1::/48
country:                 KE
aut-num:                 64497
is-anycast:              yes
`

const folder = () => mkdtempSync(join(tmpdir(), 'peyk-'))
const write = (name: string, text: string): string => {
  const file = join(folder(), name)
  writeFileSync(file, text)
  return file
}

const expected: [string, number][] = [
  ['192.0.1.255', 0],
  ['192.0.2.0', 64496],
  ['192.0.2.65', 64496],
  ['192.0.2.127', 64496],
  ['192.0.2.128', 64497],
  ['192.0.2.255', 64497],
  ['192.0.3.0', 0],
  ['::ffff:192.0.2.200', 64497],
  ['2001:db8::1', 64496],
  ['2001:db8:1:ffff::1', 64497],
  ['2001:db8:2::1', 64496],
  ['2001:db9::1', 0],
  ['not an address', 0],
]

test('the text of `location dump`: the innermost announced network wins, allocations belong to what is around them', async () => {
  const data = folder()
  const file = write('dump.txt', DUMP)
  for (const round of ['compiled', 'read again']) {
    const locate = await openLocate(data, file)
    for (const [address, asn] of expected) expect(locate.asn(address), `${round}: ${address}`).toBe(asn)
    expect(locate.networkName(64497)).toBe('EXAMPLE-TWO')
    expect(locate.networks).toEqual({
      date: Date.parse('2022-10-29T05:59:54Z') / 1000,
      licence: 'libloc database of the IPFire project, CC BY-SA 4.0',
    })
  }
})

test('the compiled table is used while its source stays, and made anew when it changes', async () => {
  const data = folder()
  const file = write('dump.txt', DUMP)
  await openLocate(data, file)
  const made = statSync(join(data, 'networks.bin')).mtimeMs
  await openLocate(data, file)
  expect(statSync(join(data, 'networks.bin')).mtimeMs).toBe(made)
  writeFileSync(file, DUMP.replaceAll('64497', '64511'))
  expect((await openLocate(data, file)).asn('192.0.2.200')).toBe(64511)
  // A table cut short by a full disk is not believed.
  writeFileSync(join(data, 'networks.bin'), readFileSync(join(data, 'networks.bin')).subarray(0, -4))
  expect((await openLocate(data, file)).asn('192.0.2.200')).toBe(64511)
})

test('the CSV of @ip-location-db/asn', async () => {
  const csv =
    '192.0.2.0,192.0.2.127,64496,"Example, One"\n192.0.2.128,192.0.2.255,64497,Two\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64496,One\n'
  const locate = await openLocate(folder(), write('asn.csv', csv))
  expect(locate.asn('192.0.2.200')).toBe(64497)
  expect(locate.asn('2001:db8:2::1')).toBe(64496)
  expect(locate.networkName(64496)).toBe('One')
})

test.each([
  ['a file that is not there', () => join(folder(), 'none.mmdb'), /PEYK_ASN_DB: there is no file .*none\.mmdb/],
  [
    'a file that holds no networks',
    () => write('notes.txt', 'hello\n'),
    /PEYK_ASN_DB: .* holds no networks; give it an \.mmdb/,
  ],
  ['an mmdb that is none', () => write('bad.mmdb', 'hello'), /PEYK_ASN_DB: .*bad\.mmdb could not be read/],
])('%s is refused by name', async (_, file, message) => {
  await expect(openLocate(folder(), file())).rejects.toThrow(message)
})

test('without a database networks are unknown and countries are not; an old one warns', async () => {
  const locate = await openLocate(folder(), null)
  expect(locate.asn('8.8.8.8')).toBe(0)
  expect(locate.networks).toBeNull()
  expect(locate.country('196.201.214.1')).toBe('KE')
  expect(locate.country('::ffff:196.201.214.1')).toBe('KE')
  expect(locate.country('127.0.0.1')).toBe('ZZ')
  expect(locate.country('nonsense')).toBe('ZZ')
  const old = { ...locate, networks: { date: 1_000_000, licence: '' } }
  expect(warningsOf(old, 1_000_000 + 59 * 86_400)).toEqual([])
  expect(warningsOf(old, 1_000_000 + 61 * 86_400)).toEqual([
    expect.stringMatching('database is of 1970-01-12: replace'),
  ])
})

test('flattened spans answer like the narrowest of all nested ranges that hold the address', () => {
  const prefix = fc.record({
    bits: fc.integer({ min: 0, max: 8 }),
    at: fc.nat(255),
    asn: fc.integer({ min: 1, max: 5 }),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(prefix, { maxLength: 30, selector: ({ bits, at }) => `${bits} ${at >> (8 - bits)}` }),
      nets => {
        const ranges = nets.map(({ bits, at, asn }) => {
          const start = (at >> (8 - bits)) << (8 - bits)
          return { start, end: start + 2 ** (8 - bits) - 1, asn }
        })
        const { starts, asns } = flatten([...ranges], value => (value === 255 ? value : value + 1))
        for (let address = 0; address < 256; address++) {
          const holding = ranges.filter(({ start, end }) => start <= address && address <= end)
          const narrowest = holding.sort((a, b) => a.end - a.start - (b.end - b.start))[0]
          expect(asns[lastNotAfter(Uint32Array.from(starts), address)] ?? 0).toBe(narrowest?.asn ?? 0)
        }
      },
    ),
  )
})

test('neighbours share a prefix, others do not', () => {
  expect(prefixOf('192.0.2.1')).toBe(prefixOf('::ffff:192.0.2.200'))
  expect(prefixOf('192.0.2.1')).not.toBe(prefixOf('192.0.3.1'))
  expect(prefixOf('2001:db8:1:2::1')).toBe(prefixOf('2001:db8:1:ffff::9'))
  expect(prefixOf('2001:db8:1::1')).not.toBe(prefixOf('2001:db8:2::1'))
})
