import type { Probe } from './probe.ts'

/** A TLS handshake under the name and trust roots the target asks for, and nothing after it. */
export const tls: Probe<'tls'> = async ({ host, ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  const { sni, alpn, roots, verify } = ask
  await net.handshake(stream, { sni, alpn, roots, verify: verify ? (sni ?? host) : null })
}
