import { CONTROL, findApp } from '../../measurement/catalogue.ts'
import type { Recurrence } from '../../measurement/verdict.ts'
import type { Finding } from './degradations.ts'
import { zoneOf } from './recurrence.ts'
import { failureWords, mechanismWords, persianDays, persianFeatures, throttledWords, words } from './sentence-words.ts'

/** One sentence on a degradation, in English and Persian: what, where, when, how much, against what. No cause is claimed. */

/** What a sentence tells of a finding; of a move to elsewhere, where to. */
type Told = Pick<
  Finding,
  | 'networks'
  | 'verdict'
  | 'layer'
  | 'mechanism'
  | 'onset'
  | 'end'
  | 'recurring'
  | 'share'
  | 'slower'
  | 'control'
  | 'transfers'
> & { moved: { to: { asn: number | null; country: string | null } } | null; together?: readonly string[] }

export type Named = Told & {
  app: string
  feature: string
  country: string
  networkName: (asn: number) => string | undefined
}

const ISOLATE = { open: '\u2068', close: '\u2069' }

export const sentenceOf = (of: Named): { en: string; fa: string } => ({ en: english(of), fa: persian(of) })

const appName = (of: Named, language: 'en' | 'fa'): string => {
  const names = findApp(of.app)?.name
  return names?.[language] ?? names?.en ?? of.app
}

const place = (country: string, language: string): string =>
  new Intl.DisplayNames([language], { type: 'region' }).of(country) ?? country

const MOST_NAMED = 3

const networks = (of: Named, isolate: boolean): string[] => {
  const wrap = (text: string) => (isolate ? `${ISOLATE.open}${text}${ISOLATE.close}` : text)
  return of.networks.slice(0, MOST_NAMED).map(asn => {
    const name = of.networkName(asn)
    return wrap(name ? `${name} (AS${asn})` : `AS${asn}`)
  })
}

const english = (of: Named): string => {
  const rest = of.networks.length - MOST_NAMED
  const named = networks(of, false)
  const where = `${named.length === 0 ? '' : `on ${list(named, rest)} `}in ${place(of.country, 'en')}`
  const feature = of.feature === 'text' ? '' : ` (${of.feature})`
  // Of the controls the finding is about the network itself.
  const what = of.app === CONTROL ? 'The network itself' : `${appName(of, 'en')}${feature}`
  return `${what}: ${words.en[of.verdict] ?? of.verdict} ${where} ${dates(of, 'en')}${weekly(of.recurring)}${size(of)}${control(of)}${alike(of)}.`
}

const size = (of: Named): string => {
  if (of.app === CONTROL) return ''
  if (of.verdict === 'throttled') return throttled(of)
  if (of.slower !== null) {
    return `; answers took ${of.slower.toFixed(1)} times as long as usual, against neutral controls of the same agents${moved(of)}`
  }
  return `; ${answered(of)}% of its endpoints answered${layer(of)}`
}

/** Other apps by name, in the catalogue's words. */
const others = (of: Named, language: 'en' | 'fa'): string =>
  new Intl.ListFormat(language, { type: 'conjunction' }).format(
    (of.together ?? []).map(app => appName({ ...of, app }, language)),
  )

const alike = (of: Named): string =>
  !of.together?.length ? '' : `; trouble with ${others(of, 'en')} began there at the same time`

const throttled = ({ slower, transfers, mechanism, layer }: Named): string => {
  if (slower === null)
    return '; of small requests to it more are lost on the way than of those to controls of the same agents'
  const rate = transfers?.rate ? `, held at about ${kilobytes(transfers.rate)} kB/s` : ''
  const how = throttledWords.en[mechanism ?? ''] ?? (layer === 'tls' ? ', by the name of the app' : '')
  return `; its transfers were ${slower.toFixed(1)} times slower${between(transfers, 'en')} than paired transfers of the same agents${rate}${how}`
}

