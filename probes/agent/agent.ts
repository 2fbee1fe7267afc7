import { join } from 'node:path'
import { outcome } from '../../measurement/judge/outcome.ts'
import type { Target } from '../../measurement/target.ts'
import manifest from '../../package.json' with { type: 'json' }
import type { Measure } from '../probe.ts'
import { openAllowance } from './allowance.ts'
import { openBudget } from './budget.ts'
import { type Catalogue, newerProgram, openCatalogue } from './catalogue.ts'
import { bootName, type Clock, systemClock } from './clock.ts'
import { type AgentConfig, isLocal } from './config.ts'
import { privateFolder } from './files.ts'
import { openIdentity } from './identity.ts'
import { holdFolder } from './lock.ts'
import type { Place } from './may-ask.ts'
import { Gauges, serveMetrics } from './metrics.ts'
import { openOperator } from './operator.ts'
import { Pairs } from './pairs.ts'
import { forRounds } from './profiles.ts'
import { Reporter } from './reporter.ts'
import { Restraint } from './restraint.ts'
import { type Made, make } from './run.ts'
import { type Planned, Schedule } from './schedule.ts'
import { scrub } from './scrub.ts'
import { sealTo } from './seal.ts'
import { type DropReason, openSpool, type Unnumbered } from './spool.ts'
import type { Status } from './status-words.ts'
import type { Route, Way } from './transport.ts'
import type { FindLine } from './vantage.ts'
import { inTurn } from './ways.ts'
import { type Locate, Whereabouts } from './whereabouts.ts'

const SOFTWARE = `peyk/${manifest.version}`

export type AgentOptions = {
  config: AgentConfig
  measure: Measure
  /** Databases that say where addresses are; without them the vantage is unknown unless it is set. */
  locate?: Locate | null
  /** Where lines for people go; stderr unless told. */
  log?: (line: string) => void
  /** For tests and labs. */
  clock?: Clock
  line?: FindLine
  /** Share of idle processor time since it was last asked. */
  idle?: () => number
  backoff?: { first: number; most: number }
  reportSeconds?: number
  /** For a dry run: how a server is reached, and a word for each connection that a measurement or a look made. */
  wayTo?: (server: URL, route: Route) => Way
  onConnected?: (connected: Connected) => void
}

/** `connected`: the address that answered, if one did; `bytes` about as on the wire. */
export type Connected = { target: Target; connected: string | null; bytes: number; measurement?: Unnumbered }

export type RunningAgent = {
  /** Ends within three seconds: running probes are given up, what was measured is durable. */
  stop(): Promise<void>
  status(): Status
  metricsPort: number | null
  /** Resolves when stopped; rejects when a bug stopped it. */
  done: Promise<void>
}

/** A measurement is on disk at most this much later, in seconds: one fsync for many spares the flash. */
const FLUSH_SECONDS = 30
/** Seconds the parts have to end when the agent is stopped. */
const GRACE = 2
const BACKOFF = { first: 10, most: 3_600 }
/** Seconds between reports to a server on this machine: nothing is spared there, and people look at the page. */
const LOCAL_REPORT_SECONDS = 5

/** While a round goes on it is asked so often, in seconds, whether the machine moved: no more than this is lost by a crash. */
const LOOK_SECONDS = 60

/** Seconds a round is put off while the machine is busy. The first picture after a start is not. */
const POSTPONED_SECONDS = 15

type Held = { app: string; measurement: Unnumbered }
type Tally = { measured: number; answered: number; own: number }
type Parts = Awaited<ReturnType<typeof openParts>>

