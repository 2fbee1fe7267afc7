import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PolicyEvent, RecurringWindow } from '../../events/event.ts'
import { loadEvents } from '../../events/load.ts'
import {
  distanceTo,
  drawingOf,
  gapTo,
  inForce,
  insideWindows,
  precisionOf,
  rangeOf,
  shadingOf,
  spanOf,
  wallClock,
  windowsWithin,
} from '../../events/when.ts'
import { made } from './make.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const at = (iso: string) => Date.parse(iso)
const iso = (instant: number) => new Date(instant).toISOString().replace(':00.000Z', 'Z')
const isoRange = (range: { from: number; to: number }) => [iso(range.from), iso(range.to)]
const during = (when: PolicyEvent['when']) => made({ when })
const now = at('2026-06-01T00:00Z')

// Offsets on both sides, half and quarter hours, clocks that change at midnight, and zones that changed their rules.
const zone = fc.constantFrom(
  'UTC',
  'Asia/Tehran',
  'Europe/Moscow',
  'America/Sao_Paulo',
  'Africa/Nairobi',
  'Africa/Kampala',
  'Europe/Istanbul',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'America/St_Johns',
  'Africa/Casablanca',
  'Australia/Lord_Howe',
)
const instant = fc.integer({ min: at('2011-01-01T00:00Z') / 1000, max: at('2026-12-31T00:00Z') / 1000 })

