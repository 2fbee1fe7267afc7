import { expect, test } from 'vitest'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { debianPeer, installed } from '../servers/debian.ts'
import { loopbackTarget } from '../servers/target.ts'
import { closedPort } from '../servers/tcp.ts'
import { webSocketPeer } from '../servers/websocket.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const middle = certificate('Test middle', { issuer: root, ca: true })
const leaf = certificate('leaf', { issuer: middle, hosts: ['localhost', 'resolver.test'] })
const chain = leaf.pem + middle.pem

const on = (host = 'localhost') => ({ host, timeout: 5 })
const roots = 'public' as const

/** nginx with TLS, pages, redirects, and an upgrade passed on to a WebSocket of ours. */
const nginx = (upstream: number) =>
  debianPeer({
    program: 'nginx',
    files: ({ folder, port }) => ({
      'leaf.pem': chain,
      'key.pem': leaf.keyPem,
      'nginx.conf': `
        daemon off; master_process off; pid ${folder}/pid; error_log stderr;
        events {}
        http {
          access_log off; default_type text/plain; types { application/json json; }
          client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
          uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
          server {
            listen 127.0.0.1:${port} ssl;
            ssl_certificate ${folder}/leaf.pem; ssl_certificate_key ${folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
            location = /json { return 200 '{"ok":true}'; }
            location = /gone { return 301 https://t.example/; }
            location = /zip { gzip on; gzip_min_length 1; gzip_types text/plain; return 200 'a text that repeats, a text that repeats'; }
            location /ws { proxy_pass https://127.0.0.1:${upstream}; proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
          }
        }`,
    }),
    args: ({ folder }) => ['-c', `${folder}/nginx.conf`, '-p', folder, '-e', 'stderr'],
  })

test.skipIf(!installed('nginx'))('nginx: TLS, HTTP and WebSocket (skipped without the package nginx)', async () => {
  await using upstream = await webSocketPeer(leaf, socket => {
    socket.send('{"op":10,"d":{"heartbeat_interval":41250}}')
  })
  await using peer = await nginx(upstream.port)
  const tls = await run(
    loopbackTarget('tls', peer.port, { sni: 'localhost', alpn: ['http/1.1'], roots, verify: true }, on()),
  )
  expect(tls).toMatchObject({ failure: null, origin_proof: 'certificate' })

  const http = async (
    path: string,
    expected: { status?: number[]; json?: string; body?: string },
    method: 'GET' | 'HEAD' | 'POST' = 'GET',
  ) => {
    const ask = { scheme: 'https' as const, method, path, headers: {}, roots, expect: { status: [], ...expected } }
    return (await run(loopbackTarget('http', peer.port, ask, on()))).steps.at(-1)
  }
  expect(await http('/json', { status: [200], json: 'ok' })).toMatchObject({ failure: null, code: 200 })
  expect(await http('/zip', { body: 'a text that repeats' })).toMatchObject({ failure: null })
  expect(await http('/none', {})).toMatchObject({ failure: null, code: 404 })
  expect(await http('/gone', { status: [301] }, 'HEAD')).toMatchObject({ failure: null, code: 301 })
  expect(await http('/json', { status: [501] }, 'POST')).toMatchObject({
    failure: 'http_unexpected_status_code',
    code: 200,
  })

  const webSocket = (path: string) =>
    loopbackTarget(
      'websocket',
      peer.port,
      { scheme: 'wss', path, headers: {}, protocol: null, roots, expect: { status: [101], words: 'discord-hello' } },
      on(),
    )
  expect((await run(webSocket('/ws'))).failure).toBeNull()
  expect((await run(webSocket('/json'))).steps.at(-1)).toMatchObject({
    failure: 'http_unexpected_status_code',
    code: 200,
  })
})

const asking = (port: number, transport: 'udp' | 'tcp' | 'doh', host: string, type: 'A' | 'AAAA' | 'TXT' = 'A') =>
  loopbackTarget(
    'dns',
    53,
    { type, resolver: { transport, address: '127.0.0.1', port, name: 'resolver.test' } },
    on(host),
  )

test.skipIf(!installed('dnsmasq'))(
  'dnsmasq: every type over UDP and TCP, and its refusals (skipped without the package dnsmasq)',
  async () => {
    await using peer = await debianPeer({
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
        ...[
          '--user=',
          '--pid-file=',
          '--address=/app.test/127.0.0.2',
          '--host-record=six.test,::1',
          '--txt-record=text.test,a,b',
        ],
        ...['--host-record=forged.test,10.10.34.34', '--local=/test/'],
      ],
    })
    for (const transport of ['udp', 'tcp'] as const) {
      const step = async (host: string, type?: 'AAAA' | 'TXT') =>
        (await run(asking(peer.port, transport, host, type))).steps.at(-1)
      expect(await step('app.test')).toMatchObject({ operation: 'resolve', failure: null, code: 0, count: 1 })
      // Over UDP every answer costs the wait for a second one.
      if (transport === 'udp') continue
      expect(await step('six.test', 'AAAA')).toMatchObject({ failure: null, count: 1 })
      expect(await step('text.test', 'TXT')).toMatchObject({ failure: null, count: 1 })
      expect(await step('forged.test')).toMatchObject({ failure: 'dns_bogon_error', mark: 'ir-10.10.34' })
      expect(await step('gone.test')).toMatchObject({ failure: 'dns_nxdomain_error', code: 3 })
      expect(await step('six.test')).toMatchObject({ failure: 'dns_no_answer' })
      expect(await step('elsewhere.example')).toMatchObject({ failure: 'dns_refused_error', code: 5 })
    }
  },
)

test.skipIf(!installed('unbound'))(
  'unbound: UDP, TCP and HTTPS (HTTP/2 only) (skipped without the package unbound)',
  async () => {
    const doh = await closedPort()
    await using peer = await debianPeer({
      program: 'unbound',
      files: ({ folder, port }) => ({
        'leaf.pem': chain,
        'key.pem': leaf.keyPem,
        'unbound.conf': `
server:
  interface: 127.0.0.1@${port}
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: "${folder}/pid"
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1@${doh}
  https-port: ${doh}
  tls-service-key: "${folder}/key.pem"
  tls-service-pem: "${folder}/leaf.pem"
  module-config: "iterator"
  local-zone: "test." static
  local-data: "app.test. A 127.0.0.2"
  local-data: "app.test. A 127.0.0.3"
remote-control:
  control-enable: no
`,
      }),
      args: ({ folder }) => ['-d', '-c', `${folder}/unbound.conf`],
    })
    const runs = await Promise.all(
      (['udp', 'tcp'] as const).map(transport => run(asking(peer.port, transport, 'app.test'))),
    )
    for (const { steps } of runs)
      expect(steps.at(-1)).toMatchObject({ operation: 'resolve', failure: null, code: 0, count: 2 })
    // Whatever the order in which it answers.
    expect(runs[0]!.steps.at(-1)!.hash).toBe(runs[1]!.steps.at(-1)!.hash)
    const https = await run(asking(doh, 'doh', 'app.test'))
    expect(https.steps.map(({ operation, failure }) => [operation, failure])).toEqual([
      ['connect', null],
      ['tls_handshake', null],
      ['http_round_trip', null],
      ['resolve', null],
    ])
    expect(https.steps.at(-1)!.hash).toBe(runs[0]!.steps.at(-1)!.hash)
    expect((await run(asking(peer.port, 'tcp', 'none.test'))).failure).toBe('dns_nxdomain_error')
  },
)
