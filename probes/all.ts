import type { ProbeKind } from '../measurement/step.ts'
import type { Target } from '../measurement/target.ts'
import { dns } from './dns.ts'
import { http } from './http.ts'
import { loco } from './loco.ts'
import { mqtt } from './mqtt.ts'
import { mtproto } from './mtproto.ts'
import { openNet } from './net/net.ts'
import { Trace } from './net/trace.ts'
import { noise } from './noise.ts'
import type { Measure, Probe } from './probe.ts'
import { quic } from './quic.ts'
import { store } from './store.ts'
import { stun } from './stun.ts'
import { tcp } from './tcp.ts'
import { threema } from './threema.ts'
import { tls } from './tls.ts'
import { transfer } from './transfer.ts'
import { websocket } from './websocket.ts'
import { xmpp } from './xmpp.ts'

/** Every kind of probe. Adding one is a file beside this one, a line here and its words in `measurement/`. */
const probes = {
  dns,
  tcp,
  tls,
  http,
  websocket,
  quic,
  stun,
  mtproto,
  noise,
  xmpp,
  mqtt,
  threema,
  loco,
  store,
  transfer,
} satisfies { [K in ProbeKind]: Probe<K> }

/** Runs the probe of the target's kind once. Throws only for bugs; sockets are closed when it returns. */
export const measure: Measure = async (target, options = {}) => {
  const trace = new Trace(target, options)
  // The kind picks the probe whose target this is; TypeScript cannot follow that through the union.
  const probe = probes[target.kind] as (
    target: Target,
    net: ReturnType<typeof openNet>,
    signal: AbortSignal,
  ) => Promise<void>
  try {
    await probe(target, openNet(trace), trace.signal)
  } finally {
    await trace.close()
  }
  return trace.run()
}
