import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { told } from '../../measurement/settings.ts'
import type { Measure } from '../probe.ts'
import { startAgent } from './agent.ts'
import { readConfig } from './config.ts'
import { agreed } from './consent.ts'
import { dryRun } from './dry.ts'
import { privateFolder, writeDurably } from './files.ts'
import { beFrugal } from './frugal.ts'
import { openIdentity, type PublicKey } from './identity.ts'
import { settings } from './settings.ts'
import { readSpool } from './spool.ts'
import { type Status, statusText } from './status-words.ts'
import type { Locate } from './whereabouts.ts'
import { wipe } from './wipe.ts'

const rows = Object.entries(settings).map(
  ([name, { default: fallback, text }]) => `  ${name.padEnd(18)} ${text}${fallback ? ` (${fallback})` : ''}`,
)

const agentUsage = `peyk agent [--yes]                        measure from this machine until stopped (SIGTERM, SIGINT); --yes: its owner agreed
peyk agent --dry-run                      one round; tell every connection and every byte of the report, send none
peyk agent status [--json]                what the agent here is doing, in words, or all of it
peyk agent rotate                         a new key that cannot be joined with the old one; what waits to be sent is dropped
peyk agent panic                          end the agent here; delete its key, its measurements and its settings
Settings:
${rows.join('\n')}
Exit codes: 0 done or stopped, 1 a bug, 2 a setting or the usage is wrong, 3 another agent uses the folder, 4 its owner did not agree.
`

const say = (text: string): void => void process.stdout.write(text)
const folderHere = (): string => join(resolve(process.env['PEYK_DATA'] || './data'), 'agent')

export type AgentParts = {
  measure: Measure
  /** Opens the databases that say where addresses are; what is compiled from the file is kept in the folder. */
  openLocate: (folder: string, networks: string | null) => Promise<Locate>
  /** Key of the catalogue, where it is pinned at build. */
  pinnedKey?: PublicKey | null
}

const run = async ({ measure, openLocate, pinnedKey = null }: AgentParts, yes: boolean): Promise<number> => {
  beFrugal()
  const config = readConfig(process.env, pinnedKey)
  const folder = await privateFolder(config.folder)
  const asked = {
    folder,
    unusual: config.unusual,
    yes,
    input: process.stdin,
    say: (text: string) => process.stderr.write(text),
  }
  if (!(await agreed(asked))) {
    process.stderr.write('Nothing was measured. `peyk agent --yes` where nobody can be asked.\n')
    return 4
  }
  const agent = await startAgent({ config, measure, locate: await openLocate(folder, config.networks) })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void agent.stop())
  await agent.done
  return 0
}

/** What a running agent tells of itself; where none runs, what waits on the disk. */
const status = async (json: boolean): Promise<number> => {
  const port = process.env['PEYK_METRICS_PORT'] || settings.PEYK_METRICS_PORT.default
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(3_000) }).catch(() => null)
  if (answer?.ok) say(json ? await answer.text() : statusText((await answer.json()) as Status))
  else {
    const waiting = await counted(folderHere())
    say(
      `No agent answers on 127.0.0.1:${port}. On the disk: ${waiting.measurements} measurements in ${waiting.batches} batches wait.`,
    )
  }
  say('\n')
  return 0
}

const counted = async (folder: string) => {
  const all = { batches: 0, measurements: 0, bytes: 0 }
  for await (const { first, last, bytes } of readSpool(join(folder, 'spool'))) {
    all.batches++
    all.measurements += last - first + 1
    all.bytes += bytes.length
  }
  return all
}

/** `peyk agent …`. Gives the exit code. */
export const agentCommand = async (args: readonly string[], parts: AgentParts): Promise<number> => {
  const flag = { type: 'boolean', default: false } as const
  let asked: ReturnType<typeof parse>
  const parse = () =>
    parseArgs({
      args: [...args],
      options: { yes: flag, 'dry-run': flag, json: flag, help: { ...flag, short: 'h' } },
      allowPositionals: true,
    })
  try {
    asked = parse()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${agentUsage}`)
    return 2
  }
  const { values, positionals } = asked
  const [what = 'run'] = positionals
  try {
    if (values.help) say(agentUsage)
    else if (what === 'run' && values['dry-run']) {
      const { measure, openLocate, pinnedKey = null } = parts
      const config = readConfig(process.env, pinnedKey)
      await dryRun({
        config,
        measure,
        openLocate,
        say: line => say(`${line}\n`),
        signal: AbortSignal.timeout(600_000),
      })
    } else if (what === 'run') return await run(parts, values.yes)
    else if (what === 'status') return await status(values.json)
    else if (what === 'rotate' || what === 'panic') {
      await wipe(folderHere(), what === 'panic' ? 'all' : 'identity')
      say(
        what === 'panic'
          ? 'Deleted.\n'
          : 'The next start makes a new key; it needs a new code where the server asks for one.\n',
      )
    } else {
      process.stderr.write(agentUsage)
      return 2
    }
    return 0
  } catch (error) {
    const { text, exitCode } = told(error as Error)
    process.stderr.write(`${text}\n`)
    return exitCode
  }
}

const spoolUsage = `peyk spool status                         what waits here to be sent: counts and sizes
peyk spool export FILE                    copy it into a file, signed by this agent, to be carried by hand (\`peyk import spool FILE\`)
Nothing is removed here: what arrives twice is stored once.
Exit codes: 0 done, 2 wrong usage.
`

/** Type of a line of an exported spool: a compact JWS by the agent's key, payload {batch} as in a report. */
const EXPORT_TYPE = 'peyk-spool'

/** `peyk spool …`. Gives the exit code. */
export const spoolCommand = async (args: readonly string[]): Promise<number> => {
  const [what, file] = args
  const folder = folderHere()
  if (what === 'status' && !file) {
    const { measurements, batches, bytes } = await counted(folder)
    say(`${measurements} measurements in ${batches} batches, ${bytes} bytes\n`)
    return 0
  }
  if (what !== 'export' || !file) {
    say(spoolUsage)
    return what === '--help' || what === '-h' ? 0 : 2
  }
  const identity = await openIdentity(folder)
  const lines: string[] = []
  for await (const batch of readSpool(join(folder, 'spool'))) lines.push(await identity.sign(EXPORT_TYPE, { batch }))
  await writeDurably(file, lines.map(line => `${line}\n`).join(''))
  say(`${file}: ${lines.length} batches\n`)
  return 0
}
