import { verdicts } from '../measurement/verdict.ts'
import { flagNetworks } from './analysis/anonymity.ts'
import { judgeTouched } from './analysis/verdicts.ts'
import { type Change, type DetectOptions, detect } from './findings.ts'
import { agentWindows, rollups, type Touched } from './rollup.ts'
import type { Store } from './store/store.ts'

export type SettleOptions = DetectOptions & { leastAgents: number }

/**
 * From raw rows to public answers, for the touched windows only: agent windows, verdicts, the anonymity flag, rollups,
 * degradations. Idempotent: run again over the same windows it writes the same numbers. Gives how degradations changed.
 */
export const settle = async (store: Store, touched: Touched, options: SettleOptions): Promise<Change[]> => {
  if (touched.size === 0) return []
  await agentWindows(store, touched)
  const judged = await judgeTouched(store, touched, options.now)
  await flagNetworks(store, touched, options.leastAgents)
  await rollups(store, judged, verdicts)
  return await detect(store, touched, options)
}
