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

const on = { roots: 'public' } as const

probeContract({
  kind: 'websocket',
  over: 'tcp',
  target: (port, timeout) =>
    loopbackTarget(
      'websocket',
      port,
      { scheme: 'ws', path: '/', headers: {}, protocol: null, expect: { status: [101], words: 'none' }, ...on },
      { timeout },
    ),
})
probeContract({ kind: 'quic', over: 'udp', target: (port, timeout) => loopbackTarget('quic', port, {}, { timeout }) })
probeContract({
  kind: 'stun',
  over: 'udp',
  target: (port, timeout) => loopbackTarget('stun', port, { train: 5 }, { timeout }),
})
probeContract({
  kind: 'noise',
  over: 'tcp',
  target: (port, timeout) =>
    loopbackTarget('noise', port, { transport: 'tcp', prologue: '57410603', root: '09'.repeat(32) }, { timeout }),
})
probeContract({
  kind: 'xmpp',
  over: 'tcp',
  target: (port, timeout) => loopbackTarget('xmpp', port, { to: 'localhost', tls: 'none', ...on }, { timeout }),
})
probeContract({
  kind: 'mqtt',
  over: 'tcp',
  target: (port, timeout) => loopbackTarget('mqtt', port, { tls: false, ...on }, { timeout }),
})
probeContract({
  kind: 'threema',
  over: 'tcp',
  target: (port, timeout) => loopbackTarget('threema', port, { keys: ['09'.repeat(32)] }, { timeout }),
})
probeContract({ kind: 'loco', over: 'tcp', target: (port, timeout) => loopbackTarget('loco', port, on, { timeout }) })
probeContract({
  kind: 'store',
  over: 'tcp',
  target: (port, timeout) => loopbackTarget('store', port, { store: 'apple', app: '1', country: 'US' }, { timeout }),
})
for (const transport of ['websocket', 'http', 'https'] as const) {
  probeContract({
    kind: 'mtproto',
    over: 'tcp',
    target: (port, timeout) => loopbackTarget('mtproto', port, { transport, dc: 2, keys: [] }, { timeout }),
  })
}
for (const scheme of ['http', 'https'] as const) {
  probeContract({
    kind: 'transfer',
    over: 'tcp',
    target: (port, timeout) =>
      loopbackTarget(
        'transfer',
        port,
        { bytes: 65_536, trains: 1, of: { scheme, path: '/', edge: false, ...on } },
        { timeout },
      ),
  })
}
