import { findApp } from '../../measurement/catalogue.ts'
import type { EffectMeasure, EffectReason, EventEffect } from '../../measurement/effect.ts'
import type { Draft } from './effect.ts'

/** The effect of an event in one sentence, in English and Persian. What follows in time is said to follow, never more. */

type Language = 'en' | 'fa'
type Said = Record<Language, string>

const locales: Record<Language, string> = { en: 'en-GB', fa: 'fa-IR' }

const lacks: Record<Exclude<EffectReason, 'not_above_chance' | 'controls_moved' | 'too_early'>, Said> = {
  no_apps: {
    en: 'The event names no app, so nothing is compared.',
    fa: 'این رویداد از برنامه‌ای نام نمی‌برد؛ چیزی سنجیده نمی‌شود.',
  },
  not_measured: {
    en: 'What the event names is not measured here.',
    fa: 'آنچه رویداد نام می‌برد اینجا سنجیده نمی‌شود.',
  },
  withdrawn: { en: 'The event was withdrawn.', fa: 'این رویداد پس گرفته شده است.' },
  future: { en: 'The event lies in the future.', fa: 'این رویداد در آینده است.' },
  nothing_there: {
    en: 'No data: nothing was measured around this event.',
    fa: 'داده‌ای نیست: پیرامون این رویداد چیزی سنجیده نشده است.',
  },
  start_vague: {
    en: 'Not enough: the day it began is not known, so there is no before and after.',
    fa: 'کافی نیست: روز آغاز آن دانسته نیست، پس پیش و پسی نیست.',
  },
  running: { en: 'Not enough yet: a day after it has not passed.', fa: 'هنوز کافی نیست: یک روز از آن نگذشته است.' },
  too_few: {
    en: 'Not enough was measured around this event.',
    fa: 'پیرامون این رویداد به اندازهٔ کافی سنجیده نشده است.',
  },
  no_control: {
    en: 'Not enough: there is nothing unaffected to compare with.',
    fa: 'کافی نیست: چیز دست‌نخورده‌ای برای مقایسه نیست.',
  },
}

const controls: Record<NonNullable<EventEffect['control']>['kind'], (count: string) => Said> = {
  apps: n => ({
    en: `${n} series of other apps on the same networks`,
    fa: `${n} سری از برنامه‌های دیگر روی همان شبکه‌ها`,
  }),
  countries: n => ({ en: `${n} networks of other countries`, fa: `${n} شبکه در کشورهای دیگر` }),
  networks: n => ({ en: `${n} networks the event does not name`, fa: `${n} شبکه که رویداد نام نمی‌برد` }),
}

const names: Record<EffectMeasure['measure'], Said> = {
  reachability: { en: 'reachability', fa: 'دسترس‌پذیری' },
  latency: { en: 'seconds to an answer', fa: 'زمان پاسخ' },
  throughput: { en: 'throughput', fa: 'گذردهی' },
}

const few = (texts: readonly string[], language: Language, more: (count: string) => string): string =>
  texts.length > 3
    ? more(new Intl.NumberFormat(locales[language]).format(texts.length))
    : new Intl.ListFormat(locales[language], { type: 'conjunction' }).format(texts)

const subject = ({ apps, countries }: Draft, language: Language): string => {
  const app = apps.map(id => (language === 'fa' ? findApp(id)?.name.fa : undefined) ?? findApp(id)?.name.en ?? id)
  const place = countries.map(code => new Intl.DisplayNames([language], { type: 'region' }).of(code) ?? code)
  return language === 'en'
    ? `${few(app, 'en', n => `${n} apps`)} in ${few(place, 'en', n => `${n} countries`)}`
    : `${few(app, 'fa', n => `${n} برنامه`)} در ${few(place, 'fa', n => `${n} کشور`)}`
}

/** Points of a share, or how many times as much. */
const sizeOf = ({ measure, change, low, high }: EffectMeasure, language: Language): string => {
  const number = (value: number | null, options: Intl.NumberFormatOptions) =>
    new Intl.NumberFormat(locales[language], options).format(value ?? 0)
  if (measure === 'reachability') {
    const points = (value: number | null) =>
      number((value ?? 0) * 100, { signDisplay: 'exceptZero', maximumFractionDigits: 0 })
    return language === 'en'
      ? minus(`${points(change)} points (95% interval ${points(low)} to ${points(high)})`)
      : `${points(change)} واحد درصد (بازهٔ ۹۵٪ از ${points(low)} تا ${points(high)})`
  }
  const times = (value: number | null) => number(value, { maximumSignificantDigits: 3 })
  return language === 'en'
    ? `×${times(change)} (95% interval ×${times(low)} to ×${times(high)})`
    : `${times(change)} برابر (بازهٔ ۹۵٪ از ${times(low)} تا ${times(high)} برابر)`
}

const levels = ({ measure, before, after }: EffectMeasure, language: Language): string => {
  if (before === null || after === null) return ''
  const shown = (value: number) =>
    measure === 'reachability'
      ? new Intl.NumberFormat(locales[language], { style: 'percent', maximumFractionDigits: 0 }).format(value)
      : `${new Intl.NumberFormat(locales[language], { maximumSignificantDigits: 3 }).format(value)} ${language === 'en' ? 's' : 'ثانیه'}`
  return language === 'en'
    ? ` went from ${shown(before)} to ${shown(after)}`
    : ` از ${shown(before)} به ${shown(after)} رسید`
}

