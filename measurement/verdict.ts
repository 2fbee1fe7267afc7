import { type Static, Type } from 'typebox'
import { Layer } from './step.ts'

/**
 * What is said of (app, feature, network) in one window, from best to worst. `slow`: shifted, cause open; `throttled`:
 * confirmed by paired transfer. `insufficient`: too little was measured to say anything; never zero, never fine.
 */
export const verdicts = [
  'insufficient',
  'ok',
  'slow',
  'throttled',
  'partial',
  'blocked',
  'app_down',
  'domestic_only',
  'network_down',
] as const
export const Verdict = Type.Enum([...verdicts], { description: 'What is said of an app on a network.' })
export type Verdict = (typeof verdicts)[number]

/** Order for ties and headlines: the later in the list the worse. */
export const worse = (a: Verdict, b: Verdict): Verdict => (verdicts.indexOf(a) >= verdicts.indexOf(b) ? a : b)

/** Verdicts in which the app does not work as it should, by somebody's doing or by an outage. */
export const isTrouble = (verdict: Verdict): boolean => verdict !== 'insufficient' && verdict !== 'ok'

/** How it is done, where the evidence allows to say so (reference detection.md §2.4). */
export const mechanisms = [
  'injection',
  'nxdomain',
  'rst',
  'refuse',
  'drop',
  'sni',
  'blockpage',
  'protocol_filter',
  'police',
  'shape',
  'freeze',
  'drop_up',
  'relocation',
  'isolation',
] as const
export const Mechanism = Type.Enum([...mechanisms], { description: 'How it is done, where the evidence says so.' })
export type Mechanism = (typeof mechanisms)[number]

export const states = ['confirmed', 'unconfirmed'] as const
export const State = Type.Enum([...states], {
  description: 'confirmed: by 10 agents, on 2 networks, or by confirmation tests that agree.',
})
export type State = (typeof states)[number]

/** A weekly recurring window in local time, `to` exclusive. */
export const Recurrence = Type.Object(
  {
    days: Type.Array(Type.Enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']), {
      description: 'Days on which it recurs.',
    }),
    from: Type.String({ pattern: '^\\d{2}:\\d{2}$', description: 'Start, local time.' }),
    to: Type.String({ pattern: '^\\d{2}:\\d{2}$', description: 'End, local time, exclusive.' }),
    tz: Type.String({ description: 'IANA time zone.' }),
  },
  { additionalProperties: false },
)
export type Recurrence = Static<typeof Recurrence>

export const LayerOrNull = Type.Union([Type.Null(), Layer])
export const MechanismOrNull = Type.Union([Type.Null(), Mechanism])
