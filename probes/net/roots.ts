import { createHash, type X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Failed } from './classify.ts'

/** Which authorities a target accepts (`measurement/target.ts`). */
export type Roots = 'public' | 'signal' | 'public+signal'

/**
 * Signal's own roots, by SHA-256 of the certificate (reference endpoints.md §3, recomputed from libsignal's and OONI's
 * files). The server sends its root in the chain, so the fingerprint is enough and no copy is needed. The root of 2013
 * expired in 2023 and stands here to be named when it is seen.
 */
const signalRoots: ReadonlyMap<string, string> = new Map([
  ['098fd5403f63fef89fba4cb4b98135ca2e73dc42c0ed03a377e8383f2d1fe9ea', 'signal-2013'],
  ['ddb0f92bb95c8d6fd202ea6e8cc5ccd182b544f8cd696f47d580659ddc9df65a', 'signal-2022'],
  ['2642f1f90b389fed2558d7324ca26d70e750b06f87c595c5de955e2560821657', 'signal-2026'],
])

/** Longest chain that is looked at. */
const MAX_CHAIN = 10

const fingerprint = (certificate: X509Certificate): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase()

/** The certificates the server sent, leaf first. */
const chainOf = (socket: TLSSocket): X509Certificate[] => {
  const chain: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next && chain.length < MAX_CHAIN) {
    chain.push(next)
    const issuer = next.issuerCertificate
    next = issuer && fingerprint(issuer) !== fingerprint(next) ? issuer : undefined
  }
  return chain
}

/** SHA-256 over the SHA-256 of every certificate of the chain, leaf first. */
const chainHash = (chain: readonly X509Certificate[]): string => {
  const hash = createHash('sha256')
  for (const certificate of chain) hash.update(Buffer.from(fingerprint(certificate), 'hex'))
  return hash.digest('hex')
}

/** What a certificate chain is worth: its hash, the root it ends in, and why it is not trusted. */
export type Judged = { hash: string; mark?: string; failure: unknown }

/** Judge the chain of a finished handshake against the roots a target accepts and the name it must carry; `pinned` roots count as Signal’s. */
export const judgeChain = (socket: TLSSocket, roots: Roots, name: string, pinned = signalRoots): Judged => {
  const chain = chainOf(socket)
  const hash = chainHash(chain)
  if (chain.length === 0) return { hash, failure: new Failed('ssl_invalid_certificate') }
  const signal = roots === 'public' ? null : byPinned(chain, pinned)
  if (signal) return { hash, mark: signal.mark, failure: signal.failure ?? wrongName(chain[0]!, name) }
  if (roots === 'signal') return { hash, failure: new Failed('ssl_unknown_authority') }
  if (!socket.authorized) return { hash, failure: withCode(socket.authorizationError) }
  return { hash, mark: 'public', failure: wrongName(chain[0]!, name) }
}

/** Names as RFC 9525 wants them: from the alternative names only, a wildcard for one whole label only. */
const wrongName = (leaf: X509Certificate, name: string): Error | null => {
  const named = isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name, { subject: 'never', partialWildcards: false })
  return named === undefined ? new Failed('ssl_invalid_hostname') : null
}

/** Node gives the reason as OpenSSL's code, though typed as an error. */
const withCode = (reason: unknown): Error => Object.assign(new Error('certificate'), { code: String(reason) })

/** Null where the chain does not end in a pinned root. Else each link must hold: signature, authority, dates. */
const byPinned = (
  chain: readonly X509Certificate[],
  pinned: typeof signalRoots,
): { mark: string; failure: Error | null } | null => {
  const mark = pinned.get(fingerprint(chain.at(-1)!))
  if (!mark) return null
  const now = Date.now()
  const inDate = chain.every(
    ({ validFromDate, validToDate }) => validFromDate.getTime() <= now && now <= validToDate.getTime(),
  )
  const linked = chain.every((certificate, at) => {
    const issuer = chain[at + 1] ?? certificate
    return (at === 0 || certificate.ca) && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  })
  return { mark, failure: inDate && linked ? null : new Failed('ssl_invalid_certificate') }
}
