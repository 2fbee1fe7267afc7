/** Which events concern an app, a country, a network, a time; which are near an onset; in which language to say them. */
import type { Confidence, EventKind, EventText, PolicyEvent } from './event.ts'
import { distanceTo, drawingOf, gapTo, type Range, spanOf } from './when.ts'

/** Every given field must hold; what is not given is not asked. Instants are milliseconds UTC, the range [from, to). */
export interface Wanted {
  app?: string | undefined
  /** A measured feature (`text`, `media`, …), or `proxy` for events that are annotation only. */
  feature?: string | undefined
  /** ISO 3166. Global and cross-border events concern every country. */
  country?: string | undefined
  /**
   * A network of that country. Events list the networks their sources happen to name, so only an event of scope
   * `network` is limited to its list; `namesNetwork` tells which events name this one.
   */
  asn?: number | undefined
  from?: number | undefined
  to?: number | undefined
  kinds?: readonly EventKind[] | undefined
  atLeast?: Confidence | undefined
}

const CONFIDENCES: readonly Confidence[] = ['rumor', 'reported', 'confirmed']

/** A withdrawn event keeps its place as a tombstone, so that its id is never reused; no list shows it. */
export const isWithdrawn = (event: PolicyEvent) => event.tags?.includes('withdrawn') ?? false

/** What a reader sees before asking for more: no rumours, no denials, no figures announced by an app or a state. */
export function shownByDefault(event: PolicyEvent): boolean {
  const quiet = event.kind === 'rumor' || event.kind === 'denial' || event.confidence === 'rumor'
  return !quiet && !event.tags?.includes('metric') && !isWithdrawn(event)
}

/** `*` is all international internet and so every app. An event that names no app (an election) concerns none. */
export const concernsApp = (event: PolicyEvent, app: string) => event.apps.includes(app) || event.apps.includes('*')

/** `all` or no list is every measured feature; `proxy` is never measured, so such an event explains no series. */
export function concernsFeature(event: PolicyEvent, feature: string): boolean {
  const features: readonly string[] = event.features ?? []
  const every = features.length === 0 || features.includes('all')
  return features.includes(feature) || (every && feature !== 'proxy')
}

const concernsProxiesOnly = ({ features = [] }: PolicyEvent) =>
  features.length > 0 && features.every(feature => feature === 'proxy')

export function concernsCountry({ where }: PolicyEvent, country: string): boolean {
  return where.scope === 'global' || where.scope === 'cross-border' || where.countries.includes(country)
}

export const namesNetwork = ({ where }: PolicyEvent, asn: number) => where.asns?.includes(asn) ?? false

/** Whether any part of what is drawn lies in [from, to). An open event reaches as far as anybody looks. */
function within(event: PolicyEvent, from: number, to: number): boolean {
  const drawn = drawingOf(event, Number.POSITIVE_INFINITY)
  return drawn.from < to && drawn.to > from
}

/** The events wanted, in the order given (the loader's: by start, then id). Withdrawn ones are left out. */
export function select(events: readonly PolicyEvent[], wanted: Wanted): PolicyEvent[] {
  const { app, feature, country, asn, kinds, atLeast } = wanted
  const from = wanted.from ?? Number.NEGATIVE_INFINITY
  const to = wanted.to ?? Number.POSITIVE_INFINITY
  return events.filter(
    event =>
      !isWithdrawn(event) &&
      (app === undefined || concernsApp(event, app)) &&
      (feature === undefined || concernsFeature(event, feature)) &&
      (country === undefined || concernsCountry(event, country)) &&
      (asn === undefined || event.where.scope !== 'network' || namesNetwork(event, asn)) &&
      (kinds === undefined || kinds.includes(event.kind)) &&
      (atLeast === undefined || CONFIDENCES.indexOf(event.confidence) >= CONFIDENCES.indexOf(atLeast)) &&
      within(event, from, to),
  )
}

/** What changed, and when (milliseconds UTC). */
export interface Change {
  app: string
  feature: string
  country: string
  asn?: number | undefined
  onset: number
}

export interface Near {
  event: PolicyEvent
  /** See `distanceTo`. */
  distance: string
  /** The event names the feature that changed; one about media may still lie beside a change of text. */
  sameFeature: boolean
}

/**
 * Candidates lie from a day before an onset to six hours after it: orders precede their effect, and the onset itself is
 * known to some hours only (method: docs/method.md, joining and explaining). Wider windows mostly add coincidences: at
 * four events a month some event lies within 30 hours of any instant with probability 0.15, within 78 hours with 0.35.
 */
export const NEAR = { beforeOnset: 24 * 3_600_000, afterOnset: 6 * 3_600_000 }

/**
 * Events of the app and country near an onset: nearest first, at the same distance the more precise first, then those of
 * the same feature. Near in time, never "because of". A day counts whole, as does a month or year, whose distance then
 * says so (`P0M`). What is hidden by default is no candidate, nor is what concerns proxies only.
 */
export function near(
  events: readonly PolicyEvent[],
  { onset, feature, ...wanted }: Change,
  { beforeOnset, afterOnset } = NEAR,
): Near[] {
  return select(events, wanted)
    .filter(event => shownByDefault(event) && !concernsProxiesOnly(event))
    .map(event => ({ event, gap: gapTo(event, onset), sameFeature: concernsFeature(event, feature) }))
    .filter(({ gap }) => gap <= beforeOnset && gap >= -afterOnset)
    .sort(
      (a, b) =>
        Math.abs(a.gap) - Math.abs(b.gap) ||
        lengthOf(spanOf(a.event).start) - lengthOf(spanOf(b.event).start) ||
        Number(b.sameFeature) - Number(a.sameFeature),
    )
    .map(({ event, sameFeature }) => ({ event, distance: distanceTo(event, onset), sameFeature }))
}

const lengthOf = ({ from, to }: Range) => to - from

export interface Wording {
  text: string
  /** Language of `text`, for the `lang` attribute. */
  language: string
  /** The language asked for does not exist: say so beside the text. */
  fallback: boolean
}

/** A title or summary in a language (`fa`, `fa-IR`), else in English, saying so. */
export function wording(text: EventText, asked: string): Wording {
  for (const language of [asked, asked.split('-')[0]!])
    if (Object.hasOwn(text, language)) return { text: text[language]!, language, fallback: false }
  return { text: text.en, language: 'en', fallback: true }
}
