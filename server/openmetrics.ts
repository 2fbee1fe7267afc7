import { once } from 'node:events'
import { type Metric, metrics } from '../measurement/metrics.ts'
import { SettingsError } from '../measurement/settings.ts'
import { ROLLUP_SECONDS } from '../measurement/windows.ts'
import type { Config } from './config.ts'
import { labelsOf } from './origin.ts'
import { openStore } from './run.ts'
import { type Range, rangeSamples } from './samples.ts'
import type { Store } from './store/store.ts'

/**
 * Rollups as OpenMetrics text with their own times, for `promtool tsdb create-blocks-from openmetrics`: the way of what is
 * older than Prometheus' window for late samples (docs/alerting.md, history). Times are those of windows' ends.
 */
export async function* openMetricsText(
  store: Store,
  range: Range,
  extra: Readonly<Record<string, string>> = {},
): AsyncGenerator<string> {
  let family = ''
  for await (const { name, labels, value, start } of rangeSamples(store, range)) {
    if (name !== family) {
      family = name
      const { type, help }: Metric = metrics[name]
      yield `# TYPE ${name} ${type}\n# HELP ${name} ${help}\n`
    }
    const parts = Object.entries({ ...labels, ...extra }).map(([label, text]) => `${label}="${escaped(text)}"`)
    yield `${name}{${parts.join(',')}} ${value} ${start + ROLLUP_SECONDS}\n`
  }
  yield '# EOF\n'
}

const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

export const openMetricsUsage = `peyk export openmetrics FROM TO [--country KE] [--app telegram]
                                          rollups of [FROM, TO) as OpenMetrics on standard output, days or minutes in
                                          UTC (2023-11-01, 2023-11-01T06:00Z)
`

const instantOf = (text: string | undefined): number => {
  const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/.test(text ?? '') ? Date.parse(text!) / 1000 : Number.NaN
  if (Number.isNaN(at))
    throw new SettingsError(`${text ?? 'FROM and TO'} must be a day or minute in UTC.\n${openMetricsUsage}`)
  return at
}

/** `peyk export openmetrics`: from the store of PEYK_DATA, which no server may hold meanwhile. Gives the exit code. */
export const openMetricsCommand = async (
  args: readonly string[],
  config: Config,
  out: NodeJS.WritableStream = process.stdout,
): Promise<number> => {
  const [from, to, ...options] = args
  const range: Range = { from: instantOf(from), to: instantOf(to) }
  for (let at = 0; at < options.length; at += 2) {
    const [name, value] = [options[at], options[at + 1]]
    if ((name !== '--country' && name !== '--app') || value === undefined) throw new SettingsError(openMetricsUsage)
    range[name === '--country' ? 'country' : 'app'] = value
  }
  const { store, origin, close } = await openStore(config, null)
  try {
    for await (const line of openMetricsText(store, range, labelsOf(origin)))
      if (!out.write(line)) await once(out, 'drain')
    return 0
  } finally {
    await close()
  }
}
