import { execFileSync } from 'node:child_process'
import { openSync } from 'node:fs'
import type { Target } from '../../measurement/target.ts'
import { measure } from '../../probes/all.ts'
import { loopbackTarget } from './target.ts'
import { hostile, tcpPeer } from './tcp.ts'

/**
 * A machine with every trouble of its own: run in a network namespace with no way out (`UNLUCKY`), few descriptors and
 * 127.0.0.1 as its resolver. Prints what probes say of each trouble, as JSON by the trouble's name.
 */

/** What `unshare --map-root-user --net --mount sh -c` is given: node and this file are its arguments. */
export const UNLUCKY = `set -e
ip link set lo up
ip route add unreachable 9.9.9.9
ip route add prohibit 1.1.1.1
ip route add blackhole 1.0.0.1
echo nameserver 127.0.0.1 >"$1"
mount --bind "$1" /etc/resolv.conf
ulimit -n 200
shift
exec "$@"`

const said = async (target: Target): Promise<string | null> => (await measure(target, { loopback: true })).failure

const to = (host: string, family: 'v4' | 'v6' = 'v4') =>
  loopbackTarget('tcp', 443, {}, { address: 'public', host, family })

if (import.meta.main) {
  const troubles: Record<string, string | null> = {
    'no route': await said(to('8.8.8.8')),
    'a blackhole route': await said(to('1.0.0.1')),
    'a route of the kind unreachable': await said(to('9.9.9.9')),
    'a route of the kind prohibit': await said(to('1.1.1.1')),
    'no address of the family': await said(to('2001:4860:4860::8888', 'v6')),
    'a resolver that is not there': await said(
      loopbackTarget('dns', 443, { type: 'A', resolver: 'system' }, { host: 'app.example', timeout: 15 }),
    ),
  }
  {
    await using peer = await tcpPeer(hostile.hang)
    const ask = { sni: null, alpn: [], roots: 'public' as const, verify: false }
    const running = said(loopbackTarget('tls', peer.port, ask, { timeout: 5 }))
    await new Promise(resolve => setTimeout(resolve, 300))
    execFileSync('ss', ['-K', 'dst', '127.0.0.1', 'dport', '=', String(peer.port)], { stdio: 'ignore' })
    troubles['a connection that the system aborts'] = await running
  }
  try {
    for (;;) openSync('/dev/null', 'r')
  } catch {
    troubles['no descriptor left'] = await said(loopbackTarget('tcp', 443, {}))
  }
  console.log(JSON.stringify(troubles))
}