const spanText = (from: string, to: string, language: Language): string => {
  const hours = Math.round((Date.parse(to) - Date.parse(from)) / 3_600_000)
  const [count, unit] = hours >= 48 ? [Math.round(hours / 24), 'day'] : [hours, 'hour']
  return new Intl.NumberFormat(locales[language], { style: 'unit', unit, unitDisplay: 'long' }).format(count)
}

/** A true minus, which no line breaks after. */
const minus = (text: string): string => text.replaceAll('-', '\u2212')

type Lead = { span: NonNullable<Draft['first']>; measure: EffectMeasure }

/** The look that gave the answer; the longer one where both did. */
const leadOf = ({ first, whole, answer }: Draft): Lead | null => {
  for (const span of [whole, first]) {
    const looks = span?.measures.filter(of => of.answer === answer) ?? []
    const measure = looks.find(({ expected }) => expected !== null) ?? looks[0]
    if (span && measure) return { span, measure }
  }
  return null
}

const chance = ({ test, words }: Draft, language: Language): string => {
  const count = (value: number) => new Intl.NumberFormat(locales[language]).format(value)
  const small = (value: number) =>
    new Intl.NumberFormat(locales[language], { maximumSignificantDigits: 2 }).format(value)
  if (!test) return ''
  if (test.p === null)
    return language === 'en'
      ? ` This follows the event. Whether quiet times change as much was not tested: that takes ${count(test.needed)} of them, and ${count(test.placebos)} were measured.`
      : ` این پس از رویداد آمده است. آزموده نشد که زمان‌های آرام هم همین‌قدر تغییر می‌کنند یا نه: ${count(test.needed)} زمان آرام می‌خواهد و ${count(test.placebos)} سنجیده شده است.`
  if (language === 'en')
    return ` This ${words === 'consistent_with' ? 'is consistent with' : 'follows'} the event (p ${small(test.p)} against ${count(test.placebos)} quiet times).`
  return ` این ${words === 'consistent_with' ? 'با رویداد سازگار است' : 'پس از رویداد آمده است'} (p برابر ${small(test.p)} در برابر ${count(test.placebos)} زمان آرام).`
}

const expectations: Record<NonNullable<EffectMeasure['expected']>, Said> = {
  down: { en: ' Expected was a fall.', fa: ' انتظار کاهش می‌رفت.' },
  up: { en: ' Expected was a rise.', fa: ' انتظار افزایش می‌رفت.' },
  none: { en: ' Expected was no change.', fa: ' انتظار تغییری نمی‌رفت.' },
}

/** A mismatch is shown, not hidden. */
const mismatch = ({ match, expected }: EffectMeasure, language: Language): string =>
  match === null || match === 'agrees' || expected === null ? '' : expectations[expected][language]

const reasons: Partial<Record<EffectReason, Said>> = {
  not_above_chance: { en: '; quiet days change as much', fa: '؛ روزهای آرام هم همین‌قدر تغییر می‌کنند' },
  controls_moved: { en: '; it is these that changed', fa: '؛ همین‌ها تغییر کرده‌اند' },
}

const seen = (draft: Draft, { span, measure }: Lead, language: Language): string => {
  const { control } = draft
  const against = control
    ? controls[control.kind](new Intl.NumberFormat(locales[language]).format(control.series))
    : null
  const name = names[measure.measure][language]
  const length = spanText(span.from, span.to, language)
  const size = sizeOf(measure, language)
  const end = mismatch(measure, language)
  if (draft.answer === 'no_visible_effect') {
    const why = measure.reason === null ? '' : (reasons[measure.reason]?.[language] ?? '')
    return language === 'en'
      ? `No visible effect on ${name} of ${subject(draft, 'en')} within ${length}: ${size} against ${against?.en}${why}.${end}`
      : `اثر دیدنی بر ${name} ${subject(draft, 'fa')} در ${length} نیست: ${size} در برابر ${against?.fa}${why}.${end}`
  }
  return language === 'en'
    ? `Within ${length} ${name} of ${subject(draft, 'en')}${levels(measure, 'en')}: ${size} against ${against?.en}.${chance(draft, 'en')}${end}`
    : `در ${length} ${name} ${subject(draft, 'fa')}${levels(measure, 'fa')}: ${size} در برابر ${against?.fa}.${chance(draft, 'fa')}${end}`
}

/** Before and after stand even where nothing is left to compare with. */
const alone = (draft: Draft): Said | null => {
  const lead = draft.reason === 'no_control' ? leadOf(draft) : null
  if (!lead || lead.measure.before === null) return null
  const { span, measure } = lead
  const part = (language: Language) => ({
    length: spanText(span.from, span.to, language),
    what: `${names[measure.measure][language]} ${language === 'en' ? 'of ' : ''}${subject(draft, language)}${levels(measure, language)}`,
  })
  const [en, fa] = [part('en'), part('fa')]
  return {
    en: `Within ${en.length} ${en.what}; there is nothing unaffected to compare with, so this says little.`,
    fa: `در ${fa.length} ${fa.what}؛ چیز دست‌نخورده‌ای برای مقایسه نیست، پس این چندان گویا نیست.`,
  }
}

export const effectSentence = (draft: Draft): Said => {
  const { answer, reason } = draft
  const lead = answer === 'no_data' || answer === 'not_enough' ? null : leadOf(draft)
  if (lead) return { en: seen(draft, lead, 'en'), fa: seen(draft, lead, 'fa') }
  const known = reason === 'not_above_chance' || reason === 'controls_moved' || reason === 'too_early' ? null : reason
  return alone(draft) ?? lacks[known ?? 'nothing_there']
}