const between = (transfers: Named['transfers'], language: 'en' | 'fa'): string => {
  if (!transfers?.slower) return ''
  const [low, high] = [transfers.slower.low.toFixed(1), transfers.slower.high.toFixed(1)]
  return language === 'en' ? ` (${low} to ${high})` : ` (${low} تا ${high})`
}

const kilobytes = (rate: number): string => (rate < 10_000 ? (rate / 1000).toFixed(1) : String(Math.round(rate / 1000)))

const moved = ({ moved, country }: Named): string => {
  if (!moved?.to.country) return ''
  const asn = moved.to.asn ? ` (AS${moved.to.asn})` : ''
  return `; it is answered from ${place(moved.to.country, 'en')}${asn} now, no longer from ${place(country, 'en')}`
}

const list = (named: readonly string[], rest: number): string => {
  if (rest > 0) return `${named.join(', ')} and ${rest} more networks`
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(named)
}

const answered = (of: Named): string => {
  const share = 100 * (1 - of.share)
  return share > 0 && share < 1 ? 'under 1' : String(Math.round(share))
}

const layer = (of: Named): string => {
  if (!of.layer) return ''
  const how = of.mechanism ? mechanismWords[of.mechanism] : undefined
  return how ? ` (${failureWords[of.layer]} ${how})` : ` (trouble at ${failureWords[of.layer]})`
}

const control = (of: Named): string => {
  if (of.verdict === 'app_down') return '; control agents in other countries could not reach it either'
  return of.control === 'other networks of the country'
    ? `; other networks in ${place(of.country, 'en')} reached it`
    : ''
}

const dayOf = (at: number, country: string, locale: string, year: boolean): string =>
  new Intl.DateTimeFormat(locale, {
    timeZone: zoneOf(country),
    day: 'numeric',
    month: 'long',
    ...(year ? { year: 'numeric' } : {}),
  }).format(at * 1000)

/** A finding of days is told by its days; one that is shorter, or not over, by its hours too. */
const HOURS_BELOW_SECONDS = 2 * 86_400

const clockOf = (at: number, country: string): { time: string; zone: string } => {
  const parts = new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone: zoneOf(country), hour: '2-digit', minute: '2-digit', timeZoneName: 'shortOffset' },
  }).formatToParts(at * 1000)
  const part = (type: string) => parts.find(of => of.type === type)?.value ?? ''
  return { time: `${part('hour')}:${part('minute')}`, zone: part('timeZoneName').replace('GMT', 'UTC') }
}

const dates = (of: Named, language: 'en' | 'fa'): string => {
  const { onset, end, country, recurring } = of
  const locale = language === 'en' ? 'en-GB' : country === 'IR' ? 'fa-IR-u-ca-persian' : 'fa-IR-u-ca-gregory'
  const day = (at: number) => dayOf(at, country, locale, true)
  // The hours of a recurring one are those of its windows.
  const hours = !recurring?.length && (end === null || end - onset < HOURS_BELOW_SECONDS)
  const last = clockOf(end ?? onset, country).zone
  const on = (at: number) => {
    if (!hours) return day(at)
    const { time, zone } = clockOf(at, country)
    // Told once, unless the clocks were changed meanwhile.
    const told = at === (end ?? onset) || zone !== last
    if (language === 'en') return `${day(at)}, ${time}${told ? ` (${zone})` : ''}`
    return `${day(at)} ساعت ${digits(time)}${told ? ` (${ISOLATE.open}${zone}${ISOLATE.close})` : ''}`
  }
  if (language === 'en') return end === null ? `since ${on(onset)}` : `from ${on(onset)} to ${on(end)}`
  return end === null ? `از ${on(onset)}` : `از ${on(onset)} تا ${on(end)}`
}

const weekly = (recurring: readonly Recurrence[] | null): string => {
  if (!recurring?.length) return ''
  const days = recurring[0]!.days
  const named =
    days.length === 7 ? 'every day' : days.join('') === 'montuewedthufri' ? 'on weekdays' : `on ${days.join(', ')}`
  return `, ${named} ${recurring.map(({ from, to }) => `${from}–${to}`).join(' and ')} local time`
}

