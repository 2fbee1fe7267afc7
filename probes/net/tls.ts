import { isIP } from 'node:net'
import { connect, createSecureContext, type SecureContext } from 'node:tls'
import { Failed } from './classify.ts'
import { judgeChain, type Roots } from './roots.ts'
import { firstEvent, type Stream } from './stream.ts'
import type { Trace } from './trace.ts'

/** How a TLS handshake presents itself, and whom it accepts. */
export type Identity = {
  /** Server name sent; null sends none. */
  sni: string | null
  alpn: readonly string[]
  roots: Roots
  /** Name the certificate must carry; null accepts any certificate. */
  verify: string | null
}

/**
 * Key shares offered. Without post-quantum ones the ClientHello fits one packet, as it does from most apps: some filters
 * and boxes treat one that is split differently, which would be measured instead of the app.
 */
const GROUPS = 'X25519:P-256:P-384'

/** One context for all handshakes: reading the trust roots anew costs milliseconds of a measured handshake. */
let context: SecureContext | undefined

/** A handshake. The chain's hash is kept even where the chain is not trusted. */
export const handshake = (trace: Trace, stream: Stream, identity: Identity): Promise<Stream | null> =>
  trace.step('tls_handshake', stream.meter, async note => {
    const { sni, alpn, roots, verify } = identity
    context ??= createSecureContext({ minVersion: 'TLSv1.2', ecdhCurve: GROUPS })
    const start = trace.now()
    const socket = connect({
      socket: stream.tcp,
      secureContext: context,
      // Judged below, so that an untrusted chain can be described.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(sni === null || isIP(sni) ? {} : { servername: sni }),
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    })
    stream.wrap(socket)
    if ((await firstEvent(socket, 'secureConnect')) === 'closed') throw new Failed('eof_error')
    trace.took(note, start)
    const judged = judgeChain(socket, roots, verify ?? '')
    note.hash = judged.hash
    if (judged.mark) note.mark = judged.mark
    if (verify !== null) {
      if (judged.failure) throw judged.failure
      trace.prove('certificate')
    }
    return stream
  })
