#!/usr/bin/env node
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { getAsset, isSea } from 'node:sea'
import manifest from './package.json' with { type: 'json' }

/** The only composer: parses the command and imports what it needs. Imported by nothing. */

const usage = `peyk start                                server, an agent of its own, and the page, on http://127.0.0.1:8400
peyk server                               the server alone
peyk agent                                an agent alone
peyk agents list|invite|approve|…         what the operator decides about agents
peyk import ooni|spool FILE…              OONI’s files, or spools carried by hand, into the record
peyk export openmetrics FROM TO           rollups of a time as text for Prometheus’ promtool
peyk export store FOLDER                  backup: the whole store as Parquet (\`peyk import store FOLDER\` takes it back)
peyk dump FOLDER                          public rows as Parquet, a file for each day, with their hashes
peyk helper                               the other end of test flows, on an unfiltered host
peyk spool status|export FILE             what an agent here still has to send, and a copy to carry by hand
peyk baseline [APP…] [--json]             measure the catalogue once from here
peyk catalogue key|sign                   the signed catalogue
peyk dashboards [FOLDER]                  boards, rules and alerts, as files
peyk COMMAND --help                       settings and exit codes of a command
`

// Look-ups of names wait on threads, four by default: were they all hung, every further name would read as slow. Read at first use.
process.env['UV_THREADPOOL_SIZE'] ??= '16'

const say = (text: string): void => void process.stdout.write(text)

/** Whether this is the single executable, which carries what it needs in itself (package/build.ts). */
const packed = isSea()

/** Writes the files that the executable carries into the data folder; gives their folder. */
const unpacked = (folder: string): string => {
  const files = JSON.parse(getAsset('files.json', 'utf8')) as Record<string, string>
  const program = join(folder, 'program')
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(program, path)), { recursive: true })
    writeFileSync(join(program, path), Buffer.from(content, 'base64'))
  }
  return program
}

const events = async (folder: string) =>
  (await import('./events/load.ts')).loadEvents(...(packed ? [join(unpacked(folder), 'events')] : []))

/** Folder of the page, built. */
const page = async (folder: string): Promise<string> => {
  if (packed) return join(unpacked(folder), 'page')
  const { buildPageIfStale, pageFolder } = await import('./server/page/build.ts')
  await buildPageIfStale()
  return pageFolder
}

/** The server's settings, for commands that open its record. */
const recordConfig = async () => {
  const { readConfig } = await import('./server/config.ts')
  const { SettingsError } = await import('./measurement/settings.ts')
  const config = readConfig()
  if (!packed || config.PEYK_CLICKHOUSE_URL) return config
  throw new SettingsError(
    'PEYK_CLICKHOUSE_URL must be set: this package carries no database of its own (from source, there is one).',
  )
}

/** The key that signs the catalogue, where this package was built with one. */
const pinnedKey = async () => {
  const { settings } = await import('./probes/agent/settings.ts')
  return packed ? settings.PEYK_RELEASE_KEY.parse(getAsset('release-key', 'utf8')) : null
}

/** The catalogue of this source, signed by a key of this data folder. */
const localCatalogue = async (folder: string, helper: string | null) => {
  const { localRelease } = await import('./probes/agent/release.ts')
  const { CATALOGUE_VERSION } = await import('./measurement/catalogue.ts')
  const file = join(folder, 'catalogue.jose')
  const key = await localRelease(join(folder, 'release.key'), file, Date.now() / 1000, helper)
  return { key, catalogue: () => ({ bytes: readFileSync(file), version: CATALOGUE_VERSION }) }
}

/** Databases that say where addresses are; shared by server and agent, which do not know each other. */
const openLocate = async (folder: string, networks: string | null) =>
  (await import('./server/locate/locate.ts')).openLocate(folder, networks)

const startServer = async (operators: readonly string[]) => {
  const { keysOf } = await import('./server/config.ts')
  const config = await recordConfig()
  const { key, catalogue } = await localCatalogue(keysOf(config), config.PEYK_HELPER)
  const { runServer } = await import('./server/run.ts')
  const server = await runServer(config, {
    ...{ catalogue, operators, events: await events(config.PEYK_DATA) },
    page: await page(config.PEYK_DATA),
    version: manifest.version,
  })
  say(`Page and API on ${server.url}, metrics on ${server.metricsUrl}, data in ${config.PEYK_DATA}\n`)
  return { server, key }
}

const isHelp = (arg: string | undefined): boolean => arg === '--help' || arg === '-h'

/** Exit code 2, with what these commands do not know and what they do. */
const refuse = (arg: string, usage: string): number => {
  process.stderr.write(`peyk: ${JSON.stringify(arg)} is not known here.\n${usage}`)
  return 2
}

/** The exit code where help was asked for, or something that these commands do not know; else null. */
const serverHelp = async (args: readonly string[]): Promise<number | null> => {
  if (args.length === 0) return null
  const { serverUsage } = await import('./server/config.ts')
  if (args.length > 1 || !isHelp(args[0])) return refuse(args.find(arg => !isHelp(arg)) ?? args[1]!, serverUsage())
  say(serverUsage())
  return 0
}

const untilStopped = (stop: () => Promise<void>): Promise<number> =>
  new Promise(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop().then(() => resolve(0)))
  })

