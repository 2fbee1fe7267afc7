import type { TargetOf } from '../measurement/target.ts'
import { Failed } from './net/classify.ts'
import type { Net } from './net/net.ts'
import type { Stream } from './net/stream.ts'
import { wireOf } from './net/upgrade.ts'
import type { Probe } from './probe.ts'
import { NoiseXX } from './wire/noise-xx.ts'
import { decode, encode, first as firstField } from './wire/protobuf.ts'
import { verifyXeddsa } from './wire/xeddsa.ts'

/**
 * WhatsApp's first words without an account: a Noise XX hello, answered by the server's key and a certificate chain that
 * ends in a key every client pins. A chain that verifies can only come from WhatsApp. Facts and sources: reference
 * endpoints.md §2.1.
 */
export const noise: Probe<'noise'> = async ({ host, port, ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  const wire = ask.transport === 'tcp' ? stream : await opened(host, port, ask, net, stream)
  if (wire && (await net.speak('protocol_handshake', stream, () => hello(wire, ask)))) net.prove('key')
}

type Ask = TargetOf<'noise'>['ask']
type Wire = Pick<Stream, 'write' | 'read'>

const opened = async (host: string, port: number, ask: Ask, net: Net, stream: Stream): Promise<Wire | null> => {
  if (!(await net.handshake(stream, { sni: host, alpn: ['http/1.1'], roots: 'public', verify: host }))) return null
  const { path = '/ws/chat', origin } = ask
  const headers = origin === undefined ? {} : { origin }
  const upgraded = await net.upgrade(stream, {
    scheme: 'wss',
    host,
    port,
    path,
    headers,
    protocol: null,
    status: [101],
  })
  return upgraded?.channel ? wireOf(upgraded.channel) : null
}

/** Longest frame read; a serverHello is about 350 bytes. */
const MAX_FRAME = 16_384

const hello = async (wire: Wire, { prologue, root }: Ask): Promise<true> => {
  const opening = Buffer.from(prologue, 'hex')
  const handshake = new NoiseXX(opening)
  const message = encode([[2, encode([[1, handshake.ephemeral]])]])
  wire.write(Buffer.concat([opening, frameLength(message.length), message]))
  const length = (await wire.read(3)).readUIntBE(0, 3)
  if (length > MAX_FRAME) throw new Failed('noise_malformed')
  const { ephemeral, encryptedKey, encryptedPayload } = parseServerHello(await wire.read(length))
  const { key, payload } = handshake.read(ephemeral, encryptedKey, encryptedPayload)
  if (!verifyChain(payload, key, Buffer.from(root, 'hex'), Date.now() / 1000)) throw new Failed('noise_cert_invalid')
  return true
}

const frameLength = (length: number): Buffer => {
  const bytes = Buffer.alloc(3)
  bytes.writeUIntBE(length, 0, 3)
  return bytes
}

/** HandshakeMessage { 3 serverHello { 1 ephemeral, 2 static, 3 payload } }. */
export const parseServerHello = (
  frame: Buffer,
): { ephemeral: Buffer; encryptedKey: Buffer; encryptedPayload: Buffer } => {
  const serverHello = firstField(decode(frame), 3)
  const fields = decode(Buffer.isBuffer(serverHello) ? serverHello : Buffer.alloc(0))
  const [ephemeral, encryptedKey, encryptedPayload] = [1, 2, 3].map(number => firstField(fields, number))
  if (!Buffer.isBuffer(ephemeral) || !Buffer.isBuffer(encryptedKey) || !Buffer.isBuffer(encryptedPayload))
    throw new Failed('noise_malformed')
  if (ephemeral.length !== 32 || encryptedKey.length !== 48 || encryptedPayload.length < 16)
    throw new Failed('noise_malformed')
  return { ephemeral, encryptedKey, encryptedPayload }
}

/**
 * CertChain { 1 leaf, 2 intermediate }, each { 1 details, 2 signature }; details { 1 serial, 2 issuer’s serial, 3 key,
 * 4 not before, 5 not after }. The pinned key, whose serial is 0, signs the intermediate; that signs the leaf; the leaf
 * holds the key of the handshake. `now` in Unix seconds.
 */
export const verifyChain = (chain: Buffer, serverKey: Buffer, root: Buffer, now: number): boolean => {
  const certificates = decode(chain)
  const leaf = parseCertificate(firstField(certificates, 1))
  const intermediate = parseCertificate(firstField(certificates, 2))
  if (!leaf || !intermediate) return false
  const inDate = [leaf, intermediate].every(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter)
  const linked = intermediate.issuer === 0 && leaf.issuer === intermediate.serial && leaf.key.equals(serverKey)
  return (
    inDate &&
    linked &&
    verifyXeddsa(root, intermediate.details, intermediate.signature) &&
    verifyXeddsa(intermediate.key, leaf.details, leaf.signature)
  )
}

type Certificate = {
  details: Buffer
  signature: Buffer
  serial: number
  issuer: number
  key: Buffer
  notBefore: number
  notAfter: number
}

const parseCertificate = (bytes: unknown): Certificate | null => {
  const outer = decode(Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0))
  const details = firstField(outer, 1)
  const signature = firstField(outer, 2)
  if (!Buffer.isBuffer(details) || !Buffer.isBuffer(signature)) return null
  const fields = decode(details)
  const key = firstField(fields, 3)
  if (!Buffer.isBuffer(key) || key.length !== 32 || signature.length !== 64) return null
  // Protocol buffers leave zeros out.
  const number = (field: number): number => {
    const value = firstField(fields, field)
    return typeof value === 'number' ? value : 0
  }
  return { details, signature, key, serial: number(1), issuer: number(2), notBefore: number(4), notAfter: number(5) }
}
