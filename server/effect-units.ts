import type { Source } from '../measurement/answers.ts'
import { CONTROL } from '../measurement/catalogue.ts'
import { PUBLIC } from './analysis/anonymity.ts'
import type { Unit } from './analysis/change.ts'
import type { Series } from './analysis/effect.ts'
import type { Covered, Plan } from './analysis/effect-plan.ts'
import type { Params, Store } from './store/store.ts'
import { TOTAL } from './trials.ts'

/** Public rollups as the series that an event's effect is reckoned from: one a network and measure, in cells. */

/** Networks kept of each group, those the event names and then the most measured: more add little, and cost. */
const MOST_UNITS = 40

export const coverage = (store: Store): Promise<Covered[]> =>
  store.query<Covered>(
    `SELECT app, country, toUnixTimestamp(min(at)) AS first, toUnixTimestamp(max(at)) AS last FROM rollups FINAL
     WHERE level = 86400 AND agents > 0 AND app != {control:String} GROUP BY app, country ORDER BY app, country`,
    { control: CONTROL },
  )

type Row = {
  group: Series['group']
  app: string
  country: string
  asn: number
  origins: Source['origin'][]
  cells: number[]
  hours: number[]
  reached: number[]
  timed: number[]
  logs: number[]
  squares: number[]
  moved: number[]
  moves: number[]
  moveSquares: number[]
  days: number[]
  voters: number[]
}

/**
 * Seconds to an answer are compared only where they are made of the same operations: of what is cut off after the
 * connection only the connection is timed, which would read as faster.
 */
const HOURS = `SELECT app, country, asn, origins, toUnixTimestamp(at) AS start, agents, reachability, ${TOTAL('seconds')} AS total,
    seconds['transfer'] AS transfer, arraySort(arrayFilter(o -> o NOT IN ('resolve', 'transfer'), mapKeys(seconds))) AS operations,
    multiIf(app IN {apps:Array(String)} AND country IN {countries:Array(String)}, 'own', country IN {countries:Array(String)}, 'apps', 'countries') AS group
  FROM rollups FINAL
  WHERE level = 3600 AND rollups.at >= fromUnixTimestamp({from:UInt32}) AND rollups.at < fromUnixTimestamp({to:UInt32})
    AND agents > 0 AND reachability IS NOT NULL AND app != {control:String}
    AND (app IN {apps:Array(String)} OR country IN {countries:Array(String)})
    AND feature IN if(app IN {apps:Array(String)}, {features:Array(String)}, ['text'])
    AND (empty({hours:Array(UInt32)}) OR ((toDayOfWeek(rollups.at) - 1) * 24 + toHour(rollups.at)) IN {hours:Array(UInt32)}) AND ${PUBLIC}`

const UNITS = `WITH hourly AS (${HOURS}),
usual AS (SELECT app, country, asn, topKIf(1)(operations, total > 0)[1] AS operations FROM hourly GROUP BY app, country, asn),
cells AS (
  SELECT group, app, country, asn, toUInt32(intDiv(start - {from:UInt32}, {cell:UInt32})) AS at, groupUniqArrayArray(origins) AS origins,
    sum(agents) AS hours, sum(agents * reachability) AS reached,
    sumIf(agents, total > 0 AND hourly.operations = usual.operations) AS timed,
    sumIf(agents * log(total), total > 0 AND hourly.operations = usual.operations) AS logs,
    sumIf(agents * pow(log(total), 2), total > 0 AND hourly.operations = usual.operations) AS squares,
    sumIf(agents, transfer > 0) AS moved, sumIf(-agents * log(transfer), transfer > 0) AS moves,
    sumIf(agents * pow(log(transfer), 2), transfer > 0) AS moveSquares
  FROM hourly JOIN usual USING (app, country, asn) GROUP BY group, app, country, asn, at
), series AS (
  SELECT group, app, country, asn, groupUniqArrayArray(origins) AS origins, groupArray(at) AS cells, groupArray(cells.hours) AS hours,
    groupArray(cells.reached) AS reached, groupArray(cells.timed) AS timed, groupArray(cells.logs) AS logs,
    groupArray(cells.squares) AS squares, groupArray(cells.moved) AS moved, groupArray(cells.moves) AS moves,
    groupArray(cells.moveSquares) AS moveSquares, sum(cells.hours) AS size
  FROM cells GROUP BY group, app, country, asn ORDER BY asn IN {asns:Array(UInt32)} DESC, size DESC, app, country, asn
    LIMIT ${MOST_UNITS} BY group
)
SELECT series.*, days, voters FROM series LEFT JOIN (
  SELECT app, country, asn, groupArray(toUnixTimestamp(day)) AS days, groupArray(agents) AS voters FROM (
    SELECT app, country, asn, at AS day, sum(agents) AS agents FROM rollups FINAL
    WHERE level = 86400 AND feature IN if(app IN {apps:Array(String)}, {features:Array(String)}, ['text'])
      AND rollups.at >= fromUnixTimestamp({from:UInt32}) AND rollups.at < fromUnixTimestamp({to:UInt32}) AND ${PUBLIC}
    GROUP BY app, country, asn, rollups.at)
  GROUP BY app, country, asn
) AS daily USING (app, country, asn) ORDER BY size DESC, app, country, asn`

export type Read = { series: Series[]; origins: Set<Source['origin']> }

export const readSeries = async (store: Store, plan: Plan): Promise<Read> => {
  const { apps, features, countries, asns, hours, from, to, cell } = plan
  const params: Params = { apps, features, countries, asns, from, to, cell, hours: hours ?? [], control: CONTROL }
  const rows = await store.query<Row>(UNITS, params)
  return { series: rows.map(row => seriesOf(row, plan)), origins: new Set(rows.flatMap(({ origins }) => origins)) }
}

const seriesOf = (row: Row, { from, to, cell }: Plan): Series => {
  const { group, app, country, asn, cells } = row
  const length = Math.ceil((to - from) / cell)
  const running = (values: readonly number[]): Float64Array => {
    const sums = new Float64Array(length + 1)
    for (const [i, at] of cells.entries()) sums[at + 1]! += values[i]!
    for (let i = 0; i < length; i++) sums[i + 1]! += sums[i]!
    return sums
  }
  const byDay = new Map(row.days.map((day, i) => [day / 86_400, row.voters[i]!]))
  const voters = (first: number, last: number): number => {
    let sum = 0
    const end = Math.ceil((from + last * cell) / 86_400)
    for (let day = Math.floor((from + first * cell) / 86_400); day < end; day++) sum += byDay.get(day) ?? 0
    return sum
  }
  const unit = (weight: number[], sum: number[], squares: number[]): Unit => ({
    ...{ app, country, asn, voters },
    ...{ weight: running(weight), sum: running(sum), squares: running(squares) },
  })
  return {
    ...{ group, app, country, asn },
    measures: {
      reachability: unit(row.hours, row.reached, row.reached),
      latency: unit(row.timed, row.logs, row.squares),
      throughput: unit(row.moved, row.moves, row.moveSquares),
    },
  }
}
