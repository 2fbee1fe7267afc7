import type { Degradation, Point, Source } from '../measurement/answers.ts'
import { looks } from '../measurement/look.ts'
import { zoneOf } from './analysis/recurrence.ts'

/**
 * A finding as one SVG that stands alone: sentence, a lane for each network, events near the onset, whose data it is. No
 * script, style or link, so that any content policy shows it; every text goes through `escaped`. The same parts give the
 * same bytes.
 */

export type Language = 'en' | 'fa'

export type Lane = { name: string; points: readonly Point[] }

export type Picture = {
  degradation: Degradation
  language: Language
  /** Unix seconds, [from, to). */
  from: number
  to: number
  /** Seconds of a point. */
  step: number
  lanes: readonly Lane[]
  /** Titles of events near the onset, and their distance. */
  near: readonly { title: string; distance: string; at: number }[]
  sources: readonly Source[]
}

const WIDTH = 1_200
const EDGE = 36
const LANE = { height: 44, label: 210, gap: 12 }
/** Mean width of a letter against its height, in wide fonts, so that no line runs out of the picture. */
const LETTER = { usual: 0.58, bold: 0.68 }
const INK = '#182028'
const QUIET = '#56616c'
const RULE = '#dce1e6'

const words = {
  en: {
    locale: 'en-GB',
    missing: 'no public series',
    share: 'Filled from the top: endpoints that did not answer. Blank: nothing measured.',
    near: 'Near in time, not because of:',
    same: 'same day',
    before: (length: string) => `${length} before`,
    after: (length: string) => `${length} after`,
    revision: (id: string, revision: string, known: string) =>
      `Peyk finding ${id}, revision ${revision}, known since ${known}`,
    data: 'Data:',
    simulated: 'SIMULATED DATA: no network was measured',
  },
  fa: {
    locale: 'fa-IR',
    missing: 'سری همگانی نیست',
    share: 'آنچه از بالا پر شده: سرورهایی که پاسخ ندادند. خالی: سنجیده نشده.',
    near: 'نزدیک در زمان، نه به سبب آن:',
    same: 'همان روز',
    before: (length: string) => `${length} پیش‌تر`,
    after: (length: string) => `${length} پس‌تر`,
    revision: (id: string, revision: string, known: string) =>
      `یافتهٔ پیک ${id}، بازنگری ${revision}، دانسته از ${known}`,
    data: 'داده:',
    simulated: 'دادهٔ شبیه‌سازی‌شده: شبکه‌ای سنجیده نشده است',
  },
} as const

const named: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text as XML holds it: no markup, and none of the characters XML has no way to write. */
export const escaped = (text: string): string =>
  text
    .toWellFormed()
    // XML has no way to write these.
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD')
    .replace(/[&<>"']/g, letter => named[letter]!)

/** Lines no longer than the picture is wide. A word that is longer is cut. */
const wrapped = (text: string, size: number, bold: boolean): string[] => {
  const most = Math.floor((WIDTH - 2 * EDGE) / (size * (bold ? LETTER.bold : LETTER.usual)))
  const lines: string[] = []
  for (const word of text.split(/\s+/).flatMap(word => word.match(new RegExp(`.{1,${most}}`, 'gsu')) ?? [])) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= most) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

const number = (value: number): string => String(Number(value.toFixed(2)))

/** A part of the picture: its height, and what is drawn from `y` down. */
type Block = { height: number; draw: (y: number) => string }

const paragraph = (text: string, size: number, colour: string, language: Language, weight = 400): Block => {
  const lines = wrapped(text, size, weight > 400)
  const [x, direction] = language === 'fa' ? [WIDTH - EDGE, 'rtl'] : [EDGE, 'ltr']
  const line = (of: string, y: number) =>
    `<text x="${x}" y="${number(y)}" direction="${direction}" font-size="${size}" font-weight="${weight}" fill="${colour}">${escaped(of)}</text>`
  return {
    height: lines.length * size * 1.45,
    draw: y => lines.map((of, i) => line(of, y + size * (1 + i * 1.45))).join('\n'),
  }
}

const space = (height: number): Block => ({ height, draw: () => '' })

const band = (text: string, language: Language): Block => {
  const said = paragraph(text, 18, '#221a00', language, 700)
  return {
    height: said.height + 20,
    draw: y =>
      `<rect x="0" y="${number(y)}" width="${WIDTH}" height="${said.height + 12}" fill="#ffd84d"/>\n${said.draw(y + 6)}`,
  }
}

type Scale = (at: number) => number

const lane = ({ name, points }: Lane, { degradation, step, from, to, language }: Picture, x: Scale): Block => ({
  height: LANE.height + LANE.gap,
  draw: y => {
    const bars = points.flatMap(({ at, reachability }) => {
      const start = Date.parse(at) / 1000
      if (reachability === null || start >= to || start + step <= from) return []
      const [left, right] = [x(Math.max(start, from)), x(Math.min(start + step, to))]
      const missing = LANE.height * (1 - reachability)
      const rect = (top: number, height: number, colour: string, opacity: string) =>
        height <= 0
          ? ''
          : `<rect x="${number(left)}" y="${number(top)}" width="${number(Math.max(0.6, right - left))}" height="${number(height)}" fill="${colour}"${opacity}/>`
      return [
        rect(y + missing, LANE.height - missing, looks.ok.light, ' fill-opacity="0.28"') +
          rect(y, missing, looks[degradation.verdict].light, ''),
      ]
    })
    const label = `<text x="${EDGE}" y="${number(y + LANE.height / 2 + 6)}" direction="ltr" font-size="16" fill="${INK}">${escaped(shortened(name))}</text>`
    const frame = `<rect x="${number(x(from))}" y="${number(y)}" width="${number(x(to) - x(from))}" height="${LANE.height}" fill="none" stroke="${RULE}"/>`
    const empty =
      bars.length > 0
        ? ''
        : `<text x="${number(x(from) + 8)}" y="${number(y + LANE.height / 2 + 5)}" font-size="14" fill="${QUIET}">${escaped(words[language].missing)}</text>`
    return [label, frame, ...bars, empty].filter(Boolean).join('\n')
  },
})

const units = { Y: 'year', M: 'month', D: 'day', H: 'hour' } as const

/** How long before or after the onset an event began, from `distanceTo`'s ISO 8601; minutes are left out of hours. */
const distanceText = (distance: string, language: Language): string => {
  const [, sign, time, count = '', unit = ''] = /^(-?)P(T?)(\d+)([YMDH])/.exec(distance) ?? []
  const name = time ? (unit === 'H' ? 'hour' : 'minute') : units[unit as keyof typeof units]
  if (name === undefined) return distance
  if (unit === 'D' && count === '0') return words[language].same
  const { locale, before, after } = words[language]
  const length = new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'long' }).format(Number(count))
  return sign ? after(length) : before(length)
}

