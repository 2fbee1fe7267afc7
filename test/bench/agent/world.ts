import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { gunzipSync, gzipSync } from 'node:zlib'
import { decode } from 'dns-packet'
import { calculateJwkThumbprint } from 'jose'
import { allTargets, apps, CATALOGUE_VERSION } from '../../../measurement/catalogue.ts'
import type { Report } from '../../../measurement/report.ts'
import { signCatalogue } from '../../../probes/agent/catalogue.ts'
import { makeKey } from '../../../probes/agent/identity.ts'
import { certificate } from '../../servers/certificates.ts'
import { dnsAnswer } from '../../servers/dns.ts'
import { dataCentre } from '../../servers/mtproto.ts'
import { stunAnswer } from '../../servers/stun.ts'

/**
 * An internet of one process, for test/bench/agent.ts, in a network namespace where every address is its own: names
 * resolve, TLS has chains of usual size, HTTP and MTProto answer, a collector takes reports. Prints the release key.
 */

const [rootFile = '', seen = ''] = process.argv.slice(2)
const release = makeKey()
const catalogue = await signCatalogue(
  { version: CATALOGUE_VERSION, issued: Date.now() / 1000 - 60, expires: Date.now() / 1000 + 1e7, apps },
  release,
)

const root = certificate('Bench root', { ca: true })
writeFileSync(rootFile, root.pem)
/** Names that bring a chain to the 3 to 4 kB of public ones. */
const others = Array.from({ length: 90 }, (_, at) => `name-${at}.of-others.example`)
const contexts = new Map<string, SecureContext>()
const contextOf = (name: string): SecureContext => {
  const known = contexts.get(name)
  if (known) return known
  const leaf = certificate('leaf', { issuer: root, hosts: [name, ...others] })
  const made = createSecureContext({ cert: leaf.pem + root.pem, key: leaf.keyPem })
  contexts.set(name, made)
  return made
}

const headers = {
  ...{ 'content-type': 'text/html; charset=utf-8', server: 'bench', 'x-content-type-options': 'nosniff' },
  'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
  'content-security-policy': `default-src 'self' ${'https://static.example '.repeat(12)}`,
}
const body = Buffer.alloc(2_000, 'x')

const reports = { reports: 0, measurements: 0, answered: 0 }

const web = createHttp(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
  if (request.url === '/v1/nonce') return json({ nonce: 'n'.repeat(32), expires: Date.now() / 1000 + 300 })
  if (request.url === '/v1/catalogue') return response.setHeader('content-encoding', 'gzip').end(gzipSync(catalogue))
  if (request.url === '/v1/agents') {
    const { key } = JSON.parse(Buffer.concat(chunks).toString()) as { key: JsonWebKey & { kty: string } }
    return json({ role: 'vantage', thumbprint: await calculateJwkThumbprint(key) })
  }
  if (request.url === '/v1/reports') {
    const { batches } = JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()) as Report
    reports.reports++
    for (const { bytes } of batches)
      for (const line of bytes.split('\n')) {
        reports.measurements++
        if (line.includes('"failure":null,"served"')) reports.answered++
      }
    const receipts = batches.map(({ id }) => ({ id, outcome: 'stored' }))
    return json({ receipts, catalogue: CATALOGUE_VERSION, now: Date.now() / 1000, requests: [] })
  }
  if (request.url === '/tally') return json(reports)
  response.writeHead(request.url === '/generate_204' ? 204 : 200, headers)
  return response.end(request.url === '/generate_204' ? undefined : body)
})

const PATIENCE = 500

/** TLS, HTTP, or what Telegram speaks, by the first byte. */
const talk = (socket: Socket): void => {
  socket.on('error', () => {})
  // Whoever waits for words that this world does not know waits no longer than so: time passes fast there.
  const silence = setTimeout(() => socket.destroy(), PATIENCE)
  socket.on('close', () => clearTimeout(silence))
  socket.once('data', first => {
    socket.pause()
    socket.unshift(first)
    const speaks = first[0] === 0x16 || (first[0]! >= 0x41 && first[0]! <= 0x5a)
    if (speaks) clearTimeout(silence)
    if (first[0] === 0x16) {
      const SNICallback = (name: string, done: (error: null, context: SecureContext) => void) =>
        done(null, contextOf(name))
      const secure = new TLSSocket(socket, {
        ...{ isServer: true, SNICallback, secureContext: contextOf('none'), ALPNProtocols: ['http/1.1'] },
      })
      secure.on('error', () => {})
      web.emit('connection', secure)
      return
    }
    if (speaks) web.emit('connection', socket)
    else dataCentre()(socket)
    process.nextTick(() => socket.resume())
  })
}

const ports = new Set(allTargets().map(({ target }) => target.port))
for (const port of ports) createServer(talk).listen(port, '0.0.0.0')

const names = createSocket('udp4')
names.on('message', (question, from) => {
  // Every name has an address of its own.
  const [asked] = decode(question).questions ?? []
  const hash = [...(asked?.name ?? '')].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7)
  const address = `41.${90 + (hash % 100)}.${(hash >>> 8) & 255}.${1 + ((hash >>> 16) % 250)}`
  names.send(dnsAnswer(question, asked?.type === 'A' ? [address] : []), from.port, from.address)
})
names.bind(53, '0.0.0.0')

for (const port of [3478, 443, 19_302]) {
  const stun = createSocket('udp4')
  stun.on('message', (request, from) => {
    if (request.length === 20) stun.send(stunAnswer(request, seen), from.port, from.address)
  })
  stun.bind(port, '0.0.0.0')
}

process.stdout.write(`${release.x}\n`)
