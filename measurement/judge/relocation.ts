import type { Measurement } from '../measurement.ts'
import { asRatio, type Interval, shiftOf } from './ranks.ts'
import { median } from './statistics.ts'

/**
 * Slower because it is served from farther away: no filter, no loss, no plateau, but a step of the round trip and other
 * addresses. The case of Iran, April 2018 (reference detection.md §0.2, §5.2): servers sent out of the country.
 */

type Served = Measurement['served']

/** One agent's seconds for the app and, in the same round, for its foreign control. */
export type Paired = { app: number; control: number }

export type LatencyStep = {
  /** How many times longer the app takes than before, what befell the control taken out. */
  slower: Interval
  /** Seconds added, likewise. */
  added: Interval
  /** Whether it is a step: beyond chance and large enough to matter. */
  stepped: boolean
}

/** Smallest step that is one (reference §5.4 A, the shift branch's gate on effect). */
const LEAST_STEP = 1.35
/** Samples on each side from which an interval of 95 % exists (exact Mann-Whitney: 4 against 4). */
const LEAST_SAMPLES = 4

/** The step of an app's latency between two spans of time; null where either has fewer than four samples. */
export const latencyStep = (before: readonly Paired[], after: readonly Paired[]): LatencyStep | null => {
  const sound = ({ app, control }: Paired): boolean => app > 0 && control > 0
  const [then, now] = [before.filter(sound), after.filter(sound)]
  if (then.length < LEAST_SAMPLES || now.length < LEAST_SAMPLES) return null
  const ratio = ({ app, control }: Paired): number => Math.log(app / control)
  const slower = asRatio(shiftOf(then.map(ratio), now.map(ratio))!)
  const difference = ({ app, control }: Paired): number => app - control
  const added = shiftOf(then.map(difference), now.map(difference))!
  return { slower, added, stepped: slower.low > 1 && slower.value >= LEAST_STEP && added.low > 0 }
}

/** Where an app is served from, as most answers say. Null: not known, or no place has most of them. */
export type Place = { asn: number | null; country: string | null; floor: number | null }

/** Share of answers that must agree on a place (reference §5.4, as for confirmations). */
const AGREEING = 0.6
const LEAST_ANSWERS = 3

/** What the location data says of an address it does not know. */
const UNKNOWN = { asn: 0, country: 'ZZ' } as const

const most = <T extends string | number>(values: readonly (T | null)[]): T | null => {
  const groups = Map.groupBy(values, value => value)
  const [value, of] = [...groups].reduce((a, b) => (b[1].length > a[1].length ? b : a), [null, []] as [T | null, T[]])
  return of.length >= AGREEING * values.length ? value : null
}

/** The place that served; null of fewer than three answers. */
export const placeOf = (served: readonly Served[]): Place | null => {
  if (served.length < LEAST_ANSWERS) return null
  const floors = served.flatMap(({ rtt_floor }) => rtt_floor ?? [])
  return {
    asn: most(served.map(({ asn }) => (asn === UNKNOWN.asn ? null : asn))),
    country: most(served.map(({ country }) => (country === UNKNOWN.country ? null : country))),
    floor: floors.length > 0 ? median(floors) : null,
  }
}

export type Relocation = {
  from: Place
  to: Place
  /** Seconds the floor of the round trip rose by. */
  farther: number
}

/** What must be known besides where it is served from. */
export type Setting = {
  /** The agents' country. */
  home: string
  step: LatencyStep | null
  /** Whether transfers are held at a rate or packets lost, by paired tests: then it is no mere move. */
  throttled: boolean
}

/**
 * Whether an app moved abroad and is slower for it. Null unless everything points there: served at home before and in
 * another country now (a new address or network alone is a CDN's daily business), a floor of the round trip that rose,
 * so that the address database alone does not decide, latency stepped up against the control's, nothing held back or lost.
 */
export const relocation = (
  before: readonly Served[],
  after: readonly Served[],
  { home, step, throttled }: Setting,
): Relocation | null => {
  const [from, to] = [placeOf(before), placeOf(after)]
  if (from?.country !== home || !to?.country || to.country === home || throttled || !step?.stepped) return null
  if (from.floor === null || to.floor === null || to.floor < LEAST_STEP * from.floor) return null
  return { from, to, farther: to.floor - from.floor }
}
