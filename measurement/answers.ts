import { type Static, type TSchema, Type } from 'typebox'
import { Operation } from './step.ts'
import { Feature } from './target.ts'
import { LayerOrNull, MechanismOrNull, Recurrence, State, Verdict } from './verdict.ts'

/** Shapes of the public answers (DESIGN §6). The server answers with them and the page reads them. */

const orNull = <T extends TSchema>(schema: T) => Type.Union([Type.Null(), schema])
const Time = Type.String({ format: 'date-time', description: 'UTC, ISO 8601.' })
const Count = Type.Integer({ minimum: 0 })
const AppSlug = Type.String({ description: 'Slug of the app.' })
const Country = Type.String({ description: 'ISO 3166 alpha-2.' })

/** What is known of (app, feature, place) over one span that begins at `at`. */
export const Point = Type.Object({
  at: Time,
  reachability: orNull(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Median over agents of answered / attempted deciding endpoints; null where nothing was attempted.',
    }),
  ),
  low: orNull(
    Type.Number({ minimum: 0, maximum: 1, description: 'Wilson 95 % interval at that share and this many agents.' }),
  ),
  high: orNull(Type.Number({ minimum: 0, maximum: 1, description: 'Its upper end.' })),
  agents: Type.Integer({ minimum: 0, description: 'Agents behind the numbers; an OONI report counts as one.' }),
  attempts: Type.Integer({
    minimum: 0,
    description: 'Attempts on deciding targets; runs that failed by the agent’s own doing are none.',
  }),
  latency: Type.Partial(Type.Record(Operation, orNull(Type.Number({ description: 'Seconds, median over agents.' }))), {
    description: 'By operation: seconds, median over agents.',
  }),
  goodput: Type.Optional(
    Type.Object(
      {
        app: Type.Optional(Type.Number({ description: 'Bytes a second from the app, median over agents.' })),
        control: Type.Optional(Type.Number({ description: 'The same from its controls.' })),
        ratio: Type.Optional(Type.Number({ description: 'Median over agents of app / control.' })),
      },
      { description: 'Paired transfers that began in the span; absent where there were none.' },
    ),
  ),
  failures: Type.Record(Type.String(), Count, { description: 'By failure: how often.' }),
  verdict: Verdict,
  layer: LayerOrNull,
  mechanism: MechanismOrNull,
  state: orNull(State),
  networks: Type.Optional(Type.Record(Type.String(), Count, { description: 'Of a country: its networks by verdict.' })),
})
export type Point = Static<typeof Point>

/** Whose data stands behind an answer, and under which licence. */
export const Source = Type.Object({
  origin: Type.Enum(['agent', 'ooni', 'simulated'], { description: 'Who measured.' }),
  licence: Type.String({ description: 'Licence of these rows.' }),
  attribution: Type.String({ description: 'Whom to name.' }),
})
export type Source = Static<typeof Source>

export const Series = Type.Object({
  app: AppSlug,
  feature: Feature,
  country: Country,
  asn: Type.Optional(Type.Integer({ description: 'Absent: the whole country.' })),
  step: Type.String({ description: 'Length of a span: 5m, 1h or 1d.' }),
  from: Time,
  to: Time,
  points: Type.Array(Point, { description: 'One for each span with results; absent spans have none.' }),
  networks: Type.Optional(
    Type.Array(
      Type.Object({
        asn: Type.Integer({ description: 'Its number.' }),
        network: Type.Optional(Type.String({ description: 'Its name, where a database gives one.' })),
        attempts: Type.Integer({ minimum: 0, description: 'Attempts on deciding targets.' }),
      }),
      {
        description: 'Of a country’s series: the public networks with results in [from, to), most measured first.',
      },
    ),
  ),
  sources: Type.Array(Source, { description: 'Whose data stands behind the answer.' }),
})
export type Series = Static<typeof Series>

export const Place = Type.Object({
  app: AppSlug,
  feature: Feature,
  country: Country,
  asn: Type.Optional(Type.Integer({ description: 'Absent: the whole country.' })),
  network: Type.Optional(Type.String({ description: 'Name of the network, where a database gives one.' })),
  ...Point.properties,
})
export type Place = Static<typeof Place>

export const Reachability = Type.Object({
  at: Time,
  places: Type.Array(Place, { description: 'Every (app, feature, place) with results.' }),
  newest: orNull(
    Type.String({ format: 'date-time', description: 'Start of the newest window with data, for empty presents.' }),
  ),
  countries: Type.Optional(
    Type.Array(Type.Object({ country: Country, newest: Time }), {
      description: 'Every country with results of any time, and the start of its newest window.',
    }),
  ),
  sources: Type.Array(Source, { description: 'Whose data stands behind the answer.' }),
})
export type Reachability = Static<typeof Reachability>

