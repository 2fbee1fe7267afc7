import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SettingsError } from '../measurement/settings.ts'
import { type Config, keysOf } from './config.ts'
import type { OperatorKey } from './sealing.ts'
import { holder } from './store/lock.ts'

const agentsUsage = `peyk agents list                          agents known to the server of PEYK_DATA: key, role, standing, whether they count
peyk agents invite [--role ROLE] [--days N]
                                          one line for a new agent (PEYK_INVITE): addresses (PEYK_ADDRESSES), keys, one-time code; on a terminal a QR code too
peyk agents approve KEY                   vouch for it: it may report, and counts from now on
peyk agents quarantine KEY                what it reports is kept, and counts for nothing
peyk agents revoke KEY                    it may not report any more
peyk agents role KEY ROLE                 vantage, control or operator
KEY is a thumbprint, or its beginning where that is enough. The server must be running.
Exit codes: 0 done, 1 the server refused (said why), 2 wrong usage, a setting is wrong, or no server runs on PEYK_DATA.
`

const roles = ['vantage', 'control', 'operator']

/** An answer of the server that says no. */
class Refused extends Error {
  override name = 'Refused'
  readonly exitCode = 1
}

/** The running server of a data folder, asked as its operator. */
export type Admin = (method: string, path: string, body?: { type: string; text: string }) => Promise<unknown>

/** Asks the server at `url`; throws where it refuses, with what it says. */
export const adminOf =
  (config: Config, url: string): Admin =>
  async (method, path, body) => {
    const token = readFileSync(join(keysOf(config), 'admin-token'), 'utf8').trim()
    const headers = { authorization: `Bearer ${token}`, ...(body ? { 'content-type': body.type } : {}) }
    const sent = { method, headers, redirect: 'error', ...(body ? { body: body.text } : {}) } as const
    const response = await fetch(new URL(path, url), sent).catch((error: Error & { cause?: Error }) => {
      throw new SettingsError(
        `PEYK_DATA: its server at ${url} does not answer from here (${error.cause?.message ?? error.message}).`,
      )
    })
    if (response.ok) return await response.json()
    const { detail = response.statusText } = (await response.json().catch(() => ({}))) as { detail?: string }
    throw new Refused(`The server at ${url} refused: ${detail}`)
  }

const runningAt = (config: Config): string => {
  const found = holder(config.PEYK_DATA)
  if (found?.url) return found.url
  throw new SettingsError(
    `PEYK_DATA: no server runs on ${config.PEYK_DATA}; start it (\`peyk server\`), or name its folder.`,
  )
}

type Listed = { thumbprint: string; role: string; standing: string; entry: string; enrolled: number; counts: boolean }

const listed = async (admin: Admin): Promise<Listed[]> =>
  ((await admin('GET', '/v1/admin/agents')) as { agents: Listed[] }).agents

/** The thumbprint that begins so; a whole one need not be known. */
const wholeKey = async (admin: Admin, begun: string): Promise<string> => {
  if (/^[A-Za-z0-9_-]{43}$/.test(begun)) return begun
  const found = (await listed(admin)).filter(({ thumbprint }) => thumbprint.startsWith(begun))
  if (found.length === 1) return found[0]!.thumbprint
  throw new Refused(found.length ? `${found.length} agents begin with ${begun}.` : `No agent begins with ${begun}.`)
}

const json = (value: object) => ({ type: 'application/json', text: JSON.stringify(value) })

export type AgentsParts = {
  config: Config
  say: (text: string) => void
  /** Writes the line of an invite; its format is the agent's. */
  writeInvite: (invite: { servers: readonly URL[]; operator: OperatorKey; code: string }) => Promise<string>
  /** People look at it: an invite is drawn as a QR code too, beside the line. */
  terminal?: boolean
  /** Where the server is, when not announced in the data folder. */
  url?: string
}

const invite = async (
  admin: Admin,
  role: string,
  days: number,
  { writeInvite, say, terminal }: AgentsParts,
): Promise<void> => {
  const asked = json({ role, lifetime: Math.round(days * 86_400) })
  type Invited = { code: string; expires: number; servers: string[]; operator: OperatorKey }
  const { code, expires, servers, operator } = (await admin('POST', '/v1/admin/invites', asked)) as Invited
  const urls = servers.map(server => new URL(server))
  if (urls.every(({ protocol }) => protocol === 'http:')) {
    process.stderr.write('PEYK_ADDRESSES of the server is not set: this invite serves on this machine only.\n')
  }
  const line = await writeInvite({ servers: urls, operator, code })
  say(`${line}\n`)
  if (terminal) {
    const { renderUnicodeCompact } = await import('uqr')
    process.stderr.write(`${renderUnicodeCompact(line)}\n`)
  }
  process.stderr.write(`For one agent, as ${role}, until ${new Date(expires * 1000).toISOString().slice(0, 10)}.\n`)
}

const run = async (
  positionals: readonly string[],
  role: string,
  days: number,
  parts: AgentsParts,
): Promise<boolean> => {
  const [what, key, wanted, ...more] = positionals
  const admin = adminOf(parts.config, parts.url ?? runningAt(parts.config))
  const change = async (body: object) => {
    const path = `/v1/admin/agents/${await wholeKey(admin, key!)}`
    await admin('PATCH', path, json(body))
    parts.say('Done.\n')
    return true
  }
  if (more.length || (wanted && what !== 'role')) return false
  if (what === 'list' && !key) {
    for (const { thumbprint, role, standing, entry, enrolled, counts } of await listed(admin)) {
      const day = new Date(enrolled * 1000).toISOString().slice(0, 10)
      parts.say(`${thumbprint}  ${role}  ${standing}  ${entry} ${day}  ${counts ? 'counts' : 'does not count'}\n`)
    }
    return true
  }
  if (what === 'invite' && !key) {
    await invite(admin, role, days, parts)
    return true
  }
  if (!key) return false
  if (what === 'quarantine') return await change({ standing: 'quarantined' })
  if (what === 'revoke') return await change({ standing: 'revoked' })
  if (what === 'role' && wanted && roles.includes(wanted)) return await change({ role: wanted })
  if (what !== 'approve') return false
  await admin('PUT', `/v1/admin/agents/${await wholeKey(admin, key)}`)
  parts.say('Done.\n')
  return true
}

/** `peyk agents …`: what the operator decides about agents, through the running server. Gives the exit code. */
export const agentsCommand = async (args: readonly string[], parts: AgentsParts): Promise<number> => {
  const options = { role: { type: 'string' }, days: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    if (values.help) {
      parts.say(agentsUsage)
      return 0
    }
    const days = Number(values.days ?? 30)
    const role = values.role ?? 'vantage'
    const given = positionals.length > 0 && days > 0 && days <= 366 && roles.includes(role)
    if (given && (await run(positionals, role, days, parts))) return 0
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error
    process.stderr.write(`${message}\n`)
  }
  process.stderr.write(agentsUsage)
  return 2
}
