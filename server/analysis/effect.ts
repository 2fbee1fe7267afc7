import type { PolicyEvent } from '../../events/event.ts'
import {
  type EffectAnswer,
  type EffectMatch,
  type EffectMeasure,
  type EffectMeasureName,
  type EventEffect,
  effectAnswers,
  effectMeasures,
} from '../../measurement/effect.ts'
import { anything, type Change, changeOf, enough, type Unit, type Window } from './change.ts'
import { type Estimate, estimate, type Looked, placeboPs, placebos } from './difference.ts'
import type { Plan } from './effect-plan.ts'

/** From the series around an event to what can be said of it, all but the level that p has to reach (`decided`). */

/** Fewer quiet onsets cannot tell one in two hundred (reference detection.md §5.5.4). */
export const LEAST_PLACEBOS = 199

/** Public series of one network, by measure. `group` is against the event: its own apps there, other apps there, its apps elsewhere. */
export type Series = {
  group: 'own' | 'apps' | 'countries'
  app: string
  country: string
  asn: number
  measures: Record<EffectMeasureName, Unit>
}

type Expected = EffectMeasure['expected']

const signs: Readonly<Record<string, Expected>> = {
  lost: 'down',
  degraded: 'down',
  down: 'down',
  restored: 'up',
  up: 'up',
  none: 'none',
}

/** What the event lets expect of each measure; of one that says nothing, reachability is looked at. */
export const expectedOf = ({ expect = {} }: PolicyEvent): Map<EffectMeasureName, Expected> => {
  const said = effectMeasures.flatMap((measure): [EffectMeasureName, Expected][] => {
    const word = expect[measure]
    return word === undefined ? [] : [[measure, signs[word] ?? null]]
  })
  return new Map(said.length > 0 ? said : [['reachability', null]])
}

type Sides = { treated: Series[]; controls: Series[]; kind: NonNullable<EventEffect['control']>['kind'] | null }

const placeOf = ({ country, asn }: Series): string => `${country} ${asn}`

/** Networks, and of a country without public ones the country itself. */
const finest = (series: readonly Series[]): Series[] => {
  const divided = new Set(series.filter(({ asn }) => asn !== 0).map(({ app, country }) => `${app} ${country}`))
  return series.filter(({ app, country, asn }) => asn !== 0 || !divided.has(`${app} ${country}`))
}

/**
 * Who is compared with whom: networks that the event names, else (unless it is about these alone) all of its countries; against other apps on the same
 * networks, else its apps in other countries, else networks it does not name. The first of these with enough in it: the
 * later ones share less with the treated, or may be hit themselves.
 */
export const sidesOf = (plan: Plan, series: readonly Series[]): Sides => {
  const own = finest(series.filter(({ group }) => group === 'own'))
  const named = own.filter(({ asn }) => plan.asns.includes(asn))
  // What was ordered of all is looked for on all; what is said of some networks is not told of others.
  const only = plan.asns.length > 0 && plan.event.where.scope === 'network'
  const treated = named.length > 0 || only ? named : own
  if (treated.length === 0) return { treated, controls: [], kind: null }
  const places = new Set(treated.map(placeOf))
  const calm = ({ app, country }: Series) => !plan.disturbed(app, country)
  const candidates = {
    apps: series.filter(of => of.group === 'apps' && places.has(placeOf(of)) && calm(of)),
    countries: finest(series.filter(({ group }) => group === 'countries')).filter(calm),
    networks: own.filter(of => of.asn !== 0 && !treated.includes(of)),
  }
  for (const kind of ['apps', 'countries', 'networks'] as const) {
    const units = candidates[kind].map(({ measures }) => measures.reachability)
    if (enough(units, plan.first)) return { treated, controls: candidates[kind], kind }
  }
  return { treated, controls: [], kind: null }
}

const round = (value: number): number => Number(value.toPrecision(4))

