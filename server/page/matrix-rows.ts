import type { Place } from '../../measurement/answers.ts'
import { type Verdict, verdicts } from '../../measurement/verdict.ts'

/** One line of the matrix: a network, or a whole country where `asn` is absent. */
export type Row = {
  key: string
  country: string
  asn: number | undefined
  name: string | undefined
  /** By app. */
  cells: ReadonlyMap<string, Place>
  worst: Verdict
  agents: number
  /** Neutral controls fail too, so no app can be judged from here. */
  lineDown: boolean
}

export type Arranged = {
  /** Ids of the apps with data here, in the catalogue's order. */
  columns: string[]
  rows: Row[]
  /** Rows that the filter leaves but the fold hides. */
  folded: number
  /** Rows before filter and fold. */
  total: number
}

/** Rows shown before a reader asks for all: about one screen. */
export const FOLD = 12

const rank = (verdict: Verdict) => verdicts.indexOf(verdict)

/** The worst first; then what troubles more apps; then where more agents stand behind it. */
function byTrouble(a: Row, b: Row): number {
  const sum = (row: Row) => [...row.cells.values()].reduce((total, cell) => total + rank(cell.verdict), 0)
  return rank(b.worst) - rank(a.worst) || sum(b) - sum(a) || b.agents - a.agents || a.key.localeCompare(b.key)
}

const keyOf = ({ country, asn }: Pick<Place, 'country' | 'asn'>) => (asn === undefined ? country : `${country}:${asn}`)

/** Map.groupBy, which browsers of before 2024 lack. */
function grouped<T>(list: readonly T[], keyFor: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of list) {
    const key = keyFor(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

/** Every place once, its apps beside one another, worst first. */
export function rowsOf(places: readonly Place[]): Row[] {
  return [...grouped(places, keyOf)].map(([key, cells]) => rowOf(key, cells)).sort(byTrouble)
}

function rowOf(key: string, cells: readonly Place[]): Row {
  const { country, asn, network } = cells[0]!
  const judged = cells.filter(cell => cell.verdict !== 'insufficient')
  return {
    key,
    country,
    asn,
    name: network,
    cells: new Map(cells.map(cell => [cell.app, cell])),
    worst: verdicts[Math.max(...cells.map(cell => rank(cell.verdict)))]!,
    agents: Math.max(...cells.map(cell => cell.agents)),
    lineDown: judged.length > 0 && judged.every(cell => cell.verdict === 'network_down'),
  }
}

/** Folds case and the two forms of Persian ye and kaf, and drops the zero-width non-joiner. */
const folded = (text: string) => text.toLowerCase().replaceAll('ي', 'ی').replaceAll('ك', 'ک').replaceAll('\u200c', '')

export function matches(row: Pick<Row, 'asn' | 'name' | 'country'>, find: string, countryName: string): boolean {
  const wanted = folded(find.trim())
  const text = folded(`${row.name ?? ''} as${row.asn ?? ''} ${row.country} ${countryName}`)
  return wanted.split(/\s+/).every(word => text.includes(word))
}

export function arrange(
  places: readonly Place[],
  appIds: readonly string[],
  { find, all, nameOf }: { find: string; all: boolean; nameOf: (country: string) => string },
): Arranged {
  const present = new Set(places.map(place => place.app))
  const rows = rowsOf(places)
  const found = rows.filter(row => matches(row, find, nameOf(row.country)))
  const shown = all ? found : found.slice(0, FOLD)
  return {
    columns: [...appIds.filter(id => present.has(id)), ...[...present].filter(id => !appIds.includes(id)).sort()],
    rows: shown,
    folded: found.length - shown.length,
    total: rows.length,
  }
}

/** Countries in the answer, those in trouble first, with the number of networks known of each. */
export function countriesOf(places: readonly Place[]): { country: string; worst: Verdict; networks: number }[] {
  return [...grouped(places, place => place.country)]
    .map(([country, own]) => ({
      country,
      worst: verdicts[Math.max(...own.map(place => rank(place.verdict)))]!,
      networks: new Set(own.flatMap(place => place.asn ?? [])).size,
    }))
    .sort((a, b) => rank(b.worst) - rank(a.worst) || b.networks - a.networks || a.country.localeCompare(b.country))
}
