/**
 * `npm run demo`: Iran, April 2018, replayed with real agents, a real server, its page and metrics. Everything in it is
 * simulated and says so.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadEvents } from '../../events/load.ts'
import { SettingsError } from '../../measurement/settings.ts'
import { startAgent } from '../../probes/agent/agent.ts'
import { signCatalogue } from '../../probes/agent/catalogue.ts'
import type { Clock } from '../../probes/agent/clock.ts'
import { readConfig as readAgentConfig } from '../../probes/agent/config.ts'
import { makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { measure } from '../../probes/all.ts'
import type { Measure } from '../../probes/probe.ts'
import { readConfig } from '../../server/config.ts'
import { buildPageIfStale, pageFolder } from '../../server/page/build.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { build, networks, scene, unfiltered } from './tehran-2018.ts'
import { StillClock } from './time.ts'

const usage = `npm run demo [-- --speed DAYS] [--once]
  Iran, April 2018, replayed into PEYK_DATA (./demo), which must be empty or a demo's; the page is on PEYK_PORT (8400).
  --speed DAYS  at most so many days of 2018 in a second; as fast as this machine can otherwise
  --once        ends when the picture is finished, instead of showing it until Ctrl-C
Exit codes: 0 shown, 2 wrong usage or a setting is wrong.
`

/** Agents on each network of the country: fewer would be one family's word. */
const AGENTS = 3
/** Every network is measured once a tick; what came of it is reported with the next one, for the present looks an hour back. */
const PROFILE = {
  ...{ round: 1_500, report: 1_350, deciding: 1_500, within: 1_800, other: 1_800 },
  ...{ bytesPerDay: 100e6, concurrency: 4 },
  pairs: { shape: { every: null, bytes: 0 }, confirm: { every: 86_400, bytes: 30e6 } },
}
/** Moments of which /metrics is kept: Telegram at home, moved, banned. */
const MOMENTS = ['2018-04-25T12:00:00Z', '2018-04-27T12:00:00Z', '2018-04-30T18:00:00Z']
/**
 * Half-hours around each event and before each moment, hours in between: less often, and the charts, whose points are hours,
 * had holes.
 */
const NEAR = [
  ...[scene.ordered, scene.banned].map(event => [event - 3 * 3_600, event + 6 * 3_600] as const),
  ...MOMENTS.map(text => Date.parse(text) / 1_000).map(moment => [moment - 2 * 3_600, moment] as const),
]
const tick = (at: number): number => (NEAR.some(([from, to]) => at >= from && at < to) ? 1_800 : 3_600)

