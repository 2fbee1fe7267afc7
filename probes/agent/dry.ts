import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { calculateJwkThumbprint } from 'jose'
import type { Report } from '../../measurement/report.ts'
import { resolversOf, type Target } from '../../measurement/target.ts'
import type { Measure } from '../probe.ts'
import { type Connected, startAgent } from './agent.ts'
import { openCatalogue } from './catalogue.ts'
import type { AgentConfig } from './config.ts'
import { mayAsk, type Place } from './may-ask.ts'
import { forRounds } from './profiles.ts'
import { hostOf } from './spacing.ts'
import { type Ask, type Route, requestHead, type Way, wayTo } from './transport.ts'
import { familiesHere } from './vantage.ts'
import type { Locate } from './whereabouts.ts'

export type DryOptions = {
  config: AgentConfig
  measure: Measure
  openLocate: (folder: string, networks: string | null) => Promise<Locate>
  say: (line: string) => void
  signal: AbortSignal
}

/** Bytes of the pairs of transfers are for those alone: a dry run makes none. */
const NONE = { every: null, bytes: 0 }

/**
 * The first round of an agent like the one that would run, and its first report: every connection is told, and every byte of what
 * would go to the server, where nothing is sent but questions for signed documents that are not kept here. Nothing is left on the disk.
 */
export const dryRun = async ({ config, measure, openLocate, say, signal }: DryOptions): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'peyk-dry-'))
  try {
    for (const kept of ['catalogue.jose', 'operator.jose'])
      await copyFile(join(config.folder, kept), join(folder, kept)).catch(() => {})
    const agent = await startAgent({
      config: {
        ...{ ...config, folder, metrics: null, quiet: null, battery: true },
        profile: { ...config.profile, bytesPerDay: forRounds(config.profile), pairs: { shape: NONE, confirm: NONE } },
      },
      ...{ measure, locate: await openLocate(folder, config.networks), log: () => {} },
      onConnected: connected => tellConnected(connected, say),
      wayTo: (server, route) => telling(server, route, say),
    })
    try {
      for (let status = agent.status(); !status.delivery.reports; status = agent.status()) {
        signal.throwIfAborted()
        const { rests, catalogue, delivery } = status
        const why = rests ?? delivery.trouble ?? (catalogue ? null : delivery.refusal)
        if (why) return say(`Nothing would be measured, or nothing sent, now: ${why}.`)
        await sleep(50)
      }
      const { country = 'ZZ' } = agent.status().vantage
      const place = { country, role: 'vantage', families: await familiesHere(config.loopback) } as const
      for (const target of await transfers(join(folder, 'catalogue.jose'), config, place)) {
        const { host, port, id } = target
        say(`a few times a day would transfer 64 to 256 KiB with ${host} port ${port} (${id})`)
      }
    } finally {
      await agent.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Paired transfers belong to no round: with whom they would be made is told, and none is. */
const transfers = async (file: string, config: AgentConfig, place: Place): Promise<Target[]> => {
  const { apps = [], forbidden = {} } = (await openCatalogue(file, config.releaseKey, config.loopback)).current() ?? {}
  return apps
    .flatMap(app => app.targets.filter(target => mayAsk({ app, target }, place, config, forbidden)))
    .filter(({ kind }) => kind === 'transfer')
}

const tellConnected = ({ target, connected, bytes, measurement }: Connected, say: DryOptions['say']): void => {
  const resolver = target.kind === 'dns' && target.ask.resolver === 'system'
  const whom = resolver ? 'the resolver of this system' : `${hostOf(target)} port ${target.port}`
  const looks = target.kind === 'stun' && !measurement
  const why = looks ? 'stun, to find out where this is' : `${target.kind}, ${target.id}`
  say(`connects to ${whom} (${why}): ${connected ?? 'nothing'} answered, about ${bytes} bytes on the wire`)
  for (const other of resolversOf(target).filter(address => address !== hostOf(target)))
    say(`asks the resolver ${other} beside it (${why})`)
  if (measurement) say(JSON.stringify(measurement))
}

/** A way that tells what it is asked to carry, and carries questions for signed documents only; a server that takes all answers. */
const telling = (server: URL, route: Route, say: DryOptions['say']): Way => {
  const real = wayTo(server, route)
  const port = server.port || (server.protocol === 'https:' ? '443' : '80')
  const whom = `${server.hostname} port ${port}${route === 'direct' ? '' : ` through ${route.protocol}//${route.host}`}`
  return {
    ...real,
    ask: async (ask, signal) => {
      const { method, path, body } = ask
      const head = requestHead(server, ask)
      const sends = /^\/v1\/(catalogue|operator)$/.test(path)
      const tls = server.protocol === 'https:' ? ', inside TLS' : ''
      say(`${sends ? 'connects' : 'would connect'} to ${whom}: ${method} ${path}`)
      say(`with this head, ${head.length} bytes, and this body, ${body?.length ?? 0} bytes as sent${tls}:`)
      say(head.trimEnd())
      if (body) say(shown(ask))
      return sends ? await real.ask(ask, signal) : await pretended(ask)
    },
  }
}

const packed = ({ headers }: Ask): boolean => headers?.['content-encoding'] === 'gzip'
const textOf = (ask: Ask): string => String(packed(ask) ? gunzipSync(ask.body!) : Buffer.from(ask.body!))
const shown = (ask: Ask): string => JSON.stringify(JSON.parse(textOf(ask)), null, 2)

const pretended = async (ask: Ask) => {
  const answer = (value: object) => ({
    status: 200,
    headers: {},
    body: Buffer.from(JSON.stringify(value)),
    direct: false,
  })
  const now = Date.now() / 1000
  if (ask.path === '/v1/agents') {
    const { key } = JSON.parse(textOf(ask)) as { key: Parameters<typeof calculateJwkThumbprint>[0] }
    return answer({ role: 'vantage', thumbprint: await calculateJwkThumbprint(key) })
  }
  // As long as a server's, so that the proof is as long as in earnest.
  if (ask.path === '/v1/nonce') return answer({ nonce: '0'.repeat(43), expires: now + 300 })
  const receipts = (JSON.parse(textOf(ask)) as Report).batches.map(({ id }) => ({ id, outcome: 'stored' }))
  return answer({ receipts, catalogue: 0, now, requests: [] })
}
