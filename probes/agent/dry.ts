import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Measure } from '../probe.ts'
import { Bucket } from './budget.ts'
import { type Catalogue, openCatalogue } from './catalogue.ts'
import { systemClock } from './clock.ts'
import type { AgentConfig } from './config.ts'
import { privateFolder } from './files.ts'
import { type Consent, mayAsk, type Place } from './may-ask.ts'
import { forRounds } from './profiles.ts'
import { Refresh } from './refresh.ts'
import { composeReport, REPORT_HEADERS } from './reporter.ts'
import { make } from './run.ts'
import { Schedule } from './schedule.ts'
import { openSpool } from './spool.ts'
import { inTurn } from './ways.ts'
import { type Locate, Whereabouts } from './whereabouts.ts'

export type DryOptions = {
  config: AgentConfig
  measure: Measure
  openLocate: (folder: string, networks: string | null) => Promise<Locate>
  software: string
  say: (line: string) => void
  signal: AbortSignal
}

/**
 * One round that tells every connection it makes and every byte of the report it would send, and sends none. The catalogue is
 * the one kept, else it is fetched, which is told too. Nothing is left on the disk.
 */
export const dryRun = async ({ config, measure, openLocate, software, say, signal }: DryOptions): Promise<void> => {
  const clock = systemClock
  const boot = '0'.repeat(16)
  const folder = await mkdtemp(join(tmpdir(), 'peyk-dry-'))
  const way = inTurn({ servers: () => config.servers, routes: config.routes, clock })
  const kept = await openCatalogue(join(config.folder, 'catalogue.jose'), config.releaseKey, config.loopback)
  const keeper = kept.current()
    ? kept
    : await openCatalogue(join(folder, 'catalogue.jose'), config.releaseKey, config.loopback)
  const spool = await openSpool(await privateFolder(join(folder, 'spool')), {
    ...{ ...config.spool, flushSeconds: 3_600, mono: clock.mono },
  })
  try {
    const path = '/v1/catalogue'
    const told = { name: 'catalogue', path, keeper, way, clock, every: null, onNew: () => {}, onRefused: say }
    if (!keeper.current()) {
      say(`connects to ${config.servers[0]!.host}: GET ${path}`)
      await new Refresh(told).now(signal)
    }
    const catalogue = keeper.current()
    if (!catalogue) throw new Error('There is no catalogue, so nothing would be measured.')
    const { profile, unusual, loopback, apps } = config
    const budget = new Bucket(forRounds(profile), clock.mono)
    const schedule = new Schedule({ profile, budget, consent: { unusual, loopback, apps } }, clock.mono())
    schedule.adopt({ apps: catalogue.apps, forbidden: catalogue.forbidden }, clock.mono())
    const locate = await openLocate(folder, config.networks)
    const whereabouts = new Whereabouts({ fixed: config.vantage, locate, loopback })
    const where = () => whereabouts.now()
    const role = 'vantage' as const
    const finders = whereabouts.asks ? schedule.finders(2, { ...(await where()), role }, clock.mono()) : []
    for (const { host, port } of finders) say(`connects to ${host} port ${port} (stun, to find out where this is)`)
    for (const { target, connected } of (await whereabouts.find(finders, signal)).asked)
      schedule.found(target, clock.mono(), connected)
    const { runs } = schedule.plan(clock.mono(), { ...(await where()), role })
    const around = { measure, clock, boot, software, loopback, where, locate, catalogue, signal }
    for (const planned of runs) {
      const { kind, host, port, id } = planned.target
      say(`connects to ${host} port ${port} (${kind}, ${id})`)
      const made = await make(planned, around)
      if (made.kind === 'measured') void spool.append(made.measurement)
    }
    for (const line of pairsOf(catalogue, { unusual, loopback, apps }, { ...(await where()), role })) say(line)
    await spool.flush()
    const { report, body } = await composeReport(await spool.peek(100, 2 ** 22), { clock, boot, spool })
    say(`would connect to ${config.servers[0]!.host}: GET /v1/nonce, POST /v1/reports`)
    say(
      `with ${Object.entries(REPORT_HEADERS)
        .map(([name, value]) => `${name}: ${value}`)
        .join(', ')}, authorization: a proof by this agent’s key`,
    )
    say(`and this body, ${body.length} bytes as sent:`)
    say(JSON.stringify(report, null, 2))
    for (const { bytes } of report.batches) for (const line of bytes.split('\n')) say(line)
  } finally {
    await spool.close()
    await way.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Paired transfers belong to no round: with whom they would be made is told, and none is. */
const pairsOf = ({ apps, forbidden }: Catalogue, consent: Consent, place: Place): string[] =>
  apps
    .flatMap(app => app.targets.filter(target => mayAsk({ app, target }, place, consent, forbidden)))
    .filter(({ kind }) => kind === 'transfer')
    .map(({ host, port, id }) => `a few times a day would transfer 64 to 256 KiB with ${host} port ${port} (${id})`)
