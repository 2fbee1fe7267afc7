import { SettingsError } from '../measurement/settings.ts'
import { Facts } from './facts.ts'
import type { Store } from './store/store.ts'

/** What agents of a store are: volunteers, or those of a laboratory. A store holds one or the other, for good. */
export type AgentOrigin = 'agent' | 'simulated'

/** Labels that every series made from such a store bears beside those of the metric table. */
export const labelsOf = (origin: AgentOrigin): Readonly<Record<string, string>> =>
  origin === 'simulated' ? { origin } : {}

/**
 * Keeps simulated and measured rows apart, since nobody could tell them later where they are counted together: a store is
 * marked before its first simulated row, and takes no others. `wanted` null takes what there is. Throws `SettingsError`.
 */
export const claimOrigin = async (store: Store, wanted: AgentOrigin | null): Promise<AgentOrigin> => {
  const facts = await Facts.open(store)
  const shelf = facts.of<{ origin: AgentOrigin }>('store')
  const found = shelf.get('origin')?.origin ?? 'agent'
  if (wanted === null || wanted === found) return found
  if (wanted === 'agent')
    throw new SettingsError('PEYK_DATA holds simulated data; name another folder for measurements.')
  const rows = await store.query('SELECT 1 FROM measurements_raw LIMIT 1', {})
  if (rows.length > 0) throw new SettingsError('PEYK_DATA holds measurements; name an empty folder for simulated data.')
  await facts.put(shelf.entry('origin', { origin: wanted }))
  return wanted
}
