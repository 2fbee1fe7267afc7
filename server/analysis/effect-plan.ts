import type { PolicyEvent } from '../../events/event.ts'
import { concernsApp, concernsCountry, isWithdrawn, NEAR, shownByDefault } from '../../events/select.ts'
import { spanOf, windowsWithin } from '../../events/when.ts'
import type { Range } from '../../events/zone.ts'
import { apps, CONTROL, findApp } from '../../measurement/catalogue.ts'
import type { EffectAnswer, EffectReason } from '../../measurement/effect.ts'
import { type Feature, features } from '../../measurement/target.ts'
import { BEFORE_DAYS, type Window } from './change.ts'

/** What is compared with what for an event: decided from the event and what was measured when, never from what it shows. */

const HOUR = 3_600
const DAY = 86_400
/** Cells of time, and how far to either side placebos are looked for: fine for events of some hours, coarse otherwise. */
const COARSE = { cell: 6 * HOUR, reach: 365 * DAY }
const FINE = { cell: HOUR, reach: 60 * DAY }
/** Placebo onsets lie this far apart (reference detection.md §5.5.4). */
const STRIDE = 6 * HOUR
/** An effect shows in the day after the last instant at which the event may have begun. */
const AFTER = DAY
/** A long event is looked at for four weeks. */
const WHOLE = 28 * DAY
/** Events around an onset from which the chance of coincidence is reckoned. */
const COUNTED = 365 * DAY

/** Of an app in a country: first and last day with results, Unix seconds. */
export type Covered = { app: string; country: string; first: number; last: number }

export type Plan = {
  event: PolicyEvent
  apps: string[]
  features: Feature[]
  countries: string[]
  /** Networks the event names; empty: all of its countries. */
  asns: readonly number[]
  /** Of all cells, Unix seconds [from, to); `from` plus whole cells is the onset. */
  from: number
  to: number
  cell: number
  onset: number
  first: Window
  whole: Window | null
  /** Hours of the week in UTC (0 is Monday 00:00) in which the event is in force; null: all. */
  hours: number[] | null
  /** Cells of onsets, and null for those at which such a window is not quiet: the same onsets for every window. */
  quiet: (window: Window) => (number | null)[]
  /** Apps of a country about which something else was decided in these days: no controls. */
  disturbed: (app: string, country: string) => boolean
  others: string[]
  chance: number
}

export type Lack = { answer: EffectAnswer; reason: EffectReason; apps: string[]; features: Feature[] }

const appsOf = (event: PolicyEvent): string[] =>
  event.apps.includes('*')
    ? apps.map(({ id }) => id).filter(id => id !== CONTROL)
    : event.apps.filter(app => findApp(app))

/** The measured uses it names; what concerns all of an app is looked for in messages. */
const featuresOf = ({ features: named = ['all'] }: PolicyEvent): Feature[] =>
  named.includes('all') ? ['text'] : features.filter(feature => (named as readonly string[]).includes(feature))

/** Instants at which something else began or ended; what is known to the month only has none. */
const instantsOf = (event: PolicyEvent): number[] => {
  const { start, end, vagueStart, vagueEnd } = spanOf(event)
  return [...(vagueStart ? [] : [start.from]), ...(end && !vagueEnd ? [end.to] : [])]
}

export const planOf = (
  event: PolicyEvent,
  events: readonly PolicyEvent[],
  covered: readonly Covered[],
  now: number,
): Plan | Lack => {
  const wanted = { apps: appsOf(event), features: featuresOf(event) }
  const lack = (answer: EffectAnswer, reason: EffectReason): Lack => ({ answer, reason, ...wanted })
  if (isWithdrawn(event)) return lack('no_data', 'withdrawn')
  if (event.apps.length === 0) return lack('no_data', 'no_apps')
  if (wanted.apps.length === 0 || wanted.features.length === 0) return lack('no_data', 'not_measured')
  const { start, end, state, precision } = spanOf(event)
  if (start.from > now) return lack('no_data', 'future')
  const onset = Math.floor(start.from / HOUR) * HOUR
  const begun = precision === 'minute' ? start.from : start.to
  const until = Math.max(
    onset + HOUR,
    Math.ceil(Math.min(begun + AFTER, end?.to ?? Number.POSITIVE_INFINITY) / HOUR) * HOUR,
  )
  const there = covered.filter(
    of =>
      wanted.apps.includes(of.app) &&
      (event.where.countries.length === 0 || event.where.countries.includes(of.country)) &&
      of.first < until &&
      of.last + DAY > onset - BEFORE_DAYS * DAY,
  )
  if (there.length === 0) return lack('no_data', 'nothing_there')
  if (precision === 'month' || precision === 'year') return lack('not_enough', 'start_vague')
  if (now < until) return lack('not_enough', 'running')
  const countries = [...new Set(there.map(({ country }) => country))].sort()
  const measured = { ...wanted, apps: wanted.apps.filter(app => there.some(of => of.app === app)), countries }
  const last = end?.to ?? (state === 'open' ? now : until)
  return { event, ...measured, ...frameOf(event, events, measured, { onset, until, last, now }) }
}

