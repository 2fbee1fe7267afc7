/** Reads the event files beside this one. For servers and tools: it imports node:fs and TypeBox, the page does not. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { IsArray, IsObject, type TSchema } from 'typebox'
import { Errors } from 'typebox/value'
import { PolicyEvent } from './event.ts'
import { breaches } from './laws.ts'

/** Where events of no single country live: global, cross-border, several countries. */
const SHARED_FILE = 'cross-border.json'

/** The file an event belongs to: its country's (`IR.json`), or `cross-border.json`. */
export function fileOf({ where: { countries, scope } }: PolicyEvent): string {
  const [country] = countries
  return country === undefined || countries.length > 1 || scope === 'cross-border' ? SHARED_FILE : `${country}.json`
}

/** By start, then id. A month stands before its days, a year before its months. */
export function inOrder(a: PolicyEvent, b: PolicyEvent): number {
  const [one, other] = a.when.start === b.when.start ? [a.id, b.id] : [a.when.start, b.when.start]
  return one < other ? -1 : one > other ? 1 : 0
}

/** The one way to write a file of events: ordered, keys as in the schema, two spaces, a last line feed. */
export function fileText(events: readonly PolicyEvent[]): string {
  return `${JSON.stringify(
    events.toSorted(inOrder).map(event => keysAsIn(PolicyEvent, event)),
    null,
    2,
  )}\n`
}

function keysAsIn(schema: TSchema | undefined, value: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => keysAsIn(IsArray(schema) ? schema.items : undefined, item))
  if (typeof value !== 'object' || value === null) return value
  const parts: Record<string, TSchema> = IsObject(schema) ? schema.properties : {}
  const names = Object.keys(parts)
  // Texts have no properties in the schema: English first, then by language.
  const rank = (key: string) => (key === 'en' ? -1 : names.indexOf(key))
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, keysAsIn(parts[key], item)]))
}

/**
 * All events of a folder, valid, by start and id. Reads the disk: call it once at start.
 * Throws one Error that lists every fault as file, event and field; a server with a broken event file must not start.
 */
export function loadEvents(folder: string = import.meta.dirname): readonly PolicyEvent[] {
  const faults: string[] = []
  const files = new Map<string, string>()
  const events: PolicyEvent[] = []
  const names = readdirSync(folder).filter(name => name.endsWith('.json'))
  if (names.length === 0) throw new Error(`No event files (*.json) in ${folder}`)
  for (const file of names.sort())
    for (const event of valid(readFileSync(join(folder, file), 'utf8'), file, faults)) {
      if (fileOf(event) !== file) faults.push(`${file}: ${event.id}: where: belongs into ${fileOf(event)}`)
      files.set(event.id, file)
      events.push(event)
    }
  faults.push(...breaches(events).map(breach => `${files.get(breach.slice(0, breach.indexOf(':')))}: ${breach}`))
  if (faults.length > 0) throw new Error(`Faults in the event files of ${folder}:\n  ${faults.join('\n  ')}`)
  return events.sort(inOrder)
}

function valid(text: string, file: string, faults: string[]): PolicyEvent[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    faults.push(`${file}: not JSON: ${error instanceof Error ? error.message : error}`)
    return []
  }
  if (!Array.isArray(parsed)) {
    faults.push(`${file}: not a list of events`)
    return []
  }
  return parsed.filter((event: unknown, index): event is PolicyEvent => {
    const errors = Errors(PolicyEvent, event)
    const name = nameOf(event) ?? `event ${index + 1}`
    // "schema is false" repeats a surplus field, which the next error names.
    for (const error of errors)
      if (error.keyword !== 'boolean')
        faults.push(`${file}: ${name}: ${fieldOf(error)}: ${error.message}${allowed(error)}`)
    return errors.length === 0
  })
}

function nameOf(event: unknown): string | undefined {
  const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined
  return typeof id === 'string' ? id : undefined
}

const allowed = ({ params }: ReturnType<typeof Errors>[number]) =>
  'allowedValues' in params ? `: ${params.allowedValues.join(', ')}` : ''

/** `/when/start` as `when.start`; for a missing or surplus field that field, not the object around it. */
function fieldOf({ instancePath, params }: ReturnType<typeof Errors>[number]): string {
  const names =
    'requiredProperties' in params
      ? params.requiredProperties
      : 'additionalProperties' in params
        ? params.additionalProperties
        : []
  return [...instancePath.split('/').slice(1), ...(names.length > 0 ? [names.join(', ')] : [])].join('.') || 'event'
}
