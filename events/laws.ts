/**
 * What must hold for events and no schema can say. Each breach is one line: event id, field, what is wrong.
 * The loader applies all but the app names, for which the catalogue is needed: a test joins both.
 */
import { UNMEASURED_APPS } from './apps.ts'
import type { PolicyEvent } from './event.ts'

/** Breaches of the laws by schema-valid events; empty when all hold. Order and files are the loader's. */
export function breaches(events: readonly PolicyEvent[]): string[] {
  const byId = new Map(events.map(event => [event.id, event]))
  const found = events.flatMap(event =>
    [...dates(event), ...places(event), ...evidence(event), ...links(event, byId)].map(text => `${event.id}: ${text}`),
  )
  const seen = new Set<string>()
  for (const { id } of events) {
    if (seen.has(id)) found.push(`${id}: id stands twice; ids are never reused`)
    seen.add(id)
  }
  return found
}

/** App slugs that neither the catalogue nor `UNMEASURED_APPS` knows, as breaches. */
export function unknownApps(events: readonly PolicyEvent[], catalogue: Iterable<string>): string[] {
  const known = new Set(['*', ...catalogue, ...Object.keys(UNMEASURED_APPS)])
  return events.flatMap(({ id, apps }) =>
    apps
      .filter(app => !known.has(app))
      .map(app => `${id}: apps: "${app}" is neither in the catalogue nor in events/apps.ts`),
  )
}

/** Missing parts are the first of their unit; then what the calendar gives back must begin with what was written. */
function isCalendarDate(date: string): boolean {
  const full = date.length > 10 ? date : `${date}${'-01-01'.slice(date.length - 4)}T00:00Z`
  const at = Date.parse(full)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(date.replace('Z', ''))
}

function isZone(tz: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: tz }) !== undefined
  } catch {
    return false
  }
}

const isHour = (hour: string) => /^([01]\d|2[0-3]):[0-5]\d$/.test(hour)

function dates({ when, sources }: PolicyEvent): string[] {
  const found: string[] = []
  const { start, end, endState, tz, windows = [] } = when
  const named = { start, end, deadline: when.deadline, announced: when.announced }
  for (const [field, date] of Object.entries(named))
    if (date && !isCalendarDate(date)) found.push(`when.${field}: ${date} is not in the calendar`)
  for (const { published } of sources)
    if (published && !isCalendarDate(published)) found.push(`sources.published: ${published} is not in the calendar`)
  if (end) {
    const shared = Math.min(start.length, end.length)
    if (end.slice(0, shared) < start.slice(0, shared)) found.push(`when.end: ${end} is before the start, ${start}`)
    if (endState !== undefined && endState !== 'ended') found.push(`when.endState: "${endState}" with an end`)
  } else if (endState === 'ended') found.push('when.endState: "ended" without an end')
  if (tz !== undefined && !isZone(tz)) found.push(`when.tz: no time zone "${tz}"`)
  for (const window of windows) {
    if (!isZone(window.tz)) found.push(`when.windows.tz: no time zone "${window.tz}"`)
    if (!isHour(window.from)) found.push(`when.windows.from: no hour "${window.from}"`)
    if (!isHour(window.to) && window.to !== '24:00') found.push(`when.windows.to: no hour "${window.to}"`)
    if (window.days.length === 0) found.push('when.windows.days: empty')
  }
  return found
}

const regions = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })

/** Aliases are refused, too: "UK" is written GB in ISO 3166. */
const isCountry = (code: string) =>
  regions.of(code) !== undefined && Intl.getCanonicalLocales(`und-${code}`)[0] === `und-${code}`

function places({ where: { countries, scope } }: PolicyEvent): string[] {
  const found = countries.filter(code => !isCountry(code)).map(code => `where.countries: no country "${code}"`)
  if ((scope === 'global') !== (countries.length === 0))
    found.push('where.countries: empty for global events and only for these')
  return found
}

function evidence({ confidence, expect, sources, tags = [], revisions = [] }: PolicyEvent): string[] {
  const found: string[] = []
  if (confidence === 'rumor' && expect) found.push('expect: a rumor lets nobody expect anything')
  if (confidence === 'confirmed' && sources.every(source => source.evidence === 'unsourced'))
    found.push('confidence: "confirmed" needs a source that is not "unsourced"')
  if (tags.includes('withdrawn') && revisions.length === 0)
    found.push('revisions: a withdrawn event needs one that says why')
  return found
}

function links(event: PolicyEvent, byId: ReadonlyMap<string, PolicyEvent>): string[] {
  return (event.links ?? []).flatMap(({ rel, id }) => {
    const other = byId.get(id)
    if (other === undefined) return [`links: no event "${id}"`]
    const shared =
      event.apps.some(app => other.apps.includes(app)) ||
      event.where.countries.some(country => other.where.countries.includes(country))
    return rel === 'denies' && !shared ? [`links: denies "${id}", which has neither country nor app in common`] : []
  })
}
