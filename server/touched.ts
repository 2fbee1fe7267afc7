import type { Stored } from '../measurement/measurement.ts'
import { ROLLUP_SECONDS, windowStart } from '../measurement/windows.ts'
import type { Params } from './store/store.ts'

/** Windows (starts, Unix seconds) that new rows fell into, by network. A network is `country asn`. */
export type Touched = Map<string, Set<number>>

export const touch = (touched: Touched, country: string, asn: number, placed: number): void => {
  const network = `${country} ${asn}`
  const windows = touched.get(network)
  if (windows) windows.add(windowStart(placed))
  else touched.set(network, new Set([windowStart(placed)]))
}

export const touchAll = (touched: Touched, more: Touched): void => {
  for (const [network, windows] of more) touched.set(network, windows.union(touched.get(network) ?? new Set()))
}

/** By country and network, the first window that changed; windows of the future are left alone. */
export const changedFrom = (touched: Touched, now: number): Map<string, Map<number, number>> => {
  const countries = new Map<string, Map<number, number>>()
  for (const [network, windows] of touched) {
    const [country = '', asn = ''] = network.split(' ')
    const known = countries.get(country) ?? countries.set(country, new Map()).get(country)!
    let first = Number.POSITIVE_INFINITY
    for (const at of windows) if (at <= now && at < first) first = at
    if (first < Number.POSITIVE_INFINITY) known.set(Number(asn), first)
  }
  return countries
}

/** The windows of these rows that count for something, by the same rounding as the store's `placed`. */
export const touchedBy = (rows: readonly Stored[]): Touched => {
  const touched: Touched = new Map()
  for (const { country, asn, at, offset, trust } of rows) {
    if (trust === 'quarantined') continue
    touch(touched, country, asn, (Math.round(at * 1000) + Math.round(offset * 1000)) / 1000)
  }
  return touched
}

/** Windows per statement: bounds the size of its parameters. */
const CHUNK = 4_000

export function* chunksOf(touched: Touched, most: number = CHUNK): Generator<Params> {
  let networks: { country: string; asn: number; at: number }[] = []
  const params = (): Params => ({
    countries: networks.map(({ country }) => country),
    asns: networks.map(({ asn }) => asn),
    starts: networks.map(({ at }) => at),
    from: Math.min(...networks.map(({ at }) => at)),
    to: Math.max(...networks.map(({ at }) => at)) + ROLLUP_SECONDS,
  })
  for (const [network, windows] of touched) {
    const [country = '', asn = ''] = network.split(' ')
    for (const at of windows) {
      networks.push({ country, asn: Number(asn), at })
      if (networks.length < most) continue
      yield params()
      networks = []
    }
  }
  if (networks.length > 0) yield params()
}

/** The touched (country, asn, start) of a chunk, as a set SQL can look into. */
export const TOUCHED = `(SELECT t.1, t.2, t.3 FROM (SELECT arrayJoin(arrayZip(
  {countries:Array(String)}, {asns:Array(UInt32)}, {starts:Array(UInt32)})) AS t))`