/** What is told of levels and changes, in the measure's own words: shares, seconds, quotients. */
const toldOf = (measure: EffectMeasureName, own: Change | null, other: Change | null, found: Estimate | null) => {
  const level = (value: number | undefined) => {
    if (value === undefined || measure === 'throughput') return null
    return round(measure === 'reachability' ? value : Math.exp(value))
  }
  const change = (value: number | undefined) => {
    if (value === undefined) return null
    return measure === 'reachability' ? round(Math.max(-1, Math.min(1, value))) : round(Math.exp(value))
  }
  return {
    ...{ before: level(own?.before.mean), after: level(own?.after.mean) },
    ...{ controlBefore: level(other?.before.mean), controlAfter: level(other?.after.mean) },
    ...{ change: change(found?.change), low: change(found?.low), high: change(found?.high) },
    ...{ hoursBefore: round(own?.hours.before ?? 0), hoursAfter: round(own?.hours.after ?? 0) },
    ...{ quietDays: found?.quietDays ?? 0, parallel: found?.parallel ?? null },
  }
}

const matchOf = (answer: EffectAnswer, expected: Expected, change: number): EffectMatch | null => {
  if (expected === null) return null
  if (answer === 'no_visible_effect') return expected === 'none' ? 'agrees' : 'not_seen'
  if (answer !== 'effect' && answer !== 'untested') return null
  if (expected === 'none') return 'unexpected'
  return change > 0 === (expected === 'up') ? 'agrees' : 'opposite'
}

/** One measure over one window; with what quiet onsets show, where it can be tested. */
type Measured = { told: EffectMeasure; looked: Looked | null }

/** Null where nothing was measured and nothing expected. */
const measured = (plan: Plan, sides: Sides, window: Window, measure: EffectMeasureName): Measured | null => {
  const expectations = expectedOf(plan.event)
  const expected = expectations.get(measure) ?? null
  const own = sides.treated.map(({ measures }) => measures[measure])
  const other = sides.controls.map(({ measures }) => measures[measure])
  const scale = measure === 'reachability' ? 'share' : 'log'
  const change = changeOf(own, window, scale)
  if (change === null && !expectations.has(measure)) return null
  const answered = (
    answer: EffectAnswer,
    reason: EffectMeasure['reason'],
    found: Estimate | null = null,
    looked: Looked | null = null,
  ): Measured => {
    const match = matchOf(answer, expected, found?.change ?? 0)
    const levels = toldOf(measure, change, found?.control ?? null, found)
    const count = looked?.quiet.filter(value => value !== null).length ?? 0
    return { told: { measure, answer, reason, ...levels, expected, match, placebos: count, p: null }, looked }
  }
  if (!anything(own, window)) return answered('no_data', 'nothing_there')
  if (!enough(own, window)) return answered('not_enough', 'too_few')
  if (other.length === 0) return answered('not_enough', 'no_control')
  const found = estimate(own, other, window, scale, `${plan.event.id} ${measure}`)
  if (found === null) return answered('not_enough', 'no_control')
  const looked = expectations.has(measure)
    ? { change: found.change, quiet: placebos(own, other, plan.quiet(window), window) }
    : null
  if (found.low <= 0 && found.high >= 0) return answered('no_visible_effect', null, found, looked)
  if (!isOwn(found)) return answered('no_visible_effect', 'controls_moved', found, looked)
  return answered('untested', 'too_early', found, looked)
}

/** At least half of the difference is the event's own apps and networks moving, not what they are compared with. */
const isOwn = ({ change, treated }: Estimate): boolean =>
  Math.sign(treated.change) === Math.sign(change) && Math.abs(treated.change) >= Math.abs(change) / 2

const reachOf = (
  { measures: { reachability } }: Series,
  window: Window,
): [before: number | null, after: number | null] => {
  const change = changeOf([reachability], window, 'share')
  return change === null ? [null, null] : [round(change.before.mean), round(change.after.mean)]
}

/** An effect without its test's level, its sentence and its names. */
export type Draft = Omit<EventEffect, 'sentence' | 'sources'>

const MOST_TOLD = 20

