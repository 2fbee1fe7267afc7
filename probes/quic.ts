import { randomBytes } from 'node:crypto'
import { Failed } from './net/classify.ts'
import { askUntilAnswered } from './net/datagram.ts'
import type { Probe } from './probe.ts'

/**
 * Whether UDP 443 reaches a QUIC server: a packet of a version that cannot exist is answered with the versions that do
 * (RFC 9000 §6, RFC 8999). Nothing is negotiated and no name is sent.
 */
export const quic: Probe<'quic'> = async ({ host, port }, net) => {
  const address = await net.resolve(host)
  if (address === null) return
  const ours = randomBytes(8)
  const theirs = randomBytes(8)
  await net.datagram('datagram', address, port, async (peer, note) => {
    const versions = await askUntilAnswered(peer, question(theirs, ours), note, answer =>
      parseVersions(answer, theirs, ours),
    )
    note.count = versions.length
    if (!versions.some(version => version === 1 || version === 0x6b3343cf))
      throw new Failed('quic_incompatible_version')
  })
}

/** A packet with a long header of version 0x?a?a?a?a, which is reserved to force negotiation, padded to 1200 bytes. */
const question = (destination: Buffer, source: Buffer): Buffer => {
  const version = randomBytes(4).map(byte => (byte & 0xf0) | 0x0a)
  const head = Buffer.concat([Buffer.of(0xc0), version, Buffer.of(8), destination, Buffer.of(8), source])
  return Buffer.concat([head, randomBytes(1200 - head.length)])
}

/** Versions of a Version Negotiation packet that answers ours: both connection ids come back, swapped. */
export const parseVersions = (packet: Buffer, theirs: Buffer, ours: Buffer): number[] => {
  const list = 7 + ours.length + theirs.length
  const ids = Buffer.concat([Buffer.of(ours.length), ours, Buffer.of(theirs.length), theirs])
  const whole = packet.length > list && (packet.length - list) % 4 === 0
  if (!whole || packet[0]! < 0x80 || packet.readUInt32BE(1) !== 0 || !packet.subarray(5, list).equals(ids)) {
    throw new Failed('quic_malformed')
  }
  return Array.from({ length: (packet.length - list) / 4 }, (_, at) => packet.readUInt32BE(list + at * 4))
}