const openParts = async ({ config, clock = systemClock, log = toStderr, ...options }: AgentOptions) => {
  const folder = await privateFolder(config.folder)
  const release = await holdFolder(folder)
  const identity = await openIdentity(folder)
  const boot = bootName(identity.keyed)
  const keeper = await openCatalogue(join(folder, 'catalogue.jose'), config.releaseKey, config.loopback)
  const budget = await openBudget(join(folder, 'budget.json'), forRounds(config.profile), clock, boot)
  const { shape, confirm } = config.profile.pairs
  const allowances = {
    shape: await openAllowance(join(folder, 'shape.json'), shape.bytes, clock, boot),
    confirm: await openAllowance(join(folder, 'confirm.json'), confirm.bytes, clock, boot),
  }
  const operatorFile = join(folder, 'operator.jose')
  // An agent told of a server on its own machine may be told so by the operator too, and stays with it.
  const local = config.servers.every(isLocal)
  const loopback = config.loopback || local
  const operator = config.operatorKey && (await openOperator(operatorFile, config.operatorKey, loopback))
  // With an operator's key, nothing is written before there is something to seal to (`Agent.ready`).
  const seal = operator ? { seal: sealTo(() => operator.current()!.sealing) } : {}
  const spool = await openSpool(join(folder, 'spool'), {
    ...{ ...config.spool, ...seal, flushSeconds: FLUSH_SECONDS, mono: clock.mono },
  })
  const servers = () => (local ? null : operator?.current()?.servers) ?? config.servers
  const way = inTurn({ servers, routes: config.routes, clock, ...(options.wayTo ? { wayTo: options.wayTo } : {}) })
  const gauges = new Gauges()
  const { profile, unusual, apps } = config
  const consent = { unusual, loopback: config.loopback, apps }
  const schedule = new Schedule(
    { profile, budget, consent, ...(budget.lastActive === null ? {} : { lastActive: budget.lastActive }) },
    clock.mono(),
  )
  const pairs = new Pairs({ pace: profile.pairs, allowances, spacing: schedule.spacing, consent })
  const { locate = null, line } = options
  const whereabouts = new Whereabouts({
    ...{ fixed: config.vantage, locate, loopback: config.loopback },
    ...(line ? { line } : {}),
  })
  const restraint = new Restraint({ config, clock, log, idle: options.idle })
  const kept = { identity, boot, keeper, operator, budget, allowances, spool, schedule, pairs, whereabouts, locate }
  return { ...kept, config, clock, log, release, way, gauges, restraint }
}

const toStderr = (line: string): void => void process.stderr.write(`peyk agent: ${line}\n`)

/** Composes an agent and starts it. Throws `SettingsError` or `FolderInUse` where it cannot run. */
export const startAgent = async (options: AgentOptions): Promise<RunningAgent> => {
  const parts = await openParts(options)
  const agent = new Agent(parts, options)
  const page = parts.config.metrics && (await agent.serve(parts.config.metrics))
  const done = agent.run().finally(() => page?.close())
  done.catch(() => {}) // Whoever wants to know awaits `done`; stop() tells nothing new.
  return {
    stop: () => agent.stop().then(() => done.catch(() => {})),
    status: () => agent.status(),
    metricsPort: page?.port ?? null,
    done,
  }
}

class Agent {
  private readonly parts: Parts
  private readonly measure: Measure
  private readonly reporter: Reporter
  private readonly abort = new AbortController()
  private wake: (() => void) | null = null
  private readonly faulty = new Set<string>()
  private rounds = 0
  private line: 'unknown' | 'up' | 'down' = 'unknown'
  private last: { at: string; measured: number; answered: number; own: number; skipped: number } | null = null
  private readonly onConnected: AgentOptions['onConnected']
  /** The line the last round was on. */
  private onLine: number | null = null
  private vantage: { country?: string; asn?: number } = {}
  /** Measured, and waiting for word that the machine was where it seemed to be. */
  private held: Held[] = []
  /** When it was last asked where this machine is (`mono`). */
  private lookedAt = Number.NEGATIVE_INFINITY
  /** When something was last measured (`mono`). */
  private active: number | null