export const draftOf = (plan: Plan, series: readonly Series[]): Draft => {
  const sides = sidesOf(plan, series)
  const look = (window: Window): Measured[] =>
    effectMeasures.flatMap(measure => measured(plan, sides, window, measure) ?? [])
  const [early, late] = [look(plan.first), plan.whole ? look(plan.whole) : []]
  const test = testOf(early, late)
  const iso = (at: number) => new Date(at * 1000).toISOString().replace('.000Z', 'Z')
  const spanOf = (window: Window, looks: readonly Measured[]) => ({
    from: iso(plan.onset),
    to: iso(plan.onset + window.length * plan.cell),
    measures: looks.map(({ told }) => told),
  })
  const draft: Draft = {
    ...{ event: plan.event.id, answer: 'no_data', reason: null },
    ...{ apps: plan.apps, features: plan.features, countries: plan.countries },
    first: spanOf(plan.first, early),
    whole: plan.whole && spanOf(plan.whole, late),
    networks: sides.treated.slice(0, MOST_TOLD).map(of => networkOf(plan, of)),
    control: sides.kind && { kind: sides.kind, series: sides.controls.length },
    ...{ test, chance: round(plan.chance), others: plan.others, words: null },
  }
  return { ...draft, ...bestOf(draft) }
}

const networkOf = (plan: Plan, series: Series): Draft['networks'][number] => {
  const { app, country, asn } = series
  const [before, first] = reachOf(series, plan.first)
  const late = plan.whole ? reachOf(series, plan.whole) : null
  return {
    ...{ app, country, ...(asn === 0 ? {} : { asn }) },
    ...{ before: before ?? late?.[0] ?? null, first, whole: late?.[1] ?? null },
  }
}

/**
 * All looks at what the event lets expect are tested together, so that many do not find more; where too few quiet onsets
 * are long enough for the whole span, its first days alone. Writes p into what is told.
 */
const testOf = (early: readonly Measured[], late: readonly Measured[]): Draft['test'] => {
  const testable = (looks: readonly Measured[]) =>
    looks.flatMap(({ told, looked }) => (looked ? [{ told, looked }] : []))
  let looks = testable([...early, ...late])
  if (looks.length === 0) return null
  const reckon = () => placeboPs(looks.map(({ looked }) => looked))
  let { ps, placebos } = reckon()
  if (placebos < LEAST_PLACEBOS && testable(early).length > 0) {
    looks = testable(early)
    ;({ ps, placebos } = reckon())
  }
  const test = { placebos, needed: LEAST_PLACEBOS, p: null, level: null, place: null }
  if (placebos < LEAST_PLACEBOS) return test
  for (const [i, { told }] of looks.entries()) told.p = round(ps[i]!)
  return { ...test, p: round(Math.min(...ps)) }
}

/** The best answer of the measures that were expected, over both spans. */
const bestOf = ({ first, whole, test }: Draft): Pick<Draft, 'answer' | 'reason'> => {
  const all = [...(first?.measures ?? []), ...(whole?.measures ?? [])]
  const wanted = all.filter(({ expected }) => expected !== null)
  const among = wanted.length > 0 ? wanted : all.filter(({ measure }) => measure === 'reachability')
  for (const answer of effectAnswers) {
    const found = among.find(of => of.answer === answer)
    if (found) return { answer, reason: found.reason }
  }
  return { answer: 'no_data', reason: test === null ? 'nothing_there' : null }
}

/** The draft in the light of its place in the stream: changes that pass the level are effects, others are chance. */
export const decided = (draft: Draft, level: number, found: boolean, place: number): Draft => {
  const { first, whole, test } = draft
  if (!test || test.p === null) return draft
  const judged = (of: EffectMeasure): EffectMeasure => {
    if (of.answer !== 'untested' || of.p === null) return of
    if (found && of.p <= level) return { ...of, answer: 'effect', reason: null }
    const match = of.expected === null ? null : of.expected === 'none' ? 'agrees' : 'not_seen'
    return { ...of, answer: 'no_visible_effect', reason: 'not_above_chance', match }
  }
  const spanOf = <Span extends Draft['first']>(span: Span): Span =>
    span && { ...span, measures: span.measures.map(judged) }
  const result = { ...draft, first: spanOf(first), whole: spanOf(whole), test: { ...test, level: round(level), place } }
  return { ...result, ...bestOf(result) }
}
