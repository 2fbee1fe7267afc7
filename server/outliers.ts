import { type Outlier, outliersOf } from './analysis/trust.ts'
import { DECIDES, decidingParams } from './rollup.ts'
import type { Store } from './store/store.ts'

/** So far back agents are compared. */
const WEEK_SECONDS = 7 * 86_400

/** Agents of the last week that say otherwise than the others of their network, for the operator to look at. */
export const outliersNow = async (store: Store, now: number): Promise<Outlier[]> =>
  outliersOf(
    await store.query(
      `SELECT agent, asn, sum(agent_windows.attempts) AS tried, tried - sum(agent_windows.answered) AS failed
       FROM agent_windows FINAL
       WHERE at >= fromUnixTimestamp({since:UInt32}) AND asn != 0 AND origin = 'agent' AND ${DECIDES}
       GROUP BY agent, asn HAVING tried > 0`,
      { ...decidingParams, since: Math.floor(now) - WEEK_SECONDS },
    ),
  )
