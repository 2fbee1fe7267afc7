import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, styleText } from 'node:util'
import type { App } from '../../measurement/app.ts'
import { CONTROL } from '../../measurement/catalogue.ts'
import { failure } from '../../measurement/failure.ts'
import type { Step } from '../../measurement/step.ts'
import type { Target } from '../../measurement/target.ts'
import type { Measure, Run } from '../probe.ts'
import { readPlace } from './config.ts'
import { familiesHere } from './vantage.ts'

/** One line of the baseline: what a target answered, from here, now. */
export type Line = {
  app: string
  target: string
  feature: string
  kind: string
  steps: Step[]
  failure: string | null
  /** Whether the answer is the healthy one. */
  expected: boolean
  origin_proof: Run['origin_proof']
}

export type BaselineOptions = {
  apps: readonly App[]
  measure: Measure
  /** Only these apps, and the neutral controls; all where empty. */
  only: readonly string[]
  /** Country this is: targets asked only in some countries are asked in theirs. */
  country?: string
  loopback?: boolean
  concurrency?: number
  /** Seconds of rest after a store has answered. */
  storeSeconds?: number
  progress?: (done: number, of: number) => void
  signal?: AbortSignal
}

/** Apple’s listing refuses who asks about 20 times a minute (reference endpoints.md). */
const STORE_SECONDS = 3.5

const baselineUsage = `peyk baseline [APP…] [--json]             measure every target of the catalogue once from here, one at a time per address
Exit codes: 0 every deciding target answered as expected, 1 some did not, 2 wrong usage, 3 nothing answered: this line is down.
`

/** Measures every ordinary target once; one at a time per address, some addresses at the same time. */
export const baseline = async (options: BaselineOptions): Promise<Line[]> => {
  const {
    apps,
    measure,
    only,
    country = 'ZZ',
    loopback = false,
    concurrency = 8,
    storeSeconds = STORE_SECONDS,
    progress,
    signal,
  } = options
  const families = await familiesHere(loopback)
  const wanted = apps
    .filter(({ id, status }) => status === 'measured' && (!only.length || id === CONTROL || only.includes(id)))
    .flatMap(app => app.targets.map(target => ({ app: app.id, target })))
    .filter(({ target }) => target.risk === 'ordinary' && families.has(target.family))
    .filter(({ target }) => !target.countries || target.countries.includes(country))
  const queues = Map.groupBy(wanted, ({ target }) => target.host)
  const waiting = [...queues.values()]
  const lines = new Map<Target, Line>()
  const worker = async () => {
    for (let queue = waiting.shift(); queue; queue = waiting.shift()) {
      for (const { app, target } of queue) {
        if (signal?.aborted) return
        const run = await measure(target, { loopback, ...(signal ? { signal } : {}) })
        lines.set(target, lineOf(app, target, run))
        progress?.(lines.size, wanted.length)
        if (target.kind === 'store' && run.received > 0)
          await sleep(storeSeconds * 1_000, undefined, { signal }).catch(() => {})
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return wanted.flatMap(({ target }) => lines.get(target) ?? [])
}

const lineOf = (app: string, target: Target, run: Run): Line => ({
  app,
  target: target.id,
  feature: target.feature,
  kind: target.kind,
  steps: run.steps,
  failure: run.failure,
  expected: run.failure === null,
  origin_proof: run.origin_proof,
})

const shortNames: Partial<Record<Step['operation'], string>> = {
  tls_handshake: 'tls',
  protocol_handshake: 'protocol',
  http_round_trip: 'http',
}

const stepText = ({ operation, duration, failure: failed, code }: Step): string => {
  const name = shortNames[operation] ?? operation
  const time = `${Math.round(duration * 1000)} ms`
  return `${name} ${time}${code === undefined ? '' : ` (${code})`}${failed ? ' ✗' : ''}`
}

/** A table for people: target, steps with timings, answer, as expected or not. */
const table = (lines: readonly Line[]): string => {
  const rows = lines.map(line => [
    line.expected ? 'ok' : 'no',
    line.target,
    line.steps.map(stepText).join(' · ') || '-',
    line.failure ? `${line.failure}: ${failure(line.failure).sentence}` : 'as expected',
  ])
  const header = ['', 'target', 'steps', 'answer']
  const widths = header.map((title, at) => Math.max(title.length, ...rows.map(row => row[at]!.length)))
  const text = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd()
  const colour = (row: readonly string[]) =>
    styleText(row[0] === 'ok' ? 'green' : 'red', text(row), { stream: process.stdout })
  return [text(header), ...rows.map(colour)].join('\n')
}

const summary = (lines: readonly Line[]): string => {
  const byApp = Map.groupBy(lines, ({ app }) => app)
  return [...byApp]
    .map(([app, all]) => `${app}: ${all.filter(({ expected }) => expected).length} of ${all.length} as expected`)
    .join('\n')
}

const stderr = (text: string): void => void process.stderr.write(text)

/** Which apps, and how to print; throws what is wrong with the arguments. */
const parse = (args: readonly string[], apps: readonly App[]): { only: string[]; json: boolean; help: boolean } => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    allowPositionals: true,
  })
  const unknown = positionals.filter(id => !apps.some(app => app.id === id))
  if (unknown.length) {
    throw new Error(`There is no app ${unknown.join(', ')}; there are ${apps.map(({ id }) => id).join(', ')}.`)
  }
  return { only: positionals, ...values }
}

/** `peyk baseline`: table or JSON on stdout, progress on stderr. Gives the exit code. */
export const baselineCommand = async (
  args: readonly string[],
  parts: { apps: readonly App[]; measure: Measure; say?: (text: string) => void },
): Promise<number> => {
  const { apps, measure, say = text => void process.stdout.write(text) } = parts
  let asked: ReturnType<typeof parse>
  try {
    asked = parse(args, apps)
  } catch (error) {
    stderr(`${(error as Error).message}\n${baselineUsage}`)
    return 2
  }
  if (asked.help) {
    say(baselineUsage)
    return 0
  }
  const { vantage, loopback } = readPlace()
  const progress = (done: number, of: number) => {
    if (process.stderr.isTTY) stderr(`\r${done}/${of}${done === of ? '\n' : ''}`)
    else if (done === of) stderr(`${of} targets\n`)
  }
  const country = vantage ? { country: vantage.country } : {}
  const lines = await baseline({ apps, measure, only: asked.only, loopback, progress, ...country })
  say(asked.json ? `${JSON.stringify(lines, null, 2)}\n` : `${table(lines)}\n\n${summary(lines)}\n`)
  if (lines.every(({ expected }) => !expected)) {
    stderr('Nothing answered, the neutral controls neither: this line is down.\n')
    return 3
  }
  const decides = ({ decides, experimental }: Target) => decides === 'yes' && !experimental
  const deciding = new Set(apps.flatMap(({ targets }) => targets.filter(decides).map(({ id }) => id)))
  return lines.some(({ target, expected }) => deciding.has(target) && !expected) ? 1 : 0
}
