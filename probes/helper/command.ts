import { readSettings, SettingsError } from '../../measurement/settings.ts'
import { startHelper } from './helper.ts'
import { settings } from './settings.ts'

const rows = Object.entries(settings).map(
  ([name, { default: fallback, text }]) => `  ${name.padEnd(18)} ${text} (${fallback})`,
)

const usage = `peyk helper                               be the other end of test flows until stopped (SIGTERM, SIGINT): docs/helper.md
Settings:
${rows.join('\n')}
Exit codes: 0 stopped, 1 a bug, 2 a setting or the usage is wrong, or a port cannot be listened on.
`

/** What to do about a port that cannot be had. */
const advice: Readonly<Record<string, string>> = {
  EACCES: 'ports under 1024 need CAP_NET_BIND_SERVICE, or other PEYK_HELPER_PORTS',
  EADDRINUSE: 'another program has it: stop that, or leave the port out of PEYK_HELPER_PORTS',
  EADDRNOTAVAIL: 'PEYK_HOST is no address of this machine',
}

/** `peyk helper`. Gives the exit code. */
export const helperCommand = async (args: readonly string[], say: (text: string) => void): Promise<number> => {
  if (args.length > 0) {
    const help = args.length === 1 && (args[0] === '--help' || args[0] === '-h')
    if (help) say(usage)
    else process.stderr.write(usage)
    return help ? 0 : 2
  }
  const {
    PEYK_HOST: host,
    PEYK_HELPER_PORTS,
    PEYK_HELPER_RATE: rate,
    PEYK_HELPER_QUOTA: quota,
  } = readSettings(settings)
  const helper = await startHelper({ host, ports: PEYK_HELPER_PORTS, rate, quota }).catch(error => {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!(code in advice)) throw error
    throw new SettingsError(`PEYK_HELPER_PORTS: ${message}: ${advice[code]}.`)
  })
  say(`Helper on ${host}, TCP and UDP ${helper.ports.join(', ')}. It logs nothing of who comes.\n`)
  await new Promise<void>(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  await helper.close()
  return 0
}
