import { once } from 'node:events'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { judgeChain } from '../../probes/net/roots.ts'
import { run } from '../probe-contract.ts'
import { type Certificate, certificate, trust } from '../servers/certificates.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tcpPeer, tlsPeer } from '../servers/tcp.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const host = 'app.test'

const peerOf = (leaf: Certificate, ...chain: Certificate[]) =>
  tlsPeer({ key: leaf.keyPem, cert: [leaf, ...chain].map(({ pem }) => pem).join(''), ALPNProtocols: ['http/1.1'] })

const asking = (
  port: number,
  more: { roots?: 'public' | 'signal' | 'public+signal'; verify?: boolean; sni?: string | null } = {},
) => loopbackTarget('tls', port, { sni: host, alpn: ['http/1.1'], roots: 'public', verify: true, ...more })

test('a trusted chain for the name: answered, certificate proves the origin, chain hashed, root named', async () => {
  await using peer = await peerOf(certificate('leaf', { issuer: root, hosts: [host] }))
  const { steps, failure, origin_proof, sent, received } = await run(asking(peer.port))
  expect(failure).toBeNull()
  expect(origin_proof).toBe('certificate')
  expect(steps.map(({ operation }) => operation)).toEqual(['connect', 'tls_handshake'])
  expect(steps[1]).toMatchObject({ mark: 'public' })
  expect(steps[1]!.hash).toMatch(/^[0-9a-f]{64}$/)
  expect(steps[1]!.received).toBeGreaterThan(500)
  expect([sent, received]).toEqual([steps[1]!.sent, steps[1]!.received])
})

test('without a server name, and by an address: the certificate is held against the target’s own host', async () => {
  await using peer = await peerOf(certificate('leaf', { issuer: root, hosts: ['127.0.0.1'] }))
  const { failure, origin_proof } = await run(asking(peer.port, { sni: null }))
  expect({ failure, origin_proof }).toEqual({ failure: null, origin_proof: 'certificate' })
  await using other = await peerOf(certificate('leaf', { issuer: root, hosts: ['localhost', '127.0.0.2'] }))
  expect((await run(asking(other.port, { sni: null }))).failure).toBe('ssl_invalid_hostname')
})

const DAY = 86_400_000
const stranger = certificate('Stranger', { ca: true })

test.each<[string, Certificate, Certificate[], string]>([
  ['another name', certificate('leaf', { issuer: root, hosts: ['other.test'] }), [], 'ssl_invalid_hostname'],
  [
    'an unknown authority',
    certificate('leaf', { issuer: stranger, hosts: [host] }),
    [stranger],
    'ssl_unknown_authority',
  ],
  ['itself as authority', certificate('leaf', { hosts: [host] }), [], 'ssl_unknown_authority'],
  [
    'dates gone by',
    certificate('leaf', {
      issuer: root,
      hosts: [host],
      from: new Date(Date.now() - 9 * DAY),
      to: new Date(Date.now() - DAY),
    }),
    [],
    'ssl_invalid_certificate',
  ],
])('a certificate with %s: %s', async (_, leaf, chain, failure) => {
  await using peer = await peerOf(leaf, ...chain)
  const { steps, origin_proof } = await run(asking(peer.port))
  expect(steps[1]).toMatchObject({ operation: 'tls_handshake', failure })
  expect(steps[1]!.hash).toMatch(/^[0-9a-f]{64}$/)
  expect(origin_proof).toBe('none')
  // Without verification, as with an innocuous name, the same handshake counts.
  expect((await run(asking(peer.port, { verify: false }))).failure).toBeNull()
})

test('Signal’s roots only: a public chain is an unknown authority; either: the public one counts', async () => {
  await using peer = await peerOf(certificate('leaf', { issuer: root, hosts: [host] }))
  expect((await run(asking(peer.port, { roots: 'signal' }))).failure).toBe('ssl_unknown_authority')
  expect((await run(asking(peer.port, { roots: 'public+signal' }))).steps[1]).toMatchObject({
    failure: null,
    mark: 'public',
  })
})

/** `judgeChain` on a real handshake, with these roots pinned in the place of Signal's. */
const judged = async (pinned: Certificate, leaf: Certificate, ...chain: Certificate[]) => {
  await using peer = await peerOf(leaf, ...chain)
  const socket = connect({ port: peer.port, host: '127.0.0.1', servername: host, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const result = judgeChain(socket, 'signal', host, new Map([[pinned.sha256, 'pinned']]))
  socket.destroy()
  return result
}

test('a pinned root sent in the chain is found by its fingerprint, and every link must hold', async () => {
  const pinned = certificate('Pinned root', { ca: true })
  const middle = certificate('Middle', { issuer: pinned, ca: true })
  const leaf = certificate('leaf', { issuer: middle, hosts: [host] })
  expect(await judged(pinned, leaf, middle, pinned)).toMatchObject({ mark: 'pinned', failure: null })
  expect(await judged(pinned, certificate('leaf', { issuer: pinned, hosts: [host] }), pinned)).toMatchObject({
    failure: null,
  })
  // A root put beside a chain it did not sign.
  expect(
    (await judged(pinned, certificate('leaf', { issuer: stranger, hosts: [host] }), stranger, pinned)).failure,
  ).not.toBeNull()
  const impostor = { ...certificate('Pinned root', { ca: true }), name: 'Pinned root' }
  expect(
    (await judged(pinned, certificate('leaf', { issuer: impostor, hosts: [host] }), pinned)).failure,
  ).not.toBeNull()
  const noAuthority = certificate('Middle', { issuer: pinned })
  expect(
    (await judged(pinned, certificate('leaf', { issuer: noAuthority, hosts: [host] }), noAuthority, pinned)).failure,
  ).not.toBeNull()
  expect(
    (await judged(pinned, certificate('leaf', { issuer: pinned, hosts: ['other.test'] }), pinned)).failure,
  ).not.toBeNull()
  const old = certificate('leaf', { issuer: pinned, hosts: [host], from: new Date(0), to: new Date(DAY) })
  expect((await judged(pinned, old, pinned)).failure).not.toBeNull()
})

test('a peer that does not speak TLS, and one that announces an endless handshake message', async () => {
  await using plain = await tcpPeer(socket =>
    socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
  )
  expect((await run(asking(plain.port))).failure).toBe('ssl_failed_handshake')
  // A ServerHello of 2^24-1 bytes in records that never end.
  await using endless = await tcpPeer(socket => {
    socket.once('data', () => {
      socket.write(Buffer.from('1603034000' + '02ffffff', 'hex'))
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(16_384, 0))) {}
      }
      socket.on('drain', more)
      more()
    })
  })
  const { failure, received } = await run(asking(endless.port))
  expect(failure).toBe('ssl_failed_handshake')
  expect(received).toBeLessThan(500_000)
  // The alert a filter sends in the server's name.
  await using alert = await tcpPeer(socket =>
    socket.once('data', () => socket.end(Buffer.from('15030100020228', 'hex'))),
  )
  expect((await run(asking(alert.port))).failure).toBe('ssl_failed_handshake')
})
