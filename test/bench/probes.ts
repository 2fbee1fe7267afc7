import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../../measurement/target.ts'
import { blackbox, blackboxProgram } from '../servers/blackbox.ts'
import { type Certificate, certificate } from '../servers/certificates.ts'
import { debianPeer, installed } from '../servers/debian.ts'
import type { Done, Order } from '../servers/prober.ts'
import { loopbackTarget } from '../servers/target.ts'
import type { Bench } from './bench.ts'

const PROBES = 4_000
const AT_ONCE = 50

/** Clock ticks a second in /proc (USER_HZ, which Linux fixes at 100 for what it shows). */
const TICKS = 100

/** Complete probes per second and CPU seconds per thousand, ours and blackbox_exporter's: same peers, one core each. */
export const bench: Bench = async figure => {
  const missing = ['nginx', 'dnsmasq', 'taskset'].filter(program => !installed(program))
  if (!blackboxProgram) missing.push('prometheus-blackbox-exporter')
  if (missing.length > 0) return figure({ skipped: `needs ${missing.join(', ')}` })
  const root = certificate('Bench root', { ca: true })
  const leaf = certificate('leaf', { issuer: root, hosts: ['localhost', '127.0.0.1'] })
  await using web = await nginx(leaf)
  await using names = await dnsmasq()
  // GOMAXPROCS follows the affinity; both sides have core 1, peers and this process the rest.
  await using other = await blackbox(modules, root.pem, ['taskset', '-c', '1'])
  for (const [kind, target] of Object.entries(targets(web.port, names.port))) {
    const mine = ours({ root: root.pem, target, probes: PROBES, atOnce: AT_ONCE })
    figure({ by: 'peyk', kind, ...rates(mine), resident_mib: Math.round(mine.resident / 2 ** 20) })
    const place =
      kind === 'dns'
        ? `127.0.0.1:${names.port}`
        : kind === 'tcp'
          ? `127.0.0.1:${web.port}`
          : kind === 'tls'
            ? `127.0.0.1:${web.port}`
            : `https://127.0.0.1:${web.port}/`
    const theirs = await exporter(() => other.probe(kind, place), other.pid)
    figure({ by: 'blackbox_exporter', kind, ...rates(theirs) })
    figure({
      kind,
      rate_ratio: Number((theirs.seconds / mine.seconds).toFixed(2)),
      cpu_ratio: Number((mine.cpu / theirs.cpu).toFixed(2)),
    })
  }
}

const rates = ({ seconds, cpu, failed }: Omit<Done, 'resident'>) => ({
  per_second: Math.round(PROBES / seconds),
  cpu_seconds_per_thousand: Number(((cpu / PROBES) * 1000).toFixed(3)),
  failed,
})

const modules = `
modules:
  tcp: { prober: tcp, tcp: { preferred_ip_protocol: ip4 } }
  tls: { prober: tcp, tcp: { preferred_ip_protocol: ip4, tls: true, tls_config: { ca_file: ROOT, server_name: localhost } } }
  http: { prober: http, http: { preferred_ip_protocol: ip4, tls_config: { ca_file: ROOT, server_name: localhost } } }
  dns: { prober: dns, dns: { transport_protocol: tcp, preferred_ip_protocol: ip4, query_name: app.test, query_type: A } }
`

const targets = (web: number, names: number): Record<'tcp' | 'tls' | 'http' | 'dns', Target> => {
  const on = { timeout: 20 }
  const resolver = { transport: 'tcp', address: '127.0.0.1', port: names } as const
  const ask = {
    scheme: 'https',
    method: 'GET',
    path: '/',
    headers: {},
    roots: 'public',
    expect: { status: [200] },
  } as const
  return {
    tcp: loopbackTarget('tcp', web, {}, on),
    tls: loopbackTarget('tls', web, { sni: 'localhost', alpn: [], roots: 'public', verify: true }, on),
    http: loopbackTarget('http', web, { ...ask, expect: { status: [200] } }, on),
    dns: loopbackTarget('dns', 53, { type: 'A', resolver }, { ...on, host: 'app.test' }),
  }
}

const ours = (order: Order): Done => {
  const prober = join(import.meta.dirname, '../servers/prober.ts')
  return JSON.parse(
    execFileSync('taskset', ['-c', '1', process.execPath, prober, JSON.stringify(order)], { encoding: 'utf8' }),
  ) as Done
}

const exporter = async (probe: () => Promise<Map<string, number>>, pid: number): Promise<Omit<Done, 'resident'>> => {
  let next = 0
  let failed = 0
  const work = async (probes: number): Promise<void> => {
    while (next++ < probes) if ((await probe()).get('probe_success') !== 1) failed++
  }
  const all = (probes: number) => Promise.all(Array.from({ length: AT_ONCE }, () => work(probes)))
  await all(300)
  next = 0
  failed = 0
  const before = cpuOf(pid)
  const began = performance.now()
  await all(PROBES)
  return { seconds: (performance.now() - began) / 1000, cpu: cpuOf(pid) - before, failed }
}

/** User and system seconds of a process. */
const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

const nginx = (leaf: Certificate) =>
  debianPeer({
    program: 'nginx',
    files: ({ folder, port }) => ({
      'leaf.pem': leaf.pem,
      'key.pem': leaf.keyPem,
      'nginx.conf': `
        daemon off; master_process off; pid ${folder}/pid; error_log /dev/null;
        events { worker_connections 4096; }
        http {
          access_log off;
          client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
          uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
          server {
            listen 127.0.0.1:${port} ssl backlog=2048;
            ssl_certificate ${folder}/leaf.pem; ssl_certificate_key ${folder}/key.pem;
            location / { return 200 'ok'; }
          }
        }`,
    }),
    args: ({ folder }) => ['-c', `${folder}/nginx.conf`, '-p', folder, '-e', '/dev/null'],
  })

const dnsmasq = () =>
  debianPeer({
    program: 'dnsmasq',
    args: ({ port }) => [
      ...[
        '-k',
        '-C',
        '/dev/null',
        '-p',
        `${port}`,
        '-a',
        '127.0.0.1',
        '--bind-interfaces',
        '--no-resolv',
        '--no-hosts',
      ],
      ...['--user=', '--pid-file=', '--address=/app.test/127.0.0.2'],
    ],
  })
