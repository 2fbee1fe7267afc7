import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate made here, with its key. Nothing is kept in files. */
export type Certificate = { pem: string; der: Buffer; key: KeyObject; name: string; keyPem: string; sha256: string }

type Wishes = { issuer?: Certificate; hosts?: string[]; ca?: boolean; from?: Date; to?: Date }

const DAY = 86_400_000

/** An X.509 v3 certificate on P-256 (RFC 5280 §4.1), self-signed without `issuer`. */
export const certificate = (name: string, { issuer, hosts = [], ca = false, from, to }: Wishes = {}): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaSha256 = sequence(oid('2a8648ce3d040302'))
  const tbs = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ecdsaSha256,
    distinguished(issuer?.name ?? name),
    sequence(time(from ?? new Date(Date.now() - DAY)), time(to ?? new Date(Date.now() + 30 * DAY))),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions(ca, hosts))),
  )
  const signature = sign('sha256', tbs, issuer?.key ?? privateKey)
  const der = sequence(tbs, ecdsaSha256, tlv(0x03, Buffer.concat([Buffer.of(0), signature])))
  const pem = `-----BEGIN CERTIFICATE-----\n${der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END CERTIFICATE-----\n`
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { pem, der, key: privateKey, keyPem, name, sha256: createHash('sha256').update(der).digest('hex') }
}

const extensions = (ca: boolean, hosts: readonly string[]): Buffer[] => {
  const basic = sequence(
    oid('551d13'),
    tlv(0x01, Buffer.of(255)),
    tlv(0x04, sequence(...(ca ? [tlv(0x01, Buffer.of(255))] : []))),
  )
  if (hosts.length === 0) return [basic]
  const names = hosts.map(host =>
    isIPv4(host) ? tlv(0x87, Buffer.from(host.split('.').map(Number))) : tlv(0x82, Buffer.from(host)),
  )
  return [basic, sequence(oid('551d11'), tlv(0x04, sequence(...names)))]
}

const tlv = (tag: number, content: Buffer): Buffer => {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...parts: Buffer[]): Buffer => tlv(0x30, Buffer.concat(parts))
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'))
const distinguished = (name: string): Buffer =>
  sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(name)))))
const time = (at: Date): Buffer => tlv(0x18, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))
