/** Measurements of a small world: two networks of Kenya, one of Iran, a few agents each, every deciding target and the controls. */
import { createHash } from 'node:crypto'
import { allTargets } from '../../measurement/catalogue.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { deepest } from '../../measurement/step.ts'
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
