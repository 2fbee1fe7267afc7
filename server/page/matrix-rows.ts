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
  /** Apps with a verdict here, in the catalogue's order. */
  apps: string[]
  /** Apps of which too little was measured everywhere here. */
  thin: string[]
  rows: Row[]
  /** Rows that the filter leaves but the fold hides. */
  folded: number
  /** Rows before filter and fold. */
  total: number
  /** What stands down the side: whichever keeps the table readable on a narrow screen. */
  down: 'apps' | 'places'
}

/** Networks shown until a reader asks for all: about one screen, down or across. */
export const FOLD = { down: 12, across: 5 } as const
/** More apps than this do not fit across. */
const APPS_ACROSS = 6
/** Networks across at most, even on request: beyond it a reader filters. */
const MOST_ACROSS = 60

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
    worst: worstOf(cells),
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

/** `overview`: the places are countries, of which each is a line of its own. */
type Wanted = { find: string; all: boolean; nameOf: (country: string) => string; overview: boolean }

export function arrange(
  places: readonly Place[],
  whole: readonly Place[],
  appIds: readonly string[],
  { find, all, nameOf, overview }: Wanted,
): Arranged {
  const both = [...places, ...whole]
  const judged = new Set(both.filter(place => place.verdict !== 'insufficient').map(place => place.app))
  const present = new Set(both.map(place => place.app))
  const ordered = [...appIds.filter(id => present.has(id)), ...[...present].filter(id => !appIds.includes(id)).sort()]
  const apps = judged.size > 0 ? ordered.filter(id => judged.has(id)) : ordered
  const rows = rowsOf(places)
  const found = rows.filter(row => matches(row, find, nameOf(row.country)))
  const down = apps.length > APPS_ACROSS && (!overview || rows.length <= FOLD.across) ? 'apps' : 'places'
  const most = down === 'apps' ? (all ? MOST_ACROSS : FOLD.across) : all ? found.length : FOLD.down
  return {
    apps,
    thin: ordered.filter(id => !apps.includes(id)),
    rows: found.slice(0, most),
    folded: Math.max(0, found.length - most),
    total: rows.length,
    down,
  }
}

const isWhole = (place: Place) => place.asn === undefined
const worstOf = (places: readonly Place[]) => verdicts[Math.max(...places.map(place => rank(place.verdict)))]!

/** Countries in the answer by what is said of each as a whole, those in trouble first, with the number of networks known of each. */
export function countriesOf(places: readonly Place[]): { country: string; worst: Verdict; networks: number }[] {
  return [...grouped(places, place => place.country)]
    .map(([country, own]) => ({
      country,
      worst: worstOf(own.some(isWhole) ? own.filter(isWhole) : own),
      networks: new Set(own.flatMap(place => place.asn ?? [])).size,
    }))
    .sort((a, b) => rank(b.worst) - rank(a.worst) || b.networks - a.networks || a.country.localeCompare(b.country))
}