  constructor(parts: Parts, options: AgentOptions) {
    this.parts = parts
    this.measure = options.measure
    this.onConnected = options.onConnected
    this.active = parts.budget.lastActive
    const { config, clock, schedule, pairs, gauges } = parts
    const local = config.servers.every(isLocal)
    this.reporter = new Reporter({
      ...parts,
      server: config.servers[0]!,
      software: SOFTWARE,
      code: config.code,
      file: join(config.folder, 'enrolled.json'),
      interval: options.reportSeconds ?? (local ? LOCAL_REPORT_SECONDS : config.profile.report),
      backoff: options.backoff ?? (local ? { first: 1, most: 60 } : BACKOFF),
      charge: bytes => local || parts.budget.charge(bytes),
      onCatalogue: catalogue => this.adopt(catalogue),
      onOperator: () => this.wake?.(),
      onSeen: address => parts.whereabouts.told(address),
      onRequests: (targets, expires) => {
        schedule.request(targets, expires, clock.mono())
        pairs.request(targets, expires)
        this.wake?.()
      },
      onOutcome: result => gauges.add('peyk_agent_reports_total', { outcome: result }),
    })
    const kept = parts.keeper.current()
    if (kept) this.adopt(kept)
  }

  async serve(where: { host: string; port: number }) {
    const pages = { metrics: () => this.metrics(), status: () => this.status() }
    return serveMetrics(where, pages).catch(async error => {
      await this.close()
      const { code } = error as NodeJS.ErrnoException
      throw new Error(`PEYK_METRICS_PORT: cannot listen on ${where.host}:${where.port} (${code}): choose another port.`)
    })
  }

  async run(): Promise<void> {
    const { signal } = this.abort
    const { config, log, identity } = this.parts
    log(
      `key ${identity.thumbprint.slice(0, 8)}…, reports to ${config.servers[0]!.host}, ${config.profile.bytesPerDay / 1e6} MB a day`,
    )
    if (!this.ready()) log('nothing is measured until the server has given the signed catalogue')
    const work = [this.measureUntil(signal), this.reporter.run(signal)].map(part =>
      part.catch(error => {
        this.abort.abort()
        throw error
      }),
    )
    const ended = Promise.allSettled(work)
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    await Promise.race([ended, new Promise(resolve => setTimeout(resolve, GRACE * 1000).unref())])
    await this.close()
    await Promise.all(work.map(part => Promise.race([part, Promise.resolve()])))
  }

  async stop(): Promise<void> {
    this.abort.abort()
    this.wake?.()
  }

  private async close(): Promise<void> {
    const { spool, budget, allowances, way, release } = this.parts
    await spool.close()
    await budget.save(this.active)
    for (const allowance of Object.values(allowances)) await allowance.save()
    await way.close()
    await release()
  }

  private adopt(catalogue: Catalogue): void {
    const { schedule, pairs, clock, log } = this.parts
    const apps = catalogue.apps.map(app => ({ ...app, targets: app.targets.filter(({ id }) => !this.faulty.has(id)) }))
    schedule.adopt({ apps, forbidden: catalogue.forbidden, spacing: catalogue.spacing }, clock.mono())
    pairs.adopt({ apps, forbidden: catalogue.forbidden }, clock.mono())
    const targets = apps.reduce((total, app) => total + app.targets.length, 0)
    const passed = catalogue.unknown ? `, ${catalogue.unknown} too new for this program` : ''
    log(`catalogue ${catalogue.version}: ${targets} targets of ${apps.length} apps${passed}`)
    const newer = newerProgram(catalogue, manifest.version)
    if (newer) log(`version ${newer.version} of Peyk is out, this is ${manifest.version}; nothing installs itself`)
    this.wake?.()
  }

  /** There is a catalogue, and where an operator is trusted, a key to seal to. */
  private ready(): boolean {
    const { keeper, operator } = this.parts
    return keeper.current() !== null && (operator === null || operator.current() !== null)
  }

