import type { RecurringWindow } from '../../events/event.ts'
import type { Language, Strings } from './strings/language.ts'

/** Numbers and times as the reader's language writes them. Times are UTC; Persian dates are Jalali. */
export type Format = ReturnType<typeof formatIn>

const locales: Record<Language, string> = { en: 'en-GB', fa: 'fa-IR-u-ca-persian' }

export function formatIn(language: Language, words: Strings) {
  const locale = locales[language]
  const dates = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone: 'UTC', hourCycle: 'h23', ...options })
  const day = dates({ year: 'numeric', month: 'short', day: 'numeric' })
  const minute = dates({ year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' })
  const hour = dates({ hour: '2-digit', minute: '2-digit' })
  const short = dates({ month: 'short', day: 'numeric' })
  const month = dates({ year: 'numeric', month: 'long' })
  const year = dates({ year: 'numeric' })
  const numbers = new Intl.NumberFormat(locale)
  // An AS number is a name: it is never grouped.
  const plain = new Intl.NumberFormat(locale, { useGrouping: false })
  const shares = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const places = new Intl.DisplayNames(locale, { type: 'region', fallback: 'code' })
  const listing = new Intl.ListFormat(locale, { type: 'conjunction' })

  const number = (count: number) => numbers.format(count)
  const instant = (at: number) => `${minute.format(at)} ${words.utc}`
  return {
    number,
    share: (ratio: number) => shares.format(ratio),
    duration: (duration: number) =>
      `${new Intl.NumberFormat(locale, { maximumSignificantDigits: duration < 10 ? 2 : 3 }).format(duration)} ${words.second}`,
    network: (asn: number) => (asn === 0 ? words.thisLine : `AS${plain.format(asn)}`),
    country: (code: string) => (/^[A-Z]{2}$/.test(code) && code !== 'ZZ' ? (places.of(code) ?? code) : words.thisLine),
    list: (items: readonly string[]) => listing.format(items),
    day: (at: number) => day.format(at),
    month: (at: number) => month.format(at),
    year: (at: number) => year.format(at),
    short: (at: number) => short.format(at),
    hour: (at: number) => hour.format(at),
    instant,
    /** A span without more precision than it needs: two days, two minutes, or one day. */
    span: (from: number, to: number): string => {
      const wholeDays = from % 86_400_000 === 0 && to % 86_400_000 === 0
      if (!wholeDays) return `${minute.formatRange(from, to)} ${words.utc}`
      return day.formatRange(from, to - 1)
    },
    windows: (windows: readonly RecurringWindow[]) =>
      windows
        .map(({ days, from, to, tz }) => `${days.map(name => words.days[name]).join(' ')} ${from}–${to} (${tz})`)
        .join('; '),
  }
}