const commands: Record<string, (args: readonly string[]) => Promise<number>> = {
  start: async args => {
    const help = await serverHelp(args)
    if (help !== null) return help
    const { readConfig } = await import('./probes/agent/config.ts')
    const { openIdentity } = await import('./probes/agent/identity.ts')
    const folder = join(process.env['PEYK_DATA'] || './data', 'agent')
    const { server, key } = await startServer([(await openIdentity(folder)).thumbprint])
    if (process.env['PEYK_AGENT'] === 'off') return await untilStopped(() => server.close())
    const { startAgent } = await import('./probes/agent/agent.ts')
    const { consentText } = await import('./probes/agent/consent.ts')
    const { measure } = await import('./probes/all.ts')
    say(`\n${consentText.en}\n${consentText.fa}\nPEYK_AGENT=off starts the server alone.\n`)
    // Ordinary probes only, sealed to the server beside it: nobody was asked for more, and its spool tells nothing.
    // PEYK_METRICS_PORT is the server's here, and what this agent does stands on the server's page.
    const config = {
      ...readConfig({ ...process.env, PEYK_SERVER: server.url, PEYK_METRICS_PORT: '' }, key),
      ...{ unusual: false, operatorKey: server.operatorKey, metrics: null },
    }
    const locate = await openLocate(config.folder, config.networks)
    const agent = await startAgent({ config, measure, locate })
    return await untilStopped(async () => {
      await agent.stop()
      await server.close()
    })
  },
  server: async args => {
    const help = await serverHelp(args)
    if (help !== null) return help
    const { server } = await startServer([])
    return await untilStopped(() => server.close())
  },
  agent: async args => {
    const { agentCommand } = await import('./probes/agent/command.ts')
    const { measure } = await import('./probes/all.ts')
    return await agentCommand(args, { measure, openLocate, pinnedKey: await pinnedKey() })
  },
  agents: async args => {
    const { keysOf, readConfig } = await import('./server/config.ts')
    const { agentsCommand } = await import('./server/agents-command.ts')
    const { writeInvite } = await import('./probes/agent/invite.ts')
    const config = readConfig()
    const writeLine = async (invite: Omit<Parameters<typeof writeInvite>[0], 'release'>) =>
      writeInvite({ ...invite, release: (await localCatalogue(keysOf(config), config.PEYK_HELPER)).key })
    return await agentsCommand(args, { config, say, writeInvite: writeLine, terminal: process.stdout.isTTY })
  },
  import: async args => {
    const { readConfig } = await import('./server/config.ts')
    const { importCommand } = await import('./server/import.ts')
    const config = readConfig()
    return await importCommand(args, config, await events(config.PEYK_DATA))
  },
  export: async ([what, ...args]) => {
    const { readConfig } = await import('./server/config.ts')
    const { openMetricsCommand, openMetricsUsage } = await import('./server/openmetrics.ts')
    const { exportStore, storeUsage } = await import('./server/backup.ts')
    const config = readConfig()
    if (what === 'openmetrics') return await openMetricsCommand(args, config)
    if (what === 'store' && args.length === 1) {
      return await exportStore(args[0]!, config, await events(config.PEYK_DATA), say)
    }
    const usage = openMetricsUsage + storeUsage
    if (!isHelp(what)) return refuse([what, ...args].join(' '), usage)
    say(usage)
    return 0
  },
  dump: async args => {
    const { readConfig } = await import('./server/config.ts')
    const { dumpCommand, dumpUsage } = await import('./server/dump.ts')
    if (isHelp(args[0])) {
      say(dumpUsage)
      return 0
    }
    const config = readConfig()
    return await dumpCommand(args, config, await events(config.PEYK_DATA), say)
  },
  baseline: async args => {
    const { baselineCommand } = await import('./probes/agent/baseline.ts')
    const { measure } = await import('./probes/all.ts')
    const { apps } = await import('./measurement/catalogue.ts')
    const { withHelper } = await import('./measurement/apps/helper.ts')
    return await baselineCommand(args, { apps: withHelper(apps, null), measure })
  },
  helper: async args => {
    const { helperCommand } = await import('./probes/helper/command.ts')
    return await helperCommand(args, say)
  },
  spool: async args => {
    const { spoolCommand } = await import('./probes/agent/command.ts')
    return await spoolCommand(args)
  },
  catalogue: async args => {
    const { catalogueCommand } = await import('./probes/agent/release.ts')
    return await catalogueCommand(args, say)
  },
  dashboards: async ([folder = join(import.meta.dirname, 'dashboards/dist'), ...more]) => {
    const { renderAll, renderUsage } = await import('./dashboards/render.ts')
    if (isHelp(folder)) {
      say(renderUsage)
      return 0
    }
    if (folder.startsWith('-') || more.length > 0) return refuse(more[0] ?? folder, renderUsage)
    const files = await renderAll(folder)
    say(`${files.length} files in ${folder}\n`)
    return 0
  },
}

const main = async ([name = '', ...args]: readonly string[]): Promise<number> => {
  const command = commands[name]
  if (!command) {
    if (name !== '' && !isHelp(name)) return refuse(name, usage)
    say(usage)
    return 0
  }
  try {
    return await command(args)
  } catch (error) {
    const { told } = await import('./measurement/settings.ts')
    const { text, exitCode } = told(error as Error)
    process.stderr.write(`${text}\n`)
    return exitCode
  }
}

// No await at the top: the single executable is a CommonJS bundle.
void main(process.argv.slice(2)).then(code => {
  process.exitCode = code
})