  private async measureUntil(signal: AbortSignal): Promise<void> {
    const { schedule, pairs, clock, restraint, gauges } = this.parts
    while (!signal.aborted) {
      const now = clock.mono()
      const next = Math.min(schedule.nextRound(), pairs.next())
      const due = this.ready() && next <= now
      if (due && (await restraint.rests())) await this.pause(60)
      else if (due && this.rounds && restraint.busy()) {
        gauges.add('peyk_agent_skipped_total', { reason: 'busy' })
        await this.pause(POSTPONED_SECONDS)
      } else if (due && schedule.nextRound() <= now) await this.round(signal)
      // Not while a round goes on: what else is sent would be measured.
      else if (due) await this.leg(signal)
      else await this.pause(this.ready() ? Math.min(60, next - now) : 60)
    }
  }

  private async pause(seconds: number): Promise<void> {
    const nap = new AbortController()
    this.wake = () => nap.abort()
    if (this.abort.signal.aborted) return
    await this.parts.clock.sleep(seconds, nap.signal)
  }

  private async round(signal: AbortSignal): Promise<void> {
    const { schedule, clock, spool, budget, config, keeper, gauges, whereabouts } = this.parts
    const catalogue = keeper.current()
    await this.look(2, signal)
    const place = await this.place()
    const { runs, skipped } = schedule.plan(clock.mono(), place)
    if (skipped) gauges.add('peyk_agent_skipped_total', { reason: 'budget' }, skipped)
    if (!runs.length || !catalogue) return
    const queue = [...runs]
    const tally = { measured: 0, answered: 0, own: 0 }
    const worker = async () => {
      for (let one = queue.shift(); one; one = queue.shift()) {
        await this.one(one, catalogue, signal)
        const due = !whereabouts.asks || clock.mono() - this.lookedAt >= LOOK_SECONDS
        if (due) await this.settle(signal, tally)
      }
    }
    await Promise.all(Array.from({ length: config.profile.concurrency }, worker))
    await this.settle(signal, tally)
    await spool.flush()
    await budget.save(this.active)
    this.rounds++
    this.last = { at: new Date(clock.wall() * 1000).toISOString(), ...tally, skipped }
    if (!signal.aborted) this.tellLine(tally)
    this.reporter.nudge()
  }

  private async place(): Promise<Place> {
    const { families, line, ...vantage } = await this.parts.whereabouts.now()
    if (this.onLine !== null && this.onLine !== line) this.reporter.retry()
    this.onLine = line
    this.vantage = vantage
    return { country: vantage.country, role: this.reporter.role(), families }
  }

  /** Asks where this machine is; true where it is not where it was. */
  private async look(servers: number, signal: AbortSignal): Promise<boolean> {
    const { whereabouts, schedule, clock, budget } = this.parts
    this.lookedAt = clock.mono()
    const chosen = whereabouts.asks ? schedule.finders(servers, await this.place(), clock.mono()) : []
    const { asked, moved } = await whereabouts.find(chosen, signal)
    for (const one of asked) {
      schedule.found(one.target, clock.mono(), one.connected)
      budget.charge(one.bytes)
      this.onConnected?.(one)
    }
    return moved
  }

  /** What was measured since the last look is kept where the machine has not moved meanwhile, else discarded. */
  private async settle(signal: AbortSignal, tally: Tally): Promise<void> {
    const { gauges, spool } = this.parts
    const held = this.held.splice(0)
    const moved = await this.look(1, signal)
    for (const { app, measurement } of held) {
      if (moved) {
        gauges.add('peyk_agent_skipped_total', { reason: 'network_changed' })
        continue
      }
      const { answered, counts } = outcome(measurement.kind, measurement.steps)
      tally.measured++
      if (answered) tally.answered++
      if (!counts) tally.own++
      const label = answered ? 'answered' : counts ? 'failed' : 'own'
      gauges.add('peyk_agent_measurements_total', { app, outcome: label })
      void spool.append(measurement)
    }
  }

  private async one(planned: Planned, catalogue: Catalogue, signal: AbortSignal) {
    const { schedule, clock } = this.parts
    if (!schedule.begins(planned, clock.mono())) return
    const made = await this.make(planned, catalogue, signal)
    schedule.ended(planned, clock.mono(), made.connected, made.bytes)
  }

