import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgeConnack } from '../../probes/mqtt.ts'
import { Failed } from '../../probes/net/classify.ts'
import { judgeOpening } from '../../probes/xmpp.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { debianPeer, installed } from '../servers/debian.ts'
import { loopbackTarget } from '../servers/target.ts'
import { hostile, tcpPeer } from '../servers/tcp.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })

const mqtt = (port: number, tls = false) =>
  loopbackTarget('mqtt', port, { tls, roots: 'public' }, { host: tls ? 'localhost' : '127.0.0.1' })
const xmpp = (port: number, tls: 'direct' | 'starttls' | 'none' = 'none') =>
  loopbackTarget('xmpp', port, { to: 'localhost', tls, roots: 'public' })

test.each([0, 5])('mqtt: CONNACK with code %i is an answer', async code => {
  let asked = Buffer.alloc(0)
  await using peer = await tcpPeer(socket => {
    socket.once('data', bytes => {
      asked = Buffer.from(bytes)
      socket.write(Buffer.of(0x20, 2, 0, code))
    })
  })
  const { failure, steps } = await run(mqtt(peer.port))
  expect(failure).toBeNull()
  expect(steps[1]).toMatchObject({ operation: 'protocol_handshake', code })
  // OASIS MQTT 3.1.1 §3.1: fixed header, protocol name and level, clean session, keep-alive, client id.
  expect(asked.subarray(0, 14).toString('hex')).toBe('101c00044d5154540402000a0010')
  expect(asked).toHaveLength(30)
})

test('mqtt: anything else is malformed', async () => {
  await using peer = await tcpPeer(hostile.garbage)
  expect((await run(mqtt(peer.port))).failure).toBe('mqtt_malformed')
  expect(() => judgeConnack(Buffer.of(0x20, 2, 2, 0))).toThrow(new Failed('mqtt_malformed'))
  expect(() => judgeConnack(Buffer.of(0x20, 2, 0, 6))).toThrow(new Failed('mqtt_malformed'))
})

const mosquitto = (tls: boolean, anonymous = true) =>
  debianPeer({
    program: 'mosquitto',
    files: ({ folder, port }) => ({
      'leaf.pem': leaf.pem + root.pem,
      'key.pem': leaf.keyPem,
      conf: `listener ${port} 127.0.0.1\nallow_anonymous ${anonymous}\n${tls ? `certfile ${folder}/leaf.pem\nkeyfile ${folder}/key.pem\n` : ''}`,
    }),
    args: () => ['-c', 'conf'],
  })

test.skipIf(!installed('mosquitto'))(
  'mqtt: mosquitto answers, in clear and in TLS, strangers too (skipped without the package mosquitto)',
  async () => {
    await using plain = await mosquitto(false)
    expect((await run(mqtt(plain.port))).steps[1]).toMatchObject({ failure: null, code: 0 })
    await using closed = await mosquitto(false, false)
    expect((await run(mqtt(closed.port))).steps[1]).toMatchObject({ failure: null, code: 5 })
    await using tls = await mosquitto(true)
    const { failure, origin_proof } = await run(mqtt(tls.port, true))
    expect({ failure, origin_proof }).toEqual({ failure: null, origin_proof: 'certificate' })
  },
)

const header =
  "<?xml version='1.0'?><stream:stream from='localhost' id='1' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

test.each<[string, string, string | null]>([
  ['stream and features', `${header}<stream:features><bind/></stream:features>`, null],
  ['empty features', `${header}<stream:features/>`, null],
  ['a stream error', `${header}<stream:error><host-unknown/></stream:error></stream:stream>`, 'xmpp_stream_error'],
  ['a page', '<html><body>203.0.113.77</body></html>', 'xmpp_malformed'],
  ['half an answer', header, 'generic_timeout_error'],
  ['an endless answer', header + '<a/>'.repeat(10_000), 'xmpp_malformed'],
])('xmpp: %s', async (_, answer, failure) => {
  await using peer = await tcpPeer(socket => socket.once('data', () => socket.write(answer)))
  expect((await run({ ...xmpp(peer.port), timeout: 1 })).failure).toBe(failure)
})

test('xmpp: a server that offers no TLS where TLS was to begin', async () => {
  await using peer = await tcpPeer(socket => socket.once('data', () => socket.write(`${header}<stream:features/>`)))
  expect((await run(xmpp(peer.port, 'starttls'))).failure).toBe('xmpp_stream_error')
})

test.skipIf(!installed('prosody'))(
  'xmpp: prosody answers, in clear and after STARTTLS (skipped without the package prosody)',
  async () => {
    await using peer = await debianPeer({
      program: 'prosody',
      files: ({ folder, port }) => ({
        'localhost.crt': leaf.pem + root.pem,
        'localhost.key': leaf.keyPem,
        'prosody.cfg.lua': [
          'run_as_root = true',
          `pidfile = "${folder}/pid"`,
          `data_path = "${folder}"`,
          'interfaces = { "127.0.0.1" }',
          `c2s_ports = { ${port} }`,
          's2s_ports = { }',
          `certificates = "${folder}"`,
          'modules_enabled = { "tls", "saslauth" }',
          'modules_disabled = { "s2s" }',
          'c2s_require_encryption = false',
          'log = { error = "*console" }',
          'VirtualHost "localhost"',
          '',
        ].join('\n'),
      }),
      args: ({ folder }) => ['-F', '--config', `${folder}/prosody.cfg.lua`],
    })
    expect((await run(xmpp(peer.port))).failure).toBeNull()
    const { failure, steps } = await run(xmpp(peer.port, 'starttls'))
    expect(failure).toBeNull()
    expect(steps.map(({ operation }) => operation)).toEqual([
      'connect',
      'protocol_handshake',
      'protocol_handshake',
      'tls_handshake',
      'protocol_handshake',
    ])
    const other = xmpp(peer.port)
    expect((await run({ ...other, ask: { ...other.ask, to: 'other.test' } })).failure).toBe('xmpp_stream_error')
  },
)

test('any text: answered, not yet, or a failure', () => {
  const tokens = fc.constantFrom(
    header,
    '<stream:features',
    '/>',
    '>',
    '</stream:features>',
    '<stream:error>',
    ' ',
    '<?xml',
    '<a>',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(tokens, { maxLength: 8 }).map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(text, given => {
      try {
        expect(typeof judgeOpening(given)).toBe('boolean')
      } catch (error) {
        if (!(error instanceof Failed)) throw error
      }
    }),
    { numRuns: 2000 },
  )
  // A pattern that backtracks would hang here.
  expect(judgeOpening(`${header}${'<features '.repeat(1600)}`)).toBe(false)
})
