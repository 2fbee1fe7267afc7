import { expect, test } from 'vitest'
import type { PolicyEvent } from '../../events/event.ts'
import { loadEvents } from '../../events/load.ts'
import {
  distanceText,
  eventDate,
  filterEvents,
  otherCalendar,
  shadesOf,
  whenText,
} from '../../server/page/event-words.ts'
import { formatIn } from '../../server/page/format.ts'
import { en } from '../../server/page/strings/en.ts'
import { fa } from '../../server/page/strings/fa.ts'

const events = loadEvents()
const find = (id: string): PolicyEvent => {
  const found = events.find(event => event.id === id)
  if (!found) throw new Error(`no event ${id}`)
  return found
}
const english = { words: en, format: formatIn('en', en), language: 'en' }
const persian = { words: fa, format: formatIn('fa', fa), language: 'fa' }
const shownAll = { kinds: [], confidence: 'rumor', quiet: false, event: null } as const
const view = { from: Date.UTC(2018, 3, 1) / 1_000, to: Date.UTC(2018, 4, 15) / 1_000 }
const now = Date.UTC(2026, 0, 1) / 1_000

test('rumours, denials and figures are hidden until asked for, and counted', () => {
  const { shown, hidden } = filterEvents(events, shownAll)
  expect(shown.every(event => event.kind !== 'rumor' && event.kind !== 'denial' && event.confidence !== 'rumor')).toBe(
    true,
  )
  expect(hidden).toBeGreaterThan(0)
  expect(filterEvents(events, { ...shownAll, quiet: true }).shown.length).toBe(shown.length + hidden)
})

test('a kind asked for by name is shown, and so is an event that is linked to', () => {
  const denials = filterEvents(events, { ...shownAll, kinds: ['denial'] }).shown
  expect(denials.length).toBeGreaterThan(0)
  expect(denials.every(event => event.kind === 'denial')).toBe(true)
  const id = denials[0]!.id
  expect(filterEvents(events, { ...shownAll, event: id }).shown.map(event => event.id)).toContain(id)
})

test('confidence leaves what is at least that sure', () => {
  const { shown } = filterEvents(events, { ...shownAll, confidence: 'confirmed' })
  expect(new Set(shown.map(event => event.confidence))).toEqual(new Set(['confirmed']))
})

test('an event known to the month is shaded over the month and never a line on the 1st', () => {
  const [shade] = shadesOf([find('ir-2018-04-officials-news-agencies-leave-telegram')], view, now, null)
  expect(shade).toMatchObject({ line: false, pale: true })
  expect(shade!.to - shade!.from).toBeGreaterThan(29 * 86_400)
})

test('an event with an unknown end is a line, with the note', () => {
  const event = find('ir-2018-04-18-afta-state-bodies-ban')
  expect(shadesOf([event], view, now, event.id)).toMatchObject([{ line: true, chosen: true }])
  expect(whenText(event, english)).toBe('18 Apr 2018 (end not known)')
})

test('recurring hours are shaded one by one', () => {
  const event = find('ke-2024-11-07-telegram-exam-block')
  const november = { from: Date.UTC(2024, 10, 1) / 1_000, to: Date.UTC(2024, 11, 1) / 1_000 }
  const shades = shadesOf([event], november, now, null)
  // Twelve weekdays from 7 to 22 November 2024, two sittings each, of three hours.
  expect(shades.length).toBe(24)
  expect(shades.every(({ from, to }) => to - from === 3 * 3_600)).toBe(true)
  expect(whenText(event, english)).toContain('Mon–Fri 07:00–10:00, 13:00–16:00 (Africa/Nairobi)')
})

test('dates are as precise as they are known, in both calendars', () => {
  expect(eventDate('2018', english.format, 'en')).toBe('2018')
  expect(eventDate('2018-04', english.format, 'en')).toBe('April 2018')
  expect(eventDate('2018-04-26', english.format, 'en')).toBe('26 Apr 2018')
  expect(eventDate('2018-07-30T06:28Z', english.format, 'en')).toBe('30 Jul 2018, 06:28 UTC')
  expect(eventDate('2018-04-26', persian.format, 'fa')).toBe('۶ اردیبهشت ۱۳۹۷')
  // A Gregorian month is a span of Jalali days: 12 Farvardin to 10 Ordibehesht 1397.
  expect(eventDate('2018-04', persian.format, 'fa')).toMatch(/۱۲ فروردین.*۱۰ اردیبهشت ۱۳۹۷/)
})

test('every event has words in both languages', () => {
  for (const event of events)
    for (const speech of [english, persian]) {
      expect(whenText(event, speech)).not.toMatch(/undefined|NaN|Invalid|null/)
      expect(speech.words.events.kind[event.kind]).toBeTruthy()
      expect(speech.words.events.level[event.confidence]).toBeTruthy()
    }
})

test('a distance is told as it is known', () => {
  expect(distanceText('P1D', english)).toBe('1 day before')
  expect(distanceText('-P2D', english)).toBe('2 days after')
  expect(distanceText('P0M', english)).toBe('the same month')
  expect(distanceText('PT6H30M', english)).toBe('6 hours 30 minutes before')
  expect(distanceText('PT0M', english)).toBe('0 minutes before')
})

test('days of Iran are told in both calendars', () => {
  const event = find('ir-2018-04-26-tic-telegram-foreign-servers')
  expect(otherCalendar(event, english.format, 'en')).toBe('6 Ordibehesht 1397 AP')
  expect(otherCalendar(event, persian.format, 'fa')).toBe('۲۶ آوریل ۲۰۱۸')
  expect(otherCalendar(find('ke-2023-11-08-telegram-exam-block'), english.format, 'en')).toBeNull()
})
