import { failure } from '../failure.ts'
import { deepest, type Layer, layerOf, type ProbeKind, type Step } from '../step.ts'

/** Version of the rules in this folder and in server/analysis; stored with every row and degradation they judged. */
export const RULE_VERSION = 4

/** What one measurement says: whether the endpoint answered, else what failed, where, and whether the agent is to blame. */
export type Outcome =
  | { answered: true; failure: null; layer: null; counts: true }
  | { answered: false; failure: string; layer: Layer; counts: boolean }

/**
 * Judge one measurement by its steps: it answered when the deepest operation of its kind succeeded and no step failed.
 * `counts` is false where the failure is the agent's own (no route, stopped, out of sockets): such a run says nothing
 * about the app and is no attempt.
 */
export const outcome = (kind: ProbeKind, steps: readonly Step[]): Outcome => {
  const failed = steps.find(step => step.failure !== null)
  if (failed?.failure) {
    const { blame } = failure(failed.failure)
    return { answered: false, failure: failed.failure, layer: layerOf[failed.operation], counts: blame !== 'agent' }
  }
  if (steps.some(step => step.operation === deepest[kind])) {
    return { answered: true, failure: null, layer: null, counts: true }
  }
  return { answered: false, failure: 'interrupted', layer: layerOf[deepest[kind]], counts: false }
}
