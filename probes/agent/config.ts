import { join } from 'node:path'
import { readAll, SettingsError } from '../../measurement/settings.ts'
import type { PublicKey } from './identity.ts'
import type { Invite } from './invite.ts'
import type { Quiet } from './manners.ts'
import { type Profile, profiles } from './profiles.ts'
import { settings } from './settings.ts'
import type { Route } from './transport.ts'

/** What an agent needs to run; from the environment, or composed by whoever starts it. */
export type AgentConfig = {
  /** Folder of the agent's own files. */
  folder: string
  /** Where the server is, best first. */
  servers: readonly URL[]
  releaseKey: PublicKey
  /** With it, what is kept is sealed, and the operator's document names the servers. */
  operatorKey: PublicKey | null
  routes: readonly Route[]
  code: string | null
  profile: Profile
  vantage: { country: string; asn: number } | null
  /** File of the network database. */
  networks: string | null
  apps: readonly string[] | null
  unusual: boolean
  loopback: boolean
  quiet: Quiet | null
  battery: boolean
  /** Where the status page and /metrics listen; null for nowhere. */
  metrics: { host: string; port: number } | null
  spool: { maxBytes: number; maxAge: number }
}

/** On this machine: nothing between it and the agent can read or charge for what is sent. */
export const isLocal = ({ hostname }: URL): boolean => /^(127\.|localhost$|\[::1\]$)/.test(hostname)

/** Not shown where they are wrong: a code, and passwords of proxies. */
const secret = new Set(['PEYK_CODE', 'PEYK_INVITE', 'PEYK_ROUTES'])

/** The settings that say where this is, for commands that need no server. */
export const readPlace = (
  env: Record<string, string | undefined> = process.env,
): { vantage: { country: string; asn: number } | null; loopback: boolean } => {
  const { read, wrong } = readAll(settings, env, secret)
  if (wrong.length) throw new SettingsError(wrong.join('\n'))
  return { vantage: read.PEYK_VANTAGE, loopback: read.PEYK_LOOPBACK }
}

/**
 * Reads and validates every setting; an empty one counts as unset. `releaseKey` is the one pinned at build or made by
 * this program, where PEYK_RELEASE_KEY names none.
 */
export const readConfig = (
  env: Record<string, string | undefined> = process.env,
  releaseKey: PublicKey | null = null,
): AgentConfig => {
  const { read, wrong } = readAll(settings, env, secret)
  // What is set by itself goes before the invite.
  const set = (name: string) => Boolean(env[name])
  const invite: Invite | null = read.PEYK_INVITE
  const key = read.PEYK_RELEASE_KEY ?? invite?.release ?? releaseKey
  const servers = invite && !set('PEYK_SERVER') ? invite.servers : [read.PEYK_SERVER]
  if (!wrong.length) {
    if (!key) wrong.push('PEYK_RELEASE_KEY must be set: the operator of the server tells it (`peyk catalogue key`).')
    if (servers.some(server => server.protocol !== 'https:' && !isLocal(server)) && !read.PEYK_INSECURE) {
      wrong.push('PEYK_SERVER must be https:// where it is not on this machine, or PEYK_INSECURE must be yes.')
    }
  }
  if (wrong.length || !key) throw new SettingsError(wrong.join('\n'))
  return {
    folder: join(read.PEYK_DATA, 'agent'),
    servers,
    releaseKey: key,
    operatorKey: read.PEYK_OPERATOR_KEY ?? invite?.operator ?? null,
    routes: read.PEYK_ROUTES,
    code: read.PEYK_CODE ?? invite?.code ?? null,
    profile: profiles[read.PEYK_PROFILE],
    vantage: read.PEYK_VANTAGE,
    networks: read.PEYK_ASN_DB,
    apps: read.PEYK_APPS,
    unusual: read.PEYK_UNUSUAL,
    loopback: read.PEYK_LOOPBACK,
    quiet: read.PEYK_QUIET,
    battery: read.PEYK_BATTERY,
    metrics: { host: read.PEYK_METRICS_HOST, port: read.PEYK_METRICS_PORT },
    spool: { maxBytes: read.PEYK_SPOOL_MB * 1e6, maxAge: read.PEYK_SPOOL_DAYS * 86_400 },
  }
}
