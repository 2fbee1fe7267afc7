import { allTargets, CONTROL } from '../../measurement/catalogue.ts'
import type { Trial } from '../../server/analysis/trial.ts'

/** Rows of agent_windows that say what trials say, so that tests of what comes after can begin there. */

const decides = allTargets().find(
  ({ app, target }) => app === 'telegram' && target.feature === 'text' && target.decides === 'yes',
)!
const control = allTargets().find(({ target }) => target.control === 'foreign')!

export type Place = { country: string; asn: number }

/** Seconds the control takes; the target's follow from the ratio. */
const CONTROL_SECONDS = 0.2

export const rowsOf = (trials: readonly Trial[], place: Place, revision = 1): object[] =>
  trials.flatMap(({ at, agent, prefix, attempts, answered, ratio, foreign, domestic }) => {
    const name = `${place.asn}-${agent}`
    const common = {
      ...place,
      agent: name,
      at,
      prefix,
      origin: 'agent',
      role: 'vantage',
      trust: 'corroborated',
      revision,
    }
    const line = {
      control_tried: foreign === null ? 0 : 1,
      control_answered: foreign ? 1 : 0,
      domestic_tried: domestic === null ? 0 : 1,
      domestic_answered: domestic ? 1 : 0,
      control_seconds: foreign ? { connect: CONTROL_SECONDS } : {},
    }
    const failed = attempts - answered
    const target = {
      app: 'telegram',
      feature: 'text',
      target: decides.target.id,
      kind: decides.target.kind,
      attempts,
      answered,
      failures: failed > 0 ? { 'tcp/generic_timeout_error': failed } : {},
      seconds: ratio === null ? {} : { connect: CONTROL_SECONDS * Math.exp(ratio) },
    }
    const neutral = { app: CONTROL, feature: 'web', target: control.target.id, kind: control.target.kind }
    return [
      { ...common, ...line, ...target },
      { ...common, ...line, ...neutral, attempts: line.control_tried, answered: line.control_answered },
    ]
  })
