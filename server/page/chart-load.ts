import type { PolicyEvent } from '../../events/event.ts'
import { shownByDefault } from '../../events/select.ts'
import { spanOf } from '../../events/when.ts'
import type { Degradation, Degradations, Reachability, Series, Source } from '../../measurement/answers.ts'
import { CONTROL } from '../../measurement/catalogue.ts'
import type { EventEffect } from '../../measurement/effect.ts'
import { type Operation, operations } from '../../measurement/step.ts'
import { type Address, instantText } from './address.ts'
import { ask, Trouble } from './ask.ts'
import { type Range, secondsOf, stepFor } from './range.ts'

type Network = { asn: number; name: string | undefined; attempts: number }

/** Everything one chart shows. */
export type Chart = {
  range: Range
  step: string
  whole: Series
  lanes: { network: Network; series: Series }[]
  /** Networks with data in the range, those that a degradation names first. */
  networks: Network[]
  degradations: readonly Degradation[]
  events: readonly PolicyEvent[]
  /** What followed the events that began in the range, by their id. */
  effects: ReadonlyMap<string, EventEffect>
  /** Start of the newest window with data of this country, for empty ranges; Unix seconds. */
  newest: number | null
  sources: Source[]
}

/** Lanes shown until a reader asks for others: what fits one screen. */
export const LANES = 6
/** And at most, since each lane is a question to the server. */
const MAX_LANES = 24

type Wanted = Pick<Address, 'feature' | 'networks' | 'all' | 'step'> & { app: string; country: string; range: Range }

export async function loadChart(
  { app, country, feature, networks, all, step: asked, range }: Wanted,
  signal: AbortSignal,
): Promise<Chart> {
  const step = stepFor(range, asked)
  const place = { app, country, from: instantText(range.from), to: instantText(range.to) }
  const series = (asn?: number) => ask<Series>('/v1/series', { ...place, asn, feature, step }, signal)
  const [whole, found, ofNetworks, annotations, present] = await Promise.all([
    series(),
    ask<Degradations>('/v1/degradations', place, signal),
    ask<Degradations>('/v1/degradations', { ...place, app: CONTROL }, signal),
    ask<{ events: PolicyEvent[] }>('/v1/events', place, signal),
    ask<Reachability>('/v1/reachability', { at: place.to, app, country }, signal),
  ])
  // What happened to the network itself happened to every app on it.
  const own = app === CONTROL ? [] : found.degradations.filter(degradation => degradation.feature === feature)
  const degradations = [...own, ...ofNetworks.degradations].sort((a, b) => (a.onset < b.onset ? 1 : -1))
  const known = networksOf(whole, present, degradations, { app, country })
  const wanted = chooseLanes(known, networks, all)
  const [lanes, effects] = await Promise.all([
    Promise.all(wanted.map(async network => ({ network, series: await series(network.asn) }))),
    whole.points.length > 0 ? effectsOf(annotations.events, range, signal) : nothing,
  ])
  const here = newestOf(present, country)
  return {
    range,
    step,
    whole,
    lanes,
    networks: known,
    degradations,
    events: annotations.events,
    effects,
    newest: here,
    sources: joined([whole, ...lanes.map(lane => lane.series)].flatMap(one => one.sources)),
  }
}

/** Effects asked for with one chart: an event has one, and a question each. */
const MOST_EFFECTS = 12
const nothing: ReadonlyMap<string, EventEffect> = new Map()

/** What followed the events that began in the range. A chart stands without them: what cannot be had is left out. */
async function effectsOf(
  events: readonly PolicyEvent[],
  { from, to }: Range,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, EventEffect>> {
  const begun = events.filter(
    event => shownByDefault(event) && spanOf(event).start.from >= from && spanOf(event).start.from < to,
  )
  const effects = await Promise.all(
    begun.slice(-MOST_EFFECTS).map(({ id }) =>
      ask<EventEffect>(`/v1/events/${id}/effect`, {}, signal).catch((error: unknown) => {
        if (error instanceof Trouble) return null
        throw error
      }),
    ),
  )
  return new Map(effects.flatMap(effect => (effect === null ? [] : [[effect.event, effect]])))
}

/** Start of the newest window with data of a country, or of any; null where nothing was ever measured. */
export function newestOf({ countries, newest }: Pick<Reachability, 'countries' | 'newest'>, country: string | null) {
  const found = country === null || !countries ? newest : countries.find(one => one.country === country)?.newest
  return found == null ? null : secondsOf(found)
}

/** Networks with data in the range; where the server does not list them, those it names otherwise. */
export function networksOf(
  whole: Pick<Series, 'networks'>,
  present: Pick<Reachability, 'places'>,
  degradations: readonly Pick<Degradation, 'networks'>[],
  { app, country }: { app: string; country: string },
): Network[] {
  const found = new Map<number, Network>()
  for (const { asn, network, attempts } of whole.networks ?? []) found.set(asn, { asn, name: network, attempts })
  for (const place of present.places) {
    if (place.country !== country || place.app !== app || place.asn === undefined) continue
    const known = found.get(place.asn)
    if (known) known.name ??= place.network
    else if (!whole.networks) found.set(place.asn, { asn: place.asn, name: place.network, attempts: place.attempts })
  }
  const named = new Set(degradations.flatMap(degradation => degradation.networks))
  for (const asn of named) if (!found.has(asn)) found.set(asn, { asn, name: undefined, attempts: 0 })
  return [...found.values()].sort(
    (a, b) => Number(named.has(b.asn)) - Number(named.has(a.asn)) || b.attempts - a.attempts || a.asn - b.asn,
  )
}

/** The networks a reader asked for, in the list's order; else the first few. */
export function chooseLanes(known: readonly Network[], asked: readonly number[], all: boolean): Network[] {
  if (asked.length === 0) return known.slice(0, all ? MAX_LANES : LANES)
  const unknown = asked.filter(asn => !known.some(network => network.asn === asn))
  return [
    ...known.filter(network => asked.includes(network.asn)),
    ...unknown.map(asn => ({ asn, name: undefined, attempts: 0 })),
  ].slice(0, MAX_LANES)
}

function joined(sources: readonly Source[]): Source[] {
  return [...new Map(sources.map(source => [`${source.origin} ${source.attribution}`, source])).values()]
}

/** The operation asked for, else the deepest that at least half of the measured points know the time of. */
export function operationOf(series: readonly Series[], asked: Operation | null): Operation | null {
  if (asked !== null) return asked
  const count = (operation: Operation) =>
    series.reduce((sum, one) => sum + one.points.filter(point => point.latency[operation] != null).length, 0)
  const counts = operationsIn(series).map(operation => ({ operation, count: count(operation) }))
  const most = Math.max(0, ...counts.map(({ count }) => count))
  return counts.filter(({ count }) => count > 0 && count >= most / 2).at(-1)?.operation ?? null
}

/** Operations that any of the series knows the time of, in the order of the stack. */
export function operationsIn(series: readonly Series[]): Operation[] {
  const known = new Set(
    series.flatMap(one =>
      one.points.flatMap(point =>
        Object.entries(point.latency).flatMap(([name, time]) => (time == null ? [] : [name])),
      ),
    ),
  )
  return operations.filter(operation => known.has(operation))
}