type Times = { onset: number; until: number; last: number; now: number }
type Measured = { apps: readonly string[]; countries: readonly string[] }

const frameOf = (event: PolicyEvent, events: readonly PolicyEvent[], wanted: Measured, times: Times) => {
  const { onset, until, now } = times
  const { cell, reach } = until - onset < COARSE.cell ? FINE : COARSE
  const from = onset - reach
  const to = Math.min(onset + reach, onset + Math.floor((now - onset) / cell) * cell)
  const day = DAY / cell
  const at = (onset - from) / cell
  const window = (end: number): Window => ({ at, day, length: Math.max(1, Math.round((end - onset) / cell)) })
  const wholeEnd = Math.min(times.last, onset + WHOLE, to)
  const shown = events.filter(of => of.id !== event.id && shownByDefault(of))
  const concerned = shown.filter(
    of =>
      wanted.apps.some(app => concernsApp(of, app)) && wanted.countries.some(country => concernsCountry(of, country)),
  )
  const inForce = event.when.windows
  return {
    asns: event.where.asns ?? [],
    ...{ from, to, cell, onset, first: window(until) },
    whole: wholeEnd > until + cell ? window(wholeEnd) : null,
    hours: inForce ? hoursOf(windowsWithin(inForce, { from: onset, to: onset + 7 * DAY })) : null,
    quiet: quietOnsets(event, concerned, { ...times, from, to, cell }),
    disturbed: (app: string, country: string) =>
      [event, ...shown].some(
        of =>
          concernsApp(of, app) &&
          concernsCountry(of, country) &&
          (of === event || instantsOf(of).some(t => t >= onset - BEFORE_DAYS * DAY && t < until)),
      ),
    others: concerned.filter(of => beside(of, { from: onset - DAY, to: until })).map(({ id }) => id),
    chance: chanceOf(event, concerned, onset),
  }
}

const beside = (event: PolicyEvent, { from, to }: Range): boolean => {
  const { start } = spanOf(event)
  return start.from < to && start.to > from
}

/** Hours of the week that the stretches cover for half or more. */
const hoursOf = (stretches: readonly Range[]): number[] => {
  const hours = new Set<number>()
  for (const { from, to } of stretches)
    for (let hour = Math.round(from / HOUR); hour < Math.round(to / HOUR); hour++) hours.add((hour + 3 * 24) % 168)
  return [...hours].sort((a, b) => a - b)
}

/** Cells six hours apart; quiet where no event began or ended, nor was this one in force, from a week before to the window's end. */
const quietOnsets = (
  event: PolicyEvent,
  others: readonly PolicyEvent[],
  { onset, until, from, to, cell }: Times & { from: number; to: number; cell: number },
): Plan['quiet'] => {
  const { end, state } = spanOf(event)
  const over = end?.to ?? (state === 'instant' ? until : Number.POSITIVE_INFINITY)
  const instants = others.flatMap(instantsOf)
  // The same times of day as the onset's, so that a placebo's hours are the event's.
  const first = onset - Math.floor((onset - from) / STRIDE) * STRIDE
  const onsets = Array.from({ length: Math.max(0, Math.ceil((to - first) / STRIDE)) }, (_, i) => first + i * STRIDE)
  return ({ length }) =>
    onsets.map(t => {
      const [first, last] = [t - BEFORE_DAYS * DAY, t + length * cell]
      if (first < from || last > to) return null
      if (last > onset && first < over) return null
      return instants.some(at => at >= first && at < last) ? null : (t - from) / cell
    })
}

/** 1 − e^(−λW): λ from the events of these apps and countries within a year, W from `NEAR` (reference §3.4). */
const chanceOf = (event: PolicyEvent, others: readonly PolicyEvent[], onset: number): number => {
  const close = [event, ...others].filter(of => instantsOf(of)[0] !== undefined)
  const count = close.filter(of => Math.abs(spanOf(of).start.from - onset) <= COUNTED).length
  const rate = count / (2 * COUNTED)
  return 1 - Math.exp(-rate * (NEAR.beforeOnset + NEAR.afterOnset))
}
