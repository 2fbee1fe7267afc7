import type { Measure } from '../probe.ts'
import { startAgent } from './agent.ts'
import { readConfig, settings } from './config.ts'
import type { PublicKey } from './identity.ts'

const rows = Object.entries(settings).map(
  ([name, { default: fallback, text }]) => `  ${name.padEnd(18)} ${text}${fallback ? ` (${fallback})` : ''}`,
)

const agentUsage = `peyk agent                                measure from this machine until stopped (SIGTERM, SIGINT)
Settings:
${rows.join('\n')}
Exit codes: 0 stopped, 1 a bug, 2 a setting is wrong, 3 another agent uses the folder.
`

/** `peyk agent`: runs until it is told to stop. Gives the exit code. */
export const agentCommand = async (
  args: readonly string[],
  measure: Measure,
  pinnedKey: PublicKey | null = null,
): Promise<number> => {
  if (args.length) {
    process.stdout.write(agentUsage)
    return args.includes('--help') || args.includes('-h') ? 0 : 2
  }
  try {
    const agent = await startAgent({ config: readConfig(process.env, pinnedKey), measure })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void agent.stop())
    await agent.done
    return 0
  } catch (error) {
    const { message, stack, exitCode } = error as Error & { exitCode?: number }
    process.stderr.write(`${exitCode ? message : (stack ?? message)}\n`)
    return exitCode ?? 1
  }
}
