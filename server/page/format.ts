import type { RecurringWindow } from '../../events/event.ts'
import type { Language, Strings } from './strings/language.ts'

/** Numbers and times as the reader's language writes them. Times are UTC, given as Unix seconds; Persian dates are Jalali. */
export type Format = ReturnType<typeof formatIn>

const locales: Record<Language, string> = { en: 'en-GB', fa: 'fa-IR-u-ca-persian' }

export function formatIn(language: Language, words: Strings) {
  const locale = locales[language]
  const dates = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone: 'UTC', hourCycle: 'h23', ...options })
  const day = dates({ year: 'numeric', month: 'short', day: 'numeric' })
  const other = new Intl.DateTimeFormat(language === 'fa' ? 'fa-IR-u-ca-gregory' : 'en-GB-u-ca-persian', {
    timeZone: 'UTC',
    dateStyle: 'long',
  })
  const minute = dates({ year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' })
  const hour = dates({ hour: '2-digit', minute: '2-digit' })
  const short = dates({ month: 'short', day: 'numeric' })
  const month = dates({ year: 'numeric', month: 'long' })
  const year = dates({ year: 'numeric' })
  const numbers = new Intl.NumberFormat(locale)
  const shares = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const places = new Intl.DisplayNames(locale, { type: 'region', fallback: 'code' })
  const listing = new Intl.ListFormat(locale, { type: 'conjunction' })

  const number = (count: number) => numbers.format(count)
  const shown = (format: Intl.DateTimeFormat) => (at: number) => format.format(at * 1_000)
  const instant = (at: number) => `${shown(minute)(at)} ${words.utc}`
  return {
    number,
    share: (ratio: number) => shares.format(ratio),
    duration: (duration: number) =>
      `${new Intl.NumberFormat(locale, { maximumSignificantDigits: duration < 10 ? 2 : 3 }).format(duration)} ${words.second}`,
    /** The number is a name: the same digits in every language. */
    network: (asn: number) => (asn === 0 ? words.thisLine : `AS${asn}`),
    country: (code: string) => (/^[A-Z]{2}$/.test(code) && code !== 'ZZ' ? (places.of(code) ?? code) : words.thisLine),
    /** A whole number of days, hours and so on. */
    unit: (count: number, unit: 'year' | 'month' | 'day' | 'hour' | 'minute') =>
      new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(count),
    list: (items: readonly string[]) => listing.format(items),
    day: shown(day),
    /** The same day in the calendar the language does not count by. */
    otherDay: shown(other),
    month: shown(month),
    year: shown(year),
    short: shown(short),
    hour: shown(hour),
    instant,
    /** A span without more precision than it needs: two days, two minutes, or one day. */
    span: (from: number, to: number): string => {
      const wholeDays = from % 86_400 === 0 && to % 86_400 === 0
      if (!wholeDays) return `${minute.formatRange(from * 1_000, to * 1_000)} ${words.utc}`
      return day.formatRange(from * 1_000, to * 1_000 - 1)
    },
    windows: (windows: readonly RecurringWindow[]) =>
      hoursByDays(windows)
        .map(({ days, hours, tz }) => `${daysText(days, words)} ${hours.join(words.comma)} (${tz})`)
        .join(words.semicolon),
  }
}

const WEEK = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

type Days = RecurringWindow['days']

/** Three or more days in a row as a range. */
function daysText(days: Days, words: Strings): string {
  const first = days[0]
  const inRow = days.every((day, index) => WEEK.indexOf(day) === WEEK.indexOf(days[0]!) + index)
  if (first === undefined) return ''
  if (inRow && days.length > 2) return `${words.days[first]}–${words.days[days.at(-1)!]}`
  return days.map(day => words.days[day]).join(words.comma)
}

/** Windows of the same days and zone, together. */
function hoursByDays(windows: readonly RecurringWindow[]): { days: Days; hours: string[]; tz: string }[] {
  const found: { days: Days; hours: string[]; tz: string }[] = []
  for (const { days, from, to, tz } of windows) {
    const same = found.find(one => one.tz === tz && one.days.join() === days.join())
    if (same) same.hours.push(`${from}–${to}`)
    else found.push({ days, hours: [`${from}–${to}`], tz })
  }
  return found
}
