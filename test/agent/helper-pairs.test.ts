import { expect, test } from 'vitest'
import { withHelper } from '../../measurement/apps/helper.ts'
import { apps, findTarget } from '../../measurement/catalogue.ts'
import { legOf } from '../../measurement/judge/leg.ts'
import { compare, type Throttling } from '../../measurement/judge/throttle.ts'
import type { Measurement, Pair } from '../../measurement/measurement.ts'
import type { Target, TargetOf } from '../../measurement/target.ts'
import { Allowance } from '../../probes/agent/allowance.ts'
import { Pairs } from '../../probes/agent/pairs.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { Spacing } from '../../probes/agent/spacing.ts'
import { measure } from '../../probes/all.ts'
import { startHelper } from '../../probes/helper/helper.ts'
import { obfuscation } from '../../probes/wire/mtproto.ts'
import { type Rule, relayTo } from '../lab/relay.ts'
import { appOf, HandClock } from './samples.ts'

/** What a filter that knows obfuscated2 sees: the tag, once the obfuscation is undone with the key that stands in clear. */
const isMtproto = (first: Buffer): boolean => {
  if (first.length < 64) return false
  // AES-CTR undoes itself: what is encrypted a second time stands in clear.
  const { header } = obfuscation(() => Buffer.from(first.subarray(0, 64)), Buffer.alloc(0), 0)
  return header.subarray(56, 60).toString('hex') === 'eeeeeeee'
}

/** What the line carries: without a limit a busy machine would be one. */
const LINE: Rule = { rate: 1_500_000 }

type Censor = Rule & { port?: number }

/** A confirmation of one flow of the catalogue through a censor, as an agent makes it; its own port and address apart. */
const confirmed = async (id: string, { port, ...rule }: Censor): Promise<{ legs: number; says: Throttling }> => {
  const helper = await startHelper({ host: '127.0.0.1', ports: [0], rate: 1e9, quota: 1e9 })
  await using censored = await relayTo(helper.ports[0]!, { flows: [rule, LINE] })
  await using free = await relayTo(helper.ports[0]!, { flows: [LINE] })
  const here = withHelper(apps, '127.0.0.1').flatMap(app => app.targets)
  const at = (target: Target): TargetOf<'transfer'> => {
    const meant = port === undefined || port === target.port
    return { ...(target as TargetOf<'transfer'>), port: (meant ? censored : free).port }
  }
  const app = at(here.find(target => target.id === id)!)
  const control = at(here.find(target => target.id === app.pairs![0]!.with)!)
  const clock = new HandClock()
  const allowances = { shape: new Allowance(1e7, clock.mono), confirm: new Allowance(1e7, clock.mono) }
  const consent = { unusual: true, loopback: true, apps: null }
  const spacing = new Spacing(Number.NEGATIVE_INFINITY)
  // What is asked for, and nothing that falls due meanwhile.
  const { shape, confirm } = profiles.home.pairs
  const pace = { shape: { ...shape, every: null }, confirm: { ...confirm, every: null } }
  const pairs = new Pairs({ pace, allowances, spacing, consent })
  pairs.adopt({ apps: [appOf('app', [app]), appOf('control', [control])], forbidden: {} }, clock.now)
  pairs.request([id], clock.now + 600)
  const made: Pick<Measurement, 'kind' | 'steps' | 'pair'>[] = []
  for (const until = clock.now + 3_000; clock.now < until; clock.now = Math.max(clock.now + 1, pairs.next())) {
    const { run } = pairs.plan(clock.now, { country: 'IR', role: 'vantage', families: new Set(['v4']) })
    if (!run) continue
    const { steps, connected } = await measure(run.target, { loopback: true })
    made.push({ kind: 'transfer', steps, pair: run.pair })
    pairs.ended(run, clock.now, made.at(-1)!, { bytes: 0, connected })
  }
  await helper.close()
  const legIn = (round: number, side: Pair['leg']) =>
    legOf(made.find(({ pair }) => pair!.round === round && pair!.leg === side)!)!
  const rounds = [...new Set(made.map(({ pair }) => pair!.round))]
  const seen = rounds.map(round => ({ app: legIn(round, 'app'), control: legIn(round, 'control') }))
  return { legs: made.length, says: compare(seen) }
}

/** On a machine with ten times its work a free leg takes eight seconds too, and the rule rightly says so. */
const REAL_TIME = { timeout: 40_000, retry: 2 }

const slow = { rate: 200_000 }
const byName: Rule = { when: ({ sni }) => sni === 'web.telegram.org', ...slow }
const byWebName: Rule = { when: ({ sni }) => sni === 'venus.web.telegram.org', ...slow }
const byProtocol: Rule = { when: ({ first }) => isMtproto(first), ...slow }

test.each([
  ['telegram.helper.name', 'the name', byName],
  ['telegram.helper.mtproto', 'the protocol', byProtocol],
  ['telegram.helper.mtproto.up', 'the protocol, on the way up', byProtocol],
  ['telegram.helper.websocket', 'the name of a WebSocket', byWebName],
  ['telegram.helper.port.5222', 'the port', { ...slow, port: 5_222 }],
])('%s shows a censor that slows down by %s', REAL_TIME, async (id, _, rule) => {
  const { legs, says } = await confirmed(id, rule)
  expect(legs).toBe(6)
  expect(says).toMatchObject({ answer: 'throttled', strength: 'strong' })
})

test.each([
  ['telegram.helper.name', byProtocol],
  ['telegram.helper.mtproto', byName],
  ['telegram.helper.port.5222', { ...slow }],
])('%s shows nothing where the censor goes by something else, or slows down all alike', REAL_TIME, async (id, rule) => {
  // One pair; more where a busy machine made one leg seem slow.
  expect((await confirmed(id, rule)).says.answer).not.toBe('throttled')
})

test('the flows are in no catalogue that names no helper, and take its address where it does', () => {
  const flows = (helper: string | null) =>
    withHelper(apps, helper)
      .flatMap(({ targets }) => targets)
      .filter(({ kind, id }) => kind === 'transfer' && id.includes('.helper.'))
  expect(flows(null)).toEqual([])
  expect(new Set(flows('helper.example.org').map(({ host, address }) => `${host} ${address}`))).toEqual(
    new Set(['helper.example.org public']),
  )
  expect(flows('127.0.0.1').every(({ address }) => address === 'loopback')).toBe(true)
  for (const { id, risk } of flows('192.0.2.1')) {
    expect(findTarget(id)?.target.host).toBe('helper.invalid')
    expect(risk).toBe('unusual')
  }
})
