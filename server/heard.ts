import { CONTROL } from '../measurement/catalogue.ts'
import { DETECTOR_BIN_SECONDS } from '../measurement/windows.ts'
import type { Alive } from './analysis/isolation.ts'
import type { Store } from './store/store.ts'

/**
 * By network: whether agents of others reported in a bin before `until`. It is reports that count, when they came: what
 * was measured then and came when the server was back does not say that the server was there.
 */
export const othersHeard = async (store: Store, from: number, until: number): Promise<(asn: number) => Alive> => {
  const rows = await store.query<{ bin: number; asns: number[] }>(
    `SELECT toUInt32(intDiv(toUnixTimestamp64Milli(arrived), ${DETECTOR_BIN_SECONDS * 1_000}) * ${DETECTOR_BIN_SECONDS}) AS bin,
       groupUniqArray(2)(asn) AS asns
     FROM measurements_raw WHERE app = {control:String} AND arrived >= fromUnixTimestamp({from:UInt32})
       AND trust != 'quarantined' GROUP BY bin`,
    { from, control: CONTROL },
  )
  const heard = new Map(rows.map(({ bin, asns }) => [bin, asns]))
  return asn => at => at < until && (heard.get(at) ?? []).some(other => other !== asn)
}

/** What was silent for so long has ended. */
const LATELY_SECONDS = 8 * 86_400

/** Countries where anybody was heard lately: those to look at after a restart. */
export const countriesHeard = async (store: Store, now: number): Promise<string[]> => {
  const rows = await store.query<{ country: string }>(
    'SELECT DISTINCT country FROM agent_trials WHERE at >= fromUnixTimestamp({from:UInt32})',
    { from: Math.floor(now - LATELY_SECONDS) },
  )
  return rows.map(({ country }) => country)
}
