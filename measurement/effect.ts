import { type Static, type TSchema, Type } from 'typebox'
import { Source } from './answers.ts'
import { Feature } from './target.ts'

/** What a policy event did to its apps, as far as public rows tell (docs/method.md, "Effect of an event"). */

const orNull = <T extends TSchema>(schema: T) => Type.Union([Type.Null(), schema])
const numberOrNull = (description: string) => Type.Union([Type.Null(), Type.Number()], { description })
const Time = (description: string) => Type.String({ format: 'date-time', description })

/** `untested`: the interval excludes no change, and there are too few quiet onsets to say how often that comes by chance. */
export const effectAnswers = ['effect', 'untested', 'no_visible_effect', 'not_enough', 'no_data'] as const
export type EffectAnswer = (typeof effectAnswers)[number]

/** Why an answer is not an effect. */
export const effectReasons = [
  'no_apps',
  'not_measured',
  'withdrawn',
  'future',
  'nothing_there',
  'start_vague',
  'running',
  'too_few',
  'no_control',
  'controls_moved',
  'not_above_chance',
  'too_early',
] as const
export type EffectReason = (typeof effectReasons)[number]

export const effectMeasures = ['reachability', 'latency', 'throughput'] as const
export type EffectMeasureName = (typeof effectMeasures)[number]

/** What the event let expect, and whether that is what came. */
export const effectMatches = ['agrees', 'opposite', 'not_seen', 'unexpected'] as const
export type EffectMatch = (typeof effectMatches)[number]

export const EffectMeasure = Type.Object({
  measure: Type.Enum([...effectMeasures], { description: 'What changed; seconds to an answer are `latency`.' }),
  answer: Type.Enum([...effectAnswers], { description: 'What can be said of it.' }),
  reason: orNull(Type.Enum([...effectReasons], { description: 'Why it is not an effect.' })),
  before: numberOrNull(
    'Level of the week before, same hours: a share, or seconds (geometric mean); of throughput none, its unit is not known.',
  ),
  after: numberOrNull('Level after.'),
  controlBefore: numberOrNull('The same of the controls.'),
  controlAfter: numberOrNull('The same of the controls, after.'),
  change: numberOrNull(
    'After − before, minus the same of the controls. Shares: a difference. Seconds and throughput: a quotient, 2 is twice.',
  ),
  low: numberOrNull('95 % interval of the change.'),
  high: numberOrNull('Its upper end.'),
  hoursBefore: Type.Number({ minimum: 0, description: 'Agents times hours behind the level before.' }),
  hoursAfter: Type.Number({ minimum: 0, description: 'Agents times hours behind the level after.' }),
  quietDays: Type.Integer({ minimum: 0, description: 'Days from which the noise of days is known; 0: too few.' }),
  parallel: orNull(Type.Boolean({ description: 'Whether the controls ran alike in the four weeks before.' })),
  expected: orNull(Type.Enum(['up', 'down', 'none'], { description: 'What the event lets expect of it.' })),
  match: orNull(Type.Enum([...effectMatches], { description: 'Whether what came is what was expected.' })),
  placebos: Type.Integer({ minimum: 0, description: 'Quiet onsets at which the same was reckoned.' }),
  p: numberOrNull(
    'Share of quiet onsets, the event among them, at which the largest of all looks was as large; null where not tested.',
  ),
})
export type EffectMeasure = Static<typeof EffectMeasure>

const EffectSpan = Type.Object({
  from: Time('Start, the onset.'),
  to: Time('End, not included.'),
  measures: Type.Array(EffectMeasure, {
    description: 'What can be said, in the order reachability, latency, throughput.',
  }),
})

const span = (description: string) => Type.Union([Type.Null(), EffectSpan], { description })

export const EventEffect = Type.Object({
  event: Type.String({ description: 'Id of the policy event.' }),
  answer: Type.Enum([...effectAnswers], { description: 'The best that can be said of what it lets expect.' }),
  reason: orNull(Type.Enum([...effectReasons], { description: 'Why it is not an effect.' })),
  apps: Type.Array(Type.String(), { description: 'Apps it names that were measured there.' }),
  features: Type.Array(Feature, { description: 'Uses that were looked at.' }),
  countries: Type.Array(Type.String(), { description: 'Its countries with measurements.' }),
  first: span('From the onset to a day after the event may have begun.'),
  whole: span('From the onset to its end; null where that is not known, or not later.'),
  networks: Type.Array(
    Type.Object({
      app: Type.String({ description: 'Slug of the app.' }),
      country: Type.String({ description: 'ISO 3166 alpha-2.' }),
      asn: Type.Optional(Type.Integer({ description: 'Absent: the whole country.' })),
      network: Type.Optional(Type.String({ description: 'Its name, where a database gives one.' })),
      before: numberOrNull('Reachability in the week before.'),
      first: numberOrNull('Reachability in the first span.'),
      whole: numberOrNull('Reachability in the whole span.'),
    }),
    { description: 'Public networks that were looked at, most measured first.' },
  ),
  control: orNull(
    Type.Object(
      {
        kind: Type.Enum(['apps', 'countries', 'networks'], {
          description:
            'Other apps on the same networks; the same app in other countries; networks of the country that the event does not name.',
        }),
        series: Type.Integer({ minimum: 1, description: 'How many.' }),
      },
      { description: 'What it was compared with.' },
    ),
  ),
  test: orNull(
    Type.Object(
      {
        placebos: Type.Integer({ minimum: 0, description: 'Quiet onsets that all looks have.' }),
        needed: Type.Integer({ minimum: 1, description: 'Below so many nothing is tested.' }),
        p: numberOrNull('Smallest p of the looks.'),
        level: numberOrNull('What p had to be at most: LORD++ at 5 % over all events, in order of time.'),
        place: orNull(Type.Integer({ minimum: 1, description: 'Which test of that stream it was.' })),
      },
      { description: 'The test against chance.' },
    ),
  ),
  chance: numberOrNull('Probability that some event of this app and country lies within 30 hours of any instant.'),
  others: Type.Array(Type.String(), { description: 'Other events of these apps and countries at that time.' }),
  words: orNull(
    Type.Enum(['follows', 'consistent_with'], {
      description: '`consistent_with`: p below 0.01 and no other event at that time. Neither claims a cause.',
    }),
  ),
  sentence: Type.Object(
    { en: Type.String({ description: 'English.' }), fa: Type.String({ description: 'Persian.' }) },
    { description: 'The answer in one sentence.' },
  ),
  sources: Type.Array(Source, { description: 'Whose data stands behind the answer.' }),
})
export type EventEffect = Static<typeof EventEffect>
