import { probeContract } from '../probe-contract.ts'
import { loopbackTarget } from '../servers/target.ts'

probeContract({ kind: 'tcp', over: 'tcp', target: (port, timeout) => loopbackTarget('tcp', port, {}, { timeout }) })

probeContract({
  kind: 'tls',
  over: 'tcp',
  target: (port, timeout) =>
    loopbackTarget('tls', port, { sni: null, alpn: [], roots: 'public', verify: true }, { timeout }),
})

for (const scheme of ['http', 'https'] as const) {
  probeContract({
    kind: 'http',
    over: 'tcp',
    target: (port, timeout) =>
      loopbackTarget(
        'http',
        port,
        { scheme, method: 'GET', path: '/', headers: {}, roots: 'public', expect: { status: [] } },
        { timeout },
      ),
  })
}

for (const transport of ['intermediate', 'obfuscated2'] as const) {
  probeContract({
    kind: 'mtproto',
    over: 'tcp',
    target: (port, timeout) =>
      loopbackTarget('mtproto', port, { transport, dc: 2, keys: ['d09d1d85de64fd85'] }, { timeout }),
  })
}

for (const transport of ['udp', 'tcp', 'doh'] as const) {
  probeContract({
    kind: 'dns',
    over: transport === 'udp' ? 'udp' : 'tcp',
    target: (port, timeout) =>
      loopbackTarget(
        'dns',
        443,
        { type: 'A', resolver: { transport, address: '127.0.0.1', port, name: 'localhost' } },
        { host: 'example.org', timeout },
      ),
  })
}