const MOST_LETTERS = 20
const shortened = (name: string): string => {
  const letters = [...name]
  return letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join('')}…` : name
}

/** Bars of when it was in force, and a tick for each event near the onset. */
const span = ({ degradation, near, from, to }: Picture, x: Scale): Block => ({
  height: 16,
  draw: y => {
    const onset = Math.max(from, Date.parse(degradation.onset) / 1000)
    const end = Math.min(to, degradation.end === null ? to : Date.parse(degradation.end) / 1000)
    const bar = `<rect x="${number(x(onset))}" y="${number(y)}" width="${number(Math.max(1, x(end) - x(onset)))}" height="8" fill="${looks[degradation.verdict].light}"/>`
    const ticks = near
      .filter(({ at }) => at >= from && at < to)
      .map(({ at }) => `<path d="M${number(x(at))} ${number(y - 6)}v18" stroke="#2f4f80" stroke-width="3"/>`)
    return [bar, ...ticks].join('\n')
  },
})

const LEAST_TICK = 90

const axis = ({ from, to, language, degradation }: Picture, x: Scale): Block => ({
  height: 30,
  draw: y => {
    const persian = language === 'fa' && degradation.country === 'IR' ? 'fa-IR-u-ca-persian' : 'fa-IR-u-ca-gregory'
    const format = new Intl.DateTimeFormat(language === 'fa' ? persian : 'en-GB', {
      timeZone: 'UTC',
      day: 'numeric',
      month: 'short',
    })
    const days = Math.max(1, Math.ceil((LEAST_TICK * ((to - from) / 86_400)) / (x(to) - x(from))))
    const ticks: string[] = []
    for (let at = Math.ceil(from / 86_400) * 86_400; x(at) < WIDTH - EDGE - LEAST_TICK / 2; at += days * 86_400) {
      ticks.push(
        `<path d="M${number(x(at))} ${number(y)}v6" stroke="${QUIET}"/><text x="${number(x(at) + 4)}" y="${number(y + 18)}" font-size="13" fill="${QUIET}">${escaped(format.format(at * 1000))}</text>`,
      )
    }
    return ticks.join('\n')
  },
})

/** The whole picture. */
export const drawFinding = (picture: Picture): string => {
  const { degradation, language, from, to, lanes, near, sources } = picture
  const said = words[language]
  const x: Scale = at => EDGE + LANE.label + ((WIDTH - 2 * EDGE - LANE.label) * (at - from)) / (to - from)
  const number = new Intl.NumberFormat(said.locale)
  const day = new Intl.DateTimeFormat(said.locale, { timeZone: zoneOf(degradation.country), dateStyle: 'long' })
  const known = day.format(new Date(degradation.known))
  const small = (text: string) => paragraph(text, 14, QUIET, language)
  const blocks = [
    ...(sources.some(({ origin }) => origin === 'simulated') ? [band(said.simulated, language)] : []),
    space(EDGE),
    paragraph(degradation.sentence[language], 26, INK, language, 700),
    space(18),
    span(picture, x),
    ...lanes.map(of => lane(of, picture, x)),
    axis(picture, x),
    small(said.share),
    ...near.map(({ title, distance }) => small(`${said.near} ${title} (${distanceText(distance, language)})`)),
    space(10),
    small(said.revision(degradation.id, number.format(degradation.revision), known)),
    ...sources.map(({ attribution, licence }) => small(`${said.data} ${attribution}, ${licence}`)),
    space(EDGE / 2),
  ]
  const height = Math.ceil(blocks.reduce((sum, block) => sum + block.height, 0))
  const drawn: string[] = []
  let y = 0
  for (const block of blocks) {
    drawn.push(block.draw(y))
    y += block.height
  }
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, Vazirmatn, Noto Sans Arabic, Noto Sans, sans-serif" role="img">
<title>${escaped(degradation.sentence[language])}</title>
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${drawn.filter(Boolean).join('\n')}
</svg>
`
}