describe('dates and zones', () => {
  it('Iran: +04:30 in the summer of 2018, +03:30 in winter and in every season since 2023', () => {
    expect(isoRange(rangeOf('2018-04-26', 'Asia/Tehran'))).toEqual(['2018-04-25T19:30Z', '2018-04-26T19:30Z'])
    expect(isoRange(rangeOf('2017-12-31', 'Asia/Tehran'))).toEqual(['2017-12-30T20:30Z', '2017-12-31T20:30Z'])
    expect(isoRange(rangeOf('2023-07-01', 'Asia/Tehran'))).toEqual(['2023-06-30T20:30Z', '2023-07-01T20:30Z'])
    // Clocks jumped from 00:00 to 01:00: the day begins with the jump and has 23 hours; in autumn one has 25.
    expect(isoRange(rangeOf('2018-03-22', 'Asia/Tehran'))).toEqual(['2018-03-21T20:30Z', '2018-03-22T19:30Z'])
    expect(isoRange(rangeOf('2018-09-21', 'Asia/Tehran'))).toEqual(['2018-09-20T19:30Z', '2018-09-21T20:30Z'])
  })

  it('other zones, other precisions', () => {
    expect(isoRange(rangeOf('2018-11-04', 'America/Sao_Paulo'))).toEqual(['2018-11-04T03:00Z', '2018-11-05T02:00Z'])
    expect(isoRange(rangeOf('2018-03', 'Asia/Tehran'))).toEqual(['2018-02-28T20:30Z', '2018-03-31T19:30Z'])
    expect(isoRange(rangeOf('2015', 'Europe/Moscow'))).toEqual(['2014-12-31T21:00Z', '2015-12-31T21:00Z'])
    expect(isoRange(rangeOf('2018-07-30T06:28Z', 'Asia/Tehran'))).toEqual(['2018-07-30T06:28Z', '2018-07-30T06:29Z'])
    expect(() => rangeOf('2018', 'Asia/Atlantis')).toThrow(RangeError)
  })

  it('property: the range of a date holds exactly the instants whose wall clock shows that date', () => {
    fc.assert(
      fc.property(instant, zone, fc.constantFrom(4, 7, 10), (second, tz, length) => {
        const moment = second * 1000
        const shown = (instant: number) => new Date(wallClock(instant, tz)).toISOString().slice(0, length)
        const date = shown(moment)
        const { from, to } = rangeOf(date, tz)
        expect(from <= moment && moment < to).toBe(true)
        expect([shown(from), shown(to - 1)]).toEqual([date, date])
        expect(shown(from - 1) < date && shown(to) > date).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('property: a finer date lies inside a coarser one, and days follow one another without gap', () => {
    fc.assert(
      fc.property(instant, zone, (second, tz) => {
        const day = new Date(second * 1000).toISOString().slice(0, 10)
        const [year, month, date] = [rangeOf(day.slice(0, 4), tz), rangeOf(day.slice(0, 7), tz), rangeOf(day, tz)]
        expect(year.from <= month.from && month.from <= date.from).toBe(true)
        expect(date.to <= month.to && month.to <= year.to).toBe(true)
        const next = new Date(at(day) + DAY).toISOString().slice(0, 10)
        expect(rangeOf(next, tz).from).toBe(date.to)
      }),
      { numRuns: 300 },
    )
  })
})

describe('spans and drawings', () => {
  it('an end day is inside, and the range half-open', () => {
    const exam = during({ start: '2023-11-08', end: '2023-11-24', endState: 'ended', tz: 'Africa/Nairobi' })
    expect(drawingOf(exam, now)).toEqual({
      shape: 'region',
      from: at('2023-11-07T21:00Z'),
      to: at('2023-11-24T21:00Z'),
      pale: false,
      hatchedFrom: null,
      open: false,
      endUnknown: false,
    })
    expect(inForce(exam, at('2023-11-24T20:59Z'))).toBe('yes')
    expect(inForce(exam, at('2023-11-24T21:00Z'))).toBe('no')
  })

  it('open reaches the present, unknown does not, an instant has no duration', () => {
    const open = during({ start: '2025-10-10', end: null, endState: 'open', announced: '2025-12-04' })
    expect(drawingOf(open, now)).toMatchObject({ shape: 'region', to: now, open: true, endUnknown: false })
    expect(isoRange(spanOf(open).announced!)).toEqual(['2025-12-04T00:00Z', '2025-12-05T00:00Z'])
    expect([inForce(open, now), inForce(open, at('2025-10-09T23:59Z'))]).toEqual(['yes', 'no'])
    // Asked before it begins, an open event still covers its first day and nothing before it.
    expect(drawingOf(open, at('2025-01-01T00:00Z')).to).toBe(at('2025-10-11T00:00Z'))

    const unknown = during({ start: '2017-07-14', end: null, endState: 'unknown' })
    expect(drawingOf(unknown, now)).toMatchObject({ shape: 'line', from: at('2017-07-14T00:00Z'), endUnknown: true })
    expect([inForce(unknown, at('2017-07-14T12:00Z')), inForce(unknown, now)]).toEqual(['yes', 'unknown'])
    expect(spanOf(during({ start: '2017-07-14' })).state).toBe('unknown')

    const instant = during({ start: '2018-04-20', end: null, endState: 'instant' })
    expect(drawingOf(instant, now)).toMatchObject({ shape: 'line', endUnknown: false })
    expect(inForce(instant, at('2018-04-20T12:00Z'))).toBe('no')
  })

  it('a vague end is hatched from its first instant, inside the region only', () => {
    const month = during({ start: '2018-03-28', end: '2019-07', endState: 'ended' })
    expect(drawingOf(month, now)).toMatchObject({ hatchedFrom: at('2019-07-01T00:00Z'), to: at('2019-08-01T00:00Z') })
    expect([inForce(month, at('2019-06-30T00:00Z')), inForce(month, at('2019-07-02T00:00Z'))]).toEqual([
      'yes',
      'unknown',
    ])
    const same = during({ start: '2017-07-14', end: '2017-07', endState: 'ended' })
    expect(drawingOf(same, now).hatchedFrom).toBe(at('2017-07-14T00:00Z'))
    const approximate = during({ start: '2018-12-21', end: '2018-12-21', endState: 'ended', approx: ['end'] })
    expect(drawingOf(approximate, now).hatchedFrom).toBe(at('2018-12-21T00:00Z'))
    const coarse = during({ start: '2015-10', end: '2015-10-20', endState: 'ended', approx: ['start'] })
    expect(drawingOf(coarse, now)).toMatchObject({ pale: true, hatchedFrom: null, from: at('2015-10-01T00:00Z') })
    expect(inForce(coarse, at('2015-10-10T00:00Z'))).toBe('unknown')
  })

  const date = fc
    .tuple(instant, fc.constantFrom(4, 7, 10, 16))
    .map(([second, length]) => new Date(second * 1000).toISOString().slice(0, length) + (length === 16 ? 'Z' : ''))
  const state = fc.constantFrom('open', 'instant', 'unknown')

  it('property: no month or year is a line; nothing is drawn before its start, backwards, or (if not open) up to now', () => {
    fc.assert(
      fc.property(date, zone, state, fc.array(fc.constantFrom('start', 'end')), (start, tz, endState, approx) => {
        const event = during({ start, tz, end: null, endState, approx: [...new Set(approx)] })
        const drawing = drawingOf(event, now)
        const precise = ['day', 'minute'].includes(precisionOf(start))
        expect(drawing.shape).toBe(precise && endState !== 'open' ? 'line' : 'region')
        expect(drawing.pale).toBe(!precise || approx.includes('start'))
        expect(drawing.from < drawing.to).toBe(true)
        expect(drawing.to).toBe(endState === 'open' ? Math.max(now, spanOf(event).start.to) : spanOf(event).start.to)
        expect(inForce(event, drawing.from - 1)).toBe('no')
      }),
    )
  })

  it('property: what is surely in force is drawn, and shading stays inside the view', () => {
    fc.assert(
      fc.property(date, date, zone, instant, (start, end, tz, second) => {
        fc.pre(end.slice(0, 4) >= start.slice(0, 4) && rangeOf(end, tz).to >= rangeOf(start, tz).to)
        const event = during({ start, end, endState: 'ended', tz })
        const { from, to, hatchedFrom } = drawingOf(event, now)
        const moment = second * 1000
        if (inForce(event, moment) !== 'no') expect(from <= moment && moment < to).toBe(true)
        if (hatchedFrom !== null) expect(from <= hatchedFrom && hatchedFrom < to).toBe(true)
        const view = { from: moment, to: moment + 7 * DAY }
        for (const part of shadingOf(event, view, now))
          expect(view.from <= part.from && part.from < part.to && part.to <= view.to).toBe(true)
      }),
    )
  })
})

describe('recurring hours', () => {
  const window = (days: string, from: string, to: string, tz: string): RecurringWindow => ({
    days: days.split(' ') as RecurringWindow['days'],
    from,
    to,
    tz,
  })
  const all = 'mon tue wed thu fri sat sun'

  it('Kenya, November 2024: weekdays 07-10 and 13-16 Nairobi time, and only these are shaded', () => {
    const event = loadEvents().find(({ id }) => id === 'ke-2024-11-07-telegram-exam-block')!
    const states = ['2024-11-08T03:59Z', '2024-11-08T04:00Z', '2024-11-08T06:59Z', '2024-11-08T07:00Z'].map(time =>
      inForce(event, at(time)),
    )
    expect(states).toEqual(['no', 'yes', 'yes', 'no'])
    expect(inForce(event, at('2024-11-09T04:30Z'))).toBe('no') // a Saturday
    const week = shadingOf(event, { from: at('2024-11-10T21:00Z'), to: at('2024-11-17T21:00Z') }, now)
    expect(week.length).toBe(10)
    expect(isoRange(week[0]!)).toEqual(['2024-11-11T04:00Z', '2024-11-11T07:00Z'])
    expect(shadingOf(event, { from: at('2024-11-25T00:00Z'), to: at('2024-12-01T00:00Z') }, now)).toEqual([])
  })

  it('hours up to midnight, past midnight, around the clock', () => {
    const curfew = [window(all, '16:00', '24:00', 'Asia/Tehran')]
    // Summer time ended in the night to the 22nd: that evening had the hour from 23:00 twice.
    const evenings = windowsWithin(curfew, { from: at('2022-09-21T00:00Z'), to: at('2022-09-23T00:00Z') })
    expect(evenings.map(isoRange)).toEqual([
      ['2022-09-21T11:30Z', '2022-09-21T20:30Z'],
      ['2022-09-22T12:30Z', '2022-09-22T20:30Z'],
    ])
    const night = [window('fri', '22:00', '06:00', 'UTC')]
    expect(insideWindows(night, at('2024-11-08T22:00Z'))).toBe(true)
    expect(insideWindows(night, at('2024-11-09T05:59Z'))).toBe(true) // Saturday morning belongs to Friday night
    expect(insideWindows(night, at('2024-11-09T06:00Z'))).toBe(false)
    expect(insideWindows(night, at('2024-11-08T05:00Z'))).toBe(false) // Friday morning belongs to Thursday
    const always = [window(all, '00:00', '00:00', 'Africa/Nairobi')]
    const view = { from: at('2024-11-08T05:00Z'), to: at('2024-11-12T05:00Z') }
    expect(windowsWithin(always, view)).toEqual([view])
  })

  it('follow the wall clock over a change of clocks', () => {
    const morning = [window(all, '00:30', '08:00', 'Asia/Tehran')]
    const day = { from: at('2018-03-21T20:30Z'), to: at('2018-03-22T19:30Z') }
    // 22 March 2018 began at 01:00: the hours begin with the day.
    expect(windowsWithin(morning, day).map(isoRange)).toEqual([['2018-03-21T20:30Z', '2018-03-22T03:30Z']])
    const exam = [window(all, '07:00', '10:00', 'Asia/Tehran')]
    expect(insideWindows(exam, at('2018-03-21T03:30Z'))).toBe(true) // 07:00+03:30
    expect(insideWindows(exam, at('2018-03-22T02:30Z'))).toBe(true) // 07:00+04:30
    expect(insideWindows(exam, at('2018-03-22T05:30Z'))).toBe(false) // 10:00+04:30
  })

  it('property: in zones whose clocks stand still, inside is what the wall clock says; ranges agree with instants', () => {
    const still = fc.constantFrom('UTC', 'Africa/Nairobi', 'Asia/Kathmandu', 'Africa/Kampala')
    const hour = fc.integer({ min: 0, max: 23 })
    const names = fc.uniqueArray(fc.constantFrom(...all.split(' ')), { minLength: 1 })
    fc.assert(
      fc.property(instant, still, names, hour, hour, (second, tz, days, from, to) => {
        const moment = second * 1000
        const hours = (value: number) => `${String(value).padStart(2, '0')}:00`
        const one = window(days.join(' '), hours(from), hours(to), tz)
        const wall = new Date(wallClock(moment, tz))
        const weekday = all.split(' ')[(wall.getUTCDay() + 6) % 7]!
        const before = all.split(' ')[(wall.getUTCDay() + 5) % 7]!
        const today = days.includes(weekday) && wall.getUTCHours() >= from && (to <= from || wall.getUTCHours() < to)
        const night = to <= from && days.includes(before) && wall.getUTCHours() < to
        expect(insideWindows([one], moment)).toBe(today || night)
        const parts = windowsWithin([one], { from: moment - DAY, to: moment + DAY })
        expect(parts.some(part => part.from <= moment && moment < part.to)).toBe(today || night)
        expect(parts.every((part, index) => index === 0 || part.from > parts[index - 1]!.to)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('distance to an onset', () => {
  const exam = during({ start: '2023-11-08', end: '2023-11-24', endState: 'ended', tz: 'Africa/Nairobi' })

  it('counts local days: 9 November in Nairobi begins at 21:00 UTC on the 8th', () => {
    expect(distanceTo(exam, at('2023-11-09T00:00Z'))).toBe('P1D')
    expect(distanceTo(exam, at('2023-11-08T21:00Z'))).toBe('P1D')
    expect(distanceTo(exam, at('2023-11-08T20:59Z'))).toBe('P0D')
    expect(distanceTo(exam, at('2023-11-07T21:00Z'))).toBe('P0D')
    expect(distanceTo(exam, at('2023-11-07T20:59Z'))).toBe('-P1D')
  })

  it('is never finer than the date', () => {
    const month = during({ start: '2018-04', tz: 'Asia/Tehran' })
    expect(
      ['2018-04-30T12:00Z', '2018-05-01T12:00Z', '2017-12-31T12:00Z'].map(time => distanceTo(month, at(time))),
    ).toEqual(['P0M', 'P1M', '-P4M'])
    const year = during({ start: '2015', tz: 'Europe/Moscow' })
    expect([distanceTo(year, at('2015-12-31T22:00Z')), distanceTo(year, at('2014-06-01T00:00Z'))]).toEqual([
      'P1Y',
      '-P1Y',
    ])
    const minute = during({ start: '2018-07-30T06:28Z', tz: 'Asia/Tehran' })
    expect(
      ['06:28', '06:40', '08:28', '12:58', '06:00'].map(time => distanceTo(minute, at(`2018-07-30T${time}Z`))),
    ).toEqual(['PT0M', 'PT12M', 'PT2H', 'PT6H30M', '-PT28M'])
  })

  it('property: zero exactly where the start covers the onset, with the sign of the gap elsewhere', () => {
    fc.assert(
      fc.property(instant, instant, zone, fc.constantFrom(4, 7, 10), (started, second, tz, length) => {
        const event = during({ start: new Date(started * 1000).toISOString().slice(0, length), tz })
        const onset = second * 1000
        const text = distanceTo(event, onset)
        const gap = gapTo(event, onset)
        const { from, to } = spanOf(event).start
        expect(text).toMatch(/^-?P\d+[YMD]$/)
        expect(/^P0.$/.test(text)).toBe(from <= onset && onset < to)
        expect(text.startsWith('-')).toBe(gap < 0)
      }),
      { numRuns: 300 },
    )
  })
})