export const NearEvent = Type.Object({
  id: Type.String({ description: 'Id of the policy event.' }),
  distance: Type.String({
    description: 'ISO 8601 duration from the event’s start to the onset; negative where the event came after.',
  }),
})

const servedFrom = (description: string) =>
  Type.Object(
    {
      asn: orNull(
        Type.Integer({ description: 'Network of the answering addresses, null where no one has most of them.' }),
      ),
      country: orNull(Country),
    },
    { description },
  )

export const Degradation = Type.Object({
  id: Type.String({ description: 'Name people can cite; it never changes.' }),
  app: AppSlug,
  about: Type.Optional(
    Type.Enum(['network'], {
      description: 'Where the finding is about the network itself, cut off or silent, and not about an app.',
    }),
  ),
  together: Type.Optional(
    Type.Array(AppSlug, {
      description: 'Other apps whose trouble began on the same network within two hours: likely one cause.',
    }),
  ),
  incident: Type.Optional(
    Type.String({
      description:
        'What it is told as one with: the id of one of several findings, of any app and feature, that began on the same network within two hours.',
    }),
  ),
  feature: Feature,
  country: Country,
  networks: Type.Array(Type.Integer(), { description: 'Public networks it is seen on.' }),
  verdict: Verdict,
  layer: LayerOrNull,
  mechanism: MechanismOrNull,
  state: State,
  onset: Type.String({ format: 'date-time', description: 'Start of the first failing bin, UTC.' }),
  end: orNull(Type.String({ format: 'date-time', description: 'Null while it lasts.' })),
  recurring: orNull(Type.Array(Recurrence, { description: 'Weekly windows in local time, where it comes and goes.' })),
  share: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'Share of deciding endpoints that did not answer while it was in force.',
  }),
  slower: Type.Optional(
    Type.Number({
      minimum: 0,
      description:
        'Of a slow-down: how many times slower than usual, against the controls. Of throttling: how many times slower than its paired transfers.',
    }),
  ),
  transfers: Type.Optional(
    Type.Object(
      {
        agents: Type.Integer({ minimum: 0, description: 'Agents whose tests could say something.' }),
        throttled: Type.Integer({
          minimum: 0,
          description: 'Agents whose transfers are held back, or that together lose what they send.',
        }),
        slower: orNull(
          Type.Object(
            {
              low: Type.Number({ minimum: 0, description: 'Lower end.' }),
              high: Type.Number({ minimum: 0, description: 'Upper end.' }),
              coverage: Type.Number({ minimum: 0, maximum: 1, description: 'What the interval really covers.' }),
            },
            { description: 'How many times slower the app’s transfers are than their pairs: the interval.' },
          ),
        ),
        rate: orNull(
          Type.Number({
            minimum: 0,
            description: 'Bytes a second at which at least three agents are held, within 15 %.',
          }),
        ),
      },
      { description: 'Paired transfers by agents that could tell; absent where there were none.' },
    ),
  ),
  moved: Type.Optional(
    Type.Object(
      {
        from: servedFrom('Before the onset.'),
        to: servedFrom('Since then.'),
        farther: Type.Number({ description: 'Seconds by which the least round trip rose.' }),
      },
      { description: 'Where it was served from and is now, where it left the country and is slower for it.' },
    ),
  ),
  agents: Type.Integer({ minimum: 0, description: 'Agents that were hit.' }),
  tests: Type.Optional(
    Type.Object(
      {
        answered: Type.Integer({ minimum: 1, description: 'Tests that say something: one per agent, two per prefix.' }),
        agreed: Type.Integer({ minimum: 0, description: 'Those in which it was seen again.' }),
      },
      { description: 'Confirmation tests the server asked for; absent where none was answered.' },
    ),
  ),
  control: Type.String({ description: 'What it was compared with.' }),
  events: Type.Array(NearEvent, { description: 'Policy events near the onset; nearness is no cause.' }),
  sentence: Type.Object(
    { en: Type.String({ description: 'English.' }), fa: Type.String({ description: 'Persian.' }) },
    { description: 'The finding in one sentence.' },
  ),
  withdrawn: Type.Optional(Type.Boolean({ description: 'Late data showed that there was nothing.' })),
  revision: Type.Integer({ minimum: 1, description: 'Counts how often it was told anew.' }),
  rule: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Version of the rules that found this revision; absent before December 2026.',
    }),
  ),
  known: Type.String({ format: 'date-time', description: 'When this revision became known.' }),
})
export type Degradation = Static<typeof Degradation>

export const Degradations = Type.Object({
  degradations: Type.Array(Degradation),
  sources: Type.Array(Source, { description: 'Whose data stands behind the answer.' }),
})
export type Degradations = Static<typeof Degradations>
