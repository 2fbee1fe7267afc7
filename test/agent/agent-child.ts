import { flushCompileCache } from 'node:module'
import { startAgent } from '../../probes/agent/agent.ts'
import { systemClock } from '../../probes/agent/clock.ts'
import { profiles } from '../../probes/agent/profiles.ts'
import { measure } from '../../probes/all.ts'

/** Run as a child of agent.test.ts: an agent for which time passes 200 times as fast, until it is killed. */
const [folder = '', server = '', x = ''] = process.argv.slice(2)
const mono = (): number => ((Date.now() % 1e8) / 1000) * 200
flushCompileCache() // A killed process leaves none.
await startAgent({
  config: {
    folder,
    servers: [new URL(server)],
    releaseKey: { kty: 'OKP', crv: 'Ed25519', x },
    operatorKey: null,
    routes: ['direct'],
    code: null,
    profile: { ...profiles.control, round: 10, deciding: 10 },
    vantage: { country: 'KE', asn: 33_771 },
    networks: null,
    apps: null,
    unusual: false,
    loopback: true,
    quiet: null,
    battery: true,
    metrics: null,
    spool: { maxBytes: 1e7, maxAge: 1e9 },
  },
  measure,
  log: () => {},
  clock: { ...systemClock, mono },
  reportSeconds: 0.02,
  backoff: { first: 0.02, most: 0.1 },
})
process.send!('started')
