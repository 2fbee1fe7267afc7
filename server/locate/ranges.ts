import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parse as parseCsv } from 'csv-parse'
import { parseAddress } from './address.ts'
import { flatten, type Networks, type Range } from './networks.ts'

const TOP64 = 0xffff_ffff_ffff_ffffn

/** What is read of a text database before it is sorted. */
class Gathered {
  readonly v4: Range<number>[] = []
  readonly v6: Range<bigint>[] = []
  readonly names = new Map<number, string>()
  date: number | null = null
  licence = ''

  span(from: string, to: string, asn: number): void {
    const start = parseAddress(from)
    const end = parseAddress(to)
    if (start?.family === 4 && end?.family === 4) this.v4.push({ start: start.value, end: end.value, asn })
    else if (start?.family === 6 && end?.family === 6) this.v6.push({ start: start.value, end: end.value, asn })
  }

  prefix(text: string, asn: number): void {
    const [address = '', length = ''] = text.split('/')
    const bits = Number(length)
    const start = parseAddress(address)
    if (start?.family === 4) this.v4.push({ start: start.value, end: start.value + 2 ** (32 - bits) - 1, asn })
    // Networks smaller than a /64 are nobody's to route.
    else if (start && bits <= 64) this.v6.push({ start: start.value, end: start.value + (TOP64 >> BigInt(bits)), asn })
  }

  networks(): Networks {
    const v4 = flatten(this.v4, value => (value === 2 ** 32 - 1 ? value : value + 1))
    const v6 = flatten(this.v6, value => (value === TOP64 ? value : value + 1n))
    return {
      v4: { starts: Uint32Array.from(v4.starts), asns: Uint32Array.from(v4.asns) },
      v6: { starts: BigUint64Array.from(v6.starts), asns: Uint32Array.from(v6.asns) },
      names: this.names,
      date: this.date,
      licence: this.licence,
    }
  }
}

/**
 * The text that Debian's `location dump` prints: stanzas of `key: value`, first the networks' names (`aut-num: AS3`,
 * `name: …`), then prefixes (`net:`, `aut-num: 3`). A prefix without a number is an allocation, routed by what is around it.
 */
export const readLocationDump = async (file: string): Promise<Networks> => {
  const gathered = new Gathered()
  let stanza: Record<string, string> = {}
  const end = (): void => {
    const { net, name, 'aut-num': number = '' } = stanza
    const asn = Number(number.replace(/^AS/, ''))
    if (net && asn) gathered.prefix(net, asn)
    else if (name && asn) gathered.names.set(asn, name)
    stanza = {}
  }
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') end()
    else if (line.startsWith('#')) comment(line, gathered)
    else {
      const colon = line.indexOf(': ')
      if (colon > 0) stanza[line.slice(0, colon)] = line.slice(colon + 1).trim()
    }
  }
  end()
  return gathered.networks()
}

const comment = (line: string, gathered: Gathered): void => {
  const [, key, value = ''] = /^# (Generated|License): +(.+)$/.exec(line) ?? []
  if (key === 'Generated') gathered.date = Date.parse(value) / 1000 || null
  if (key === 'License') gathered.licence = `libloc database of the IPFire project, ${value.trim()}`
}

/** CSV of @ip-location-db/asn: first address, last address, number, name. */
export const readCsv = async (file: string): Promise<Networks> => {
  const gathered = new Gathered()
  gathered.licence = '@ip-location-db/asn, CC BY 4.0'
  const rows = createReadStream(file).pipe(parseCsv({ relax_column_count: true }))
  for await (const [from, to, number, name] of rows as AsyncIterable<string[]>) {
    const asn = Number(number)
    if (!from || !to || !Number.isInteger(asn)) continue
    gathered.span(from, to, asn)
    if (name) gathered.names.set(asn, name)
  }
  return gathered.networks()
}
