import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { getRawAsset, isSea } from 'node:sea'
import ipaddr from 'ipaddr.js'
import { open as openMmdb, Reader, type Response } from 'maxmind'
import { parseAddress } from './address.ts'
import { decode, encode, lastNotAfter, type Networks } from './networks.ts'
import { readCsv, readLocationDump } from './ranges.ts'

/** Where addresses are, by databases on this machine; nothing is asked over the network and no address is kept. */
export type Locate = {
  /** ISO 3166 country of an address, ZZ where unknown. */
  country(address: string): string
  /** Number of the network an address is in, 0 where unknown. */
  asn(address: string): number
  /** Name of a network, where the database gives one. */
  networkName(asn: number): string | undefined
  /** The network database: null where none is set. `date` in Unix seconds, null where it gives none. */
  networks: { date: number | null; licence: string } | null
  countries: { date: number; licence: string }
}

/** A network database older than this is said to be old: a tenth of the announced prefixes change hands in a season. */
export const OLD_DATABASE_SECONDS = 60 * 86_400

type CountryRow = Response & { country_code?: string }
type AsnRow = Response & {
  autonomous_system_number?: number
  autonomous_system_organization?: string
}

type AsnSource = Pick<Locate, 'asn' | 'networkName'> & { date: number | null; licence: string }

/** PEYK_ASN_DB is no database; the exit code is then that of a wrong setting. */
class DatabaseError extends Error {
  override name = 'DatabaseError'
  readonly exitCode = 2
}

/** `database` is PEYK_ASN_DB; what is compiled from it is kept in `folder`. Single executables carry databases in themselves. */
export const openLocate = async (folder: string, database: string | null): Promise<Locate> => {
  const countries = isSea()
    ? new Reader<CountryRow>(carried('countries.mmdb'))
    : await openMmdb<CountryRow>(installed())
  const source = database !== null ? await openNetworks(folder, database) : isSea() ? carriedNetworks() : null
  return {
    country: address => ask(countries, address)?.country_code ?? 'ZZ',
    asn: address => source?.asn(address) ?? 0,
    networkName: asn => source?.networkName(asn),
    networks: source && { date: source.date, licence: source.licence },
    countries: {
      date: countries.metadata.buildEpoch.getTime() / 1000,
      licence: '@ip-location-db/geo-whois-asn-country, CC0 1.0',
    },
  }
}

/** What package/build.ts put into the executable, where it lies. */
const carried = (name: string): Buffer => Buffer.from(getRawAsset(name))

const carriedNetworks = (): AsnSource | null => {
  const networks = decode(carried('networks.bin'))
  return networks && fromTable(networks)
}

const installed = (): string => {
  const require = createRequire(import.meta.url)
  return require.resolve('@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb')
}

/** The reader throws on what is no address. */
const ask = <T extends Response>(reader: Reader<T>, address: string): T | null =>
  ipaddr.isValid(address) ? reader.get(ipaddr.process(address).toString()) : null

const openNetworks = async (folder: string, database: string): Promise<AsnSource> => {
  if (!existsSync(database)) throw new DatabaseError(`PEYK_ASN_DB: there is no file ${database}.`)
  try {
    return database.endsWith('.mmdb') ? await fromMmdb(database) : fromTable(await compiled(folder, database))
  } catch (error) {
    if (error instanceof DatabaseError) throw error
    throw new DatabaseError(`PEYK_ASN_DB: ${database} could not be read (${(error as Error).message}).`)
  }
}

const fromMmdb = async (database: string): Promise<AsnSource> => {
  const reader = await openMmdb<AsnRow>(database)
  const names = new Map<number, string>()
  const asn = (address: string): number => {
    const row = ask(reader, address)
    const number = row?.autonomous_system_number ?? 0
    if (number && row?.autonomous_system_organization) names.set(number, row.autonomous_system_organization)
    return number
  }
  const { buildEpoch, databaseType } = reader.metadata
  return {
    asn,
    networkName: number => names.get(number),
    date: buildEpoch.getTime() / 1000,
    licence: databaseType,
  }
}

const fromTable = ({ v4, v6, names, date, licence }: Networks): AsnSource => ({
  asn: text => {
    const address = parseAddress(text)
    if (!address) return 0
    const { starts, asns } = address.family === 4 ? v4 : v6
    return asns[lastNotAfter(starts, address.value)] ?? 0
  },
  networkName: asn => names.get(asn),
  date,
  licence,
})

/** The tables of a text database: from the file compiled before, or compiled now. */
const compiled = async (folder: string, database: string): Promise<Networks> => {
  const { size, mtimeMs } = statSync(database)
  const source = `${database} ${size} ${mtimeMs}`
  const file = join(folder, 'networks.bin')
  const before = existsSync(file) ? decode(readFileSync(file), source) : null
  if (before) return before
  const networks = (await isLocationDump(database)) ? await readLocationDump(database) : await readCsv(database)
  if (networks.v4.starts.length + networks.v6.starts.length === 0) {
    throw new DatabaseError(
      `PEYK_ASN_DB: ${database} holds no networks; give it an .mmdb, the text of \`location dump\`, or the CSV of @ip-location-db/asn.`,
    )
  }
  // A CSV says no date: that of its file is the best there is.
  const dated = { ...networks, date: networks.date ?? Math.floor(mtimeMs / 1000) }
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, encode(dated, source), { mode: 0o600 })
  renameSync(temporary, file)
  return dated
}

const isLocationDump = async (database: string): Promise<boolean> => {
  const handle = await openFile(database)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(200), 0, 200, 0)
    return buffer.subarray(0, bytesRead).toString().includes('Location Database Export')
  } finally {
    await handle.close()
  }
}
