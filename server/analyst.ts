import { verdicts } from '../measurement/verdict.ts'
import { flagNetworks } from './analysis/anonymity.ts'
import { judgeTouched } from './analysis/verdicts.ts'
import { agentWindows, rollups, type Touched } from './rollup.ts'
import type { Store } from './store/store.ts'

/**
 * From raw rows to public answers, for the touched windows only: agent windows, verdicts, the anonymity flag, rollups.
 * Idempotent: run again over the same windows it writes the same numbers.
 */
export const settle = async (store: Store, touched: Touched, leastAgents: number, now: number): Promise<void> => {
  if (touched.size === 0) return
  await agentWindows(store, touched)
  const judged = await judgeTouched(store, touched, now)
  await flagNetworks(store, touched, leastAgents)
  await rollups(store, judged, verdicts)
}