const digits = (text: string): string => text.replace(/\d/g, digit => '۰۱۲۳۴۵۶۷۸۹'[Number(digit)]!)

const persianDaysOf = (days: Recurrence['days']): string => {
  if (days.length === 7) return 'هر روز'
  const named = days.map(day => persianDays[day]!)
  return days.join('') === 'montuewedthufri' ? `${named[0]} تا ${named.at(-1)}` : named.join('، ')
}

const persian = (of: Named): string => {
  const named = networks(of, true)
  const rest = of.networks.length - MOST_NAMED
  const country = place(of.country, 'fa')
  const where =
    named.length === 0
      ? country
      : `${named.join('، ')}${rest > 0 ? ` و ${digits(String(rest))} شبکهٔ دیگر` : ''} در ${country}`
  const hours = of.recurring?.length
    ? `، ${persianDaysOf(of.recurring[0]!.days)} ساعت ${of.recurring.map(({ from, to }) => digits(`${from} تا ${to}`)).join(' و ')} به وقت محلی`
    : ''
  const reach = of.end === null ? 'می‌رسند' : 'می‌رسیدند'
  const compared =
    of.verdict === 'app_down'
      ? `؛ سنجشگرهای شاهد در کشورهای دیگر هم به آن ن${reach}`
      : of.control === 'other networks of the country'
        ? `؛ شبکه‌های دیگر ${country} به آن ${reach}`
        : ''
  const share = answered(of).replace('under', 'کمتر از')
  const feature = persianFeatures[of.feature]
  const what = of.app === CONTROL ? 'خود شبکه' : `${appName(of, 'fa')}${feature ? ` (${feature})` : ''}`
  const said = `${what} در ${where} ${dates(of, 'fa')}${hours} ${words.fa[of.verdict] ?? of.verdict} ${of.end === null ? 'است' : 'بود'}`
  if (of.app === CONTROL) return `${said}.`
  if (of.verdict === 'throttled') return `${said}${throttledPersian(of)}${alikePersian(of)}.`
  if (of.slower !== null) {
    const times = digits(of.slower.toFixed(1))
    return `${said}؛ پاسخ‌هایش در برابر کنترل‌های بی‌طرف همان سنجشگرها ${times} برابر همیشه طول کشید${movedPersian(of)}${alikePersian(of)}.`
  }
  return `${said}؛ ${digits(share)}٪ از سرورهایش پاسخ دادند${compared}${alikePersian(of)}.`
}

const throttledPersian = ({ slower, transfers, mechanism, layer }: Named): string => {
  if (slower === null) return '؛ درخواست‌های کوچک به آن بیش از درخواست‌های همان سنجشگرها به کنترل‌ها در راه گم می‌شود'
  const rate = transfers?.rate ? `، حدود ${digits(kilobytes(transfers.rate))} کیلوبایت بر ثانیه` : ''
  const how = throttledWords.fa[mechanism ?? ''] ?? (layer === 'tls' ? '، بر پایهٔ نام آن' : '')
  const times = digits(`${slower.toFixed(1)} برابر${between(transfers, 'fa')}`)
  return `؛ انتقال داده‌اش ${times} کندتر از انتقال‌های همتای همان سنجشگرها بود${rate}${how}`
}

const movedPersian = ({ moved, country }: Named): string => {
  if (!moved?.to.country) return ''
  const asn = moved.to.asn ? ` (${ISOLATE.open}AS${moved.to.asn}${ISOLATE.close})` : ''
  return `؛ اکنون از ${place(moved.to.country, 'fa')}${asn} پاسخ می‌دهد و دیگر نه از ${place(country, 'fa')}`
}

const alikePersian = (of: Named): string =>
  !of.together?.length ? '' : `؛ هم‌زمان در همان شبکه ${others(of, 'fa')} هم دچار اختلال شد`
