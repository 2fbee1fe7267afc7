import { ROLLUP_SECONDS } from '../measurement/windows.ts'
import type { Store } from './store/store.ts'
import { type Touched, touch } from './touched.ts'

/**
 * Rows that came by longer ago than this are no news. More than clocks of collectors differ, and than an insert takes
 * after its rows got their time of arrival.
 */
const HORIZON_SECONDS = 300

/**
 * What collectors in other processes stored: the store is asked which windows got rows that count since it was last asked. Rows are
 * counted by window and minute of arrival, so that one whose collector's clock runs behind is seen too.
 */
export class Arrivals {
  readonly #store: Store
  #known = new Map<string, number>()

  constructor(store: Store) {
    this.#store = store
  }

  /** The windows with new rows; `now` in Unix seconds. */
  async touched(now: number): Promise<Touched> {
    const rows = await this.#store.query<{ country: string; asn: number; start: number; minute: number; n: number }>(
      `SELECT country, asn, intDiv(toUnixTimestamp64Milli(at) + toInt64(round(offset * 1000)), ${ROLLUP_SECONDS * 1000}) * ${ROLLUP_SECONDS} AS start,
         intDiv(toUnixTimestamp64Milli(arrived), 60000) AS minute, count() AS n
       FROM measurements_raw WHERE arrived >= fromUnixTimestamp({since:UInt32}) AND trust != 'quarantined'
       GROUP BY country, asn, start, minute`,
      { since: Math.floor(now) - HORIZON_SECONDS },
    )
    const touched: Touched = new Map()
    const known = new Map<string, number>()
    for (const { country, asn, start, minute, n } of rows) {
      const key = `${country} ${asn} ${start} ${minute}`
      // The engine merges doubles away, so a count may fall.
      if (n > (this.#known.get(key) ?? 0)) touch(touched, country, asn, start)
      known.set(key, n)
    }
    this.#known = known
    return touched
  }
}
