import { insideWindows } from '../../events/when.ts'
import { wallClock } from '../../events/zone.ts'
import type { Recurrence } from '../../measurement/verdict.ts'
import { HIT, type Trial } from './trial.ts'

/** Weekly recurring windows (exam hours, curfews) in the failures of a series. */

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
/** Evidence that hours matter: the log likelihood ratio over one constant share must exceed the alarm's threshold. */
const EVIDENCE = 9
/** Outside its windows a recurring degradation must leave the app working this often, or it is not recurring but lasting. */
const WORKS_OUTSIDE = 0.8
/** It must have come on as many different days to be called recurring. */
const LEAST_DAYS = 3

/** Zones of countries with several: the one most people live in. Others have one zone, or the first that Intl names. */
const capitalZones: Readonly<Record<string, string>> = {
  RU: 'Europe/Moscow',
  US: 'America/New_York',
  BR: 'America/Sao_Paulo',
  CN: 'Asia/Shanghai',
  ID: 'Asia/Jakarta',
  KZ: 'Asia/Almaty',
  UA: 'Europe/Kyiv',
  CD: 'Africa/Kinshasa',
  ES: 'Europe/Madrid',
  AU: 'Australia/Sydney',
  CA: 'America/Toronto',
  MX: 'America/Mexico_City',
  MN: 'Asia/Ulaanbaatar',
  PT: 'Europe/Lisbon',
  UZ: 'Asia/Tashkent',
}

export const zoneOf = (country: string): string =>
  capitalZones[country] ??
  (
    new Intl.Locale(`und-${country}`) as Intl.Locale & { getTimeZones?: () => string[] | undefined }
  ).getTimeZones?.()?.[0] ??
  'UTC'

type Tally = { tried: number; failed: number }

const add = (tallies: Tally[], at: number, share: number): void => {
  tallies[at]!.tried++
  tallies[at]!.failed += share
}

/** Log likelihood of the best constant share. */
const likelihood = ({ tried, failed }: Tally): number => {
  if (tried === 0) return 0
  const share = Math.min(1 - 1e-3, Math.max(1e-3, failed / tried))
  return failed * Math.log(share) + (tried - failed) * Math.log(1 - share)
}

const sum = (tallies: readonly Tally[]): Tally =>
  tallies.reduce((a, b) => ({ tried: a.tried + b.tried, failed: a.failed + b.failed }), { tried: 0, failed: 0 })

/**
 * Split cells (hours of the day, days of the week) in two by their share of failures, so that two constant shares
 * explain most. Returns which cells are the failing ones and what the split gains over one share, in log likelihood.
 */
const split = (cells: readonly Tally[]): { inside: boolean[]; gain: number } => {
  const order = cells.map((cell, at) => ({ cell, at })).filter(({ cell }) => cell.tried > 0)
  order.sort((a, b) => b.cell.failed / b.cell.tried - a.cell.failed / a.cell.tried)
  const whole = likelihood(sum(cells))
  let best = { cut: 0, gain: 0 }
  for (let cut = 1; cut < order.length; cut++) {
    const gain =
      likelihood(sum(order.slice(0, cut).map(({ cell }) => cell))) +
      likelihood(sum(order.slice(cut).map(({ cell }) => cell))) -
      whole
    if (gain > best.gain) best = { cut, gain }
  }
  const failing = new Set(order.slice(0, best.cut).map(({ at }) => at))
  return { inside: bridged(cells, failing), gain: best.gain }
}

/** Cells nobody tried belong to the failing ones when their nearest tried neighbours on both sides do. */
const bridged = (cells: readonly Tally[], failing: ReadonlySet<number>): boolean[] => {
  const neighbour = (from: number, by: 1 | -1): number => {
    for (let i = 1; i < cells.length; i++) {
      const at = (from + by * i + cells.length * i) % cells.length
      if (cells[at]!.tried > 0) return at
    }
    return from
  }
  return cells.map((cell, at) =>
    cell.tried > 0 ? failing.has(at) : failing.has(neighbour(at, 1)) && failing.has(neighbour(at, -1)),
  )
}

const tallies = (length: number): Tally[] => Array.from({ length }, () => ({ tried: 0, failed: 0 }))

/**
 * The weekly windows, in local time, into which the failures of these trials fall; null where they do not recur. The
 * trials are those from the onset to the last failure.
 */
export const recurrenceOf = (trials: readonly Trial[], tz: string): Recurrence[] | null => {
  const placed = trials.map(trial => {
    const wall = wallClock(trial.at, tz)
    const day = Math.floor(wall / 86_400)
    return {
      share: 1 - trial.answered / trial.attempts,
      hour: Math.floor((wall % 86_400) / 3_600),
      weekday: (day + 3) % 7,
      day,
    }
  })
  if (new Set(placed.filter(({ share }) => share >= HIT).map(({ day }) => day)).size < LEAST_DAYS) return null
  // Days without any failure at all (week-ends) would hide the hours, and the other way round: each is found in the other's light.
  let weekdays: boolean[] = DAYS.map(() => true)
  let hours: boolean[] = []
  let gain = 0
  for (let round = 0; round < 2; round++) {
    const byHour = tallies(24)
    for (const { share, hour, weekday } of placed) if (weekdays[weekday]) add(byHour, hour, share)
    const found = split(byHour)
    hours = found.inside
    gain = found.gain
    const byDay = tallies(7)
    for (const { share, hour, weekday } of placed) if (hours[hour]) add(byDay, weekday, share)
    const days = split(byDay)
    weekdays = days.gain > EVIDENCE ? days.inside : DAYS.map(() => true)
  }
  const outside = placed.filter(({ hour, weekday }) => !(hours[hour] && weekdays[weekday]))
  const works = outside.filter(({ share }) => share < HIT).length
  if (gain <= EVIDENCE || outside.length === 0 || works / outside.length < WORKS_OUTSIDE) return null
  return runs(hours).map(([from, to]) => ({
    days: DAYS.filter((_, at) => weekdays[at]),
    from: clock(from),
    to: clock(to),
    tz,
  }))
}

const clock = (hour: number): string => `${String(hour).padStart(2, '0')}:00`

/** Stretches of hours that are set, [from, to). */
const runs = (hours: readonly boolean[]): [number, number][] => {
  const found: [number, number][] = []
  for (let hour = 0; hour < 24; hour++) {
    const last = found.at(-1)
    if (!hours[hour]) continue
    if (last?.[1] === hour) last[1] = hour + 1
    else found.push([hour, hour + 1])
  }
  return found
}

export const insideRecurrence = (windows: readonly Recurrence[] | null, at: number): boolean =>
  windows === null || insideWindows(windows, at)
