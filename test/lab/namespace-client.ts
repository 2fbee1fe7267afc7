import { setTimeout as sleep } from 'node:timers/promises'
import { legOf, pairBytes, tripsOf } from '../../measurement/judge/leg.ts'
import type { Leg } from '../../measurement/judge/throttle.ts'
import { measure } from '../../probes/all.ts'
import { loopbackTarget } from '../servers/target.ts'
import { type Done, type Job, SERVER_ADDRESS } from './namespace.ts'

/** Inside the client's namespace: the real transfer probe, pair by pair; one line of JSON for each job. */
const { jobs, atOnce } = JSON.parse(process.argv[2]!) as { jobs: Job[]; atOnce: number }

type Test = 'screen' | 'confirm'
/** Seconds between transfers; on a line of its own nothing is left of the last one. */
const BETWEEN = 0.3

const transfer = async (port: number, test: Test, trains: number, timeout: number, beside: boolean) => {
  const of = { scheme: 'http', path: '/file', roots: 'public', edge: false } as const
  const more = { timeout, host: SERVER_ADDRESS, address: 'public' } as const
  const target = loopbackTarget('transfer', port, { bytes: pairBytes[test], trains, beside, of }, more)
  const { steps, failure } = await measure(target)
  const pair = { id: '0'.repeat(16), leg: 'app', round: 1, test, differs: 'place', first: true } as const
  const measured = { kind: 'transfer', steps, pair } as const
  await sleep(BETWEEN * 1_000)
  return { leg: legOf(measured), trips: tripsOf(measured), failure }
}

const work = async ({ id, app, control, trains, screen, timeout }: Job): Promise<Done> => {
  const done: Done = { id, screen: null, pairs: [], trips: { app: [], control: [] }, failure: null }
  for (let round = screen ? -1 : 0; round < 3; round++) {
    const legs: { app: Leg | null; control: Leg | null } = { app: null, control: null }
    const order = (id + round) % 2 === 0 ? (['app', 'control'] as const) : (['control', 'app'] as const)
    for (const side of order) {
      const test = round < 0 ? 'screen' : 'confirm'
      const { leg, trips, failure } = await transfer(
        side === 'app' ? app : control,
        test,
        round === 0 ? trains : 0,
        timeout,
        test === 'confirm' && side === 'app' && trains === 0,
      )
      legs[side] = leg
      done.trips[side].push(...trips)
      if (side === 'app') done.failure ??= failure
    }
    if (round < 0) done.screen = legs
    else done.pairs.push(legs)
  }
  return done
}

const left = [...jobs]
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let job = left.shift(); job; job = left.shift()) console.log(JSON.stringify(await work(job)))
  }),
)
