import { isTrouble } from '../../measurement/verdict.ts'
import { scenarios } from './scenarios.ts'
import { type Figure, goal, shareOf } from './score.ts'
import { openWorld } from './world.ts'

/**
 * The table of censors, several times over: real probes, real peers, real time. How often verdict, layer and mechanism are
 * the true ones, and whether anything that is nobody's doing is ever called a block.
 */

const AT = 1_523_016_000
/** What happens to everybody or to the line, and is never the doing of one who blocks an app. */
const innocent = new Set(['ok', 'network_down', 'domestic_only', 'app_down'])
const ACCUSING = new Set(['blocked', 'partial', 'throttled'])

export const labels = async (share: number): Promise<Figure[]> => {
  const repetitions = Math.max(1, Math.round(10 * share))
  await using world = await openWorld()
  for (const feature of ['text', 'web', 'registration', 'voice-call'] as const) await world.round(feature, AT)
  const said: {
    truth: (typeof scenarios)[number]['truth']
    verdict: string
    layer: string | null
    mechanism: string | null
  }[] = []
  for (let at = 1; at <= repetitions; at++) {
    for (const { set, feature, truth } of scenarios) {
      await set(world)
      const judged = await world.round(feature, AT + at * 3_600)
      world.fail(false)
      said.push({ truth, ...judged })
    }
  }
  const layered = said.filter(({ truth }) => truth.layer !== undefined)
  const named = said.filter(({ truth }) => truth.mechanism !== undefined)
  const quiet = said.filter(({ truth }) => innocent.has(truth.verdict))
  const accused = quiet.filter(({ verdict }) => ACCUSING.has(verdict)).length
  const right = said.filter(({ truth, verdict }) => verdict === truth.verdict).length
  const f1 = macroF1(layered.map(({ truth, layer }) => [truth.layer!, layer ?? 'none'] as const))
  const mechanisms = named.filter(({ truth, mechanism }) => mechanism === truth.mechanism).length
  return [
    { figure: 'verdict right', value: shareOf(right, said.length), goal: '' },
    { figure: 'layer, macro-F1', value: f1.toFixed(3), goal: f1 >= 0.95 ? '>= .95 met' : '>= .95 MISSED' },
    { figure: 'mechanism right', value: shareOf(mechanisms, named.length), goal: '' },
    {
      figure: 'nobody’s doing called a block',
      value: shareOf(accused, quiet.length),
      goal: `none: ${goal(accused, quiet.length, { most: 0 })}`,
    },
    {
      figure: 'trouble not seen',
      value: shareOf(
        said.filter(({ truth, verdict }) => isTrouble(truth.verdict) && verdict === 'ok').length,
        said.filter(({ truth }) => isTrouble(truth.verdict)).length,
      ),
      goal: '',
    },
    ...ofVerdicts(said.map(({ truth, verdict }) => [truth.verdict, verdict] as const)),
  ]
}

/** Precision and recall of each true verdict, and what was said where it was not said. */
const ofVerdicts = (pairs: readonly (readonly [truth: string, said: string])[]): Figure[] =>
  [...new Set(pairs.map(([truth]) => truth))].map(verdict => {
    const meant = pairs.filter(([truth]) => truth === verdict)
    const told = pairs.filter(([, said]) => said === verdict)
    const hits = meant.filter(([, said]) => said === verdict).length
    const wrong = Map.groupBy(
      meant.flatMap(([, said]) => (said === verdict ? [] : said)),
      said => said,
    )
    const confused = [...wrong].map(([said, of]) => `; ${of.length} called ${said}`).join('')
    const value = `precision ${shareOf(hits, told.length)}; recall ${shareOf(hits, meant.length)}${confused}`
    return { figure: `verdict ${verdict}`, value, goal: '' }
  })

/** Mean over the true layers of 2 · precision · recall / (precision + recall). */
const macroF1 = (pairs: readonly (readonly [truth: string, said: string])[]): number => {
  const layers = [...new Set(pairs.map(([truth]) => truth))]
  const scores = layers.map(layer => {
    const hit = pairs.filter(([truth, said]) => truth === layer && said === layer).length
    const wrong = pairs.filter(([truth, said]) => (truth === layer) !== (said === layer)).length
    return (2 * hit) / (2 * hit + wrong)
  })
  return scores.reduce((a, b) => a + b, 0) / scores.length
}
