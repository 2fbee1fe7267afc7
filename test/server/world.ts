/** Measurements of a small world: two networks of Kenya, one of Iran, a few agents each, every deciding target and the controls. */
import { createHash } from 'node:crypto'
import { allTargets } from '../../measurement/catalogue.ts'
import { pairBytes } from '../../measurement/judge/leg.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { deepest, transferMarks } from '../../measurement/step.ts'
import { stored } from './store-contract.ts'

export type Trouble = (at: { app: string; asn: number; agent: number; target: string; time: number }) => string | null

const uuid = (text: string): string => {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

type Network = { country: string; asn: number }

export const networks: readonly Network[] = [
  { country: 'KE', asn: 12455 },
  { country: 'KE', asn: 33771 },
  { country: 'IR', asn: 44244 },
]

export type WorldSpan = {
  from: number
  to: number
  step: number
  agents: number
  first?: number
  apps?: readonly string[]
  on?: readonly Network[]
  role?: Stored['role']
  /** How many times as long as usual a run takes. */
  slower?: (app: string) => number
}

/** Rows of [from, to), one round every `step` seconds of every agent; `trouble` names the failure of a run, or null. */
export function* world(
  {
    from,
    to,
    step,
    agents,
    first = 0,
    apps = ['telegram', 'control'],
    on = networks,
    role = 'vantage',
    slower = () => 1,
  }: WorldSpan,
  trouble: Trouble,
): Generator<Stored> {
  const targets = allTargets().filter(
    ({ app, target }) =>
      apps.includes(app) && ((target.decides === 'yes' && !target.experimental && !target.countries) || target.control),
  )
  for (let time = from; time < to; time += step)
    for (const { country, asn } of on)
      for (let agent = first; agent < first + agents; agent++)
        for (const { app, target } of targets) {
          const failure = trouble({ app, asn, agent, target: target.id, time })
          const place = { country, asn, seen_country: country, seen_asn: asn }
          const operation = deepest[target.kind]
          const step0 = { start: 0, duration: (0.05 + (agent % 7) / 200) * slower(app), sent: 100, received: 100 }
          const duration = (0.1 + (agent % 7) / 100 + asn / 1_000_000) * slower(app)
          yield stored({
            ...place,
            id: uuid(`${time} ${asn} ${agent} ${target.id}`),
            agent: uuid(`${asn} ${agent}`).replaceAll('-', ''),
            app,
            feature: target.feature,
            target: target.id,
            kind: target.kind,
            at: time + agent,
            arrived: time + agent + 5,
            offset: 0,
            origin: 'agent',
            trust: 'corroborated',
            role,
            prefix_token: agent + 1,
            failure: failure as never,
            marks: [],
            served: { asn: 0, country: 'ZZ', rtt_floor: null, dc: target.dc ?? null },
            steps: [
              ...(operation === 'connect' || operation === 'resolve'
                ? []
                : [{ ...step0, operation: 'connect', failure: null } as const]),
              { ...step0, operation, duration, failure: failure as never },
            ],
          })
        }
}
const AGENTS = 4
const ROUNDS = 3

const hex = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length)

/** A leg of a full test at this rate, as an agent would have sent it. */
const leg = (
  place: Network,
  agent: number,
  at: number,
  round: number,
  side: 'app' | 'control',
  rate: number,
): Stored => {
  const target = side === 'app' ? 'telegram.object' : 'control.object.debian'
  const name = hex(`${place.asn} ${agent} ${at} ${round} ${side}`, 32)
  const test = round === 1 ? 'screen' : 'confirm'
  const bytes = pairBytes[test]
  const span = Math.min(8, bytes / rate)
  return stored({
    ...place,
    id: `${name.slice(0, 8)}-${name.slice(8, 12)}-7${name.slice(13, 16)}-8${name.slice(17, 20)}-${name.slice(20)}`,
    agent: `agent${agent}`,
    prefix_token: agent + 1,
    app: side === 'app' ? 'telegram' : 'control',
    feature: side === 'app' ? 'media' : 'download',
    target,
    kind: 'transfer',
    at: at + round * 150 + (side === 'app' ? 0 : 20),
    arrived: at + 1_000,
    failure: null,
    trust: 'corroborated',
    steps: [
      { operation: 'connect', start: 0, duration: 0.1, sent: 0, received: 0, failure: null },
      { operation: 'http_round_trip', start: 0.1, duration: 0.1, sent: 300, received: 300, failure: null },
      {
        ...{ operation: 'transfer', start: 0.2, duration: span, sent: 0, received: Math.min(bytes, rate * 8) },
        ...{ failure: null, reached: transferMarks.map(mark => (mark / rate <= span ? mark / rate : null)), gap: 0.1 },
      },
    ],
    pair: {
      id: hex(`${place.asn} ${agent} ${at}`, 16),
      leg: side,
      round,
      test,
      differs: 'place',
      first: side === 'app',
    },
  })
}

/** Every agent's full test at a time; the app's rate, and its control's a megabyte a second. */
export const pairedTests = (place: Network, at: number, rate: number): Stored[] =>
  Array.from({ length: AGENTS }, (_, agent) =>
    Array.from({ length: ROUNDS }, (_, round) => [
      leg(place, agent, at + agent * 60, round + 1, 'app', rate * (1 + 0.02 * ((agent + round) % 3))),
      leg(place, agent, at + agent * 60, round + 1, 'control', 1e6 * (1 + 0.05 * round)),
    ]).flat(),
  ).flat()
