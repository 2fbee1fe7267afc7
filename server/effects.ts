import { setImmediate as turn } from 'node:timers/promises'
import type { PolicyEvent } from '../events/event.ts'
import type { EventEffect } from '../measurement/effect.ts'
import { type Draft, decided, draftOf } from './analysis/effect.ts'
import { type Covered, type Lack, type Plan, planOf } from './analysis/effect-plan.ts'
import { effectSentence } from './analysis/effect-sentence.ts'
import { lordPlusPlus } from './analysis/lord.ts'
import { sourcesOf } from './answers.ts'
import { coverage, readSeries } from './effect-units.ts'
import type { Store } from './store/store.ts'

export type EffectsParts = {
  store: Store
  /** In order of their start. */
  events: readonly PolicyEvent[]
  networkName: (asn: number) => string | undefined
  /** Unix seconds. */
  now: () => number
}

/** Reckoning takes at most this share of the time, however often rows change. */
const DUTY = 1 / 60
/** Events that are of the future or running today are other tomorrow without any row. */
const LONGEST_SECONDS = 3_600

/**
 * What events did. They are tested one after another in order of their start, so one answer needs all before it: all are
 * reckoned together, when somebody asks and rows have changed since.
 */
export class Effects {
  readonly #parts: EffectsParts
  #known: { revision: string; at: number; took: number; effects: Map<string, EventEffect> } | undefined
  #working: Promise<Map<string, EventEffect>> | undefined

  constructor(parts: EffectsParts) {
    this.#parts = parts
  }

  /** Undefined: no event has this id. Rejects when the store fails. */
  async of(id: string): Promise<EventEffect | undefined> {
    return (await this.#current()).get(id)
  }

  async #current(): Promise<Map<string, EventEffect>> {
    if (this.#working) return this.#working
    const { store, now } = this.#parts
    const known = this.#known
    if (known && now() - known.at < known.took / DUTY) return known.effects
    const [row] = await store.query<{ revision: string }>(
      `SELECT toString((count(), max(revision))) AS revision FROM rollups WHERE level = 86400`,
    )
    const revision = row?.revision ?? ''
    if (known?.revision === revision && now() - known.at < LONGEST_SECONDS) return known.effects
    this.#working ??= this.#reckon(revision).finally(() => {
      this.#working = undefined
    })
    return this.#working
  }

  async #reckon(revision: string): Promise<Map<string, EventEffect>> {
    const { store, events, now } = this.#parts
    const began = performance.now()
    const at = now()
    const covered = await coverage(store)
    const drafts: Omit<EventEffect, 'sentence'>[] = []
    for (const event of events) drafts.push(await this.#draft(event, covered, at))
    const effects = new Map(inStream(drafts).map(effect => [effect.event, effect]))
    this.#known = { revision, at, took: (performance.now() - began) / 1000, effects }
    return effects
  }

  async #draft(event: PolicyEvent, covered: readonly Covered[], at: number): Promise<Omit<EventEffect, 'sentence'>> {
    const { store, events, networkName } = this.#parts
    const plan = planOf(event, events, covered, at)
    if (!isPlan(plan)) return { ...lacking(event, plan), sources: [] }
    const { series, origins } = await readSeries(store, plan)
    // Others wait for answers too.
    await turn()
    const draft = draftOf(plan, series)
    const networks = draft.networks.map(of => {
      const network = of.asn === undefined ? undefined : networkName(of.asn)
      return network ? { ...of, network } : of
    })
    return { ...draft, networks, sources: sourcesOf([{ origins: [...origins] }]) }
  }
}

const isPlan = (of: Plan | Lack): of is Plan => 'onset' in of

const lacking = (event: PolicyEvent, { answer, reason, apps, features }: Lack): Draft => ({
  ...{ event: event.id, answer, reason, apps, features, countries: [], first: null, whole: null, networks: [] },
  ...{ control: null, test: null, chance: null, others: [], words: null },
})

/** Below this, and with nothing else decided at that time, an effect is said to be consistent with the event (reference §3.4). */
const CONSISTENT_BELOW = 0.01

/** Each draft in its place in the stream of tests, with its words. */
const inStream = (drafts: readonly Omit<EventEffect, 'sentence'>[]): EventEffect[] => {
  const tested = drafts.flatMap(({ test }) => test?.p ?? [])
  const levels = lordPlusPlus(tested)
  let place = 0
  return drafts.map(draft => {
    const { p } = draft.test ?? { p: null }
    const { level, found } = p === null ? { level: 0, found: false } : levels[place++]!
    const { sources } = draft
    const judged = p === null ? draft : decided(draft, level, found, place)
    const clear = judged.answer === 'effect' && p !== null && p < CONSISTENT_BELOW && judged.others.length === 0
    const follows = judged.answer === 'effect' || judged.answer === 'untested'
    const worded = { ...judged, sources, words: clear ? 'consistent_with' : follows ? 'follows' : null } as const
    return { ...worded, sentence: effectSentence(worded) }
  })
}
