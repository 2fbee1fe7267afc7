import { isPublicKey, type PublicKey } from './identity.ts'

/** Everything a new agent needs, in one line: where the server is, whose keys to trust, and the one-time code. */
export type Invite = { servers: readonly URL[]; operator: PublicKey | null; release: PublicKey; code: string | null }

type Packed = { s: string[]; o?: string; r: string; c?: string }

const PREFIX = 'peyk1.'
const keyOf = (x: unknown): PublicKey | null => {
  const key = { kty: 'OKP', crv: 'Ed25519', x }
  return isPublicKey(key) ? key : null
}

export const writeInvite = ({ servers, operator, release, code }: Invite): string => {
  const packed: Packed = {
    s: servers.map(({ href }) => href),
    ...(operator ? { o: operator.x } : {}),
    r: release.x,
    ...(code ? { c: code } : {}),
  }
  return PREFIX + Buffer.from(JSON.stringify(packed)).toString('base64url')
}

/** Reads an invite; null where it is none, or was cut while it was copied. */
export const readInvite = (text: string): Invite | null => {
  if (!text.startsWith(PREFIX)) return null
  try {
    const { s, o, r, c } = JSON.parse(Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8')) as Packed
    const release = keyOf(r)
    const operator = o === undefined ? null : keyOf(o)
    const servers = s.map(server => new URL(server))
    if (!release || (o !== undefined && !operator) || !servers.length) return null
    return { servers, operator, release, code: typeof c === 'string' ? c : null }
  } catch {
    return null
  }
}
