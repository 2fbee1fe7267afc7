import { type Abroad, isDown } from '../measurement/judge/verdict.ts'
import { ABROAD_SHARE } from './analysis/witnesses.ts'
import { DECIDES, decidingParams } from './rollup.ts'
import type { Store } from './store/store.ts'

/** Whether an app that lost reach is down by itself: the rule of verdicts (judge/verdict.ts), over a finding's span. */

export type DownScope = {
  app: string
  feature: string
  networks: readonly number[]
  /** [onset, until), Unix seconds. */
  onset: number
  until: number
}

/** Of what lasts longer the first and the newest day are looked at: an outage need not end when a block that hid behind it does. */
const DAY_SECONDS = 86_400

/** Whether control agents on other networks failed as well. */
export const isDownAbroad = async (store: Store, { onset, until, ...of }: DownScope): Promise<boolean> => {
  const spans: [number, number][] =
    until - onset <= DAY_SECONDS
      ? [[onset, until]]
      : [
          [onset, onset + DAY_SECONDS],
          [until - DAY_SECONDS, until],
        ]
  for (const [from, to] of spans) {
    // Roles of what was measured do not change: rows may be picked before the newest of each is.
    const abroad = await store.query<Omit<Abroad, 'works'> & { works: number }>(
      `SELECT asn, country, sum(answered) > {share:Float64} * sum(attempts) AS works FROM agent_windows FINAL
       PREWHERE at >= fromUnixTimestamp({from:UInt32}) AND at < fromUnixTimestamp({to:UInt32}) AND role = 'control'
         AND app = {app:String} AND feature = {feature:String} AND asn NOT IN {networks:Array(UInt32)}
       WHERE attempts > 0 AND ${DECIDES} GROUP BY asn, country`,
      { ...of, from, to, share: ABROAD_SHARE, ...decidingParams },
    )
    if (!isDown(abroad.map(row => ({ ...row, works: row.works > 0 })))) return false
  }
  return true
}