  /** One leg of a paired transfer, if it is time for one. */
  private async leg(signal: AbortSignal): Promise<void> {
    const { pairs, allowances, spool, clock, keeper, gauges } = this.parts
    const catalogue = keeper.current()
    const { run, skipped } = pairs.plan(clock.mono(), await this.place())
    if (skipped) gauges.add('peyk_agent_skipped_total', { reason: 'budget' })
    if (!run || !catalogue) return
    const made = await this.make(run, catalogue, signal)
    pairs.ended(run, clock.mono(), made.kind === 'measured' ? made.measurement : null, made)
    await this.settle(signal, { measured: 0, answered: 0, own: 0 })
    await spool.flush()
    for (const allowance of Object.values(allowances)) await allowance.save()
    this.reporter.nudge()
  }

  private async make(planned: Planned, catalogue: Catalogue, signal: AbortSignal): Promise<Made> {
    const { clock, config, whereabouts } = this.parts
    const made: Made = signal.aborted
      ? { kind: 'discarded', reason: 'stopped', connected: null, bytes: 0 }
      : await make(planned, {
          ...this.parts,
          measure: this.measure,
          software: SOFTWARE,
          loopback: config.loopback,
          where: () => whereabouts.now(),
          catalogue,
          signal,
        })
    this.active = clock.mono()
    this.onConnected?.({ target: planned.target, ...made })
    if (made.kind === 'measured') this.held.push({ app: planned.app, measurement: made.measurement })
    else this.notMade(planned, made)
    return made
  }

  private notMade({ target }: Planned, made: Exclude<Made, { kind: 'measured' }>): void {
    const { gauges, log, keeper } = this.parts
    gauges.add('peyk_agent_skipped_total', { reason: made.kind === 'fault' ? 'fault' : made.reason })
    if (made.kind !== 'fault') return
    // A bug of ours. Were it to stop the agent, a network that provokes it could silence every agent in it: the target rests.
    log(`bug, please report; this target rests until the next start: ${scrub(made.fault)}`)
    this.faulty.add(target.id)
    const catalogue = keeper.current()
    if (catalogue) this.adopt(catalogue)
  }

  private tellLine({ measured, answered }: { measured: number; answered: number }): void {
    if (!measured) return
    const line = answered ? 'up' : 'down'
    if (line !== this.line && !(line === 'up' && this.line === 'unknown')) {
      this.parts.log(
        line === 'down' ? 'nothing answers, the controls neither: this line is down' : 'the line is up again',
      )
    }
    this.line = line
  }

  status() {
    const { keeper, spool, budget, allowances, schedule, clock, whereabouts, restraint } = this.parts
    const catalogue = keeper.current()
    return {
      software: SOFTWARE,
      newer: catalogue && newerProgram(catalogue, manifest.version),
      vantage: { ...this.vantage, known: whereabouts.known },
      line: this.line,
      rests: restraint.resting,
      catalogue: catalogue && { version: catalogue.version, expires: catalogue.expires, unknown: catalogue.unknown },
      rounds: this.rounds,
      last: this.last,
      next: Math.max(0, Math.round(schedule.nextRound() - clock.mono())),
      budget: { left: Math.round(budget.left()), perDay: budget.perDay },
      pairs: Object.fromEntries(Object.entries(allowances).map(([stage, of]) => [stage, Math.round(of.left())])),
      spool: spool.status(),
      ledger: spool.ledger(),
      delivery: this.reporter.status(),
    }
  }

  private metrics(): string {
    const { gauges, spool, budget } = this.parts
    const { measurements, bytes, dropped } = spool.status()
    gauges.set('peyk_agent_spool_measurements', {}, measurements)
    gauges.set('peyk_agent_spool_bytes', {}, bytes)
    gauges.set('peyk_agent_budget_bytes', {}, Math.round(budget.left()))
    for (const [reason, lost] of Object.entries(dropped) as [DropReason, number][]) {
      gauges.set('peyk_agent_dropped_total', { reason }, lost)
    }
    return gauges.text()
  }
}