/** What is shown of it: of the whole country. */
const TOLD =
  /^peyk_(verdict|degraded|goodput_bytes_per_second|throughput_ratio)\{app="\w+",feature="\w+",country="IR",(asn="0"|verdict=)/

const LINE = { name: 'lab', router: null, access: 'wired', families: new Set(['v4'] as const) } as const
const line = async () => LINE

export type Demo = { server: Server; metrics: ReadonlyMap<string, string>; close(): Promise<void> }

export type ReplayOptions = {
  say?: (line: string) => void
  daysPerSecond?: number
  /** Where to stop, Unix seconds. */
  to?: number
}

/** Replays the scene into a folder; resolves when its last day is judged. */
export const replay = async (
  env: Record<string, string | undefined>,
  { say = () => {}, daysPerSecond = Number.POSITIVE_INFINITY, to = scene.to }: ReplayOptions,
): Promise<Demo> => {
  const config = readConfig({
    ...{ PEYK_LOG: 'warn', ...env, PEYK_MIN_AGENTS: '1' },
    // A day's reports come in seconds.
    ...{ PEYK_RATE_NETWORK: '1000000', PEYK_RATE_AGENT: '1000000' },
  })
  mkdirSync(config.PEYK_DATA, { recursive: true, mode: 0o700 })
  const { apps, abroad, locate, handshaken, course, close: closeScene } = await build()
  const release = makeKey()
  const catalogue = await signCatalogue(
    {
      version: 1,
      issued: scene.from - 3_600,
      expires: scene.to + 86_400 * 365,
      apps: [...apps].map(([id, targets]) => ({ id, name: { en: id }, home: null, status: 'measured', targets })),
    } as Parameters<typeof signCatalogue>[0],
    release,
  )
  const places = [
    ...networks.flatMap(asn => Array.from({ length: AGENTS }, () => ({ country: 'IR', asn, role: 'vantage' }))),
    ...unfiltered.map(place => ({ ...place, role: 'control' })),
  ]
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
  const metrics = new Map<string, string>()
  const ahead = [
    ...course,
    ...MOMENTS.map(text => ({ at: Date.parse(text) / 1_000, what: '', happen: () => keep(text) })),
  ]
  ahead.sort((a, b) => a.at - b.at)
  let said = ''
  const passing = async (until: number): Promise<boolean> => {
    if (daysPerSecond < Number.POSITIVE_INFINITY) await sleep(((until - clock.wall()) / 86_400 / daysPerSecond) * 1_000)
    const day = new Date(until * 1_000).toISOString().slice(0, 10)
    if (day !== said) say(day)
    said = day
    for (; ahead[0] && ahead[0].at <= until; ahead.shift()) {
      await settle()
      await ahead[0].happen()
      if (ahead[0].what) say(`${new Date(ahead[0].at * 1_000).toISOString()} ${ahead[0].what}`)
    }
    if (until < to) return true
    await settle()
    finish()
    return false
  }
  // Each agent measures and reports: two loops.
  const clock: Clock = new StillClock(scene.from, tick, 2 * places.length, passing)
  await buildPageIfStale()
  const server = await runServer(config, {
    ...{
      events: loadEvents(),
      origin: 'simulated',
      now: clock.wall,
      gather: 20_000,
      page: pageFolder,
      version: 'demo',
    },
    catalogue: () => ({ bytes: Buffer.from(catalogue), version: 1 }),
  })
  const token = readFileSync(join(config.PEYK_DATA, 'admin-token'), 'utf8').trim()
  const admin = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const answer = await fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as Record<string, unknown>
  }
  const settle = () => admin('/v1/admin/settle', {})
  const keep = async (moment: string): Promise<void> => {
    metrics.set(moment, await (await fetch(server.metricsUrl)).text())
  }
  const agents = await Promise.all(
    places.map(async ({ country, asn, role }, index) => {
      const { code } = await admin('/v1/admin/invites', { role })
      const read = readAgentConfig(
        {
          ...{
            PEYK_DATA: join(config.PEYK_DATA, 'agents', String(index)),
            PEYK_SERVER: server.url,
            PEYK_LOOPBACK: 'yes',
          },
          ...{ PEYK_CODE: String(code), PEYK_VANTAGE: `${country}:${asn}`, PEYK_BATTERY: 'yes' },
        },
        publicHalf(release),
      )
      const own = { ...read, metrics: null, profile: PROFILE }
      // Agents and all they talk to share this process, so that it is always busy: that is part of what is simulated.
      const way: Measure = async (target, options) => ({
        ...handshaken(await measure(role === 'control' ? abroad(target) : target, options)),
        stalled: false,
      })
      const shared = { clock, line, locate, log: () => {}, reportSeconds: PROFILE.report }
      return await startAgent({ config: own, measure: way, ...shared })
    }),
  )
  say(`${agents.length} agents, ${networks.length} networks; ${server.url}`)
  const stop = async (): Promise<void> => {
    await Promise.all(agents.map(agent => agent.stop()))
    await closeScene()
  }
  await Promise.race([finished, ...agents.map(({ done }) => done)])
  await stop()
  return { server, metrics, close: () => server.close() }
}

const main = async (): Promise<number> => {
  let values: { speed?: string; once?: boolean; help?: boolean }
  try {
    const options = { speed: { type: 'string' }, once: { type: 'boolean' }, help: { type: 'boolean' } } as const
    ;({ values } = parseArgs({ options }))
    if (values.help) {
      process.stdout.write(usage)
      return 0
    }
    if (values.speed && !(Number(values.speed) > 0)) throw new Error('--speed must be a number of days above 0.')
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`)
    return 2
  }
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const began = Date.now()
  let demo: Demo
  try {
    const env = { PEYK_DATA: './demo', ...process.env }
    demo = await replay(env, { say, ...(values.speed ? { daysPerSecond: Number(values.speed) } : {}) })
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 2
  }
  say(`SIMULATED: no network was measured. Finished in ${Math.round((Date.now() - began) / 1_000)} s.`)
  for (const [moment, text] of demo.metrics) {
    const url = `${demo.server.url}/?country=IR&at=${moment.slice(0, 16)}Z`
    const told = text.split('\n').filter(line => TOLD.test(line))
    say(`\n${moment}  ${url}\n${told.join('\n')}`)
  }
  say(`\nThe week: ${demo.server.url}/?app=telegram&country=IR&from=2018-04-23&to=2018-05-01`)
  if (!values.once) {
    say('Ctrl-C ends it.')
    await new Promise(resolve => process.once('SIGINT', resolve).once('SIGTERM', resolve))
  }
  await demo.close()
  return 0
}

if (import.meta.main) process.exitCode = await main()
