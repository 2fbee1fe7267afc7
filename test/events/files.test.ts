import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Check } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { UNMEASURED_APPS } from '../../events/apps.ts'
import { PolicyEvent } from '../../events/event.ts'
import { breaches, unknownApps } from '../../events/laws.ts'
import { fileOf, fileText, inOrder, loadEvents } from '../../events/load.ts'
import { drawingOf } from '../../events/when.ts'
import { apps } from '../../measurement/catalogue.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'events')
const fixtures = process.env['PEYK_FIXTURES'] ?? join(root, '../shared/data')
const dataset = join(fixtures, 'policy-events.json')
const reference = join(fixtures, 'policy-event.schema.json')

const catalogue = apps.map(app => app.id)

const events = loadEvents()
const files = readdirSync(folder).filter(name => name.endsWith('.json'))

describe('the event files', () => {
  it('are written the one way (put right by: npx vitest run test/events/files.test.ts -u)', async () => {
    for (const file of files)
      await expect(fileText(JSON.parse(readFileSync(join(folder, file), 'utf8'))), file).toMatchFileSnapshot(
        join(folder, file),
      )
  })

  it('hold every event once, in the file of its country, and the loader sorts them', () => {
    expect(new Set(events.map(event => event.id)).size).toBe(events.length)
    expect(events.map(event => event.id)).toEqual(events.toSorted(inOrder).map(event => event.id))
    expect(new Set(events.map(fileOf))).toEqual(new Set(files))
    expect(breaches(events)).toEqual([])
  })

  it('name only apps of the catalogue or of events/apps.ts, which is no longer than needed', () => {
    expect(unknownApps(events, catalogue)).toEqual([])
    const named = new Set(events.flatMap(event => event.apps))
    expect(Object.keys(UNMEASURED_APPS).filter(app => !named.has(app) || catalogue.includes(app))).toEqual([])
  })

  it('never draw a month or a year as a line, nor an unknown end as a region up to now', () => {
    const now = Date.parse('2030-01-01T00:00Z') / 1000
    const drawn = events.map(event => ({ id: event.id, start: event.when.start, ...drawingOf(event, now) }))
    expect(drawn.filter(({ shape, start }) => shape === 'line' && start.length < 10)).toEqual([])
    expect(drawn.filter(({ endUnknown, to }) => endUnknown && to > Date.parse('2027-01-01') / 1000)).toEqual([])
    expect(drawn.filter(({ open, to }) => open !== (to === now))).toEqual([])
    // Both kinds are there, so that the three lines above compare something.
    expect(drawn.filter(({ start }) => start.length < 10).length).toBeGreaterThanOrEqual(48)
    expect(drawn.filter(({ endUnknown }) => endUnknown).length).toBeGreaterThanOrEqual(50)
  })
})

describe('against the dataset', () => {
  it.skipIf(!existsSync(dataset))('each of its 224 events is here, and equal unless a revision says why not', () => {
    const original: PolicyEvent[] = JSON.parse(readFileSync(dataset, 'utf8'))
    expect(original.length).toBe(224)
    const here = new Map(events.map(event => [event.id, event]))
    expect(original.filter(({ id }) => !here.has(id)).map(({ id }) => id)).toEqual([])
    for (const event of original) if (!here.get(event.id)?.revisions) expect(here.get(event.id)).toEqual(event)
    expect(original.filter(({ title }) => Object.hasOwn(title, 'fa')).length).toBe(87)
  })

  it.skipIf(!existsSync(reference))('the schema says what the published one says', () => {
    expect(comparable(JSON.parse(JSON.stringify(PolicyEvent)))).toEqual(
      comparable(JSON.parse(readFileSync(reference, 'utf8'))),
    )
  })

  it('the schema refuses what it must', () => {
    const event = events[0]!
    expect(Check(PolicyEvent, event)).toBe(true)
    expect(Check(PolicyEvent, { ...event, note: 'surplus' })).toBe(false)
    expect(Check(PolicyEvent, { ...event, title: { fa: 'بدون انگلیسی' } })).toBe(false)
    expect(Check(PolicyEvent, { ...event, when: { start: '2018-4-26' } })).toBe(false)
    expect(Check(PolicyEvent, { ...event, sources: [] })).toBe(false)
  })
})

interface Schema {
  [key: string]: unknown
}

/** A JSON Schema with references put in place and the wording of unions and order of `required` levelled. */
function comparable(schema: Schema, definitions = (schema['$defs'] ?? {}) as Record<string, Schema>): unknown {
  const level = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(level)
    if (typeof value !== 'object' || value === null) return value
    const { $ref, ...own } = value as Schema
    const merged = typeof $ref === 'string' ? { ...definitions[$ref.replace('#/$defs/', '')], ...own } : own
    return Object.fromEntries(
      Object.entries(merged)
        // TypeBox says the type of a constant, too.
        .filter(([key]) => !['$schema', '$id', '$defs'].includes(key) && !(key === 'type' && 'const' in merged))
        .map(([key, item]) => [
          key === 'oneOf' ? 'anyOf' : key,
          key === 'required' ? (item as string[]).toSorted() : level(item),
        ]),
    )
  }
  const { title: _, ...rest } = schema
  return level(rest)
}
